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

/// Why a STUN message was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// Not STUN as we take it: torn, or without FINGERPRINT.
    #[error("the message is malformed")]
    Malformed,
    /// It names another peer than this connection's, or none.
    #[error("the message names another peer")]
    Username,
    /// Whoever sent it doesn't know the password.
    #[error("the message's integrity is wrong")]
    Integrity,
    /// It demands that we understand what we don't.
    #[error("the message has an unknown attribute that must be understood")]
    UnknownAttribute,
    /// Neither a check nor the answer to one.
    #[error("the message was not asked for")]
    Unasked,
}
