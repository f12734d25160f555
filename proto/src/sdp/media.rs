//! What a section says about its media: formats, header extensions, streams, SSRCs.

/// What an m-line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio,
    /// Recognised so that it can be refused.
    Video,
    /// Data channels (`webrtc-datachannel`).
    Application,
}

/// Who sends, from the view of the description's author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// The same fact, told by the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    /// Whether the author sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the author receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// One payload type of an m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// 0 to 127.
    pub payload_type: u8,
    /// `a=rtpmap`. Static payload types (0, 8, …) may do without.
    pub codec: Option<Codec>,
    /// `a=fmtp` after the payload type, as it stands: `minptime=10;useinbandfec=1`, `111/111`.
    pub parameters: Option<String>,
}

/// What a payload type means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// As it stands; compare with [`Codec::is`].
    pub name: String,
    /// In hertz.
    pub clock_rate: u32,
    /// One unless said otherwise.
    pub channels: u8,
}

impl Codec {
    /// Whether this is the codec of that name, whatever the case of its letters.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// One RTP header extension (`a=extmap`, RFC 8285).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// 1 to 255; those from 15 on need the two-byte form.
    pub id: u8,
    pub uri: String,
    /// Absent means the section's.
    pub direction: Option<Direction>,
}

/// RFC 6464: how loud a packet is. The only extension the server reads.
pub const URI_AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// RFC 9143: which section a packet belongs to.
pub const URI_MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The stream and track a section carries (`a=msid`, RFC 8830).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msid {
    /// `-` stands for no stream.
    pub stream: String,
    /// Absent when the author names the stream alone.
    pub track: Option<String>,
}

/// One SSRC the author sends with (`a=ssrc`, RFC 5576).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub ssrc: u32,
    pub cname: Option<String>,
    pub msid: Option<Msid>,
}
