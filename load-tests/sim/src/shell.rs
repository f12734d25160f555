//! What `sfu-server` is to a shard: it knows which peer is at the end of which connection.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use bytes::Bytes;
use proto::{
    control::ConnectionFailure,
    data::Channel,
    link::{LinkEncoding, LinkFrame},
    rtp::{NewHeader, Packet, RtpTime, SeqNo},
};
use sfu_core::{
    Config, Forward, Input, LinkId, Output, PayloadPart, Shard, Tap, TransportAction,
    TransportEvent, TransportId,
};

use crate::{
    LinkEvent, PersonId, Random,
    client::{Side, fingerprint_of},
    clock::{Time, instant, time},
    voice::Voice,
};

/// A sequence number seen again sooner is a doubled packet, later it is a wrap.
const REPLAY: Time = Time::from_secs(1);
/// Silence after which a peer no longer consents to being sent anything (RFC 7675 §5.1).
const CONSENT: Time = Time::from_secs(30);
/// Wall time when the story begins.
const STARTED_UNIX_MICROS: u64 = 1_800_000_000_000_000;

/// The far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub person: PersonId,
    pub life: u32,
    pub side: Side,
}

pub(crate) struct Shell {
    node: u16,
    index: u16,
    shard: Shard,
    wires: BTreeMap<TransportId, Wire>,
    /// ICE names that checks may be sent to.
    names: BTreeMap<String, TransportId>,
    ends: BTreeMap<End, TransportId>,
    deadline: Option<Time>,
    /// No consent ends before: a check only puts that off.
    consent_due: Option<Time>,
    digest: Digest,
    /// What the shard asked for and the shell has not done itself.
    pub(crate) asked: Vec<Asked>,
}

/// One life of a connection.
#[derive(Default)]
struct Wire {
    closed: bool,
    /// Consent expired: it is of no more use.
    failed: bool,
    fingerprint: Option<[u8; 32]>,
    end: Option<End>,
    /// When its peer was last heard to consent.
    consented: Time,
    /// When SSRCs and sequence numbers arrived last, as a replay window knows.
    seen: BTreeMap<(u32, u16), Time>,
}

impl Wire {
    fn works(&self) -> bool {
        !self.closed && !self.failed
    }

    fn consent_ends(&self) -> Option<Time> {
        (self.works() && self.end.is_some()).then(|| self.consented + CONSENT)
    }
}

/// What is for the world to do.
#[derive(Debug)]
pub(crate) enum Asked {
    Event(proto::control::Event),
    /// A copy for somebody, and the datagram that becomes of it.
    Copy {
        copy: Copy,
        from: Option<End>,
        end: Option<End>,
        packet: Vec<u8>,
    },
    Link(LinkId, LinkFrame),
    /// A message for somebody.
    Data(End, Vec<u8>),
    /// A packet on its way into links.
    Noted(LinkEvent),
    /// Something that a shard must never ask for.
    Fault(&'static str),
}

/// What is recorded of a copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    pub to: (u16, u32, u32),
    pub ssrc: u32,
    pub index: u64,
    pub open: bool,
}

impl Shell {
    /// `index` is the shell's own among those of all nodes.
    pub(crate) fn new(node: u16, index: u16, seed: u64) -> Self {
        let mut random = Random::named(seed, &[2, u64::from(index)]);
        let mut shard_seed = [0; 32];
        for chunk in shard_seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&random.bits().to_be_bytes());
        }
        let now = instant(Time::ZERO);
        let config = Config {
            node_id: "ND_sim".to_owned(),
            region: String::new(),
            version: "0",
            candidates: vec![std::net::SocketAddr::from(([192, 0, 2, 1], 7882 + index))],
            fingerprint: [0xAD; 32],
            started: now,
            started_unix_micros: STARTED_UNIX_MICROS,
            ice_servers: Vec::new(),
            greeting: vec![Bytes::from_static(b"opus")],
        };
        Self {
            node,
            index,
            shard: Shard::new(config, shard_seed, now),
            wires: BTreeMap::new(),
            names: BTreeMap::new(),
            ends: BTreeMap::new(),
            deadline: None,
            consent_due: None,
            digest: Digest(0xCBF2_9CE4_8422_2325),
            asked: Vec::new(),
        }
    }

    /// When the shard wants to be woken, or a peer's consent expires.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.deadline.into_iter().chain(self.consent_due).min()
    }

    /// A hash of everything the shard ever asked for.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.0
    }

    pub(crate) fn invariants_broken(&self) -> u64 {
        self.shard.stats().invariants_broken
    }

    pub(crate) fn wake(&mut self, now: Time) {
        if self.consent_due.is_some_and(|due| due <= now) {
            self.expire(now);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.shard.handle_timeout(instant(now));
            self.drain();
        }
    }

    fn expire(&mut self, now: Time) {
        let ended = |wire: &Wire| wire.consent_ends().is_some_and(|end| end <= now);
        let expired = self.wires.iter().filter(|(_, wire)| ended(wire)).map(|(id, _)| *id);
        for id in expired.collect::<Vec<_>>() {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.failed = true;
            }
            let event = TransportEvent::Failed(ConnectionFailure::ConsentExpired);
            self.input(Input::Transport { id, event }, now);
        }
        self.consent_due = self.wires.values().filter_map(Wire::consent_ends).min();
    }

    pub(crate) fn input(&mut self, input: Input<'_>, now: Time) {
        self.shard.handle_input(input, instant(now));
        self.drain();
    }

    /// An ICE check. Returns whether it is answered.
    pub(crate) fn check(&mut self, from: End, ufrag: &str, now: Time) -> bool {
        let Some(id) = self.names.get(ufrag).copied() else { return false };
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.works()) else { return false };
        let Some(promised) = wire.fingerprint else { return false };
        if promised != fingerprint_of(from.person) {
            self.fault("a fingerprint that the peer never sent");
            return false;
        }
        wire.consented = now;
        self.consent_due.get_or_insert(now + CONSENT);
        let news = wire.end.replace(from).is_none();
        self.ends.insert(from, id);
        if news {
            self.input(Input::Transport { id, event: TransportEvent::Connected }, now);
            for channel in Channel::ALL {
                let event = TransportEvent::ChannelOpen(channel);
                self.input(Input::Transport { id, event }, now);
            }
        }
        true
    }

    pub(crate) fn rtcp(&mut self, from: End, packet: &[u8], now: Time) {
        if let Some(id) = self.open_end(from) {
            self.input(Input::Rtcp { id, packet }, now);
        }
    }

    pub(crate) fn rtp(&mut self, from: End, bytes: &[u8], now: Time) {
        let Some(id) = self.open_end(from) else { return };
        let Ok(packet) = Packet::parse(bytes) else { return };
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let earlier = wire.seen.insert((packet.ssrc, packet.sequence.0), now);
        if earlier.is_some_and(|earlier| now - earlier < REPLAY) {
            return;
        }
        self.note_arrival(from, &packet, now);
        let delivery = self.shard.forward(id, &packet, instant(now));
        let (copies, taps) = (delivery.copies.clone(), delivery.taps.clone());
        for copy in &copies {
            self.copy(Some(from), copy, packet.payload);
        }
        for tap in &taps {
            self.tap(tap, packet.payload);
        }
        self.drain();
    }

    fn note_arrival(&mut self, from: End, packet: &Packet<'_>, at: Time) {
        let voice = Voice::read(packet.payload).or_else(|| Voice::read_red(packet.payload));
        if let Some(Voice { room, talker, count }) = voice {
            let (life, sequence) = (from.life, packet.sequence.0);
            let node = self.node;
            let arrived = LinkEvent::Arrived { at, node, room, talker, life, count, sequence };
            self.asked.push(Asked::Noted(arrived));
        }
    }

    fn tap(&mut self, tap: &Tap, payload: &[u8]) {
        let _ = write!(self.digest, "{tap:?}");
        let start = match tap.encoding {
            LinkEncoding::Opus => 0,
            LinkEncoding::Red { primary } => primary,
        };
        let Some(voice) = payload.get(start..).and_then(Voice::read) else {
            return self.fault("a link that got no voice");
        };
        self.asked.push(Asked::Noted(LinkEvent::Tapped {
            at: Time::from_micros(tap.received.0.saturating_sub(STARTED_UNIX_MICROS)),
            link: tap.to.0,
            track: tap.track.0,
            index: tap.index,
            talker: voice.talker,
            count: voice.count,
        }));
    }

    pub(crate) fn open_end(&self, end: End) -> Option<TransportId> {
        let id = self.ends.get(&end).copied()?;
        self.wires.get(&id).filter(|wire| wire.works()).map(|_| id)
    }

    fn copy(&mut self, from: Option<End>, forward: &Forward, payload: &[u8]) {
        let _ = write!(self.digest, "{forward:?}");
        let payload = match forward.payload {
            PayloadPart::Whole => payload,
            PayloadPart::From(start) => payload.get(start..).unwrap_or_default(),
        };
        let wire = self.wires.get(&forward.to);
        let copy = Copy {
            to: (self.index, forward.to.index, forward.to.generation),
            ssrc: forward.ssrc,
            index: u64::from(forward.roc) << 16 | u64::from(forward.sequence),
            open: wire.is_some_and(Wire::works),
        };
        let end = wire.and_then(|wire| wire.end);
        self.asked.push(Asked::Copy { copy, from, end, packet: packet_of(forward, payload) });
    }

    fn drain(&mut self) {
        loop {
            let output = self.shard.poll_output();
            if let Output::Idle(deadline) = output {
                self.deadline = deadline.map(time);
                return;
            }
            let _ = write!(self.digest, "{output:?}");
            match output {
                Output::Event(event) => self.asked.push(Asked::Event(event)),
                Output::Transport { id, action } => self.on_action(id, action),
                Output::Data { to, payload, .. } => {
                    self.expect_open(to);
                    let end = self.wires.get(&to).and_then(|wire| wire.end);
                    self.asked.extend(end.map(|end| Asked::Data(end, payload.to_vec())));
                }
                Output::Rtcp { to, .. } => self.expect_open(to),
                Output::Voice { to, payload } => {
                    to.iter().for_each(|forward| self.copy(None, forward, &payload));
                }
                Output::Link { id, frame } => self.asked.push(Asked::Link(id, frame)),
                Output::Idle(_) => {}
            }
        }
    }

    fn on_action(&mut self, id: TransportId, action: TransportAction) {
        match action {
            TransportAction::Open { local, .. } => {
                if self.wires.insert(id, Wire::default()).is_some() {
                    self.fault("a connection's id used twice");
                }
                self.name(local.ufrag, id);
            }
            TransportAction::SetRemote { fingerprint, .. } => {
                self.expect_open(id);
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.fingerprint = Some(fingerprint);
                }
            }
            TransportAction::RestartIce { local } => {
                self.expect_open(id);
                self.name(local.ufrag, id);
            }
            TransportAction::Close => {
                self.expect_open(id);
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.closed = true;
                }
            }
        }
    }

    fn name(&mut self, ufrag: String, id: TransportId) {
        if self.names.insert(ufrag, id).is_some() {
            self.fault("an ICE name used twice");
        }
    }

    fn expect_open(&mut self, id: TransportId) {
        if self.wires.get(&id).is_none_or(|wire| wire.closed) {
            self.fault("something asked of a connection that isn't open");
        }
    }

    fn fault(&mut self, what: &'static str) {
        self.asked.push(Asked::Fault(what));
    }
}

/// FNV-1a over what is written to it.
#[derive(Clone, Copy, Debug)]
struct Digest(u64);

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Ok(())
    }
}

fn packet_of(forward: &Forward, payload: &[u8]) -> Vec<u8> {
    let level = [forward.level];
    let extensions: &[(u8, &[u8])] = &[(forward.level_extension, &level)];
    let header = NewHeader {
        marker: forward.marker,
        payload_type: forward.payload_type,
        sequence: SeqNo(forward.sequence),
        timestamp: RtpTime(forward.timestamp),
        ssrc: forward.ssrc,
        extensions: if forward.level_extension == 0 { &[] } else { extensions },
    };
    let mut packet = vec![0; 64];
    let length = header.write(&mut packet).unwrap_or_default();
    packet.truncate(length);
    packet.extend_from_slice(payload);
    packet
}
