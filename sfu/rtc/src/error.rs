//! Why a packet or a message was not taken.

/// Why a protected packet was dropped. Each is counted by the shell, none is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    #[error("from an address that no authenticated check came from")]
    UnverifiedAddress,
    #[error("before the DTLS handshake was done")]
    NotKeyed,
    #[error("not a packet of this kind")]
    Malformed,
    #[error("seen before, or too old to tell")]
    Replayed,
    #[error("the authentication tag is wrong")]
    Forged,
    #[error("more SSRCs than one transport may use")]
    TooManySsrcs,
}

/// Why a data message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendDataError {
    #[error("the channel is not open")]
    NotOpen,
    #[error("empty, or longer than a message may be")]
    Size,
    #[error("the peer doesn't keep up: its send buffer is full")]
    BufferFull,
}
