//! A section whose lines are still coming.

use std::net::{IpAddr, SocketAddr};

use super::{ParseError, TransportDraft, direction_of};
use crate::{
    limits::{SDP_CANDIDATES_MAX, SDP_EXTENSIONS_MAX, SDP_FORMATS_MAX, SDP_SOURCES_MAX},
    sdp::{Codec, Direction, Extension, Format, Kind, Mid, Msid, Section, Source},
};

pub(super) struct Draft {
    kind: Kind,
    port: u16,
    formats: Vec<Format>,
    mid: Option<Mid>,
    direction: Option<Direction>,
    bundle_only: bool,
    rtcp_mux: bool,
    transport: TransportDraft,
    extensions: Vec<Extension>,
    msid: Option<Msid>,
    sources: Vec<Source>,
    sctp_port: Option<u16>,
    max_message_size: Option<u64>,
    candidates: Vec<SocketAddr>,
    end_of_candidates: bool,
}

impl Draft {
    /// Begins a section with what follows `m=`.
    pub(super) fn parse(value: &str) -> Result<Self, ParseError> {
        let mut words = value.split(' ');
        let mut word = || words.next().ok_or(ParseError::Media);
        let (medium, port, protocol) = (word()?, word()?, word()?);
        let kind = kind_of(medium, protocol)?;
        let port = port.parse().map_err(|_| ParseError::Media)?;
        let formats = match kind {
            Kind::Audio | Kind::Video => formats_of(words)?,
            Kind::Application if words.eq(["webrtc-datachannel"]) => Vec::new(),
            Kind::Application => return Err(ParseError::Media),
        };
        Ok(Self {
            kind,
            port,
            formats,
            mid: None,
            direction: None,
            bundle_only: false,
            rtcp_mux: false,
            transport: TransportDraft::default(),
            extensions: Vec::new(),
            msid: None,
            sources: Vec::new(),
            sctp_port: None,
            max_message_size: None,
            candidates: Vec::new(),
            end_of_candidates: false,
        })
    }

    pub(super) fn on_attribute(&mut self, name: &str, value: &str) -> Result<(), ParseError> {
        if self.transport.on_attribute(name, value)? {
            return Ok(());
        }
        match name {
            "mid" => self.on_mid(value),
            "rtpmap" => self.on_codec(value),
            "fmtp" => self.on_parameters(value),
            "extmap" => self.on_extension(value),
            "msid" => self.on_msid(value),
            "ssrc" => self.on_source(value),
            "candidate" => self.on_candidate(value),
            "sctp-port" => self.on_sctp_port(value),
            "max-message-size" => self.on_max_message_size(value),
            _ => self.on_flag(name),
        }
    }

    fn on_flag(&mut self, name: &str) -> Result<(), ParseError> {
        match name {
            "bundle-only" => self.bundle_only = true,
            "rtcp-mux" => self.rtcp_mux = true,
            "end-of-candidates" => self.end_of_candidates = true,
            _ => self.direction = direction_of(name).or(self.direction),
        }
        Ok(())
    }

    fn on_mid(&mut self, value: &str) -> Result<(), ParseError> {
        let mid = Mid::new(value).ok_or(ParseError::Mid)?;
        match self.mid.replace(mid) {
            None => Ok(()),
            Some(_) => Err(ParseError::DuplicateMid),
        }
    }

    /// A line about a payload type that the m-line doesn't list says nothing.
    fn format(&mut self, payload_type: &str) -> Option<&mut Format> {
        let number: u8 = payload_type.parse().ok()?;
        self.formats.iter_mut().find(|format| format.payload_type == number)
    }

    fn on_codec(&mut self, value: &str) -> Result<(), ParseError> {
        let (payload_type, encoding) = value.split_once(' ').ok_or(ParseError::Codec)?;
        let codec = codec_of(encoding).ok_or(ParseError::Codec)?;
        if let Some(format) = self.format(payload_type) {
            format.codec = Some(codec);
        }
        Ok(())
    }

    fn on_parameters(&mut self, value: &str) -> Result<(), ParseError> {
        let (payload_type, parameters) = value.split_once(' ').ok_or(ParseError::Codec)?;
        if let Some(format) = self.format(payload_type) {
            format.parameters = Some(parameters.to_owned());
        }
        Ok(())
    }

    fn on_extension(&mut self, value: &str) -> Result<(), ParseError> {
        if self.extensions.len() >= SDP_EXTENSIONS_MAX {
            return Err(ParseError::TooManyExtensions);
        }
        let extension = extension_of(value).ok_or(ParseError::Extension)?;
        if self.extensions.iter().any(|other| other.id == extension.id) {
            return Err(ParseError::Extension);
        }
        self.extensions.push(extension);
        Ok(())
    }

    fn on_msid(&mut self, value: &str) -> Result<(), ParseError> {
        let msid = msid_of(value)?;
        self.msid.get_or_insert(msid);
        Ok(())
    }

    fn on_source(&mut self, value: &str) -> Result<(), ParseError> {
        let (ssrc, attribute) = value.split_once(' ').unwrap_or((value, ""));
        let ssrc = ssrc.parse().map_err(|_| ParseError::Source)?;
        let source = self.source(ssrc)?;
        match attribute.split_once(':') {
            Some(("cname", cname)) => source.cname = Some(cname.to_owned()),
            Some(("msid", msid)) => source.msid = Some(msid_of(msid)?),
            _ => {}
        }
        Ok(())
    }

    fn source(&mut self, ssrc: u32) -> Result<&mut Source, ParseError> {
        let known = self.sources.iter().position(|source| source.ssrc == ssrc);
        if known.is_none() {
            if self.sources.len() >= SDP_SOURCES_MAX {
                return Err(ParseError::TooManySources);
            }
            self.sources.push(Source { ssrc, cname: None, msid: None });
        }
        let index = known.unwrap_or(self.sources.len().saturating_sub(1));
        self.sources.get_mut(index).ok_or(ParseError::Source)
    }

    fn on_candidate(&mut self, value: &str) -> Result<(), ParseError> {
        if self.candidates.len() < SDP_CANDIDATES_MAX {
            self.candidates.extend(host_candidate_of(value));
        }
        Ok(())
    }

    fn on_sctp_port(&mut self, value: &str) -> Result<(), ParseError> {
        self.sctp_port = Some(value.parse().map_err(|_| ParseError::DataChannel)?);
        Ok(())
    }

    fn on_max_message_size(&mut self, value: &str) -> Result<(), ParseError> {
        self.max_message_size = Some(value.parse().map_err(|_| ParseError::DataChannel)?);
        Ok(())
    }

    /// Ends the section; `direction` is what holds when none was said.
    pub(super) fn finish(self, direction: Direction) -> Result<Section, ParseError> {
        Ok(Section {
            kind: self.kind,
            mid: self.mid.ok_or(ParseError::MissingMid)?,
            port: self.port,
            bundle_only: self.bundle_only,
            direction: self.direction.unwrap_or(direction),
            rtcp_mux: self.rtcp_mux,
            transport: self.transport.finish()?,
            formats: self.formats,
            extensions: self.extensions,
            msid: self.msid,
            sources: self.sources,
            sctp_port: self.sctp_port,
            max_message_size: self.max_message_size,
            candidates: self.candidates,
            end_of_candidates: self.end_of_candidates,
        })
    }
}

fn kind_of(medium: &str, protocol: &str) -> Result<Kind, ParseError> {
    let rtp = protocol.ends_with("RTP/SAVPF");
    let sctp = protocol.ends_with("/DTLS/SCTP");
    match medium {
        "audio" if rtp => Ok(Kind::Audio),
        "video" if rtp => Ok(Kind::Video),
        "application" if sctp => Ok(Kind::Application),
        _ => Err(ParseError::Media),
    }
}

fn formats_of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<Format>, ParseError> {
    let mut seen = [false; SDP_FORMATS_MAX];
    let mut formats = Vec::new();
    for word in words {
        let payload_type: u8 = word.parse().map_err(|_| ParseError::PayloadType)?;
        match seen.get_mut(usize::from(payload_type)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(ParseError::PayloadType),
        }
        formats.push(Format { payload_type, codec: None, parameters: None });
    }
    if formats.is_empty() { Err(ParseError::Media) } else { Ok(formats) }
}

fn codec_of(encoding: &str) -> Option<Codec> {
    let mut parts = encoding.split('/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let clock_rate = parts.next()?.parse().ok()?;
    let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
    Some(Codec { name: name.to_owned(), clock_rate, channels })
}

fn extension_of(value: &str) -> Option<Extension> {
    let mut words = value.split(' ');
    let id = words.next()?;
    let (id, direction) = match id.split_once('/') {
        Some((id, direction)) => (id, Some(direction_of(direction)?)),
        None => (id, None),
    };
    let id = id.parse().ok().filter(|id| *id != 0)?;
    let uri = words.next().filter(|uri| !uri.is_empty())?;
    Some(Extension { id, uri: uri.to_owned(), direction })
}

fn msid_of(value: &str) -> Result<Msid, ParseError> {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    let stream = words.next().ok_or(ParseError::Msid)?.to_owned();
    Ok(Msid { stream, track: words.next().map(str::to_owned) })
}

/// Returns the address of a UDP host candidate of component 1.
fn host_candidate_of(value: &str) -> Option<SocketAddr> {
    let mut words = value.split(' ').skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let mut words = words.skip(1);
    let address: IpAddr = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    let host = words.next()? == "typ" && words.next()? == "host";
    let usable = component == "1" && transport.eq_ignore_ascii_case("udp") && host;
    usable.then(|| SocketAddr::new(address, port))
}
