//! One peer connection, as the session knows it.

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use proto::{
    control::SignalPath,
    data::Channel,
    ice,
    sdp::{Mid, Origin, Peer},
};

use crate::{
    TransportId,
    limits::{DATA_WAITING_BYTES_MAX, DATA_WAITING_MAX, PATH_SILENCE_MAX},
    random::{Random, Ssrcs},
};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: TransportId,
    pub(super) local: ice::Credentials,
    /// What the client's last description said of its side.
    pub(super) peer: Option<Peer>,
    origin: Origin,
    /// The section that its description's candidates are in: its place and its name.
    pub(super) tagged: Option<(usize, Mid)>,
    pub(super) state: State,
    open_channels: BTreeSet<Channel>,
    /// Reliable messages for a client whose channel is still opening.
    waiting: Vec<Bytes>,
    /// Numbers of the streams we send.
    pub(super) ssrcs: Ssrcs,
    /// Names us where we only receive.
    pub(super) receiver_ssrc: u32,
    /// When anything was last received on it.
    pub(super) heard_at: Instant,
}

impl Connection {
    pub(super) fn new(id: TransportId, random: &mut Random, now: Instant) -> Self {
        let mut ssrcs = Ssrcs::new(random);
        Self {
            id,
            local: random.credentials(),
            peer: None,
            // Firefox refuses ids from 2^62 on.
            origin: Origin { id: random.bits64() >> 2, version: 0 },
            tagged: None,
            state: State::Opening,
            open_channels: BTreeSet::new(),
            waiting: Vec::new(),
            receiver_ssrc: ssrcs.take(),
            ssrcs,
            heard_at: now,
        }
    }

    /// Whether its peer has been heard of late. A client that hears a stream reports on it every
    /// second or so.
    pub(super) fn is_heard(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard_at) < PATH_SILENCE_MAX
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Names the next description of ours.
    pub(super) fn next_origin(&mut self) -> Origin {
        self.origin.version += 1;
        self.origin
    }

    /// Whether a message may go out on `channel` now. A reliable one is kept for later.
    pub(super) fn ready_for(&mut self, channel: Channel, payload: &Bytes) -> bool {
        let is_open = self.open_channels.contains(&channel);
        if !is_open && channel == Channel::Reliable && self.may_wait(payload) {
            self.waiting.push(payload.clone());
        }
        is_open
    }

    fn may_wait(&self, payload: &Bytes) -> bool {
        let waiting: usize = self.waiting.iter().map(Bytes::len).sum();
        self.waiting.len() < DATA_WAITING_MAX && waiting + payload.len() <= DATA_WAITING_BYTES_MAX
    }

    /// Returns what was waiting for this channel.
    pub(super) fn on_channel_open(&mut self, channel: Channel) -> Vec<Bytes> {
        self.open_channels.insert(channel);
        if channel == Channel::Reliable { std::mem::take(&mut self.waiting) } else { Vec::new() }
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Connected,
    /// It has failed for good.
    Dead,
}

/// A participant's peer connections. The echo caller has none.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) path: SignalPath,
    /// The client offers on it: what it publishes, and with one connection all it hears.
    pub(super) publisher: Option<Connection>,
    /// We offer on it. Only with two connections.
    pub(super) subscriber: Option<Connection>,
}

impl Connections {
    pub(super) fn new(path: SignalPath) -> Self {
        Self { path, publisher: None, subscriber: None }
    }

    /// Where the participant hears.
    pub(super) fn downstream(&self) -> Option<&Connection> {
        match self.path {
            SignalPath::OneConnection => self.publisher.as_ref(),
            SignalPath::TwoConnections => self.subscriber.as_ref(),
        }
    }

    pub(super) fn downstream_mut(&mut self) -> Option<&mut Connection> {
        match self.path {
            SignalPath::OneConnection => self.publisher.as_mut(),
            SignalPath::TwoConnections => self.subscriber.as_mut(),
        }
    }

    pub(super) fn find_mut(&mut self, id: TransportId) -> Option<&mut Connection> {
        self.iter_mut().find(|connection| connection.id == id)
    }

    /// Media flowed on one of them, and can't any more.
    pub(super) fn is_broken(&self) -> bool {
        self.iter().any(|connection| connection.state == State::Dead)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.publisher.iter().chain(&self.subscriber)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.publisher.iter_mut().chain(&mut self.subscriber)
    }
}
