//! Writes the hand-made part of the corpus: `cargo run -p fuzz --example seeds`.
//!
//! What a fuzzer found is added beside it, and isn't touched.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Instant,
};

use prost::{Message, Name};
use proto::{
    data::ChannelSide,
    ice::Credentials,
    json::from_json,
    livekit::{
        AddTrackRequest, DataPacket, JoinRequest, RpcAck, SendDataRequest, SessionDescription,
        SignalRequest, UpdateParticipantRequest, UserPacket, data_packet::Value,
        signal_request::Message as Signal,
    },
    rtcp::{ReportBlock, SenderReport, write_cname, write_receiver_report, write_sender_report},
    rtp::{NewHeader, RtpTime, SeqNo},
    stun::{ConnectivityCheck, TransactionId, Username, success_response},
};
use sfu_rtc::{Certificate, Output, Role, Transport};

const DESCRIPTIONS: &str = include_str!("../../../proto/tests/fixtures/descriptions.txt");
const FRAMES: &str = include_str!("../../../proto/tests/fixtures/frames.jsonl");

fn main() -> io::Result<()> {
    stun()?;
    rtp()?;
    rtcp()?;
    sdp()?;
    data_packets()?;
    frames()?;
    transports()?;
    shards()?;
    recordings()
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

fn check() -> Vec<u8> {
    let check = ConnectivityCheck {
        transaction: TransactionId([5; 12]),
        username: Username { to: "ours", from: "them" },
        priority: 1_853_824_767,
        tie_breaker: 9,
        use_candidate: true,
    };
    check.write(|_| [6; 20])
}

fn stun() -> io::Result<()> {
    seed("stun", "check", &check())?;
    let v4 = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
    seed("stun", "answer-v4", &success_response(TransactionId([5; 12]), v4, |_| [6; 20]))?;
    let v6 = SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), 9);
    seed("stun", "answer-v6", &success_response(TransactionId([5; 12]), v6, |_| [6; 20]))
}

fn packet(payload_type: u8, sequence: u16, payload: &[u8], extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 100];
    let header = NewHeader {
        marker: false,
        payload_type,
        sequence: SeqNo(sequence),
        timestamp: RtpTime(u32::from(sequence) * 960),
        ssrc: 918_262_210,
        extensions,
    };
    let length = header.write(&mut bytes).unwrap_or_default();
    bytes.truncate(length);
    bytes.extend_from_slice(payload);
    bytes
}

fn rtp() -> io::Result<()> {
    seed("rtp", "opus", &packet(111, 1, b"opus", &[(1, &[0x85]), (4, b"7")]))?;
    seed("rtp", "plain", &packet(0, 65_535, b"pcmu", &[]))?;
    let red = [0xEF, 0x0F, 0x00, 0x04, 0x6F, b'o', b'l', b'd', b'1', b'n', b'e', b'w'];
    seed("rtp", "red", &packet(63, 2, &red, &[(1, &[0x7F])]))?;
    let two_byte = [
        0xB2, 0x6F, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0x10, 0x00, 0, 1, 0x11,
        1, 0x85, 0, b'x', 0, 0, 3,
    ];
    seed("rtp", "csrcs-two-byte-padded", &two_byte)
}

fn rtcp() -> io::Result<()> {
    let block = ReportBlock {
        ssrc: 2,
        fraction_lost: 3,
        cumulative_lost: 4,
        highest_sequence: 5,
        jitter: 6,
        last_sr: 7,
        delay_since_last_sr: 8,
    };
    let mut sender = Vec::new();
    let report = SenderReport::new(1, 0x0102_0304_0506_0708, RtpTime(9), 10, 11);
    write_sender_report(&mut sender, &report, &[block]);
    write_cname(&mut sender, 1, "name");
    seed("rtcp", "sender", &sender)?;
    let mut receiver = Vec::new();
    write_receiver_report(&mut receiver, 1, &[block, block]);
    receiver.extend_from_slice(&[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFE, 0, 5]);
    receiver.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 1]);
    seed("rtcp", "receiver-nack-bye", &receiver)
}

fn descriptions() -> impl Iterator<Item = (String, &'static str)> {
    DESCRIPTIONS.split("=== ").skip(1).enumerate().filter_map(|(number, entry)| {
        let (who, text) = entry.split_once('\n')?;
        Some((format!("{number:02}-{}", who.replace([' ', ','], "-").replace("--", "-")), text))
    })
}

fn sdp() -> io::Result<()> {
    // The shortest of each kind: what a mutation hits should matter.
    let mut sorted: Vec<_> = descriptions().collect();
    sorted.sort_by_key(|(_, text)| text.len());
    sorted.iter().take(12).try_for_each(|(name, text)| seed("sdp", name, text.as_bytes()))
}

fn data_packets() -> io::Result<()> {
    let user = UserPacket {
        payload: b"hello".to_vec(),
        topic: Some("chat".into()),
        destination_identities: vec!["bob".into()],
        destination_sids: vec!["PA_bob".into()],
        participant_identity: "liar".into(),
        ..UserPacket::default()
    };
    for (name, value) in
        [("user", Value::User(user)), ("rpc-ack", Value::RpcAck(RpcAck { request_id: "r".into() }))]
    {
        let packet = DataPacket {
            value: Some(value),
            participant_sid: "PA_liar".into(),
            destination_identities: vec!["carol".into()],
            sequence: 3,
            ..DataPacket::default()
        };
        seed("data_packet", name, &packet.encode_to_vec())?;
    }
    seed("data_packet", "unknown", b"\xC2\x0C\x05later")
}

/// Each recorded frame of a kind, as JSON text.
fn frames_of(kind: &str) -> impl Iterator<Item = &'static str> {
    let start = format!(r#"{{"is":"{kind}","json":"#);
    FRAMES.lines().filter_map(move |line| line.strip_prefix(&start)?.strip_suffix('}'))
}

fn frames() -> io::Result<()> {
    for (number, text) in frames_of("SignalRequest").enumerate() {
        seed("signal_json", &format!("{number:02}"), text.as_bytes())?;
    }
    for (number, text) in frames_of("JoinRequest").enumerate() {
        seed("join_request", &format!("{number}"), &binary::<JoinRequest>(text))?;
    }
    Ok(())
}

fn binary<M: Message + Name + Default>(text: &str) -> Vec<u8> {
    from_json::<M>(text).unwrap_or_default().encode_to_vec()
}

/// What a client sends first once its check was answered: the ClientHello.
#[expect(clippy::disallowed_methods, reason = "an Instant can't be made otherwise")]
fn client_hello() -> Option<Vec<u8>> {
    let certificate = Certificate::generate().ok()?;
    let now = Instant::now();
    let (ours, theirs) = (credentials("ours", "o"), credentials("them", "t"));
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
    let side = ChannelSide::Remote;
    let mut server = Transport::new(&certificate, Role::Server, ours.clone(), side, now);
    server.set_remote(Some(theirs.clone()), certificate.fingerprint());
    let role = Role::Client { server: address };
    let mut client = Transport::new(&certificate, role, theirs, side, now);
    client.set_remote(Some(ours), certificate.fingerprint());
    client.handle_timeout(now);
    loop {
        match client.poll_output() {
            Output::Datagram { bytes, .. } if bytes.first()? & 0xFC == 0 => {
                server.handle_stun(address, bytes, now);
            }
            Output::Datagram { bytes, .. } => return Some(bytes.to_vec()),
            Output::Event(_) => {}
            Output::Idle(_) => match server.poll_output() {
                Output::Datagram { bytes, .. } => client.handle_stun(address, bytes, now),
                Output::Event(_) => {}
                Output::Idle(_) => return None,
            },
        }
    }
}

fn credentials(ufrag: &str, letter: &str) -> Credentials {
    Credentials { ufrag: ufrag.into(), pwd: letter.repeat(22) }
}

fn transports() -> io::Result<()> {
    let hello = client_hello().ok_or(io::ErrorKind::Other)?;
    let mut handshake = Steps(vec![0]);
    handshake.step(&[0]).chunk(&hello).step(&[6, 1, 0]).step(&[0]).chunk(&hello);
    seed("transport", "hello-twice", &handshake.0)?;

    let mut fragments = Steps(vec![0]);
    for part in hello.chunks(60) {
        fragments.step(&[0]).chunk(part);
    }
    seed("transport", "hello-in-pieces", &fragments.0)?;

    let mut connected = Steps(vec![1]);
    connected.step(&[7]).step(&[5]).chunk(b"hello").step(&[0x0D]).chunk(b"lossy");
    connected.step(&[3]).chunk(&packet(111, 1, b"opus and a tag of 16", &[]));
    connected.step(&[4]).chunk(&[0x80, 201, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 0x80, 0, 0, 1]);
    connected.step(&[0]).chunk(&[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]);
    connected.step(&[2]).chunk(&check()).step(&[6, 0xFF, 0xFF]).step(&[7]);
    seed("transport", "connected", &connected.0)
}

/// Steps of a script, as the targets with a state read them.
struct Steps(Vec<u8>);

impl Steps {
    fn step(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn chunk(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.step(bytes)
    }

    fn signal(&mut self, who: u8, message: Signal) -> &mut Self {
        let request = SignalRequest { message: Some(message) };
        self.step(&[1, who]).chunk(&request.encode_to_vec())
    }
}

/// People of `shard`'s first room: sessions 0, 2 and 4, identities 0, 1 and 2.
const ALICE: u8 = 0x00;
const BOB: u8 = 0x12;
const CAROL: u8 = 0x24;
/// Allowed everything; on one peer connection, or on two.
const ONE: u8 = 0x02;
const TWO: u8 = 0x12;

/// An offer in which a browser publishes. LiveKit's own have another address in their `o=` line.
fn offer_of(who: &str) -> &'static str {
    let publishes = |text: &str| text.contains("IP4 127.0.0.1") && text.contains("a=ssrc");
    let mut offers = descriptions()
        .filter(|(name, text)| name.contains(who) && name.ends_with("offer") && publishes(text));
    offers.next().map_or("", |(_, text)| text)
}

fn offer(id: u32, sdp: &str) -> Signal {
    let sdp = sdp.replace('\n', "\r\n");
    Signal::Offer(SessionDescription {
        r#type: "offer".into(),
        sdp,
        id,
        ..SessionDescription::default()
    })
}

fn add_track(sdp: &str) -> Signal {
    let msid = sdp.lines().find_map(|line| line.strip_prefix("a=msid:"));
    let track = msid.and_then(|msid| msid.split(' ').nth(1)).unwrap_or("cid");
    Signal::AddTrack(AddTrackRequest { cid: track.into(), ..AddTrackRequest::default() })
}

fn shards() -> io::Result<()> {
    let v1 = offer_of("chromium-v1");
    let voice = voice_of(v1);
    let mut call = Steps(Vec::new());
    for who in [ALICE, BOB] {
        call.step(&[0, who, ONE]).chunk(v1.as_bytes());
        call.signal(who, add_track(v1)).signal(who, offer(2, v1));
    }
    for who in 0..2 {
        call.step(&[5, who]).step(&[6, who, 0]);
    }
    for who in 0..2 {
        call.step(&[9, who]).chunk(&voice);
    }
    call.step(&[11, 0, 1, 0x90]).step(&[3, ALICE]).step(&[0, ALICE, ONE | 8]).chunk(b"");
    call.step(&[8, 0]).chunk(&[0x80, 201, 0, 1, 0, 0, 0, 1]).step(&[11, 0, 0xFF, 0xFF]);
    seed("shard", "call-v1", &call.0)?;

    let mut dual = Steps(Vec::new());
    let v0 = offer_of("chromium-v0");
    for who in [ALICE, BOB, CAROL] {
        dual.step(&[0, who, TWO]).chunk(b"");
        dual.signal(who, add_track(v0)).signal(who, offer(1, v0));
    }
    for who in 0..6 {
        dual.step(&[5, who]).step(&[9, who]).chunk(&voice_of(v0));
    }
    dual.step(&[11, 0, 0x13, 0x88]).step(&[4, BOB, 4]).chunk(b"").step(&[11, 0, 0x13, 0x88]);
    seed("shard", "call-v0", &dual.0)?;

    let mut signals = Steps(Vec::new());
    signals.step(&[0, ALICE, ONE]).chunk(v1.as_bytes()).step(&[0, BOB, TWO]).chunk(b"");
    for text in frames_of("SignalRequest").filter(|text| !text.starts_with(r#"{"leave"#)) {
        signals.step(&[1, ALICE]).chunk(&binary::<SignalRequest>(text));
    }
    seed("shard", "every-signal", &signals.0)?;
    seed("shard", "admin-and-data", &admin_and_data())
}

fn admin_and_data() -> Vec<u8> {
    let mut steps = Steps(Vec::new());
    steps.step(&[0, ALICE, ONE]).chunk(b"").step(&[0, BOB, TWO]).chunk(b"");
    for who in 0..3 {
        steps.step(&[5, who]).step(&[6, who, 0]).step(&[6, who, 1]);
    }
    let user = UserPacket { payload: b"hi".to_vec(), ..UserPacket::default() };
    let packet = DataPacket { value: Some(Value::User(user)), ..DataPacket::default() };
    for who in 0..3 {
        steps.step(&[7, who, 0]).chunk(&packet.encode_to_vec());
    }
    let update = UpdateParticipantRequest { name: "Al".into(), ..Default::default() };
    steps.step(&[4, ALICE, 6]).chunk(&update.encode_to_vec());
    let data = SendDataRequest { data: b"hi".to_vec(), ..SendDataRequest::default() };
    steps.step(&[4, ALICE, 8]).chunk(&data.encode_to_vec());
    for what in [0, 2, 3, 9, 1] {
        steps.step(&[4, ALICE, what]).chunk(b"");
    }
    steps.0
}

/// A packet of the stream that an offer announces.
fn voice_of(sdp: &str) -> Vec<u8> {
    let mut bytes = packet(111, 1, b"opus", &[(1, &[0x85])]);
    let ssrc = sdp.lines().find_map(|line| line.strip_prefix("a=ssrc:")?.split(' ').next());
    let ssrc: u32 = ssrc.and_then(|ssrc| ssrc.parse().ok()).unwrap_or_default();
    bytes.splice(8..12, ssrc.to_be_bytes());
    bytes
}

/// Steps of `src/recording.rs`: what, and tenths of a millisecond since the step before.
fn recordings() -> io::Result<()> {
    let step = |what: u8, track: u8, tenths: u16, rest: &[u8]| {
        let [high, low] = tenths.to_be_bytes();
        [&[what * 4 + track, high, low][..], rest].concat()
    };
    let voice = |number: u16, tenths: u16, payload: &[u8]| {
        let timestamp = u32::from(number) * 960;
        let length = u16::try_from(payload.len()).unwrap_or_default();
        let place = [&number.to_be_bytes()[..], &timestamp.to_be_bytes(), &[0]].concat();
        step(8, 1, tenths, &[&place[..], &length.to_be_bytes(), payload].concat())
    };
    let open = [step(0, 0, 0, &[]), step(1, 1, 0, &[]), step(1, 2, 0, &[])].concat();
    let talk: Vec<u8> = (0..20).flat_map(|number| voice(number, 200, &[0x48, 1, 2])).collect();
    let end = step(2, 1, 200, &[]);
    seed("recording", "talk", &[&open[..], &talk, &end].concat())?;
    let reordered: Vec<u8> =
        [3, 1, 2, 2, 9, 7].into_iter().flat_map(|number| voice(number, 100, &[0x4b, 2])).collect();
    let mute = [step(3, 1, 200, &[1]), step(3, 1, 60_000, &[0])].concat();
    seed("recording", "reordered-and-muted", &[&open[..], &reordered, &mute, &talk].concat())?;
    let again = [step(4, 0, 200, &[]), step(5, 0, 30_000, &[]), open.clone()].concat();
    let lost = [&open[..], &talk, &again, &talk, &step(6, 1, 0, &[]), &talk].concat();
    seed("recording", "cut-and-abandoned", &lost)
}
