//! What it costs to decide who gets one packet of sound, by how many hear it and by links.

#![expect(clippy::unwrap_used, reason = "a bench that is wrong may panic")]

use std::time::Instant;

use divan::Bencher;
use proto::{
    control::{Command, Event, Join, RoomAction, RoomCommand, SignalPath},
    grants::{Grants, VideoGrant},
    ids::{Epoch, RoomName, SessionId},
    link::{LinkPurpose, LinkRequest},
    livekit::{AddTrackRequest, ClientInfo, SessionDescription, TrackSource},
    rtp::{NewHeader, Packet, RtpTime, SeqNo},
};
use sfu_core::{
    Config, Input, LinkAction, LinkId, Output, Shard, TransportAction, TransportEvent, TransportId,
};

/// Listeners, and links beside them.
const CASES: [(usize, u64); 6] = [(0, 0), (0, 1), (20, 0), (20, 1), (20, 2), (100, 0)];
const SSRC: u32 = 4_711;

fn main() {
    divan::main();
}

#[divan::bench(args = CASES)]
fn one_packet(bencher: Bencher<'_, '_>, (listeners, links): (usize, u64)) {
    let mut call = Call::new(listeners, links);
    let mut sequence = 0_u16;
    bencher.bench_local(|| {
        sequence = sequence.wrapping_add(1);
        let bytes = packet(sequence);
        let packet = Packet::parse(&bytes).unwrap();
        divan::black_box(call.shard.forward(call.talker, &packet, call.now));
    });
    let stats = call.shard.stats();
    let packets = stats.packets_received;
    assert_eq!(stats.packets_forwarded, packets * u64::try_from(listeners).unwrap());
    assert_eq!(stats.packets_tapped, packets * links);
}

/// A room in which one talks.
struct Call {
    shard: Shard,
    talker: TransportId,
    now: Instant,
}

impl Call {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn new(listeners: usize, links: u64) -> Self {
        let now = Instant::now();
        let config = Config {
            node_id: "node".to_owned(),
            region: String::new(),
            version: "0",
            candidates: Vec::new(),
            fingerprint: [0xab; 32],
            started: now,
            started_unix_micros: 1_800_000_000_000_000,
            ice_servers: Vec::new(),
            greeting: Vec::new(),
        };
        let mut shard = Shard::new(config, [7; 32], now);
        let opened = enter(&mut shard, 0, true, now);
        for number in 1..=listeners {
            enter(&mut shard, number, false, now);
        }
        for link in 0..links {
            let request =
                LinkRequest { room: room(), epoch: Epoch(1), purpose: LinkPurpose::Relay };
            let action = LinkAction::Open(request);
            shard.handle_input(Input::Link { id: LinkId(link), action }, now);
        }
        Self { shard, talker: opened, now }
    }
}

fn room() -> RoomName {
    "bench".parse().unwrap()
}

/// Somebody joins and connects; returns by which connection.
fn enter(shard: &mut Shard, number: usize, talks: bool, now: Instant) -> TransportId {
    let identity = format!("person{number}");
    let join = Join {
        session: SessionId(u128::try_from(number).unwrap()),
        identity: identity.parse().unwrap(),
        grants: Grants {
            identity,
            video: Some(VideoGrant { room_join: true, ..VideoGrant::default() }),
            ..Grants::default()
        },
        client: ClientInfo::default(),
        user_agent: String::new(),
        protocol: SignalPath::OneConnection,
        auto_subscribe: true,
        resume: None,
        publisher_offer: Some(offer(number, talks)),
        add_tracks: if talks { vec![microphone()] } else { Vec::new() },
        sync_state: None,
    };
    let command =
        RoomCommand { room: room(), epoch: Epoch(1), action: RoomAction::Join(Box::new(join)) };
    shard.handle_input(Input::Command(Command::Room(Box::new(command))), now);
    let opened = opened(shard).unwrap();
    shard.handle_input(Input::Transport { id: opened, event: TransportEvent::Connected }, now);
    assert_eq!(self::opened(shard), None);
    opened
}

/// Lets the shard speak; returns the connection it opened meanwhile.
fn opened(shard: &mut Shard) -> Option<TransportId> {
    let mut opened = None;
    loop {
        match shard.poll_output() {
            Output::Transport { id, action: TransportAction::Open { .. } } => opened = Some(id),
            Output::Event(event) => assert!(!matches!(event, Event::Close { .. }), "thrown out"),
            Output::Idle(_) => return opened,
            Output::Transport { .. }
            | Output::Data { .. }
            | Output::Rtcp { .. }
            | Output::Voice { .. }
            | Output::Link { .. } => {}
        }
    }
}

fn microphone() -> AddTrackRequest {
    AddTrackRequest {
        cid: "microphone".to_owned(),
        source: TrackSource::Microphone.into(),
        ..AddTrackRequest::default()
    }
}

fn offer(number: usize, talks: bool) -> SessionDescription {
    let direction = if talks { "sendonly" } else { "recvonly" };
    let sources = if talks {
        format!(
            "a=msid:s microphone\r\na=ssrc:{SSRC} cname:c\r\na=ssrc:{SSRC} msid:s microphone\r\n"
        )
    } else {
        String::new()
    };
    let fingerprint = vec!["CD"; 32].join(":");
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=setup:actpass\r\na=mid:0\r\n\
         a={direction}\r\na=ice-ufrag:ufrag{number}\r\na=ice-pwd:0123456789abcdef01234567\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=rtcp-mux\r\n{sources}"
    );
    SessionDescription { r#type: "offer".to_owned(), sdp, id: 1, ..Default::default() }
}

/// Header with an audio level, then 120 bytes as Opus at 48 kbit/s has.
fn packet(sequence: u16) -> [u8; 140] {
    let mut packet = [0xab; 140];
    let header = NewHeader {
        marker: false,
        payload_type: 111,
        sequence: SeqNo(sequence),
        timestamp: RtpTime(u32::from(sequence) * 960),
        ssrc: SSRC,
        extensions: &[(1, &[0x85])],
    };
    assert_eq!(header.write(&mut packet), Some(20));
    packet
}
