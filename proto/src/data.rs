//! The data channels of a peer connection, by the labels both sides know.

/// One of the three channels every client of the protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Ordered, retransmitted.
    Reliable,
    /// Unordered, sent once.
    Lossy,
    /// Unordered, sent once; for data tracks, which this server refuses.
    DataTrack,
}

impl Channel {
    /// Every channel, in the order in which we open them.
    pub const ALL: [Self; 3] = [Self::Reliable, Self::Lossy, Self::DataTrack];

    /// The DCEP label (RFC 8832 §5.1).
    pub fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
            Self::DataTrack => "_data_track",
        }
    }

    /// Returns the channel with this label; ids differ between clients and say nothing.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.label() == label)
    }
}

/// Who opens the data channels of a peer connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelSide {
    /// The client does: its publisher connection, or its only one.
    Remote,
    /// We do: the subscriber connection of a client that has two.
    Local,
}
