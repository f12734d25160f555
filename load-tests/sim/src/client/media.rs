//! A client's connections and its voice.

use prost::Message as _;
use proto::{
    livekit::{DataPacket, TrackInfo, TrackPublishedResponse, UserPacket, data_packet::Value},
    rtp::{NewHeader, Packet, RtpTime, SeqNo},
    sdp::Session,
};

use super::{Client, Effect, Side, describe::LEVEL_EXTENSION};
use crate::{PersonId, Random, voice::Voice};

/// Ticks are 20 ms apart: a packet's worth of voice.
const CHECK_RETRY_TICKS: u32 = 5;
/// Consent checks, five seconds apart (RFC 7675).
const CONSENT_TICKS: u32 = 250;
const REPORT_TICKS: u32 = 50;
const MESSAGE_TICKS: u32 = 40;

#[derive(Debug)]
pub(super) struct Media {
    up: Connection,
    down: Connection,
    track: Option<Track>,
    sequence: u16,
    timestamp: u32,
    /// Over all lives, so that no packet is taken for another.
    count: u32,
    ticks: u32,
    /// Data messages, over all lives.
    messages: u32,
}

#[derive(Debug, Default)]
struct Connection {
    /// The server's name for it: what checks are sent to.
    ufrag: Option<String>,
    /// A check under any name has been answered: packets flow.
    connected: bool,
    /// A check under the latest name has been answered.
    checked: bool,
}

#[derive(Debug)]
pub(super) struct Track {
    pub cid: String,
    pub ssrc: u32,
    info: Option<TrackInfo>,
    /// The section it is sent in.
    place: Option<usize>,
    /// The server has answered that section.
    answered: bool,
    asked: bool,
}

/// A packet as its listener takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listened {
    pub voice: Voice,
    pub taken_for: Option<PersonId>,
}

impl Media {
    pub(super) fn new(random: &mut Random) -> Self {
        let [s0, s1, t0, t1, t2, t3, ..] = random.bits().to_be_bytes();
        Self {
            up: Connection::default(),
            down: Connection::default(),
            track: None,
            // Near the wrap, so that most stories see one.
            sequence: u16::from_be_bytes([0xFE | s0 & 1, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            count: 0,
            ticks: 0,
            messages: 0,
        }
    }

    pub(super) fn begin_life(&mut self) {
        self.up = Connection::default();
        self.down = Connection::default();
        self.track = None;
    }

    pub(super) fn track(&self) -> Option<&Track> {
        self.track.as_ref()
    }

    pub(super) fn track_sid(&self) -> Option<String> {
        Some(self.track.as_ref()?.info.as_ref()?.sid.clone())
    }

    pub(super) fn published(&self) -> Vec<TrackPublishedResponse> {
        let granted = self.track.iter().filter(|track| track.info.is_some());
        granted
            .map(|track| TrackPublishedResponse {
                cid: track.cid.clone(),
                track: track.info.clone(),
            })
            .collect()
    }

    /// Returns the name of a track to ask for, if it is time to.
    pub(super) fn next_request(&mut self, random: &mut Random) -> Option<String> {
        let track = self.track.get_or_insert_with(|| Track {
            cid: format!("cid{:016x}", random.bits()),
            ssrc: u32::try_from(random.bits() >> 32).unwrap_or(1),
            info: None,
            place: None,
            answered: false,
            asked: false,
        });
        let ask = !track.asked;
        track.asked = true;
        ask.then(|| track.cid.clone())
    }

    /// The request may have been lost with the socket.
    pub(super) fn ask_again(&mut self) {
        if let Some(track) = self.track.as_mut().filter(|track| track.info.is_none()) {
            track.asked = false;
        }
    }

    /// Returns whether this is news.
    pub(super) fn granted(&mut self, cid: &str, info: TrackInfo) -> bool {
        let track = self.track.as_mut().filter(|track| track.cid == cid && track.info.is_none());
        track.map(|track| track.info = Some(info)).is_some()
    }

    pub(super) fn placed(&mut self, place: usize) {
        if let Some(track) = &mut self.track {
            track.place = Some(place);
        }
    }

    pub(super) fn answered(&mut self, session: &Session) {
        if let Some(track) = &mut self.track {
            let section = track.place.and_then(|place| session.sections.get(place));
            track.answered |= section.is_some_and(|section| section.direction.receives());
        }
    }

    /// Learns the server's name for a connection. Media goes on as it was meanwhile.
    pub(super) fn check(&mut self, side: Side, ufrag: String) {
        let connection = self.connection(side);
        if connection.ufrag.as_ref() != Some(&ufrag) {
            connection.ufrag = Some(ufrag);
            connection.checked = false;
        }
    }

    fn connection(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Up => &mut self.up,
            Side::Down => &mut self.down,
        }
    }
}

impl Client {
    /// Twenty milliseconds have passed.
    pub(crate) fn tick(&mut self) {
        if self.room.is_none() {
            return;
        }
        self.media.ticks += 1;
        for side in [Side::Up, Side::Down] {
            self.tick_connection(side);
        }
        self.talk();
        if self.media.up.connected && self.media.ticks.is_multiple_of(MESSAGE_TICKS) {
            self.write_message();
        }
    }

    fn write_message(&mut self) {
        let Some(room) = self.room else { return };
        self.media.messages += 1;
        let count = self.media.messages;
        let said = Voice { room, talker: self.me, count };
        let user = UserPacket { payload: said.write(), ..UserPacket::default() };
        let packet = DataPacket { value: Some(Value::User(user)), ..DataPacket::default() };
        let payload = packet.encode_to_vec();
        self.effects.push(Effect::Data { side: Side::Up, count, payload });
    }

    fn tick_connection(&mut self, side: Side) {
        let ticks = self.media.ticks;
        let connection = self.media.connection(side);
        let Some(ufrag) = connection.ufrag.clone() else { return };
        let interval = if connection.checked { CONSENT_TICKS } else { CHECK_RETRY_TICKS };
        let connected = connection.connected;
        if ticks.is_multiple_of(interval) {
            self.effects.push(Effect::Check { side, ufrag });
        }
        if connected && ticks.is_multiple_of(REPORT_TICKS) {
            // An empty receiver report.
            let packet = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
            self.effects.push(Effect::Rtcp { side, packet });
        }
    }

    fn talk(&mut self) {
        let Some(room) = self.room else { return };
        let track = self.media.track.as_ref().filter(|track| track.answered);
        let Some(track) = track.filter(|_| self.media.up.connected && !self.muted) else { return };
        let leaps = self.persona.leaps && self.random.happens(60);
        let step =
            if leaps { u16::try_from(self.random.between(500, 2_900)).unwrap_or(1) } else { 1 };
        self.media.sequence = self.media.sequence.wrapping_add(step);
        self.media.timestamp = self.media.timestamp.wrapping_add(960 * u32::from(step));
        self.media.count += 1;
        let voice = Voice { room, talker: self.me, count: self.media.count };
        let level = 0x80 | u8::try_from(self.random.between(10, 40)).unwrap_or_default();
        let header = NewHeader {
            marker: false,
            payload_type: self.persona.red.unwrap_or(self.persona.opus),
            sequence: SeqNo(self.media.sequence),
            timestamp: RtpTime(self.media.timestamp),
            ssrc: track.ssrc,
            extensions: &[(LEVEL_EXTENSION, &[level])],
        };
        let mut packet = vec![0; 64];
        let length = header.write(&mut packet).unwrap_or_default();
        packet.truncate(length);
        let opus = self.persona.opus;
        packet.extend(self.persona.red.map_or_else(|| voice.write(), |_| voice.write_red(opus)));
        self.effects.push(Effect::Rtp { side: Side::Up, packet });
    }

    pub(crate) fn on_check_answered(&mut self, side: Side, ufrag: &str) {
        let connection = self.media.connection(side);
        connection.connected = true;
        connection.checked |= connection.ufrag.as_deref() == Some(ufrag);
    }

    /// Takes a packet of voice; `None` if it isn't any.
    pub(crate) fn listen(&self, bytes: &[u8]) -> Option<Listened> {
        let packet = Packet::parse(bytes).ok()?;
        let stream = self.negotiation.streams.get(&packet.ssrc);
        // A stream that no description has named yet would be dropped: it is only looked at.
        let red = self.negotiation.red.contains(&packet.payload_type);
        let voice = match (stream, red) {
            (Some(_), true) => Voice::read_red(packet.payload),
            (Some(_), false) => Voice::read(packet.payload),
            (None, _) => Voice::read(packet.payload).or_else(|| Voice::read_red(packet.payload)),
        };
        let taken_for = stream.and_then(|stream| self.roster.person(&stream.participant_sid));
        Some(Listened { voice: voice?, taken_for })
    }
}
