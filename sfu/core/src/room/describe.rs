//! The parts our descriptions are made of, and what we read in a client's.

use proto::{
    ids::{ParticipantSid, TrackSid},
    sdp::{
        Codec, Direction, Extension, Fingerprint, Format, Kind, Mid, Msid, Section, Session, Setup,
        Source, TransportLines, URI_AUDIO_LEVEL, URI_MID,
    },
};

use crate::{
    Config,
    limits::DATA_BYTES_MAX,
    room::{connection::Connection, listener::Terms},
};

/// SCTP's port inside DTLS: what everybody says.
const SCTP_PORT: u16 = 5_000;
/// Without RED and DTX: what we send, and what both add to.
const OPUS_PARAMETERS: &str = "minptime=10;useinbandfec=1";

/// The streams of a publish section: which codecs, in which order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publication {
    pub(super) terms: Terms,
    pub(super) stereo: bool,
    pub(super) dtx: bool,
}

/// What a section says of Opus, RED and audio levels; `None` if it has no Opus.
pub(super) fn terms_of(section: &Section) -> Option<Terms> {
    let opus = section.formats.iter().find(|format| is_opus(format))?.payload_type;
    let red = section.formats.iter().find(|format| is_red_of(format, opus));
    let level = section.extensions.iter().find(|extension| extension.uri == URI_AUDIO_LEVEL);
    Some(Terms {
        opus,
        red: red.map(|format| format.payload_type),
        // Larger ids need the two-byte form, which we don't write.
        level_extension: level.map(|it| it.id).filter(|id| *id < 15).unwrap_or_default(),
    })
}

/// The id of the extension that names sections; zero for none.
pub(super) fn mid_extension_of(section: &Section) -> u8 {
    let named = section.extensions.iter().find(|extension| extension.uri == URI_MID);
    named.map_or(0, |extension| extension.id)
}

fn is_opus(format: &Format) -> bool {
    format.codec.as_ref().is_some_and(|codec| codec.is("opus") && codec.clock_rate == 48_000)
}

/// RED can carry many codecs; ours carries this Opus and nothing else.
fn is_red_of(format: &Format, opus: u8) -> bool {
    let is_red = format.codec.as_ref().is_some_and(|codec| codec.is("red"));
    let blocks = format.parameters.as_deref().unwrap_or_default();
    is_red && blocks.split('/').all(|block| block.trim().parse() == Ok(opus))
}

/// A description of ours around `sections`, bundled on one connection.
pub(super) fn session(
    config: &Config,
    connection: &mut Connection,
    mut sections: Vec<Section>,
) -> Session {
    let mut live = sections.iter_mut().enumerate().filter(|(_, section)| !section.is_rejected());
    if let Some((place, first)) = live.next() {
        first.candidates.clone_from(&config.candidates);
        first.end_of_candidates = true;
        connection.tagged = Some((place, first.mid.clone()));
    }
    let live = sections.iter().filter(|section| !section.is_rejected());
    Session {
        origin: connection.next_origin(),
        ice_lite: true,
        extmap_allow_mixed: true,
        bundle: live.map(|section| section.mid.clone()).collect(),
        transport: TransportLines {
            fingerprints: vec![Fingerprint::Sha256(config.fingerprint)],
            ..TransportLines::default()
        },
        sections,
    }
}

/// A section that carries nothing yet.
pub(super) fn section(kind: Kind, mid: Mid, connection: &Connection, setup: Setup) -> Section {
    let mut section = Section::new(kind, mid);
    section.transport.ice = Some(connection.local.clone());
    section.transport.setup = Some(setup);
    section.rtcp_mux = kind != Kind::Application;
    section
}

/// A refusal of `offered`.
pub(super) fn rejected(offered: &Section) -> Section {
    let mut section = Section::new(offered.kind, offered.mid.clone());
    section.port = 0;
    section.formats = offered.formats.iter().take(1).cloned().collect();
    section
}

pub(super) fn make_data(section: &mut Section) {
    section.direction = Direction::SendRecv;
    section.sctp_port = Some(SCTP_PORT);
    section.max_message_size = u64::try_from(DATA_BYTES_MAX).ok();
}

/// Makes `section` one in which the client publishes. RED goes first, so that it is used.
pub(super) fn make_publish(section: &mut Section, publication: &Publication) {
    let Terms { opus, red, .. } = publication.terms;
    section.direction = Direction::RecvOnly;
    section.formats.extend(red.map(|red| red_format(red, opus)));
    let mut parameters = OPUS_PARAMETERS.to_owned();
    if publication.dtx {
        parameters.push_str(";usedtx=1");
    }
    if publication.stereo {
        parameters.push_str(";stereo=1");
    }
    section.formats.push(opus_format(opus, parameters));
}

/// Makes `section` one in which the client may hear. The gaps in its sending are ours to fill.
pub(super) fn make_listen(section: &mut Section, terms: Terms) {
    section.formats.push(opus_format(terms.opus, OPUS_PARAMETERS.to_owned()));
    section.formats.extend(terms.red.map(|red| red_format(red, terms.opus)));
}

/// Names the track that a listening section carries. Browsers go by `msid`, libwebrtc's receiver
/// by `ssrc`.
pub(super) fn make_carry(section: &mut Section, owner: ParticipantSid, track: TrackSid, ssrc: u32) {
    let msid = Msid { stream: format!("{owner}|{track}"), track: Some(track.to_string()) };
    section.direction = Direction::SendOnly;
    section.sources =
        vec![Source { ssrc, cname: Some(msid.stream.clone()), msid: Some(msid.clone()) }];
    section.msid = Some(msid);
}

/// Keeps of the client's header extensions those that we read or write.
pub(super) fn accept_extensions(section: &mut Section, offered: &[Extension]) {
    let used = offered.iter().filter(|it| it.uri == URI_AUDIO_LEVEL || it.uri == URI_MID);
    let used = used.map(|it| Extension { id: it.id, uri: it.uri.clone(), direction: None });
    section.extensions.extend(used);
}

fn opus_format(payload_type: u8, parameters: String) -> Format {
    let codec = Codec { name: "opus".to_owned(), clock_rate: 48_000, channels: 2 };
    Format { payload_type, codec: Some(codec), parameters: Some(parameters) }
}

fn red_format(payload_type: u8, opus: u8) -> Format {
    let codec = Codec { name: "red".to_owned(), clock_rate: 48_000, channels: 2 };
    Format { payload_type, codec: Some(codec), parameters: Some(format!("{opus}/{opus}")) }
}
