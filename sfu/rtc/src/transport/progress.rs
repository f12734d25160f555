//! How one layer's output becomes the next one's input, until all are quiet.

use std::time::Instant;

use proto::{control::ConnectionFailure, data::ChannelSide};

use super::{Event, Phase, Queued, Transport};
use crate::{
    dtls::{self, Dtls, Proof},
    ice::Heard,
    limits::{HANDSHAKE_TIMEOUT, OUTBOX_MAX},
    sctp::{self, Association},
    srtp::{self, Side},
};

/// Whether a step did something, so that another must follow.
enum Step {
    Done,
    Quiet,
}

impl From<dtls::Failure> for ConnectionFailure {
    fn from(failure: dtls::Failure) -> Self {
        match failure {
            dtls::Failure::Timeout => Self::DtlsTimeout,
            dtls::Failure::Other => Self::DtlsFailed,
        }
    }
}

impl Transport {
    /// Carries everything between the layers.
    pub(super) fn progress(&mut self, now: Instant) {
        loop {
            match self.step(now) {
                Ok(Step::Done) => {}
                Ok(Step::Quiet) => return,
                Err(failure) => return self.fail(failure),
            }
        }
    }

    /// Starts the handshake when the first DTLS datagram has come, or is to go.
    pub(super) fn shake_hands(&mut self, now: Instant) {
        if self.dtls.is_some() || self.ice.peer().is_none() {
            return;
        }
        let mut dtls = Dtls::new(&self.certificate, self.side, now);
        let started = match self.side {
            Side::Client => dtls.handle_timeout(now),
            Side::Server => Ok(()),
        };
        self.dtls = Some(dtls);
        self.phase = Phase::Connecting { deadline: now + HANDSHAKE_TIMEOUT };
        if let Err(failure) = started {
            self.fail(failure.into());
        }
    }

    pub(super) fn on_time(&mut self, now: Instant) {
        self.ice.handle_timeout(now);
        if let Some((to, bytes)) = self.ice.poll_check(now) {
            self.queue(Queued::Datagram { to, bytes });
        }
        match self.phase {
            Phase::Connecting { deadline } if deadline <= now => {
                return self.fail(self.likely_cause());
            }
            Phase::Connected if self.ice.peer().is_none() => {
                return self.fail(ConnectionFailure::ConsentExpired);
            }
            Phase::Connecting { .. } | Phase::Connected | Phase::Failed => {}
        }
        if let Some(association) = &mut self.sctp {
            association.handle_timeout(now);
        }
        let handshake = self.dtls.as_mut().map(|dtls| dtls.handle_timeout(now));
        self.progress(now);
        if let Some(Err(failure)) = handshake {
            self.fail(failure.into());
        }
    }

    fn likely_cause(&self) -> ConnectionFailure {
        let shook_hands = self.dtls.as_ref().is_some_and(Dtls::is_connected);
        match self.ice.heard() {
            Heard::Nothing => ConnectionFailure::NoStunReceived,
            Heard::Unauthenticated => ConnectionFailure::StunUnauthenticated,
            Heard::Authenticated if !shook_hands => ConnectionFailure::DtlsTimeout,
            Heard::Authenticated if self.promised_fingerprint.is_none() => {
                ConnectionFailure::DtlsFingerprint
            }
            // The peer never asked for SRTP.
            Heard::Authenticated => ConnectionFailure::DtlsFailed,
        }
    }

    fn step(&mut self, now: Instant) -> Result<Step, ConnectionFailure> {
        let Some(dtls) = &mut self.dtls else { return Ok(Step::Quiet) };
        match dtls.poll() {
            dtls::Step::Datagram(bytes) => {
                if let Some(to) = self.ice.peer() {
                    self.queue(Queued::Datagram { to, bytes });
                }
                Ok(Step::Done)
            }
            dtls::Step::Data(packet) => {
                // One datagram may carry the end of the handshake and the first data.
                self.prove_peer(now)?;
                self.on_sctp_packet(&packet, now);
                Ok(Step::Done)
            }
            // An authentic close ends consent at once (RFC 7675 §5.2).
            dtls::Step::Closed => Err(ConnectionFailure::ConsentExpired),
            dtls::Step::Idle => {
                self.prove_peer(now)?;
                self.step_association()
            }
        }
    }

    /// Once the handshake is done: is it the peer that signaling promised? Only then are its
    /// keys used.
    fn prove_peer(&mut self, now: Instant) -> Result<(), ConnectionFailure> {
        let Phase::Connecting { .. } = self.phase else { return Ok(()) };
        let (Some(promised), Some(dtls)) = (self.promised_fingerprint, &mut self.dtls) else {
            return Ok(());
        };
        let keying = match dtls.keying(promised) {
            Proof::Pending => return Ok(()),
            Proof::Mismatch => return Err(ConnectionFailure::DtlsFingerprint),
            Proof::Good(keying) => keying,
        };
        self.srtp = srtp::Session::new(&keying);
        if self.srtp.is_none() {
            return Err(ConnectionFailure::DtlsFailed);
        }
        self.phase = Phase::Connected;
        self.queue(Queued::Event(Event::Connected));
        if self.channels == ChannelSide::Local {
            self.sctp = Some(Association::new(self.channels, self.side, now));
        }
        Ok(())
    }

    fn on_sctp_packet(&mut self, packet: &[u8], now: Instant) {
        if self.phase != Phase::Connected {
            return;
        }
        let (channels, side) = (self.channels, self.side);
        self.sctp
            .get_or_insert_with(|| Association::new(channels, side, now))
            .handle_packet(packet, now);
    }

    fn step_association(&mut self) -> Result<Step, ConnectionFailure> {
        let (Some(association), Some(dtls)) = (&mut self.sctp, &mut self.dtls) else {
            return Ok(Step::Quiet);
        };
        match association.poll() {
            sctp::Step::Packet(packet) => dtls.send(&packet)?,
            sctp::Step::Open(channel) => self.queue(Queued::Event(Event::ChannelOpen(channel))),
            sctp::Step::Data(channel, payload) => {
                self.queue(Queued::Event(Event::Data { channel, payload }));
            }
            sctp::Step::Idle => return Ok(Step::Quiet),
        }
        Ok(Step::Done)
    }

    /// Ends the connection: its keys go, and nothing is sent or believed any more.
    pub(super) fn fail(&mut self, failure: ConnectionFailure) {
        if self.phase == Phase::Failed {
            return;
        }
        self.phase = Phase::Failed;
        self.dtls = None;
        self.srtp = None;
        self.sctp = None;
        self.outbox.push_back(Queued::Event(Event::Failed(failure)));
    }

    /// Events are never dropped: the layers below bound them.
    pub(super) fn queue(&mut self, queued: Queued) {
        if matches!(queued, Queued::Event(_)) || self.outbox.len() < OUTBOX_MAX {
            self.outbox.push_back(queued);
        }
    }
}
