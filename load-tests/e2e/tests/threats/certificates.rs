//! M5: a certificate that wasn't promised gets no key.

use std::time::Duration;

use e2e::peer::{Manner, Peer, Promise};
use proto::livekit::{DisconnectReason, signal_response};

use crate::scene::{ROOM, Scene};

const FAILED_BY_FINGERPRINT: &str = "reason=\"dtls_fingerprint\"";

/// Why the server sent her away, if it did.
fn farewell(peer: &Peer) -> Option<DisconnectReason> {
    peer.signals.iter().find_map(|signal| match &signal.message {
        Some(signal_response::Message::Leave(leave)) => Some(leave.reason()),
        _ => None,
    })
}

fn octets(count: usize) -> String {
    vec!["AB"; count].join(":")
}

#[test]
fn m5_a_certificate_other_than_the_promised_one_ends_the_session_unheard() {
    let scene = Scene::start();
    let lines = format!("a=fingerprint:sha-256 {}\r\n", octets(32));
    let manner = Manner { promise: Promise::Lines(lines), ..Manner::with_ssrc(0xe7e_0001) };
    let mut eve = Peer::signal(&scene.server, ROOM, "eve", manner);
    // Her own end has its keys a moment before the server sees her certificate.
    eve.run(Duration::from_secs(5), &|eve| eve.connected || eve.ended);
    if eve.connected {
        for number in 0..20 {
            eve.say(format!("eve {number}").as_bytes());
        }
    }
    eve.wait("her dismissal", |eve| eve.ended);
    assert_eq!(farewell(&eve), Some(DisconnectReason::JoinFailure));
    assert!(eve.heard.is_empty(), "she was sent what the others said");
    assert_eq!(scene.counted("adda_ice_failures_total", FAILED_BY_FINGERPRINT), 1);
    scene.assert_unharmed();
}

#[test]
fn m5_a_promise_that_proves_nothing_is_refused_before_anything_is_sent() {
    let scene = Scene::start();
    let sha256 = format!("a=fingerprint:sha-256 {}\r\n", octets(32));
    let promises = [
        ("only sha-1", Promise::Lines(format!("a=fingerprint:sha-1 {}\r\n", octets(20)))),
        ("only md5", Promise::Lines(format!("a=fingerprint:md5 {}\r\n", octets(16)))),
        ("none", Promise::Lines(String::new())),
        ("too short", Promise::Lines(format!("a=fingerprint:sha-256 {}\r\n", octets(31)))),
        ("two, of which one is kept", Promise::KeptBeside(sha256)),
    ];
    for (number, (what, promise)) in (0_u32..).zip(promises) {
        let manner = Manner { promise, ..Manner::with_ssrc(0xe7e_0001 + number) };
        let mut eve = Peer::signal(&scene.server, ROOM, &format!("eve-{number}"), manner);
        eve.wait(what, |eve| eve.ended);
        assert_eq!(farewell(&eve), Some(DisconnectReason::MediaFailure), "{what}");
        let answered = eve.saw(|one| matches!(one, signal_response::Message::Answer(_)));
        assert!(!answered && eve.datagrams == 0, "{what}");
    }
    assert_eq!(scene.counted("adda_ice_failures_total", FAILED_BY_FINGERPRINT), 0);
    scene.assert_unharmed();
}
