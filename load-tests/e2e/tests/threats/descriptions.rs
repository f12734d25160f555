//! M13: a session description that is a bomb is refused, and costs little.

use std::time::Duration;

use e2e::peer::{Manner, Peer};
use prost::Message as _;
use proto::livekit::{SignalRequest, signal_request, signal_response};

use crate::{process::cpu_time, scene::Scene};

/// What the clock of processes can't tell, and the honest call and the handshake cost meanwhile.
const SLACK: Duration = Duration::from_millis(100);
/// For one kilobyte of a bomb.
const COST_MAX: Duration = Duration::from_millis(1);
/// Longest message that the server reads at all.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

fn bombs() -> Vec<(&'static str, String)> {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n";
    let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    let lines =
        |count: u32, line: &dyn Fn(u32) -> String| -> String { (0..count).map(line).collect() };
    let sections =
        |count| lines(count, &|mid| format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\n"));
    let inside = |what: String| format!("{head}{section}{what}");
    vec![
        ("nothing", String::new()),
        ("no description", "x".repeat(60_000)),
        ("ten megabytes", "x".repeat(10_000_000)),
        ("ten thousand sections", format!("{head}{}", sections(10_000))),
        ("more sections than sense, in bounds", format!("{head}{}", sections(1_200))),
        (
            "an attribute of a million characters",
            inside(format!("a={}\r\n", "x".repeat(1_000_000))),
        ),
        ("a long attribute, in bounds", inside(format!("a={}\r\n", "x".repeat(60_000)))),
        ("a storm of attributes", inside("a=\r\n".repeat(15_000))),
        ("a storm of endless lines", inside("a".repeat(60_000))),
        ("a storm of line ends", inside("\r\n".repeat(30_000))),
        ("extensions", inside(lines(2_000, &|id| format!("a=extmap:{id} urn:x\r\n")))),
        ("deep extensions", inside(format!("a=extmap:1{} urn:x\r\n", "/sendrecv".repeat(6_000)))),
        ("formats", inside(lines(3_000, &|pt| format!("a=rtpmap:{pt} opus/48000/2\r\n")))),
        ("parameters", inside(format!("a=fmtp:111 {}\r\n", "a=1;".repeat(15_000)))),
        ("sources", inside(lines(3_000, &|ssrc| format!("a=ssrc:{ssrc} cname:x\r\n")))),
        ("fingerprints", inside("a=fingerprint:sha-256 AB\r\n".repeat(2_000))),
        ("the same mid twice", format!("{head}{section}{section}")),
        ("the same mid many times", format!("{head}{}", section.repeat(60))),
        (
            "a group of thousands",
            format!("{head}a=group:BUNDLE{}\r\n{section}", " 0".repeat(30_000)),
        ),
        ("zero bytes", inside("\0".repeat(10_000))),
        ("zero bytes in a value", inside("a=mid:\0\0\r\n".to_owned())),
        ("control characters", inside("a=ice-ufrag:\u{7}\u{1b}\r\n".to_owned())),
    ]
}

#[test]
fn m13_hostile_descriptions_are_refused_and_cost_little() {
    let scene = Scene::start();
    for (number, (what, bomb)) in (0_u32..).zip(bombs()) {
        let manner = Manner::with_ssrc(0xe7e_0001 + number);
        let mut eve = Peer::signal(&scene.server, "hers", &format!("eve-{number}"), manner);
        eve.wait("an answer", is_answered);
        let is_read = bomb.len() < MESSAGE_BYTES_MAX;
        let kilobytes = u32::try_from(bomb.len().min(MESSAGE_BYTES_MAX) / 1024 + 1).expect("few");
        let before = cpu_time(&scene.server);
        eve.offer_text(bomb);
        eve.wait(what, |eve| eve.ended);
        let spent = cpu_time(&scene.server).saturating_sub(before);
        assert!(spent <= COST_MAX * kilobytes + SLACK, "{what}: {spent:?} for {kilobytes} kB");
        let farewell = eve.saw(|one| matches!(one, signal_response::Message::Leave(_)));
        assert_eq!(farewell, is_read, "{what}: told why, if it was read at all");
        let answers = eve
            .signals
            .iter()
            .filter(|signal| matches!(signal.message, Some(signal_response::Message::Answer(_))));
        assert_eq!(answers.count(), 1, "{what} was answered as if it were an offer");
    }
    scene.assert_unharmed();
}

#[test]
fn m13_text_that_is_no_utf8_is_refused() {
    let scene = Scene::start();
    let mut eve = Peer::signal(&scene.server, "hers", "eve", Manner::with_ssrc(0xe7e_0001));
    eve.wait("an answer", is_answered);
    let offer = proto::livekit::SessionDescription {
        r#type: "offer".to_owned(),
        sdp: "v=0\r\no=- 1 1 IN IP4 PLACE\r\n".to_owned(),
        ..Default::default()
    };
    let request = SignalRequest { message: Some(signal_request::Message::Offer(offer)) };
    let mut bytes = request.encode_to_vec();
    let at = bytes.windows(5).position(|five| five == b"PLACE").expect("it is there");
    bytes[at..at + 5].copy_from_slice(&[0xc0, 0xaf, 0xff, 0xfe, 0x80]);
    eve.send_bytes(bytes);
    eve.wait("the end", |eve| eve.ended);
    scene.assert_unharmed();
}

fn is_answered(peer: &Peer) -> bool {
    peer.saw(|one| matches!(one, signal_response::Message::Answer(_)))
}
