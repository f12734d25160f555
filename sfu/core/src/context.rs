//! What every room of a shard shares: time, lots, timers, connections, and the way out.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use proto::{
    control::Event,
    ids::SessionId,
    link::{LinkFrame, UnixMicros},
    livekit::{SignalResponse, signal_response::Message},
};

use crate::{
    Config, LinkId, Output, Stats, TransportAction, TransportId,
    clock::Clock,
    random::Random,
    rooms::RoomId,
    timers::{Timer, Timers},
    transports::Transports,
};

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// When the input at hand arrived.
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) timers: Timers,
    pub(crate) transports: Transports,
    /// Where each open link listens.
    pub(crate) links: BTreeMap<LinkId, RoomId>,
    pub(crate) outbox: VecDeque<Output>,
    pub(crate) stats: Stats,
}

impl Context {
    pub(crate) fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        Self {
            clock: Clock::new(config.started, config.started_unix_micros),
            config,
            now,
            random: Random::new(seed),
            timers: Timers::default(),
            transports: Transports::default(),
            links: BTreeMap::new(),
            outbox: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    /// Sends a frame to a client, if its WebSocket is there.
    pub(crate) fn signal(&mut self, session: Option<SessionId>, message: Message) {
        if let Some(session) = session {
            let response = Box::new(SignalResponse { message: Some(message) });
            self.event(Event::Signal { session, response });
        }
    }

    pub(crate) fn transport(&mut self, id: TransportId, action: TransportAction) {
        self.outbox.push_back(Output::Transport { id, action });
    }

    /// Ends a connection. Its index is free for another at once.
    pub(crate) fn close(&mut self, id: TransportId) {
        self.transports.remove(id);
        self.transport(id, TransportAction::Close);
    }

    pub(crate) fn link(&mut self, id: LinkId, frame: LinkFrame) {
        self.outbox.push_back(Output::Link { id, frame });
    }

    pub(crate) fn set_timer(&mut self, at: Instant, timer: Timer) {
        self.timers.set(at, timer);
    }

    /// A bug of ours was noticed: loud in tests, counted and survived in production.
    pub(crate) fn invariant_broken(&mut self, which: &str) {
        debug_assert!(false, "{which}");
        self.stats.invariants_broken += 1;
    }

    pub(crate) fn link_time(&self) -> UnixMicros {
        UnixMicros(self.clock.unix_micros(self.now))
    }

    pub(crate) fn unix_micros(&self) -> i64 {
        self.clock.unix_micros_signed(self.now)
    }
}
