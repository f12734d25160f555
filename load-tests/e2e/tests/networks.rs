//! SDKs together, and SDKs on networks that lose packets or speak IPv6 alone.

#![expect(clippy::indexing_slicing, reason = "JSON answers `Null` for what it lacks")]

use std::{collections::BTreeSet, time::Duration};

use e2e::{
    client::Client,
    enter_network,
    kind::Kind,
    nat::{Nat, PUBLIC},
    peer::{Manner, Peer},
    relay::{BEHIND_A_RELAY, Relay},
    server::Server,
    weather::Weather,
};
use serde_json::json;

#[test]
fn every_sdk_hears_every_other() {
    let kinds = [
        Kind::ChromiumV1,
        Kind::ChromiumV0,
        Kind::FirefoxV1,
        Kind::Go,
        Kind::Python,
        Kind::PythonV0,
    ];
    let server = Server::start();
    let callers: Vec<(Client, u32)> = (0_u32..)
        .zip(kinds)
        .map(|(number, kind)| {
            let caller = Client::join(kind, &server, "room", &format!("{kind:?}"));
            let hz = 400 + 200 * number;
            caller.publish_tone(hz);
            (caller, hz)
        })
        .collect();
    for (listener, _) in &callers {
        for (speaker, hz) in &callers {
            if listener.identity != speaker.identity {
                listener.expect_tone(&speaker.identity, *hz);
            }
        }
    }
}

/// aiortc (OpenSSL, libsrtp) as clients that know nothing newer: it offers one profile, which we
/// must take, while the other side of the call keeps AES-GCM.
#[test]
fn python_callers_with_sha1_alone_speak_and_hear() {
    let server = Server::start();
    let ann = Client::join(Kind::Aiortc, &server, "room", "ann");
    let bob = Client::join(Kind::Aiortc, &server, "room", "bob");
    let cid = Client::join(Kind::PythonV0, &server, "room", "cid");
    ann.publish_tone(600);
    bob.publish_tone(900);
    cid.publish_tone(1_200);
    for (listener, others) in [
        (&ann, [("bob", 900), ("cid", 1_200)]),
        (&bob, [("ann", 600), ("cid", 1_200)]),
        (&cid, [("ann", 600), ("bob", 900)]),
    ] {
        for (speaker, hz) in others {
            listener.expect_tone(speaker, hz);
        }
    }
    for caller in [&ann, &bob] {
        let profile = "SRTP_AES128_CM_SHA1_80";
        assert_eq!(caller.profiles(), json!([profile, profile]), "{}", caller.identity);
    }
}

/// The server binds what its machine has and offers what the world calls it; nothing reaches it
/// but by the router.
#[test]
fn a_server_behind_nat_is_reached_by_its_public_addresses_alone() {
    enter_network();
    let _nat = Nat::start();
    let server = Server::start_with(&[
        "--media-listen",
        "10.88.0.2,fd88::2",
        "--media-advertise",
        "203.0.113.7,2001:db8:7::7",
    ]);
    let mut scout = Peer::signal(&server, "room", "scout", Manner::with_ssrc(1));
    let offered: BTreeSet<String> =
        scout.offered().iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(offered, PUBLIC.map(str::to_owned).into(), "what clients are told");

    let talk = |kind: Kind, room: &str| {
        let ann = Client::join(kind, &server, room, "ann");
        let bob = Client::join(kind, &server, room, "bob");
        ann.publish_tone(600);
        bob.publish_tone(900);
        bob.expect_tone("ann", 600);
        ann.expect_tone("bob", 900);
    };
    talk(Kind::ChromiumV1, "over IPv4");
    let _no_ipv4 = Weather::NoIpv4.over(&server);
    talk(Kind::ChromiumV1, "over IPv6");
    talk(Kind::Go, "in Go");
}

/// Ann speaks and sends sixty numbers, all of which Bob gets in their order, and goes on speaking.
fn speak_and_count(kind: Kind, server: &Server) -> (Client, Client) {
    let ann = Client::join(kind, server, "room", "ann");
    let mut bob = Client::join(kind, server, "room", "bob");
    ann.publish_tone(600);
    bob.expect_tone("ann", 600);
    for number in 0..60 {
        ann.send_reliable(&[], "numbers", &number.to_string());
    }
    for number in 0..60 {
        assert_eq!(bob.expect("dataReceived", "ann")["payload"], number.to_string());
    }
    bob.watch(Duration::from_secs(3));
    bob.expect_tone("ann", 600);
    (ann, bob)
}

/// Five packets of a hundred are lost each way from before the join: checks, handshakes, data and
/// voice alike.
fn calls_survive_loss(kind: Kind) {
    let server = Server::start();
    let _loss = Weather::Loss { percent: 5 }.over(&server);
    let (_ann, bob) = speak_and_count(kind, &server);
    let packets = bob.packets("ann");
    assert!(packets.received > 100 && packets.lost > 0, "nothing was lost: {packets:?}");
}

/// A packet of three comes after two that were sent later, both ways and from before the join.
fn calls_survive_reordering(kind: Kind) {
    let server = Server::start_with(BEHIND_A_RELAY);
    let relay = Relay::before(&server);
    let (_ann, mut bob) = speak_and_count(kind, &server);
    // Voice that overtook the end of the handshake came before its keys, so one may be missing.
    let before = missing(&bob, "ann");
    bob.watch(Duration::from_secs(3));
    let after = missing(&bob, "ann");
    let packets = bob.packets("ann");
    assert!(before <= 1 && after == before, "{before} were missing, then {after}: {packets:?}");
    assert!(packets.received > 100, "{packets:?}");
    assert!(relay.overtaken() > 100, "nothing was reordered: {}", relay.overtaken());
}

/// How many packets of `from` never came. One that is held back just now counts as lost until it
/// comes, so the fewest of several looks. By the arithmetic of RFC 3550 A.3, those that overtook
/// the very first are less than none.
fn missing(listener: &Client, from: &str) -> i64 {
    // The relay holds one back for 20 of every 60 ms, and libwebrtc looks anew every 50: steady
    // looks could meet the same moment again and again.
    let look = |turn: u64| {
        e2e::wait(Duration::from_millis(20 + 17 * (turn % 5)));
        listener.packets(from).lost
    };
    (0..25).map(look).min().unwrap_or_default()
}

/// IPv4 is dead: whoever connects does it by IPv6.
fn calls_work_over_ipv6(kind: Kind) {
    let server = Server::start();
    let _no_ipv4 = Weather::NoIpv4.over(&server);
    let ann = Client::join(kind, &server, "room", "ann");
    let bob = Client::join(kind, &server, "room", "bob");
    ann.publish_tone(600);
    bob.publish_tone(900);
    bob.expect_tone("ann", 600);
    ann.expect_tone("bob", 900);
}

macro_rules! play {
    ($module:ident, $kind:ident, [$($scenario:ident),+]) => {
        mod $module {
            use e2e::kind::Kind;

            $(
                #[test]
                fn $scenario() {
                    super::$scenario(Kind::$kind);
                }
            )+
        }
    };
}

play!(
    chromium_v1,
    ChromiumV1,
    [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]
);
play!(
    chromium_v0,
    ChromiumV0,
    [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]
);
play!(firefox_v1, FirefoxV1, [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]);
play!(firefox_v0, FirefoxV0, [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]);
play!(go, Go, [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]);
play!(python, Python, [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]);
play!(python_v0, PythonV0, [calls_survive_loss, calls_survive_reordering, calls_work_over_ipv6]);
play!(python_aiortc, Aiortc, [calls_work_over_ipv6]);

#[test]
fn packets_that_overtook_each_other_are_all_forwarded() {
    let server = Server::start();
    let mut ann = Peer::join(&server, "room", "ann", Manner::with_ssrc(0xa11_0001));
    let mut bob = Peer::join(&server, "room", "bob", Manner::with_ssrc(0xb0b_0001));
    // Until the subscription stands.
    while bob.heard.is_empty() {
        ann.say(b"first");
        ann.listen(Duration::from_millis(5));
        bob.listen(Duration::from_millis(15));
    }
    bob.heard.clear();
    for round in 0..20 {
        let sealed: Vec<Vec<u8>> =
            (0..5).map(|place| ann.seal(format!("{round:02} {place}").as_bytes())).collect();
        for place in [3, 0, 4, 1, 2] {
            if let Some(packet) = sealed.get(place) {
                ann.send_datagram(packet);
            }
        }
        bob.listen(Duration::from_millis(10));
    }
    bob.listen(Duration::from_millis(300));
    let mut heard: Vec<Vec<u8>> = bob.heard.into_iter().map(|one| one.payload).collect();
    heard.retain(|payload| payload != b"first");
    heard.sort();
    let expected: Vec<Vec<u8>> = (0..20)
        .flat_map(|round| (0..5).map(move |place| format!("{round:02} {place}").into_bytes()))
        .collect();
    assert_eq!(heard, expected);
}
