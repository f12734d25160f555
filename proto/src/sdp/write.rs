//! Writes a description, in the order of lines that clients are used to.

use std::fmt;

use crate::sdp::{
    Codec, Direction, Extension, Fingerprint, Format, Kind, Msid, Section, Session, Setup, Source,
    TransportLines,
};

/// The `typ host` preference of RFC 8445 §5.1.2.2.
const HOST_PREFERENCE: u32 = 126;

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin;
        f.write_str("v=0\r\n")?;
        write!(f, "o=- {} {} IN IP4 0.0.0.0\r\n", origin.id, origin.version)?;
        f.write_str("s=-\r\nt=0 0\r\n")?;
        if !self.bundle.is_empty() {
            f.write_str("a=group:BUNDLE")?;
            self.bundle.iter().try_for_each(|mid| write!(f, " {mid}"))?;
            f.write_str("\r\n")?;
        }
        if self.extmap_allow_mixed {
            f.write_str("a=extmap-allow-mixed\r\n")?;
        }
        f.write_str("a=msid-semantic: WMS *\r\n")?;
        if self.ice_lite {
            f.write_str("a=ice-lite\r\n")?;
        }
        write_transport(f, &self.transport)?;
        self.sections.iter().try_for_each(|section| write_section(f, section))
    }
}

fn write_transport(f: &mut fmt::Formatter<'_>, lines: &TransportLines) -> fmt::Result {
    if let Some(ice) = &lines.ice {
        write!(f, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.pwd)?;
    }
    for print in &lines.fingerprints {
        match print {
            Fingerprint::Sha256(digest) => write_digest(f, digest)?,
            Fingerprint::Other => {}
        }
    }
    match lines.setup {
        Some(Setup::ActPass) => f.write_str("a=setup:actpass\r\n"),
        Some(Setup::Active) => f.write_str("a=setup:active\r\n"),
        Some(Setup::Passive) => f.write_str("a=setup:passive\r\n"),
        None => Ok(()),
    }
}

fn write_digest(f: &mut fmt::Formatter<'_>, digest: &[u8; 32]) -> fmt::Result {
    f.write_str("a=fingerprint:sha-256")?;
    for (index, byte) in digest.iter().enumerate() {
        write!(f, "{}{byte:02X}", if index == 0 { ' ' } else { ':' })?;
    }
    f.write_str("\r\n")
}

fn write_section(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    write_media_line(f, section)?;
    write!(f, "c=IN IP4 0.0.0.0\r\na=mid:{}\r\n", section.mid)?;
    if section.bundle_only {
        f.write_str("a=bundle-only\r\n")?;
    }
    write_transport(f, &section.transport)?;
    write_candidates(f, section)?;
    write!(f, "a={}\r\n", name_of(section.direction))?;
    if section.rtcp_mux {
        f.write_str("a=rtcp-mux\r\n")?;
    }
    section.formats.iter().try_for_each(|format| write_format(f, format))?;
    section.extensions.iter().try_for_each(|extension| write_extension(f, extension))?;
    if let Some(msid) = &section.msid {
        write!(f, "a=msid:{msid}\r\n")?;
    }
    section.sources.iter().try_for_each(|source| write_source(f, source))?;
    if let Some(port) = section.sctp_port {
        write!(f, "a=sctp-port:{port}\r\n")?;
    }
    if let Some(bytes) = section.max_message_size {
        write!(f, "a=max-message-size:{bytes}\r\n")?;
    }
    Ok(())
}

fn write_media_line(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    let port = section.port;
    match section.kind {
        Kind::Audio => write!(f, "m=audio {port} UDP/TLS/RTP/SAVPF")?,
        Kind::Video => write!(f, "m=video {port} UDP/TLS/RTP/SAVPF")?,
        Kind::Application => {
            return write!(f, "m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\n");
        }
    }
    // The grammar wants a format even where none is accepted.
    if section.formats.is_empty() {
        f.write_str(" 0")?;
    }
    section.formats.iter().try_for_each(|format| write!(f, " {}", format.payload_type))?;
    f.write_str("\r\n")
}

fn write_candidates(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    // Only the order counts: the first candidate gets the highest local preference.
    let preferences = (0..=u32::from(u16::MAX)).rev();
    for (address, preference) in section.candidates.iter().zip(preferences) {
        let foundation = u32::from(u16::MAX).saturating_sub(preference).saturating_add(1);
        let priority = (HOST_PREFERENCE << 24) | (preference << 8) | 255;
        let (ip, port) = (address.ip(), address.port());
        write!(f, "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n")?;
    }
    if section.end_of_candidates {
        f.write_str("a=end-of-candidates\r\n")?;
    }
    Ok(())
}

fn write_format(f: &mut fmt::Formatter<'_>, format: &Format) -> fmt::Result {
    let number = format.payload_type;
    if let Some(codec) = &format.codec {
        write!(f, "a=rtpmap:{number} {codec}\r\n")?;
    }
    if let Some(parameters) = &format.parameters {
        write!(f, "a=fmtp:{number} {parameters}\r\n")?;
    }
    Ok(())
}

fn write_extension(f: &mut fmt::Formatter<'_>, extension: &Extension) -> fmt::Result {
    write!(f, "a=extmap:{}", extension.id)?;
    if let Some(direction) = extension.direction {
        write!(f, "/{}", name_of(direction))?;
    }
    write!(f, " {}\r\n", extension.uri)
}

fn write_source(f: &mut fmt::Formatter<'_>, source: &Source) -> fmt::Result {
    let ssrc = source.ssrc;
    if source.cname.is_none() && source.msid.is_none() {
        write!(f, "a=ssrc:{ssrc}\r\n")?;
    }
    if let Some(cname) = &source.cname {
        write!(f, "a=ssrc:{ssrc} cname:{cname}\r\n")?;
    }
    if let Some(msid) = &source.msid {
        write!(f, "a=ssrc:{ssrc} msid:{msid}\r\n")?;
    }
    Ok(())
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.clock_rate)?;
        if self.channels == 1 { Ok(()) } else { write!(f, "/{}", self.channels) }
    }
}

impl fmt::Display for Msid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stream)?;
        self.track.as_ref().map_or(Ok(()), |track| write!(f, " {track}"))
    }
}

fn name_of(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}
