//! Attacks on the media port (rows M of the threat list), over real sockets.
//!
//! Every test first makes a call that works, and shows at its end that the call still does.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use aws_lc_rs::hmac;
use e2e::{
    PATIENCE, enter_network, http,
    peer::{Manner, OPUS, Peer, Promise},
    server::Server,
};
use proto::{
    livekit::signal_response,
    stun::{ConnectivityCheck, TransactionId, Username},
};

/// For what must not come to have come.
const SILENCE: Duration = Duration::from_millis(400);

/// Two peers of one room who hear each other.
struct Call {
    server: Server,
    ann: Peer,
    bob: Peer,
}

impl Call {
    fn start() -> Self {
        let server = Server::start();
        let ann = Peer::join(&server, "room", "ann", Manner::with_ssrc(0xa11_0001));
        let bob = Peer::join(&server, "room", "bob", Manner::with_ssrc(0xb0b_0001));
        let mut call = Self { server, ann, bob };
        call.assert_they_hear_each_other("at first");
        call
    }

    /// Each says something new until the other hears it.
    fn assert_they_hear_each_other(&mut self, when: &str) {
        assert_hears(&mut self.ann, &mut self.bob, when);
        assert_hears(&mut self.bob, &mut self.ann, when);
    }
}

fn assert_hears(speaker: &mut Peer, listener: &mut Peer, when: &str) {
    let words = format!("{} {when}", speaker.identity);
    let heard = |listener: &Peer| listener.payloads().contains(&words.as_bytes());
    for _ in 0..200 {
        speaker.say(words.as_bytes());
        speaker.listen(Duration::from_millis(5));
        if listener.run(Duration::from_millis(15), &heard) {
            return;
        }
    }
    panic!("{} did not hear {words}", listener.identity);
}

/// Somebody at another address, who knows where the server is.
fn stranger() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(SILENCE)).expect("a socket");
    socket
}

/// How many bytes the server sends to `socket` until it is silent.
fn bytes_received(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 65_536];
    let mut sum = 0;
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        sum += length;
    }
    sum
}

/// A sum of counters of `/metrics` whose lines contain all of these.
fn counted(server: &Server, name: &str, label: &str) -> u64 {
    let page = http::request(server.address(), "GET", "/metrics", &[], "").expect("metrics");
    let lines = page.body.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Waits until a counter has grown by `least`: shards publish a snapshot now and then.
fn wait_for_count(server: &Server, label: &str, before: u64, least: u64) {
    let deadline = e2e::now() + PATIENCE;
    loop {
        let now = counted(server, "adda_rtp_dropped_total", label);
        if now >= before + least {
            return;
        }
        assert!(e2e::now() < deadline, "{label}: {now} counted, {before} before, not {least} more");
    }
}

fn check(username: (&str, &str), password: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let check = ConnectivityCheck {
        transaction: TransactionId(*b"twelve bytes"),
        username: Username { to: username.0, from: username.1 },
        priority: 1,
        tie_breaker: 1,
        use_candidate: false,
    };
    check.write(|bytes| hmac::sign(&key, bytes).as_ref().try_into().expect("20 bytes"))
}

#[test]
fn m1_datagrams_of_every_first_byte_and_length_are_never_answered() {
    let mut call = Call::start();
    let before = counted(&call.server, "adda_rtp_dropped_total", "");
    let socket = stranger();
    let media = call.ann.media();
    let mut sent = 0;
    for first in 0..=255_u8 {
        for length in (0..=20).chain([1500]) {
            let mut datagram = vec![0x5a; length];
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            socket.send_to(&datagram, media).expect("sent");
            sent += 1;
        }
        // The largest that UDP can carry, for some of each kind.
        if first % 8 == 0 {
            socket.send_to(&vec![first; 65_507], media).expect("sent");
            sent += 1;
        }
    }
    assert_eq!(bytes_received(&socket), 0);
    // The same from an address that the server believes.
    for first in (4..=19).chain(64..=127).chain(192..=255) {
        call.ann.send_datagram(&[first; 40]);
    }
    call.assert_they_hear_each_other("after the storm");
    // A burst may overrun the socket's buffer; most of it was read, and all that was is counted.
    wait_for_count(&call.server, "", before, sent / 2);
}

#[test]
fn m2_a_check_is_answered_only_when_it_is_authentic() {
    let mut call = Call::start();
    let (ann, server) = call.ann.credentials();
    let media = call.ann.media();
    let names = (server.ufrag.as_str(), ann.ufrag.as_str());
    let good = check(names, &server.pwd);

    let mut forged = vec![
        ("unknown ufrag", check(("nobody", &ann.ufrag), &server.pwd)),
        ("no username", check(("", ""), &server.pwd)),
        ("another password", check(names, "0123456789abcdefghijklmnop")),
        ("the sender's own password", check(names, &ann.pwd)),
    ];
    let mut bad_fingerprint = good.clone();
    *bad_fingerprint.last_mut().expect("bytes") ^= 1;
    forged.push(("bad fingerprint", bad_fingerprint));
    // The last 32 bytes are MESSAGE-INTEGRITY and FINGERPRINT; the header tells the length.
    let mut bare = good[..good.len() - 32].to_vec();
    let length = u16::try_from(bare.len() - 20).expect("short");
    bare[2..4].copy_from_slice(&length.to_be_bytes());
    forged.push(("no integrity", bare));
    let cut = good[..good.len() - 3].to_vec();
    forged.push(("cut short", cut));

    for (what, datagram) in forged {
        let socket = stranger();
        socket.send_to(&datagram, media).expect("sent");
        assert_eq!(bytes_received(&socket), 0, "{what}");
    }
    // The good one is answered, so each of the others was refused for its own fault.
    let socket = stranger();
    socket.send_to(&good, media).expect("sent");
    assert!(bytes_received(&socket) > 0);
    call.assert_they_hear_each_other("after the forgeries");
}

#[test]
fn m4_media_from_another_address_moves_nothing() {
    let mut call = Call::start();
    let (thief, media) = (stranger(), call.ann.media());
    for number in 0..50 {
        // Ann's own next packet, with her key, SSRC and number: only the address is wrong.
        let stolen = call.ann.seal(format!("stolen {number}").as_bytes());
        thief.send_to(&stolen, media).expect("sent");
    }
    call.bob.listen(SILENCE);
    let stolen = call.bob.payloads().iter().any(|payload| payload.starts_with(b"stolen"));
    assert!(!stolen, "media was believed from an address that proved nothing");

    call.assert_they_hear_each_other("after the theft");
    assert_eq!(bytes_received(&thief), 0, "media was sent to the thief");
}

#[test]
fn m5_a_certificate_that_was_not_promised_gets_no_media() {
    let mut call = Call::start();
    let other = "AB:".repeat(31) + "AB";
    let sha1 = "AB:".repeat(19) + "AB";
    let promises = [
        ("another's", format!("a=fingerprint:sha-256 {other}\r\n")),
        ("only sha-1", format!("a=fingerprint:sha-1 {sha1}\r\n")),
        ("none", String::new()),
    ];
    for (number, (what, lines)) in (0_u32..).zip(promises) {
        let manner =
            Manner { promise: Promise::Lines(lines), ..Manner::with_ssrc(0xe7e_0001 + number) };
        let identity = format!("eve-{number}");
        let mut eve = Peer::signal(&call.server, "room", &identity, manner);
        // Her own end may believe that it is connected; what counts is what the server believes.
        eve.run(Duration::from_secs(2), &|eve| eve.connected || eve.ended);
        if eve.connected && !eve.ended {
            for number in 0..20 {
                eve.say(format!("eve {number}").as_bytes());
            }
            call.ann.say(b"for whoever is believed");
            eve.listen(SILENCE);
        }
        assert_eq!(eve.heard, [], "{what}");
    }
    call.assert_they_hear_each_other("after the impostors");
    let heard_eve = call.bob.payloads().iter().any(|payload| payload.starts_with(b"eve"));
    assert!(!heard_eve);
}

#[test]
fn m5_of_two_fingerprints_the_certificate_must_match_one_that_is_promised() {
    let server = Server::start();
    let wrong = "AB:".repeat(31) + "AB";
    let twice = format!("a=fingerprint:sha-256 {wrong}\r\na=fingerprint:sha-256 {wrong}\r\n");
    let manner = Manner { promise: Promise::Lines(twice), ..Manner::with_ssrc(0xe7e_0009) };
    let mut eve = Peer::signal(&server, "room", "eve", manner);
    eve.listen(Duration::from_secs(1));
    let ann = Peer::join(&server, "room", "ann", Manner::with_ssrc(0xa11_0001));
    assert!(ann.connected && eve.heard.is_empty());
    assert_eq!(counted(&server, "adda_rtp_packets_total", "\"in\""), 0);
}

#[test]
fn m7_no_packet_is_forwarded_twice() {
    let server = Server::start();
    // Close to a rollover, which is crossed below.
    let manner = Manner { first_sequence: 65_300, ..Manner::with_ssrc(0xa11_0001) };
    let ann = Peer::join(&server, "room", "ann", manner);
    let bob = Peer::join(&server, "room", "bob", Manner::with_ssrc(0xb0b_0001));
    let mut call = Call { server, ann, bob };
    assert_hears(&mut call.ann, &mut call.bob, "at first");

    let mut captured = Vec::new();
    for number in 0..400 {
        let packet = call.ann.say(format!("once {number}").as_bytes());
        // At once, while it is the newest.
        call.ann.send_datagram(&packet);
        captured.push(packet);
        call.bob.listen(Duration::from_millis(2));
    }
    // When it is old, and after the rollover; from its own address.
    for packet in &captured {
        call.ann.send_datagram(packet);
        call.bob.listen(Duration::ZERO);
    }
    call.bob.listen(SILENCE);
    let mut heard: Vec<&[u8]> =
        call.bob.payloads().into_iter().filter(|one| one.starts_with(b"once")).collect();
    let all = heard.len();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(all, heard.len(), "a replayed packet was forwarded");
    assert_eq!(all, 400, "the first of each was forwarded, over the rollover too");
    assert_hears(&mut call.ann, &mut call.bob, "after the replay");
}

#[test]
fn m7_a_replayed_receiver_report_is_not_believed_twice() {
    let mut call = Call::start();
    let before = counted(&call.server, "adda_rtp_dropped_total", "srtp");
    let mut report = Vec::new();
    proto::rtcp::write_receiver_report(&mut report, call.ann.manner.ssrc, &[]);
    proto::rtcp::write_cname(&mut report, call.ann.manner.ssrc, "ann");
    let sealed = call.ann.seal_rtcp(&report);
    for _ in 0..50 {
        call.ann.send_datagram(&sealed);
    }
    wait_for_count(&call.server, "srtp", before, 49);
    call.assert_they_hear_each_other("after the replay");
}

#[test]
fn m9_nobody_speaks_as_another_or_into_another_room() {
    let mut call = Call::start();
    let mut eve = Peer::join(&call.server, "room", "eve", Manner::with_ssrc(0xe7e_0001));
    let far = Manner::with_ssrc(0xfa2_0001);
    let mut far = Peer::join(&call.server, "another room", "far", far);
    assert_hears(&mut eve, &mut call.bob, "as herself");
    let before = counted(&call.server, "adda_rtp_dropped_total", "");

    let ssrcs = [call.ann.manner.ssrc, far.manner.ssrc, 0x1234_5678];
    for (number, ssrc) in (0..).zip(ssrcs) {
        for step in 0..20 {
            let packet = eve.seal_as(ssrc, OPUS, 50_000 + 100 * number + step, &[], b"spoofed");
            eve.send_datagram(&packet);
        }
    }
    // A payload type that was never agreed on, and the mid of a section that isn't hers.
    for step in 0..20 {
        let packet = eve.seal_as(eve.manner.ssrc, 96, 60_000 + step, &[], b"spoofed");
        eve.send_datagram(&packet);
        let mid = [(e2e::peer::MID_EXTENSION, b"0".as_slice())];
        let packet = eve.seal_as(0x8765_4321, OPUS, 60_000 + step, &mid, b"spoofed");
        eve.send_datagram(&packet);
    }
    for listener in [&mut call.ann, &mut call.bob, &mut far] {
        listener.listen(SILENCE);
        let spoofed = listener.payloads().contains(&b"spoofed".as_slice());
        assert!(!spoofed, "{} heard a spoofed packet", listener.identity);
    }
    wait_for_count(&call.server, "", before, 100);
    call.assert_they_hear_each_other("after the spoofs");
    assert!(far.heard.is_empty(), "something crossed rooms: {:?}", far.heard);
}

#[test]
fn m9_two_honest_speakers_may_have_chosen_the_same_ssrc() {
    let server = Server::start();
    let same = Manner::with_ssrc(0x5a_0e55);
    let mut ann = Peer::join(&server, "room", "ann", same.clone());
    // Her own ICE names differ: those come from the manner's SSRC only in this harness.
    let mut bob = Peer::join(&server, "room", "bob", same);
    let mut eve = Peer::join(&server, "room", "eve", Manner::with_ssrc(0xe7e_0001));
    assert_hears(&mut ann, &mut eve, "with the same SSRC");
    assert_hears(&mut bob, &mut eve, "with the same SSRC");
    assert_hears(&mut ann, &mut bob, "to the other");
    assert_hears(&mut bob, &mut ann, "to the other");
    let ssrc_of = |who: &str| {
        let by_her = eve.heard.iter().find(|one| one.payload.starts_with(who.as_bytes()));
        by_her.map(|one| one.ssrc)
    };
    assert_ne!(ssrc_of("ann"), ssrc_of("bob"), "a listener could not tell them apart");
}

#[test]
fn m13_hostile_descriptions_are_refused_and_cost_little() {
    let mut call = Call::start();
    let media = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n";
    let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    let bombs = [
        ("ten thousand sections", format!("{head}{}", media.repeat(10_000))),
        ("a very long attribute", format!("{head}a={}\r\n{media}", "x".repeat(200_000))),
        ("a storm of attributes", format!("{head}{media}{}", "a=\r\n".repeat(50_000))),
        ("many extensions", {
            let lines: String = (0..5_000).map(|id| format!("a=extmap:{id} urn:x\r\n")).collect();
            format!("{head}{media}{lines}")
        }),
        ("zero bytes", format!("{head}{}", "\0".repeat(10_000))),
        ("the same mid twice", format!("{head}{media}{media}")),
        ("nothing", String::new()),
        ("ten megabytes", "x".repeat(10_000_000)),
    ];
    for (number, (what, bomb)) in (0_u32..).zip(bombs) {
        let identity = format!("eve-{number}");
        let manner = Manner::with_ssrc(0xe7e_0001 + number);
        let mut eve = Peer::signal(&call.server, "room", &identity, manner);
        eve.wait("connection", |eve| eve.connected);
        let kilobytes = bomb.len() / 1024 + 1;
        let before = cpu_time(&call.server);
        eve.offer_text(bomb);
        eve.run(Duration::from_secs(2), &|eve| eve.ended);
        let spent = cpu_time(&call.server).saturating_sub(before);
        // The clock of processes ticks each 10 ms, and the call goes on meanwhile.
        let allowed = Duration::from_millis(u64::try_from(kilobytes).expect("small") + 100);
        assert!(spent <= allowed, "{what}: {spent:?} for {kilobytes} kB");
        let answers = eve
            .signals
            .iter()
            .filter(|signal| matches!(signal.message, Some(signal_response::Message::Answer(_))));
        assert_eq!(answers.count(), 1, "{what} was answered as if it were an offer");
    }
    call.assert_they_hear_each_other("after the bombs");
}

#[test]
fn m16_who_has_proved_nothing_gets_fewer_bytes_than_they_sent() {
    let mut call = Call::start();
    let media = call.ann.media();
    let (ann, server) = call.ann.credentials();
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1];
    hello.resize(200, 7);
    let kinds: [(&str, Vec<u8>); 6] = [
        (
            "a bare STUN binding",
            [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], [9; 12].as_slice()].concat(),
        ),
        ("a check with a wrong password", check((&server.ufrag, &ann.ufrag), &"x".repeat(24))),
        ("a ClientHello", hello),
        ("a DTLS alert", vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40]),
        ("RTP", [[0x80, OPUS].as_slice(), &[1; 160]].concat()),
        ("RTCP", [[0x80, 200].as_slice(), &[1; 60]].concat()),
    ];
    for (what, datagram) in kinds {
        let socket = stranger();
        for _ in 0..20 {
            socket.send_to(&datagram, media).expect("sent");
        }
        assert_eq!(bytes_received(&socket), 0, "{what}");
    }
    call.assert_they_hear_each_other("after the probes");
}

/// Processor time that the server has used, all threads and both modes.
fn cpu_time(server: &Server) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("it runs");
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn the_media_port_of_a_server_without_calls_says_nothing() {
    enter_network();
    let server = Server::start();
    let socket = stranger();
    let media: SocketAddr = server.media_address();
    socket.send_to(&check(("someone", "else"), &"p".repeat(24)), media).expect("sent");
    assert_eq!(bytes_received(&socket), 0);
}
