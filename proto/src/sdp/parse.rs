//! Reads a description line by line.

mod draft;

use std::collections::BTreeSet;

use crate::{
    ice,
    limits::{
        ICE_CREDENTIAL_BYTES_MAX, SDP_BYTES_MAX, SDP_FINGERPRINTS_MAX, SDP_LINE_BYTES_MAX,
        SDP_SECTIONS_MAX,
    },
    sdp::{Direction, Fingerprint, Mid, Origin, Session, Setup, TransportLines},
};
use draft::Draft;

/// Why a description was refused. The author's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("line longer than {SDP_LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("NUL or another control character")]
    ControlCharacter,
    #[error("line that isn't type=value")]
    NotALine,
    #[error("doesn't start with v=0")]
    Version,
    #[error("bad o= line")]
    Origin,
    #[error("bad BUNDLE group")]
    Bundle,
    #[error("more than {SDP_SECTIONS_MAX} m-lines")]
    TooManySections,
    #[error("bad m-line, or one of a medium or protocol we don't know")]
    Media,
    #[error("payload type that is no number, above 127, or twice in one m-line")]
    PayloadType,
    #[error("section without a mid")]
    MissingMid,
    #[error("bad mid")]
    Mid,
    #[error("one mid for two sections, or two for one")]
    DuplicateMid,
    #[error("bad rtpmap")]
    Codec,
    #[error("bad extmap, or one id twice in a section")]
    Extension,
    #[error("too many header extensions in a section")]
    TooManyExtensions,
    #[error("bad msid")]
    Msid,
    #[error("bad ssrc")]
    Source,
    #[error("too many SSRCs in a section")]
    TooManySources,
    #[error("ICE credentials incomplete, too short, too long, or of other characters than allowed")]
    Credentials,
    #[error("bad fingerprint")]
    Fingerprint,
    #[error("too many fingerprints")]
    TooManyFingerprints,
    #[error("bad setup")]
    Setup,
    #[error("bad number in a data channel section")]
    DataChannel,
}

impl Session {
    /// Reads a description. Takes time linear in its length, and never more than
    /// [`SDP_BYTES_MAX`] bytes.
    pub fn parse(description: &[u8]) -> Result<Self, ParseError> {
        if description.len() > SDP_BYTES_MAX {
            return Err(ParseError::TooLong);
        }
        let text = std::str::from_utf8(description).map_err(|_| ParseError::NotUtf8)?;
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            let (kind, value) = split_line(line)?;
            match (index, kind) {
                (0, 'v') if value == "0" => {}
                (0, _) => return Err(ParseError::Version),
                _ => reader.on_line(kind, value)?,
            }
        }
        if text.is_empty() { Err(ParseError::Version) } else { reader.finish() }
    }
}

fn split_line(line: &str) -> Result<(char, &str), ParseError> {
    if line.len() > SDP_LINE_BYTES_MAX {
        return Err(ParseError::LineTooLong);
    }
    if line.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(ParseError::ControlCharacter);
    }
    let (kind, value) = line.split_once('=').ok_or(ParseError::NotALine)?;
    let mut letters = kind.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_lowercase() => Ok((letter, value)),
        _ => Err(ParseError::NotALine),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    session: Session,
    direction: Option<Direction>,
    transport: TransportDraft,
    draft: Option<Draft>,
    mids: BTreeSet<Mid>,
}

impl Reader {
    fn on_line(&mut self, kind: char, value: &str) -> Result<(), ParseError> {
        match kind {
            'm' => self.on_media(value),
            'a' => self.on_attribute(value),
            'o' => self.on_origin(value),
            _ => Ok(()),
        }
    }

    fn on_origin(&mut self, value: &str) -> Result<(), ParseError> {
        let mut fields = value.split(' ').skip(1).map(str::parse);
        self.session.origin = match (fields.next(), fields.next()) {
            (Some(Ok(id)), Some(Ok(version))) => Origin { id, version },
            _ => return Err(ParseError::Origin),
        };
        Ok(())
    }

    fn on_media(&mut self, value: &str) -> Result<(), ParseError> {
        self.finish_section()?;
        if self.session.sections.len() >= SDP_SECTIONS_MAX {
            return Err(ParseError::TooManySections);
        }
        self.draft = Some(Draft::parse(value)?);
        Ok(())
    }

    fn on_attribute(&mut self, attribute: &str) -> Result<(), ParseError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match &mut self.draft {
            Some(draft) => draft.on_attribute(name, value),
            None => self.on_session_attribute(name, value),
        }
    }

    fn on_session_attribute(&mut self, name: &str, value: &str) -> Result<(), ParseError> {
        if self.transport.on_attribute(name, value)? {
            return Ok(());
        }
        match name {
            "ice-lite" => self.session.ice_lite = true,
            "extmap-allow-mixed" => self.session.extmap_allow_mixed = true,
            "group" => self.on_group(value)?,
            _ => self.direction = direction_of(name).or(self.direction),
        }
        Ok(())
    }

    fn on_group(&mut self, value: &str) -> Result<(), ParseError> {
        let mut words = value.split_ascii_whitespace();
        if words.next() == Some("BUNDLE") && self.session.bundle.is_empty() {
            let mids = words.take(SDP_SECTIONS_MAX.saturating_add(1)).map(Mid::new);
            self.session.bundle = mids.collect::<Option<_>>().ok_or(ParseError::Bundle)?;
        }
        if self.session.bundle.len() > SDP_SECTIONS_MAX {
            return Err(ParseError::Bundle);
        }
        Ok(())
    }

    fn finish_section(&mut self) -> Result<(), ParseError> {
        let Some(draft) = self.draft.take() else { return Ok(()) };
        let section = draft.finish(self.direction.unwrap_or_default())?;
        if !self.mids.insert(section.mid.clone()) {
            return Err(ParseError::DuplicateMid);
        }
        self.session.sections.push(section);
        Ok(())
    }

    fn finish(mut self) -> Result<Session, ParseError> {
        self.finish_section()?;
        self.session.transport = self.transport.finish()?;
        Ok(self.session)
    }
}

/// [`TransportLines`] whose two credentials have not both arrived.
#[derive(Default)]
struct TransportDraft {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprints: Vec<Fingerprint>,
    setup: Option<Setup>,
}

impl TransportDraft {
    /// Returns whether the attribute was one about the transport.
    fn on_attribute(&mut self, name: &str, value: &str) -> Result<bool, ParseError> {
        match name {
            "ice-ufrag" => self.ufrag = Some(ice_chars(value, 4)?),
            "ice-pwd" => self.pwd = Some(ice_chars(value, 22)?),
            "fingerprint" => self.on_fingerprint(value)?,
            "setup" => self.setup = Some(setup_of(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn on_fingerprint(&mut self, value: &str) -> Result<(), ParseError> {
        if self.fingerprints.len() >= SDP_FINGERPRINTS_MAX {
            return Err(ParseError::TooManyFingerprints);
        }
        let (hash, digits) = value.split_once(' ').ok_or(ParseError::Fingerprint)?;
        self.fingerprints.push(if hash.eq_ignore_ascii_case("sha-256") {
            Fingerprint::Sha256(digest_of(digits).ok_or(ParseError::Fingerprint)?)
        } else {
            Fingerprint::Other
        });
        Ok(())
    }

    fn finish(self) -> Result<TransportLines, ParseError> {
        let ice = match (self.ufrag, self.pwd) {
            (Some(ufrag), Some(pwd)) => Some(ice::Credentials { ufrag, pwd }),
            (None, None) => None,
            _ => return Err(ParseError::Credentials),
        };
        Ok(TransportLines { ice, fingerprints: self.fingerprints, setup: self.setup })
    }
}

/// `ice-char`s of RFC 8839 §5.4.
fn ice_chars(value: &str, bytes_min: usize) -> Result<String, ParseError> {
    let fits = (bytes_min..=ICE_CREDENTIAL_BYTES_MAX).contains(&value.len());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if fits && value.bytes().all(allowed) {
        Ok(value.to_owned())
    } else {
        Err(ParseError::Credentials)
    }
}

fn setup_of(value: &str) -> Result<Setup, ParseError> {
    match value {
        "actpass" => Ok(Setup::ActPass),
        "active" => Ok(Setup::Active),
        "passive" => Ok(Setup::Passive),
        _ => Err(ParseError::Setup),
    }
}

fn digest_of(digits: &str) -> Option<[u8; 32]> {
    let mut pairs = digits.split(':');
    let mut digest = [0; 32];
    for byte in &mut digest {
        let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(digest)
}

fn direction_of(name: &str) -> Option<Direction> {
    match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}
