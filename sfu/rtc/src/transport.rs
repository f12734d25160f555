//! One peer connection: ICE finds the peer, DTLS proves it, SRTP and SCTP carry what is said.

mod progress;

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use proto::{
    control::ConnectionFailure,
    data::{Channel, ChannelSide},
    ice,
};

use crate::{
    certificate::Certificate,
    dtls::Dtls,
    error::{Refused, SendDataError, Unbelieved},
    ice::{Agent, Outcome},
    limits::CONNECT_TIMEOUT,
    sctp::Association,
    srtp::{self, Side},
};

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The SFU: ICE-lite, DTLS server. Never sends first.
    Server,
    /// A caller: sends checks to `server` and nominates it, DTLS client.
    Client { server: SocketAddr },
}

/// What a [`Transport`] asks of its shell.
#[must_use]
#[derive(Debug)]
pub enum Output<'a> {
    Datagram {
        to: SocketAddr,
        bytes: &'a [u8],
    },
    Event(Event),
    /// Drained. Wake the transport at this instant, or at the next input.
    Idle(Option<Instant>),
}

/// What happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer proved its certificate, and media can flow.
    Connected,
    /// Messages can be sent on this channel.
    ChannelOpen(Channel),
    Data {
        channel: Channel,
        payload: Vec<u8>,
    },
    /// An authenticated check came from this address: datagrams from it are this peer's.
    AddressVerified(SocketAddr),
    /// It is over. Nothing follows.
    Failed(ConnectionFailure),
}

/// One peer connection. Drain [`Self::poll_output`] after each input.
pub struct Transport {
    certificate: Certificate,
    side: Side,
    channels: ChannelSide,
    ice: Agent,
    promised_fingerprint: Option<[u8; 32]>,
    dtls: Option<Dtls>,
    srtp: Option<srtp::Session>,
    sctp: Option<Association>,
    phase: Phase,
    unbelieved: Option<Unbelieved>,
    /// What the clock said last: [`Self::set_remote`] is not told, and may complete a handshake.
    latest: Instant,
    outbox: VecDeque<Queued>,
    /// The datagram lent out by the latest poll.
    lent: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting { deadline: Instant },
    Connected,
    Failed,
}

enum Queued {
    Datagram { to: SocketAddr, bytes: Vec<u8> },
    Event(Event),
}

impl Transport {
    /// Makes a connection that waits for its peer. It fails if none has come in time.
    pub fn new(
        certificate: &Certificate,
        role: Role,
        local: ice::Credentials,
        channels: ChannelSide,
        now: Instant,
    ) -> Self {
        let side = match role {
            Role::Server => Side::Server,
            Role::Client { .. } => Side::Client,
        };
        Self {
            certificate: certificate.clone(),
            side,
            channels,
            ice: Agent::new(role, local, now),
            promised_fingerprint: None,
            dtls: None,
            srtp: None,
            sctp: None,
            phase: Phase::Connecting { deadline: now + CONNECT_TIMEOUT },
            unbelieved: None,
            latest: now,
            outbox: VecDeque::new(),
            lent: Vec::new(),
        }
    }

    /// Learns what signaling promises about the peer. `None` keeps the credentials it has.
    ///
    /// A peer that is connected has shown its certificate: another fingerprint is ignored.
    pub fn set_remote(&mut self, ice: Option<ice::Credentials>, fingerprint: [u8; 32]) {
        if let Some(credentials) = ice {
            self.ice.set_remote(credentials);
        }
        self.promised_fingerprint = Some(fingerprint);
        self.progress(self.latest);
    }

    /// Takes new credentials. The old ones stay valid until a check uses the new.
    pub fn restart_ice(&mut self, local: ice::Credentials) {
        self.ice.restart(local);
    }

    /// Takes a STUN message. Only an authentic check is answered.
    pub fn handle_stun(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.latest = now;
        self.unbelieved = None;
        if self.phase == Phase::Failed {
            return;
        }
        let new_address = match self.ice.handle_stun(from, datagram, now) {
            Err(unbelieved) => {
                self.unbelieved = Some(unbelieved);
                return;
            }
            Ok(Outcome::Answered { answer, new_address }) => {
                self.queue(Queued::Datagram { to: from, bytes: answer });
                new_address
            }
            Ok(Outcome::Reached { new_address }) => new_address,
        };
        if new_address {
            self.queue(Queued::Event(Event::AddressVerified(from)));
        }
        if self.side == Side::Client {
            self.shake_hands(now);
            self.progress(now);
        }
    }

    /// Why the latest STUN message was of no consequence, if it was of none.
    pub fn unbelieved(&self) -> Option<Unbelieved> {
        self.unbelieved
    }

    /// Takes a DTLS datagram, if an authentic check came from its address.
    pub fn handle_dtls(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.latest = now;
        if self.phase == Phase::Failed || !self.ice.is_verified(from) {
            return;
        }
        self.shake_hands(now);
        let taken = self.dtls.as_mut().map(|dtls| dtls.handle_datagram(datagram, now));
        self.progress(now);
        if let Some(Err(failure)) = taken {
            self.fail(failure.into());
        }
    }

    /// Verifies and decrypts an RTP packet in place; returns the length of the plain packet.
    pub fn open_rtp(&mut self, from: SocketAddr, packet: &mut [u8]) -> Result<usize, Refused> {
        self.session_of(from)?.open_rtp(packet)
    }

    /// Verifies and decrypts a compound RTCP packet in place; returns its plain length.
    pub fn open_rtcp(&mut self, from: SocketAddr, packet: &mut [u8]) -> Result<usize, Refused> {
        self.session_of(from)?.open_rtcp(packet)
    }

    fn session_of(&mut self, from: SocketAddr) -> Result<&mut srtp::Session, Refused> {
        if !self.ice.is_verified(from) {
            return Err(Refused::UnverifiedAddress);
        }
        self.srtp.as_mut().ok_or(Refused::NotKeyed)
    }

    /// Seals in place the plain RTP packet `packet[..plain_len]`, whose header has `header_len`
    /// bytes, and returns the length with its tag, for which `packet` has room.
    ///
    /// `roc` continues the sequence number upwards; the caller never repeats the pair under one
    /// SSRC. `None` until the handshake is done.
    pub fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        roc: u32,
    ) -> Option<usize> {
        self.srtp.as_ref()?.seal_rtp(packet, header_len, plain_len, roc)
    }

    /// Seals in place the compound packet `packet[..plain_len]` and returns its length with
    /// trailers, for which `packet` has room. `None` until the handshake is done.
    pub fn seal_rtcp(&mut self, packet: &mut [u8], plain_len: usize) -> Option<usize> {
        self.srtp.as_mut()?.seal_rtcp(packet, plain_len)
    }

    /// Where media goes: the address that the peer nominated and consents at.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.ice.peer().filter(|_| self.phase == Phase::Connected)
    }

    /// Queues a message of at most [`crate::limits::DATA_MESSAGE_BYTES_MAX`] bytes.
    pub fn send_data(
        &mut self,
        channel: Channel,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), SendDataError> {
        self.latest = now;
        let association = self.sctp.as_mut().ok_or(SendDataError::NotOpen)?;
        association.send(channel, payload, now)?;
        self.progress(now);
        Ok(())
    }

    /// Does what has become due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.latest = now;
        if self.phase != Phase::Failed {
            self.on_time(now);
        }
    }

    /// Returns the next thing to do; [`Output::Idle`] once there is nothing left.
    pub fn poll_output(&mut self) -> Output<'_> {
        match self.outbox.pop_front() {
            Some(Queued::Datagram { to, bytes }) => {
                self.lent = bytes;
                Output::Datagram { to, bytes: &self.lent }
            }
            Some(Queued::Event(event)) => Output::Event(event),
            None => Output::Idle(self.deadline()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let connecting = match self.phase {
            Phase::Connecting { deadline } => Some(deadline),
            Phase::Connected => None,
            Phase::Failed => return None,
        };
        let dtls = self.dtls.as_ref().and_then(Dtls::deadline);
        let sctp = self.sctp.as_ref().and_then(Association::deadline);
        [connecting, self.ice.deadline(), dtls, sctp].into_iter().flatten().min()
    }
}
