//! What happened in a story, for the oracles to judge.

use proto::ids::Epoch;

use crate::{PersonId, RoomId, clock::Time};

/// Everything that was sent and heard, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub joins: Vec<Joined>,
    pub claims: Vec<Claim>,
    pub admitted: Vec<Admitted>,
    pub heard: Vec<Heard>,
    pub sent: Vec<Sent>,
    pub said: Vec<Said>,
    pub received: Vec<Received>,
    pub faults: Vec<Fault>,
    pub links: Vec<LinkEvent>,
    /// Of all outputs of all shards, in order.
    pub digest: u64,
}

/// A client that begins anew: not one that resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub at: Time,
    pub who: PersonId,
}

/// A command for a room, and what its node made of the epoch it came under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub at: Time,
    pub node: u16,
    pub room: RoomId,
    pub epoch: Epoch,
    pub refused: bool,
}

/// A node lets somebody in who joined anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub at: Time,
    pub who: PersonId,
    pub room: RoomId,
    /// What the node was told that the room is under.
    pub epoch: Epoch,
}

/// A packet that arrived at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub at: Time,
    pub listener: PersonId,
    /// Where the listener was.
    pub room: RoomId,
    pub talker: PersonId,
    /// Where the talker was when it said this.
    pub talker_room: RoomId,
    pub count: u32,
    /// Whose voice the listener's descriptions and roster say it is, once they say anything.
    pub taken_for: Option<PersonId>,
}

/// A copy that a shard asked to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub at: Time,
    /// Shard, index and generation: one life of one connection.
    pub to: (u16, u32, u32),
    pub ssrc: u32,
    /// Rollover count and sequence number: what it is encrypted under.
    pub index: u64,
    pub node: u16,
    /// Where the talker was when it said this.
    pub room: RoomId,
    /// Under which epochs talker and listener joined.
    pub epochs: (Epoch, Epoch),
    pub talker: PersonId,
    pub count: u32,
    /// Whether the connection was open.
    pub open: bool,
}

/// A data message, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: Time,
    pub talker: PersonId,
    pub room: RoomId,
    pub count: u32,
}

/// A data message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub at: Time,
    pub listener: PersonId,
    /// Which of its joins it was in.
    pub life: u32,
    /// Where the listener was.
    pub room: RoomId,
    pub said: Said,
    /// Whose it is, as the server stamped it.
    pub taken_for: Option<PersonId>,
}

/// What came to shards, and what became of it in links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A packet came on an open connection, for the first time.
    Arrived {
        at: Time,
        node: u16,
        /// Where the talker was when it said this.
        room: RoomId,
        talker: PersonId,
        /// Which of its joins this is of.
        life: u32,
        count: u32,
        sequence: u16,
    },
    /// A link got it.
    Tapped {
        /// As the link was told.
        at: Time,
        link: u64,
        track: u32,
        index: u64,
        talker: PersonId,
        count: u32,
    },
    Told {
        link: u64,
        what: Told,
    },
}

/// What a link learns between packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Opened {
        node: u16,
        room: RoomId,
    },
    Started {
        track: u32,
        talker: PersonId,
        muted: bool,
    },
    Muted {
        track: u32,
        muted: bool,
    },
    Ended {
        track: u32,
    },
    /// It is over, or its listener went.
    Closed,
}

/// Something that must not happen, noticed where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: Time,
    pub who: Option<PersonId>,
    pub what: &'static str,
}
