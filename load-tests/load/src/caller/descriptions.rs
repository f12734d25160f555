//! The session descriptions a caller writes.

use std::net::SocketAddr;

use proto::{
    ice,
    livekit::SessionDescription,
    sdp::{
        Codec, Direction, Extension, Fingerprint, Format, Kind, Mid, Msid, Origin, Section,
        Session, Setup, Source, TransportLines, URI_AUDIO_LEVEL,
    },
};
use serde::Deserialize;

use super::connection::Connection;
use crate::limits::SECTIONS_MAX;

/// What a talker calls its one track.
pub(super) const TRACK: &str = "microphone";
/// Our stream and our name in RTCP.
pub(super) const CNAME: &str = "load";
pub(super) const OPUS: u8 = 111;
/// The id we offer for RFC 6464.
pub(super) const LEVEL_EXTENSION: u8 = 1;

/// The descriptions of the connection that we offer, one after the other.
pub(super) struct Publishing {
    transport: TransportLines,
    sections: Vec<Section>,
    version: u64,
    /// Of the latest offer; they count from one.
    offered: u32,
    awaits_answer: bool,
    /// Something has changed since the latest offer.
    has_news: bool,
    ssrc: Option<u32>,
}

impl Publishing {
    pub(super) fn new(connection: &Connection, fingerprint: [u8; 32]) -> Self {
        let transport = transport(connection.local(), fingerprint);
        let mut publishing = Self {
            transport,
            sections: Vec::new(),
            version: 0,
            offered: 0,
            awaits_answer: false,
            has_news: true,
            ssrc: None,
        };
        publishing.add(Kind::Application, |section| {
            section.sctp_port = Some(5_000);
            section.max_message_size = Some(65_536);
        });
        publishing
    }

    /// Adds sections to hear `count` more tracks with.
    pub(super) fn receive_more(&mut self, count: u32) {
        for _ in 0..count {
            self.add(Kind::Audio, |section| {
                section.direction = Direction::RecvOnly;
                section.formats = vec![opus()];
                section.extensions = vec![level()];
            });
        }
        self.has_news = true;
    }

    /// Adds the section of our own track.
    pub(super) fn send_voice(&mut self, ssrc: u32) {
        if self.ssrc.is_some() {
            return;
        }
        self.ssrc = Some(ssrc);
        self.has_news = true;
        self.add(Kind::Audio, |section| {
            let msid = Msid { stream: CNAME.to_owned(), track: Some(TRACK.to_owned()) };
            section.direction = Direction::SendOnly;
            section.formats = vec![opus()];
            section.extensions = vec![level()];
            section.sources =
                vec![Source { ssrc, cname: Some(CNAME.to_owned()), msid: Some(msid.clone()) }];
            section.msid = Some(msid);
        });
    }

    fn add(&mut self, kind: Kind, fill: impl FnOnce(&mut Section)) {
        let number = u32::try_from(self.sections.len()).unwrap_or(u32::MAX);
        let Some(mid) = Mid::new(&number.to_string()).filter(|_| number < SECTIONS_MAX + 2) else {
            return;
        };
        let mut section = Section::new(kind, mid);
        section.transport = self.transport.clone();
        section.rtcp_mux = kind == Kind::Audio;
        fill(&mut section);
        self.sections.push(section);
    }

    /// The next offer; `None` while one waits for its answer.
    pub(super) fn offer(&mut self) -> Option<SessionDescription> {
        if self.awaits_answer {
            self.has_news = true;
            return None;
        }
        self.awaits_answer = true;
        self.has_news = false;
        self.version += 1;
        self.offered += 1;
        let session = Session {
            origin: Origin { id: 1, version: self.version },
            bundle: self.sections.iter().map(|section| section.mid.clone()).collect(),
            sections: self.sections.clone(),
            ..Session::default()
        };
        Some(description("offer", &session, self.offered))
    }

    /// Notes an answer. Returns the SSRC to talk with, once the server has agreed to it.
    pub(super) fn take_answer(&mut self) -> Option<u32> {
        self.awaits_answer = false;
        self.ssrc.filter(|_| !self.has_news)
    }

    pub(super) fn wants_to_offer(&self) -> bool {
        self.has_news && !self.awaits_answer
    }
}

/// Answers the server's offer: hears whatever Opus it sends.
pub(super) fn answer(
    offer: Session,
    local: &ice::Credentials,
    fingerprint: [u8; 32],
    id: u32,
) -> SessionDescription {
    let sections: Vec<Section> = offer
        .sections
        .into_iter()
        .map(|offered| {
            let mut section = Section::new(offered.kind, offered.mid);
            section.transport = transport(local, fingerprint);
            section.sctp_port = offered.sctp_port;
            section.max_message_size = offered.max_message_size;
            if offered.kind == Kind::Audio && offered.direction.sends() {
                let is_opus =
                    |format: &Format| format.codec.as_ref().is_some_and(|codec| codec.is("opus"));
                section.direction = Direction::RecvOnly;
                section.formats = offered.formats.into_iter().filter(is_opus).collect();
                section.rtcp_mux = true;
            } else if offered.kind != Kind::Application {
                section.formats = offered.formats;
                section.rtcp_mux = true;
            }
            section
        })
        .collect();
    let session = Session {
        origin: Origin { id: 1, version: u64::from(id) },
        bundle: sections.iter().map(|section| section.mid.clone()).collect(),
        sections,
        ..Session::default()
    };
    description("answer", &session, id)
}

/// Reads the address of a UDP candidate out of a trickled `RTCIceCandidateInit`.
pub(super) fn candidate_address(json: &str) -> Option<SocketAddr> {
    #[derive(Deserialize)]
    struct Init {
        candidate: String,
    }
    let init: Init = serde_json::from_str(json).ok()?;
    let fields: Vec<&str> = init.candidate.split_whitespace().collect();
    let [_, component, protocol, _, address, port, ..] = fields[..] else { return None };
    let usable = component == "1" && protocol.eq_ignore_ascii_case("udp");
    usable.then(|| Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?)))?
}

fn description(kind: &str, session: &Session, id: u32) -> SessionDescription {
    SessionDescription {
        r#type: kind.to_owned(),
        sdp: session.to_string(),
        id,
        ..SessionDescription::default()
    }
}

/// We are always the DTLS client.
fn transport(local: &ice::Credentials, fingerprint: [u8; 32]) -> TransportLines {
    TransportLines {
        ice: Some(local.clone()),
        fingerprints: vec![Fingerprint::Sha256(fingerprint)],
        setup: Some(Setup::Active),
    }
}

fn opus() -> Format {
    let codec = Codec { name: "opus".to_owned(), clock_rate: 48_000, channels: 2 };
    let parameters = Some("minptime=10;useinbandfec=1".to_owned());
    Format { payload_type: OPUS, codec: Some(codec), parameters }
}

fn level() -> Extension {
    Extension { id: LEVEL_EXTENSION, uri: URI_AUDIO_LEVEL.to_owned(), direction: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickled_candidate_gives_its_address() {
        let json =
            r#"{"candidate":"candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host","sdpMid":"0"}"#;
        assert_eq!(candidate_address(json), Some("127.0.0.1:7882".parse().unwrap()));
        for unusable in [
            r#"{"candidate":"candidate:1 1 tcp 1 127.0.0.1 7881 typ host tcptype passive"}"#,
            r#"{"candidate":"candidate:1 2 udp 1 127.0.0.1 7882 typ host"}"#,
            r#"{"candidate":"candidate:1 1 udp 1 phone.local 7882 typ host"}"#,
            r#"{"candidate":""}"#,
            "",
        ] {
            assert_eq!(candidate_address(unusable), None, "{unusable}");
        }
    }

    #[test]
    fn one_offer_at_a_time_and_none_forgotten() {
        let connection = Connection::new(proto::data::ChannelSide::Local).unwrap();
        let mut publishing = Publishing::new(&connection, [7; 32]);
        assert_eq!(publishing.offer().unwrap().id, 1);
        publishing.send_voice(9);
        assert!(publishing.offer().is_none());
        // The answer is to an offer that had no voice in it.
        assert_eq!(publishing.take_answer(), None);
        assert!(publishing.wants_to_offer());

        let offer = publishing.offer().unwrap();
        assert_eq!(offer.id, 2);
        let session = Session::parse(offer.sdp.as_bytes()).unwrap();
        assert_eq!(session.sections.len(), 2);
        assert_eq!(session.sections[1].sources[0].ssrc, 9);
        assert_eq!(session.peer().unwrap().setup, Setup::Active);
        assert_eq!(publishing.take_answer(), Some(9));
        assert!(!publishing.wants_to_offer());
    }
}
