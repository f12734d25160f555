//! A room's voice as it leaves for listeners that are no participants.
//!
//! A link is opened by the shell under an id of the shell's choosing. What it is told between
//! packets comes out as [`crate::Output::Link`], in order; which packets it wants comes back from
//! [`crate::Shard::forward`].

use proto::link::{LinkEncoding, LinkRequest, LinkTrackId, UnixMicros};

/// Names a link of a shard. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What becomes of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkAction {
    /// Answered by [`proto::link::LinkFrame::Opened`] or [`proto::link::LinkFrame::Closed`].
    Open(LinkRequest),
    /// Its listener has gone. Nothing is answered.
    Close,
}

/// What becomes of one packet. Kept for its capacity.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Each participant's copy.
    pub copies: Vec<crate::Forward>,
    /// Each link's claim to it as it came.
    pub taps: Vec<Tap>,
}

/// One link's claim to a packet: all of a [`proto::link::LinkPacket`] but the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    pub to: LinkId,
    pub track: LinkTrackId,
    pub received: UnixMicros,
    pub index: u64,
    pub timestamp: u32,
    pub encoding: LinkEncoding,
}

impl Delivery {
    pub(crate) fn clear(&mut self) {
        self.copies.clear();
        self.taps.clear();
    }
}
