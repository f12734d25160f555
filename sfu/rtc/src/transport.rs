//! One peer connection.

use std::{net::SocketAddr, time::Instant};

use proto::{
    control::ConnectionFailure,
    data::{Channel, ChannelSide},
    ice,
};

use crate::{
    certificate::Certificate,
    error::{Refused, SendDataError},
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

/// One peer connection.
pub struct Transport {
    local: ice::Credentials,
}

impl Transport {
    pub fn new(
        _certificate: &Certificate,
        _role: Role,
        local: ice::Credentials,
        _channels: ChannelSide,
        _now: Instant,
    ) -> Self {
        Self { local }
    }

    pub fn set_remote(&mut self, _ice: Option<ice::Credentials>, _fingerprint: [u8; 32]) {}

    pub fn restart_ice(&mut self, local: ice::Credentials) {
        self.local = local;
    }

    pub fn handle_stun(&mut self, _from: SocketAddr, _datagram: &[u8], _now: Instant) {}

    pub fn handle_dtls(&mut self, _from: SocketAddr, _datagram: &[u8], _now: Instant) {}

    pub fn open_rtp(&mut self, _from: SocketAddr, _packet: &mut [u8]) -> Result<usize, Refused> {
        Err(Refused::NotKeyed)
    }

    pub fn open_rtcp(&mut self, _from: SocketAddr, _packet: &mut [u8]) -> Result<usize, Refused> {
        Err(Refused::NotKeyed)
    }

    pub fn seal_rtp(
        &self,
        _packet: &mut [u8],
        _header_len: usize,
        _plain_len: usize,
        _roc: u32,
    ) -> Option<usize> {
        None
    }

    pub fn seal_rtcp(&mut self, _packet: &mut [u8], _plain_len: usize) -> Option<usize> {
        None
    }

    pub fn peer(&self) -> Option<SocketAddr> {
        None
    }

    pub fn send_data(
        &mut self,
        _channel: Channel,
        _payload: &[u8],
        _now: Instant,
    ) -> Result<(), SendDataError> {
        Err(SendDataError::NotOpen)
    }

    pub fn handle_timeout(&mut self, _now: Instant) {}

    pub fn poll_output(&mut self) -> Output<'_> {
        Output::Idle(None)
    }
}
