//! A small client: describes itself as Chromium does, follows what the server asks, and sends
//! packets that say whose they are.

use std::collections::BTreeMap;

use proto::{
    control::{Join, Resume, RoomAction, SignalPath},
    data::Channel,
    grants::{Grants, VideoGrant},
    ids::SessionId,
    livekit::{
        self, AddTrackRequest, JoinResponse, MuteTrackRequest, SessionDescription, TrackSource,
        signal_request::Message as Request, signal_response::Message,
    },
    rtp::{NewHeader, RtpTime, SeqNo},
    sdp::{self, Direction, Kind, Session},
};
use sfu_core::{Forward, TransportEvent, TransportId};

use crate::world::World;

/// How a kind of client describes audio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) opus: u8,
    pub(crate) red: Option<u8>,
    pub(crate) level: u8,
    /// The section's `msid` has the name under which the track was asked for.
    pub(crate) tells_cid: bool,
    /// Answers repeat the offer's id.
    pub(crate) repeats_id: bool,
    pub(crate) user_agent: &'static str,
}

pub(crate) const CHROMIUM: Dialect = Dialect {
    opus: 111,
    red: Some(63),
    level: 1,
    tells_cid: true,
    repeats_id: true,
    user_agent: "",
};
pub(crate) const FIREFOX: Dialect = Dialect {
    opus: 109,
    red: None,
    tells_cid: false,
    user_agent: "Gecko Firefox/153.0",
    ..CHROMIUM
};
pub(crate) const GO: Dialect = Dialect { red: None, repeats_id: false, ..CHROMIUM };

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) identity: String,
    pub(crate) session: SessionId,
    pub(crate) path: SignalPath,
    pub(crate) dialect: Dialect,
    pub(crate) sdk: livekit::client_info::Sdk,
    pub(crate) ufrag: String,
    /// The sections of its own description, in order.
    pub(crate) sections: Vec<Own>,
    pub(crate) offer_id: u32,
    pub(crate) joined: Option<JoinResponse>,
    /// What the server's last description of each connection says.
    pub(crate) answer: Option<Session>,
    pub(crate) offer: Option<Session>,
    /// Everything received and not looked at yet.
    pub(crate) log: Vec<Message>,
    /// Remote tracks by id: the SSRC each comes under.
    pub(crate) remote: BTreeMap<String, u32>,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) follows: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) track: Option<OwnTrack>,
}

#[derive(Clone, Debug)]
pub(crate) struct OwnTrack {
    pub(crate) cid: String,
    pub(crate) sid: String,
    pub(crate) ssrc: u32,
}

pub(crate) fn grants(identity: &str) -> Grants {
    let video = VideoGrant {
        room: crate::world::ROOM.to_owned(),
        room_join: true,
        can_update_own_metadata: Some(true),
        ..VideoGrant::default()
    };
    Grants {
        identity: identity.to_owned(),
        name: identity.to_uppercase(),
        video: Some(video),
        ..Grants::default()
    }
}

impl Client {
    pub(crate) fn new(
        world: &mut World,
        identity: &str,
        path: SignalPath,
        dialect: Dialect,
    ) -> Self {
        let listen = Own { kind: Kind::Audio, direction: Direction::RecvOnly, track: None };
        let video = Own { kind: Kind::Video, ..listen.clone() };
        let data = Own { kind: Kind::Application, direction: Direction::SendRecv, track: None };
        let sections = match path {
            SignalPath::OneConnection => {
                vec![listen.clone(), listen.clone(), listen, video, data]
            }
            SignalPath::TwoConnections => vec![data],
        };
        Self {
            identity: identity.to_owned(),
            session: world.new_session(),
            path,
            dialect,
            sdk: livekit::client_info::Sdk::Unknown,
            ufrag: format!("ufrag{identity}"),
            sections,
            offer_id: 0,
            joined: None,
            answer: None,
            offer: None,
            log: Vec::new(),
            remote: BTreeMap::new(),
            sequence: 100,
            timestamp: 5_000,
            follows: true,
        }
    }

    /// Joins as livekit-client in Chromium does, and connects.
    pub(crate) fn join(world: &mut World, identity: &str) -> Self {
        Self::join_as(world, identity, SignalPath::OneConnection, CHROMIUM)
    }

    pub(crate) fn join_v0(world: &mut World, identity: &str) -> Self {
        Self::join_as(world, identity, SignalPath::TwoConnections, CHROMIUM)
    }

    pub(crate) fn join_as(
        world: &mut World,
        identity: &str,
        path: SignalPath,
        dialect: Dialect,
    ) -> Self {
        let mut client = Self::new(world, identity, path, dialect);
        let mut join = client.join_request();
        if path == SignalPath::OneConnection {
            join.publisher_offer = Some(client.next_offer());
        }
        client.enter(world, join);
        client.connect(world);
        client
    }

    pub(crate) fn join_request(&self) -> Join {
        Join {
            session: self.session,
            identity: self.identity.parse().unwrap(),
            grants: grants(&self.identity),
            client: livekit::ClientInfo {
                sdk: self.sdk.into(),
                client_protocol: 2,
                ..Default::default()
            },
            user_agent: self.dialect.user_agent.to_owned(),
            protocol: self.path,
            auto_subscribe: true,
            resume: None,
            publisher_offer: None,
            add_tracks: Vec::new(),
            sync_state: None,
        }
    }

    pub(crate) fn enter(&mut self, world: &mut World, join: Join) {
        world.act(RoomAction::Join(Box::new(join)));
        self.follow(world);
    }

    /// Comes back on a new socket, restarting ICE as SDKs do.
    pub(crate) fn resume(&mut self, world: &mut World) {
        self.session = world.new_session();
        self.follows = true;
        let participant = self.sid().parse().ok();
        let resume = Some(Resume { participant, reason: 1 });
        let join = Join { resume, ..self.join_request() };
        world.act(RoomAction::Join(Box::new(join)));
        self.ufrag.push('x');
        self.follow(world);
        self.negotiate(world);
    }

    /// Media arrives: every connection it has is up.
    pub(crate) fn connect(&mut self, world: &mut World) {
        for id in self.transports(world) {
            let connected = world.transports[&id].len();
            assert!(connected >= 2, "opened and told of its peer");
            world.transport(id, TransportEvent::Connected);
            for channel in Channel::ALL {
                world.transport(id, TransportEvent::ChannelOpen(channel));
            }
        }
        self.follow(world);
    }

    pub(crate) fn transports(&self, world: &World) -> Vec<TransportId> {
        let descriptions = self.answer.iter().chain(&self.offer);
        descriptions
            .map(|session| world.transport_named(&session.peer().unwrap().ice.ufrag))
            .collect()
    }

    /// Where it sends.
    pub(crate) fn upstream(&self, world: &World) -> TransportId {
        let answer = self.answer.as_ref().expect("has offered");
        world.transport_named(&answer.peer().unwrap().ice.ufrag)
    }

    /// Where it hears.
    pub(crate) fn downstream(&self, world: &World) -> TransportId {
        let session = match self.path {
            SignalPath::OneConnection => &self.answer,
            SignalPath::TwoConnections => &self.offer,
        };
        world.transport_named(&session.as_ref().unwrap().peer().unwrap().ice.ufrag)
    }

    pub(crate) fn sid(&self) -> &str {
        &self.joined.as_ref().expect("has joined").participant.as_ref().unwrap().sid
    }

    pub(crate) fn send(&mut self, world: &mut World, request: Request) {
        world.signal(self.session, request);
        self.follow(world);
    }

    /// Reads what has come, and does what an SDK would.
    pub(crate) fn follow(&mut self, world: &mut World) {
        for message in world.inbox(self.session) {
            self.log.push(message.clone());
            match message {
                Message::Join(join) => self.joined = Some(join),
                Message::Answer(answer) => self.on_answer(&answer),
                Message::Offer(offer) if self.follows => self.on_offer(world, &offer),
                Message::MediaSectionsRequirement(it) if self.follows => {
                    let listen =
                        Own { kind: Kind::Audio, direction: Direction::RecvOnly, track: None };
                    self.sections.extend((0..it.num_audios).map(|_| listen.clone()));
                    self.negotiate(world);
                }
                _ => {}
            }
        }
    }

    fn on_answer(&mut self, answer: &SessionDescription) {
        assert_eq!(answer.id, self.offer_id, "an answer has its offer's id");
        let session = Session::parse(answer.sdp.as_bytes()).unwrap();
        assert_eq!(session.sections.len(), self.sections.len());
        if self.path == SignalPath::OneConnection {
            self.remote = tracks_in(&session);
            assert_eq!(self.remote.len(), answer.mid_to_track_id.len());
        }
        self.answer = Some(session);
    }

    fn on_offer(&mut self, world: &mut World, offer: &SessionDescription) {
        let session = Session::parse(offer.sdp.as_bytes()).unwrap();
        self.remote = tracks_in(&session);
        let id = if self.dialect.repeats_id { offer.id } else { 0 };
        let sdp = self.answer_to(&session);
        self.offer = Some(session);
        let answer =
            SessionDescription { r#type: "answer".to_owned(), sdp, id, ..Default::default() };
        self.send(world, Request::Answer(answer));
    }

    pub(crate) fn answer_to(&self, offer: &Session) -> String {
        let mut sdp = self.preamble(offer.sections.len());
        for section in &offer.sections {
            let mid = section.mid.as_str();
            let direction = if section.direction.sends() { "recvonly" } else { "inactive" };
            sdp.push_str(&match section.kind {
                Kind::Application => data_section(mid, &self.ufrag, "active"),
                Kind::Audio | Kind::Video => {
                    self.audio_section(mid, direction, "active", None, 111)
                }
            });
        }
        sdp
    }

    pub(crate) fn negotiate(&mut self, world: &mut World) {
        let offer = self.next_offer();
        self.send(world, Request::Offer(offer));
    }

    pub(crate) fn next_offer(&mut self) -> SessionDescription {
        self.offer_id += 1;
        let mut sdp = self.preamble(self.sections.len());
        for (place, section) in self.sections.iter().enumerate() {
            let mid = place.to_string();
            let direction = match section.direction {
                Direction::SendRecv => "sendrecv",
                Direction::SendOnly => "sendonly",
                Direction::RecvOnly => "recvonly",
                Direction::Inactive => "inactive",
            };
            let track = section.track.as_ref();
            let opus = self.dialect.opus;
            sdp.push_str(&match section.kind {
                Kind::Application => data_section(&mid, &self.ufrag, "actpass"),
                Kind::Audio => self.audio_section(&mid, direction, "actpass", track, opus),
                Kind::Video => video_section(&mid, &self.ufrag),
            });
        }
        SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            id: self.offer_id,
            ..Default::default()
        }
    }

    fn preamble(&self, sections: usize) -> String {
        let mids: Vec<String> = (0..sections).map(|place| place.to_string()).collect();
        let fingerprint = vec!["CD"; 32].join(":");
        format!(
            "v=0\r\no=- 1 {} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
             a=fingerprint:sha-256 {fingerprint}\r\n",
            self.offer_id,
            mids.join(" "),
        )
    }

    fn audio_section(
        &self,
        mid: &str,
        direction: &str,
        setup: &str,
        track: Option<&OwnTrack>,
        opus: u8,
    ) -> String {
        let level = self.dialect.level;
        let red = self.dialect.red.map_or(String::new(), |red| format!(" {red}"));
        let mut section = format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF {opus}{red} 0\r\nc=IN IP4 0.0.0.0\r\n\
             a=rtpmap:{opus} opus/48000/2\r\na=fmtp:{opus} minptime=10;useinbandfec=1\r\n"
        );
        if let Some(red) = self.dialect.red {
            section
                .push_str(&format!("a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n"));
        }
        section.push_str(&format!(
            "a=extmap:{level} {}\r\na=extmap:4 {}\r\na=setup:{setup}\r\na=mid:{mid}\r\na={direction}\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:0123456789abcdef01234567\r\na=rtcp-mux\r\n",
            sdp::URI_AUDIO_LEVEL,
            sdp::URI_MID,
            self.ufrag,
        ));
        match track {
            Some(track) => {
                let name = if self.dialect.tells_cid { &track.cid } else { "{other}" };
                section.push_str(&format!(
                    "a=msid:stream {name}\r\na=ssrc:{ssrc} cname:c\r\na=ssrc:{ssrc} msid:stream {name}\r\n",
                    ssrc = track.ssrc,
                ));
            }
            // As Firefox does in sections where it only listens.
            None => section.push_str("a=ssrc:77 cname:c\r\n"),
        }
        section
    }

    /// Asks for a microphone track, describes it, and returns its id.
    pub(crate) fn publish(&mut self, world: &mut World) -> String {
        let ssrc = 1_000 + u32::try_from(self.sections.len()).unwrap();
        self.publish_under(world, ssrc)
    }

    pub(crate) fn publish_under(&mut self, world: &mut World, ssrc: u32) -> String {
        let cid = format!("cid-{}-{}", self.identity, self.sections.len());
        let sid = self.ask_for_track(world, &cid).expect("track_published");
        self.sections.push(Own {
            kind: Kind::Audio,
            direction: Direction::SendOnly,
            track: Some(OwnTrack { cid, sid: sid.clone(), ssrc }),
        });
        self.negotiate(world);
        sid
    }

    pub(crate) fn ask_for_track(&mut self, world: &mut World, cid: &str) -> Option<String> {
        let request = AddTrackRequest {
            cid: cid.to_owned(),
            source: TrackSource::Microphone.into(),
            ..Default::default()
        };
        self.send(world, Request::AddTrack(request));
        self.take(|message| match message {
            Message::TrackPublished(published) if published.cid == cid => {
                Some(published.track.clone().unwrap().sid)
            }
            _ => None,
        })
        .pop()
    }

    pub(crate) fn track(&self) -> OwnTrack {
        self.sections.iter().find_map(|section| section.track.clone()).expect("has published")
    }

    pub(crate) fn mute(&mut self, world: &mut World, muted: bool) {
        let sid = self.track().sid;
        self.send(world, Request::Mute(MuteTrackRequest { sid, muted }));
    }

    /// The next packet of its track.
    pub(crate) fn packet(&mut self, level: u8) -> Vec<u8> {
        let ssrc = self.track().ssrc;
        let payload = [0x78; 60];
        self.packet_of(ssrc, self.dialect.opus, level, &payload)
    }

    pub(crate) fn packet_of(
        &mut self,
        ssrc: u32,
        payload_type: u8,
        level: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
        let header = NewHeader {
            marker: false,
            payload_type,
            sequence: SeqNo(self.sequence),
            timestamp: RtpTime(self.timestamp),
            ssrc,
            extensions: &[(self.dialect.level, &[0x80 | level])],
        };
        let mut packet = vec![0; 64];
        let len = header.write(&mut packet).unwrap();
        packet.truncate(len);
        packet.extend_from_slice(payload);
        packet
    }

    /// Sends one packet of speech and returns the copies.
    pub(crate) fn speak(&mut self, world: &mut World) -> Vec<Forward> {
        let packet = self.packet(20);
        world.forward(self.upstream(world), &packet)
    }

    /// Which of its remote tracks these copies are, by what its description says.
    pub(crate) fn heard(&self, world: &World, copies: &[Forward]) -> Vec<String> {
        let here = self.downstream(world);
        let mine = copies.iter().filter(|copy| copy.to == here);
        let named = mine.map(|copy| self.remote.iter().find(|(_, ssrc)| **ssrc == copy.ssrc));
        named.map(|track| track.expect("a stream it was told of").0.clone()).collect()
    }

    /// Removes from the log what `pick` takes.
    pub(crate) fn take<T>(&mut self, mut pick: impl FnMut(&Message) -> Option<T>) -> Vec<T> {
        let (mut taken, mut kept) = (Vec::new(), Vec::new());
        for message in self.log.drain(..) {
            match pick(&message) {
                Some(value) => taken.push(value),
                None => kept.push(message),
            }
        }
        self.log = kept;
        taken
    }

    pub(crate) fn updates(&mut self) -> Vec<livekit::ParticipantInfo> {
        let updates = self.take(|message| match message {
            Message::Update(update) => Some(update.participants.clone()),
            _ => None,
        });
        updates.into_iter().flatten().collect()
    }

    pub(crate) fn leaves(&mut self) -> Vec<livekit::LeaveRequest> {
        self.take(|message| match message {
            Message::Leave(leave) => Some(leave.clone()),
            _ => None,
        })
    }

    /// How many times it was asked to offer, and for how many sections.
    pub(crate) fn requirements(&mut self) -> Vec<u32> {
        self.take(|message| match message {
            Message::MediaSectionsRequirement(it) => Some(it.num_audios),
            _ => None,
        })
    }
}

fn tracks_in(session: &Session) -> BTreeMap<String, u32> {
    let carrying = session.sections.iter().filter(|section| section.direction.sends());
    let tracks = carrying.filter_map(|section| {
        let track = section.msid.as_ref()?.track.clone()?;
        Some((track, section.sources.first()?.ssrc))
    });
    tracks.collect()
}

fn data_section(mid: &str, ufrag: &str, setup: &str) -> String {
    format!(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=setup:{setup}\r\na=mid:{mid}\r\na=ice-ufrag:{ufrag}\r\n\
         a=ice-pwd:0123456789abcdef01234567\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
    )
}

fn video_section(mid: &str, ufrag: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\n\
         a=setup:actpass\r\na=mid:{mid}\r\na=recvonly\r\na=ice-ufrag:{ufrag}\r\n\
         a=ice-pwd:0123456789abcdef01234567\r\na=rtcp-mux\r\n"
    )
}
