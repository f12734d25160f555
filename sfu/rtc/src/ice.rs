//! ICE (RFC 8445): the lite agent of the SFU, and a controlling one for callers of our own.
//!
//! Believes nothing but STUN whose MESSAGE-INTEGRITY is right. The lite agent never sends
//! first: it answers checks, and their going on is the peer's consent (RFC 7675). It looks up
//! no candidate: where a peer is, its checks tell.
//!
//! # Invariants
//!
//! - Nothing is sent to an address that no authentic check came from; a caller's server apart.
//! - Only an authentic check moves the peer to another address.

mod checks;
mod paths;
mod secret;

use std::{net::SocketAddr, time::Instant};

use checks::Checks;
use paths::Paths;
use proto::{
    ice,
    stun::{self, Class, Message, TransactionId},
};
use secret::Secret;

use crate::{error::Unbelieved, transport::Role};

pub(crate) struct Agent {
    local: Secret,
    /// What `local` was before a restart; good until `local` is used.
    previous: Option<Secret>,
    remote: Option<Secret>,
    previous_remote_ufrag: Option<String>,
    paths: Paths,
    /// A caller's own checks; the lite agent has none.
    checks: Option<Checks>,
    heard: Heard,
}

/// The best that has reached us: what to say when a connection never came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heard {
    Nothing,
    Unauthenticated,
    Authenticated,
}

/// What became of a STUN message.
pub(crate) enum Outcome {
    /// An authentic check: to be answered, to where it came from.
    Answered { answer: Vec<u8>, new_address: bool },
    /// Our own check was answered.
    Reached { new_address: bool },
}

impl Agent {
    pub(crate) fn new(role: Role, local: ice::Credentials, now: Instant) -> Self {
        let checks = match role {
            Role::Server => None,
            Role::Client { server } => Some(Checks::new(server, now)),
        };
        Self {
            local: Secret::new(local),
            previous: None,
            remote: None,
            previous_remote_ufrag: None,
            paths: Paths::default(),
            checks,
            heard: Heard::Nothing,
        }
    }

    /// Learns the peer's credentials: its first, or new ones after it restarted.
    pub(crate) fn set_remote(&mut self, remote: ice::Credentials) {
        let known = self.remote.take().filter(|known| !known.is(&remote));
        if let Some(replaced) = known {
            self.previous_remote_ufrag = Some(replaced.ufrag().to_owned());
        }
        self.remote = Some(Secret::new(remote));
    }

    /// Takes new credentials; the old ones are good until a check uses the new.
    pub(crate) fn restart(&mut self, local: ice::Credentials) {
        self.previous = Some(std::mem::replace(&mut self.local, Secret::new(local)));
        if let Some(checks) = &mut self.checks {
            checks.restart();
        }
    }

    pub(crate) fn handle_stun(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<Outcome, Unbelieved> {
        self.heard = self.heard.max(Heard::Unauthenticated);
        let message = Message::parse(datagram).map_err(|_| Unbelieved::Malformed)?;
        let outcome = match message.class {
            Class::Request => self.on_request(from, &message, now)?,
            Class::Success => self.on_success(from, &message, now)?,
            Class::Indication | Class::Error => return Err(Unbelieved::Unasked),
        };
        self.heard = Heard::Authenticated;
        Ok(outcome)
    }

    fn on_request(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Outcome, Unbelieved> {
        let username = message.username.ok_or(Unbelieved::Username)?;
        if !message.has_fingerprint {
            return Err(Unbelieved::Malformed);
        }
        if !self.knows_remote(username.from) {
            return Err(Unbelieved::Username);
        }
        if self.checks.as_ref().is_some_and(|checks| checks.server() != from) {
            return Err(Unbelieved::Unasked);
        }
        let answer = if username.to == self.local.ufrag() && self.local.signed(message) {
            self.previous = None;
            self.previous_remote_ufrag = None;
            answer(&self.local, message.transaction, from)
        } else {
            let named = [Some(&self.local), self.previous.as_ref()];
            if !named.iter().flatten().any(|secret| secret.ufrag() == username.to) {
                return Err(Unbelieved::Username);
            }
            let old = self.previous.as_ref().filter(|old| old.ufrag() == username.to);
            let old = old.filter(|old| old.signed(message)).ok_or(Unbelieved::Integrity)?;
            answer(old, message.transaction, from)
        };
        if message.unknown_required {
            return Err(Unbelieved::UnknownAttribute);
        }
        let new_address = self.paths.note_check(from, message.use_candidate, now);
        Ok(Outcome::Answered { answer, new_address })
    }

    fn on_success(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Outcome, Unbelieved> {
        let signed = self.remote.as_ref().is_some_and(|remote| remote.signed(message));
        if !signed {
            return Err(Unbelieved::Integrity);
        }
        let checks = self.checks.as_mut().filter(|checks| checks.server() == from);
        if !checks.is_some_and(|checks| checks.note_answer(message.transaction, now)) {
            return Err(Unbelieved::Unasked);
        }
        Ok(Outcome::Reached { new_address: self.paths.note_check(from, true, now) })
    }

    /// Before the peer's answer has come by signaling, our own password is proof enough.
    fn knows_remote(&self, ufrag: &str) -> bool {
        let Some(remote) = &self.remote else { return true };
        remote.ufrag() == ufrag || self.previous_remote_ufrag.as_deref() == Some(ufrag)
    }

    /// The next check of a caller, if one is due.
    pub(crate) fn poll_check(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        let remote = self.remote.as_ref()?;
        let checks = self.checks.as_mut()?;
        let bytes = checks.poll(remote, self.local.ufrag(), now)?;
        Some((checks.server(), bytes))
    }

    /// Lets go of addresses whose checks have ceased.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.paths.expire(now);
    }

    /// Where to send: an address with consent.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.paths.peer()
    }

    /// Did an authentic check come from there lately?
    pub(crate) fn is_verified(&self, address: SocketAddr) -> bool {
        self.paths.contains(address)
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let check = self.checks.as_ref().filter(|_| self.remote.is_some()).map(Checks::deadline);
        check.into_iter().chain(self.paths.deadline()).min()
    }
}

fn answer(secret: &Secret, transaction: TransactionId, from: SocketAddr) -> Vec<u8> {
    let seen = SocketAddr::new(from.ip().to_canonical(), from.port());
    stun::success_response(transaction, seen, |bytes| secret.sign(bytes))
}
