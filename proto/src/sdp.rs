//! Session descriptions (RFC 8866, JSEP): what an audio SFU reads in them and writes into them.
//!
//! [`Session`] is both: [parsed](Session::parse) from a client's offer, or filled in and written
//! (`to_string`) as ours. Lines that
//! carry nothing we act on (`rtcp-fb`, `ice-options`, `ssrc-group`, …) are skipped when read and
//! never written. It knows nothing of offer and answer: which section may follow which, and whose
//! payload types count, is for the caller to say.
//!
//! # Limits
//!
//! All in [`crate::limits`]. More is refused with a [`ParseError`], in time linear in the input.

mod media;
mod parse;
mod transport;
mod write;

use std::net::SocketAddr;

pub use media::{
    Codec, Direction, Extension, Format, Kind, Msid, Source, URI_AUDIO_LEVEL, URI_MID,
};
pub use parse::ParseError;
pub use transport::{Fingerprint, Peer, Setup, TransportError, TransportLines};

/// A session description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub origin: Origin,
    /// `a=ice-lite`: the sender only answers checks.
    pub ice_lite: bool,
    /// `a=extmap-allow-mixed`: one-byte and two-byte header extensions in one stream.
    pub extmap_allow_mixed: bool,
    /// The mids of the first BUNDLE group, in its order. The first one's transport is everybody's.
    pub bundle: Vec<Mid>,
    /// What holds for every section that doesn't say otherwise.
    pub transport: TransportLines,
    /// The m-lines in order. An answer has as many as its offer, of the same kinds and mids.
    pub sections: Vec<Section>,
}

/// Names a description and counts its versions (`o=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Keep it below 2^62: Firefox refuses more.
    pub id: u64,
    /// Plus one with each description of the same connection.
    pub version: u64,
}

/// One m-line and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub kind: Kind,
    pub mid: Mid,
    /// Zero rejects the section, unless it is `bundle_only`. We write 9, as everybody does.
    pub port: u16,
    /// `a=bundle-only`: port zero, and yet not rejected.
    pub bundle_only: bool,
    pub direction: Direction,
    pub rtcp_mux: bool,
    pub transport: TransportLines,
    /// In the m-line's order: the first is preferred. Empty for [`Kind::Application`].
    pub formats: Vec<Format>,
    pub extensions: Vec<Extension>,
    /// `a=msid`: the first, should there be several.
    pub msid: Option<Msid>,
    /// `a=ssrc`, in order of first mention.
    pub sources: Vec<Source>,
    /// `a=sctp-port`, of [`Kind::Application`].
    pub sctp_port: Option<u16>,
    /// `a=max-message-size` in bytes, of [`Kind::Application`].
    pub max_message_size: Option<u64>,
    /// UDP host candidates of component 1. Reading skips every other sort, and names (mDNS).
    pub candidates: Vec<SocketAddr>,
    /// `a=end-of-candidates`: there will be no trickle.
    pub end_of_candidates: bool,
}

impl Section {
    /// Makes a section with port 9 and empty lists. Media is inactive, data flows.
    pub fn new(kind: Kind, mid: Mid) -> Self {
        let direction = match kind {
            Kind::Audio | Kind::Video => Direction::Inactive,
            Kind::Application => Direction::SendRecv,
        };
        Self {
            kind,
            mid,
            port: 9,
            bundle_only: false,
            direction,
            rtcp_mux: false,
            transport: TransportLines::default(),
            formats: Vec::new(),
            extensions: Vec::new(),
            msid: None,
            sources: Vec::new(),
            sctp_port: None,
            max_message_size: None,
            candidates: Vec::new(),
            end_of_candidates: false,
        }
    }

    /// Whether the section is refused (RFC 8843 §6: port zero without `bundle-only`).
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }
}

/// Names a section within its session. At most [`crate::limits::MID_BYTES_MAX`] token characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mid(Box<str>);

impl Mid {
    /// Returns `None` for what is empty, too long or no SDP token.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=crate::limits::MID_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(is_token_byte)).then(|| Self(text.into()))
    }

    /// The mid as it stands in the description.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Mid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `token-char` of RFC 8866 §9.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte)
}
