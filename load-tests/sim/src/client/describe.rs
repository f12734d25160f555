//! A client's own descriptions, as text that browsers would write.

use proto::{
    control::SignalPath,
    ice::Credentials,
    livekit::SessionDescription,
    sdp::{
        Codec, Direction, Extension, Fingerprint, Format, Kind, Mid, Msid, Origin, Section,
        Session, Setup, Source, TransportLines, URI_AUDIO_LEVEL, URI_MID,
    },
};

use super::{
    Client,
    negotiate::{Counts, Own},
};
use crate::PersonId;

pub(super) const LEVEL_EXTENSION: u8 = 1;
const MID_EXTENSION: u8 = 4;

/// What stands for the hash of a person's certificate.
pub(crate) fn fingerprint_of(person: PersonId) -> [u8; 32] {
    let [high, low] = person.0.to_be_bytes();
    let mut digest = [0xCE; 32];
    digest[0] = high;
    digest[1] = low;
    digest
}

impl Client {
    pub(super) fn next_offer(&mut self) -> SessionDescription {
        let counts = if self.persona.repeats_id { Counts::Ids } else { Counts::Nothing };
        let (version, id) = self.negotiation.begin_offer(counts);
        let sections = self.negotiation.sections.iter().enumerate();
        let sections = sections.filter_map(|(place, own)| self.offered(place, own)).collect();
        let session = self.session_of(version.into(), sections);
        SessionDescription {
            r#type: "offer".to_owned(),
            sdp: session.to_string(),
            id,
            ..SessionDescription::default()
        }
    }

    pub(super) fn answer_to(&self, offer: &Session) -> Session {
        let sections = offer.sections.iter().map(|section| self.answered(section)).collect();
        self.session_of(offer.origin.version, sections)
    }

    fn session_of(&self, version: u64, sections: Vec<Section>) -> Session {
        let live = sections.iter().filter(|section| !section.is_rejected());
        Session {
            origin: Origin { id: 1 + u64::from(self.me.0), version },
            extmap_allow_mixed: true,
            bundle: live.map(|section| section.mid.clone()).collect(),
            sections,
            ..Session::default()
        }
    }

    fn transport(&self, setup: Setup) -> TransportLines {
        TransportLines {
            ice: Some(Credentials {
                ufrag: self.negotiation.ufrag.clone(),
                pwd: "0123456789abcdef01234567".to_owned(),
            }),
            fingerprints: vec![Fingerprint::Sha256(fingerprint_of(self.me))],
            setup: Some(setup),
        }
    }

    fn offered(&self, place: usize, own: &Own) -> Option<Section> {
        let mut section = Section::new(own.kind, Mid::new(&place.to_string())?);
        section.transport = self.transport(Setup::ActPass);
        match own.kind {
            Kind::Application => describe_data(&mut section),
            Kind::Video => {
                section.direction = Direction::RecvOnly;
                section.rtcp_mux = true;
                section.formats = vec![format(96, "VP8", 90_000, 1, None)];
            }
            Kind::Audio => {
                section.direction = own.direction;
                section.rtcp_mux = true;
                section.formats = self.formats();
                section.extensions = extensions();
                if own.direction.sends() {
                    self.describe_track(&mut section);
                }
            }
        }
        Some(section)
    }

    fn formats(&self) -> Vec<Format> {
        let opus = self.persona.opus;
        let mut formats =
            vec![format(opus, "opus", 48_000, 2, Some("minptime=10;useinbandfec=1".to_owned()))];
        if let Some(red) = self.persona.red {
            formats.push(format(red, "red", 48_000, 2, Some(format!("{opus}/{opus}"))));
        }
        formats.push(format(0, "PCMU", 8_000, 1, None));
        formats
    }

    fn describe_track(&self, section: &mut Section) {
        let Some(track) = self.media.track() else { return };
        // Firefox calls the track otherwise in its description than in its request.
        let name = if self.persona.opus == 109 { "{other}" } else { track.cid.as_str() };
        let msid = Msid { stream: "-".to_owned(), track: Some(name.to_owned()) };
        section.sources = vec![Source {
            ssrc: track.ssrc,
            cname: Some("cname".to_owned()),
            msid: Some(msid.clone()),
        }];
        section.msid = Some(msid);
    }

    fn answered(&self, offered: &Section) -> Section {
        let mut section = Section::new(offered.kind, offered.mid.clone());
        section.transport = self.transport(Setup::Active);
        if offered.kind == Kind::Application {
            describe_data(&mut section);
            return section;
        }
        section.rtcp_mux = true;
        section.direction = match offered.direction {
            Direction::SendRecv | Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        };
        let known = |format: &&Format| {
            let codec = format.codec.as_ref();
            codec.is_some_and(|codec| {
                codec.is("opus") || codec.is("red") && self.persona.red.is_some()
            })
        };
        section.formats = offered.formats.iter().filter(known).cloned().collect();
        section.extensions = offered.extensions.clone();
        section
    }
}

/// How many audio and video sections a browser opens before it knows who is there.
pub(super) fn first_sections(path: SignalPath) -> Vec<Own> {
    let audio = Own { kind: Kind::Audio, direction: Direction::RecvOnly };
    let video = Own { kind: Kind::Video, ..audio };
    let data = Own { kind: Kind::Application, direction: Direction::SendRecv };
    match path {
        SignalPath::OneConnection => vec![audio, audio, audio, video, data],
        SignalPath::TwoConnections => vec![data],
    }
}

fn describe_data(section: &mut Section) {
    section.sctp_port = Some(5000);
    section.max_message_size = Some(262_144);
}

fn format(
    payload_type: u8,
    name: &str,
    clock_rate: u32,
    channels: u8,
    parameters: Option<String>,
) -> Format {
    let codec = Codec { name: name.to_owned(), clock_rate, channels };
    Format { payload_type, codec: Some(codec), parameters }
}

fn extensions() -> Vec<Extension> {
    let extension = |id, uri: &str| Extension { id, uri: uri.to_owned(), direction: None };
    vec![extension(LEVEL_EXTENSION, URI_AUDIO_LEVEL), extension(MID_EXTENSION, URI_MID)]
}
