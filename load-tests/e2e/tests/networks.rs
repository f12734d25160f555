//! SDKs together, on a network that speaks IPv6 alone, and packets that overtake each other.

use std::time::Duration;

use e2e::{
    client::Client,
    kind::Kind,
    peer::{Manner, Peer},
    server::Server,
    weather::Weather,
};

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
    ($module:ident, $kind:ident) => {
        mod $module {
            use e2e::kind::Kind;

            #[test]
            fn calls_work_over_ipv6() {
                super::calls_work_over_ipv6(Kind::$kind);
            }
        }
    };
}

play!(chromium_v1, ChromiumV1);
play!(chromium_v0, ChromiumV0);
play!(firefox_v1, FirefoxV1);
play!(firefox_v0, FirefoxV0);
play!(go, Go);
play!(python, Python);
play!(python_v0, PythonV0);

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
