//! The session descriptions that a raw peer writes.

use proto::ice;
use sfu_rtc::Certificate;

use super::{MID_EXTENSION, OPUS};

/// What a description promises of the certificate that will be shown.
#[derive(Clone, Debug)]
pub enum Promise {
    /// The certificate's own fingerprint.
    Kept,
    /// These lines in its place.
    Lines(String),
    /// Its own, and then these lines.
    KeptBeside(String),
}

impl Promise {
    pub(super) fn lines(&self, certificate: &Certificate) -> String {
        match self {
            Self::Kept => fingerprint_line(certificate),
            Self::Lines(lines) => lines.clone(),
            Self::KeptBeside(lines) => format!("{}{lines}", fingerprint_line(certificate)),
        }
    }
}

/// One section of a description.
#[derive(Clone, Debug)]
pub(super) enum SectionKind {
    /// Room for somebody's voice.
    Listen,
    /// Data channels.
    Data,
    /// Its own microphone.
    Speak { ssrc: u32, cid: String },
}

/// Returns the line that truly names this certificate.
#[must_use]
pub fn fingerprint_line(certificate: &Certificate) -> String {
    let octets = certificate.fingerprint().map(|octet| format!("{octet:02X}"));
    format!("a=fingerprint:sha-256 {}\r\n", octets.join(":"))
}

/// Writes an offer of these sections, the mids being their numbers.
pub(super) fn describe(
    sections: &[SectionKind],
    local: &ice::Credentials,
    fingerprint: &str,
) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
         a=msid-semantic: WMS *\r\n",
        mids.join(" ")
    );
    for (mid, section) in sections.iter().enumerate() {
        text.push_str(&describe_one(mid, section));
        text.push_str(&format!(
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n{fingerprint}a=setup:actpass\r\na=mid:{mid}\r\n",
            local.ufrag, local.pwd
        ));
    }
    text
}

fn describe_one(mid: usize, section: &SectionKind) -> String {
    let audio = format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
         a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    );
    match section {
        SectionKind::Listen => format!("{audio}a=recvonly\r\n"),
        SectionKind::Speak { ssrc, cid } => format!(
            "{audio}a=sendonly\r\na=msid:stream-{mid} {cid}\r\na=ssrc:{ssrc} cname:peer\r\n\
             a=ssrc:{ssrc} msid:stream-{mid} {cid}\r\n"
        ),
        SectionKind::Data => "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
             c=IN IP4 0.0.0.0\r\na=sctp-port:5000\r\na=max-message-size:65535\r\n"
            .to_owned(),
    }
}
