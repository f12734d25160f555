//! What to load a server with.

use std::time::Duration;

use crate::limits::SECTIONS_MAX;

/// A load, and where to put it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `ws://host:port`.
    pub url: String,
    pub key: String,
    pub secret: String,
    pub rooms: u32,
    /// Publish, and hear nobody. In each room.
    pub talkers: u32,
    /// Hear every talker of their room, and publish nothing. In each room.
    pub listeners: u32,
    /// Listeners of each room who go on reading what they hear, if not all. The others join and
    /// hear everybody once; from then on the kernel drops the voice at their sockets, and the
    /// driver takes no time from a server that it shares a machine with.
    pub sampled: Option<u32>,
    /// Sound in one packet, in milliseconds.
    pub packet_ms: u32,
    /// Pace of joining.
    pub joins_per_second: f64,
    pub order: JoinOrder,
    /// Between the last join and the first window.
    pub warm_up: Duration,
    /// Length of one window of measurement.
    pub window: Duration,
    pub windows: u32,
    pub path: SignalPath,
    /// Threads that carry the callers.
    pub threads: usize,
    /// The server's process, if it runs on this machine: its CPU time and memory are reported.
    pub server_pid: Option<u32>,
}

/// Who joins first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinOrder {
    /// The talkers of all rooms, then the listeners: what a listener costs can be told apart.
    #[default]
    TalkersFirst,
    /// Room by room: the first rooms talk while the others fill.
    RoomByRoom,
}

/// How callers signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignalPath {
    /// `/rtc/v1`: one peer connection, the client offers.
    #[default]
    OneConnection,
    /// `/rtc`: a publisher connection and a subscriber connection, on which the server offers.
    TwoConnections,
}

/// Options that make no load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    #[error("the URL must start with ws://")]
    Url,
    #[error("there must be a room, a talker, a listener, a thread and a window")]
    Nothing,
    #[error("of the listeners of a room some must be sampled, and no more than there are")]
    Sample,
    #[error("at most {SECTIONS_MAX} talkers fit one room")]
    Talkers,
    #[error("a packet must hold 10, 20, 40 or 60 ms of sound")]
    Packet,
    #[error("the pace must be a positive number of joins per second")]
    Pace,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let counts = [self.rooms, self.talkers, self.listeners, self.windows];
        if !self.url.starts_with("ws://") {
            Err(InvalidOptions::Url)
        } else if counts.contains(&0) || self.threads == 0 || self.window.is_zero() {
            Err(InvalidOptions::Nothing)
        } else if !(1..=self.listeners).contains(&self.sampled()) {
            Err(InvalidOptions::Sample)
        } else if self.talkers > SECTIONS_MAX {
            Err(InvalidOptions::Talkers)
        } else if ![10, 20, 40, 60].contains(&self.packet_ms) {
            Err(InvalidOptions::Packet)
        } else if !(self.joins_per_second.is_finite() && self.joins_per_second > 0.0) {
            Err(InvalidOptions::Pace)
        } else {
            Ok(())
        }
    }

    pub(crate) fn packet_interval(&self) -> Duration {
        Duration::from_millis(self.packet_ms.into())
    }

    /// Listeners of each room who read what they hear.
    pub(crate) fn sampled(&self) -> u32 {
        self.sampled.unwrap_or(self.listeners)
    }

    /// Whether a room's listener of this number reads on. They are spread over the room: a
    /// packet's copies leave in the order in which their listeners have joined.
    pub(crate) fn is_sampled(&self, number: u32) -> bool {
        let sampled = u64::from(self.sampled());
        let before = |number: u32| u64::from(number) * sampled / u64::from(self.listeners.max(1));
        before(number) < before(number.saturating_add(1))
    }

    /// Talker-to-listener streams that there should be.
    pub(crate) fn streams(&self) -> u64 {
        u64::from(self.rooms) * u64::from(self.talkers) * u64::from(self.listeners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_read_on_are_spread_over_the_room() {
        let options = Options {
            url: String::new(),
            key: String::new(),
            secret: String::new(),
            rooms: 1,
            talkers: 1,
            listeners: 10,
            sampled: Some(3),
            packet_ms: 20,
            joins_per_second: 1.0,
            order: JoinOrder::default(),
            warm_up: Duration::ZERO,
            window: Duration::ZERO,
            windows: 1,
            path: SignalPath::default(),
            threads: 1,
            server_pid: None,
        };
        let read_on: Vec<u32> = (0..10).filter(|number| options.is_sampled(*number)).collect();
        assert_eq!(read_on, [3, 6, 9]);
        let all = Options { sampled: None, ..options };
        assert!((0..10).all(|number| all.is_sampled(number)));
    }
}
