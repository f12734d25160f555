//! Attacks on the signal connection and the API (rows W of the threat list), over real sockets.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use e2e::{
    PATIENCE, http, now,
    peer::{Manner, Peer},
    server::Server,
};
use serde_json::json;

/// What a hostile client may make the server keep in memory.
const MEMORY_MAX_KIB: u64 = 8 * 1024;

fn resident_kib(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("it runs");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|field| field.parse().ok()).expect("a number")
}

/// A WebSocket to `/rtc`, past the upgrade, as bytes.
fn upgraded(server: &Server, extra: &str) -> (TcpStream, String) {
    let token = server.token("room", "eve").sign();
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let key = BASE64_STANDARD.encode("sixteen bytes...");
    let request = format!(
        "GET /rtc?protocol=16 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Authorization: Bearer {token}\r\n{extra}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).expect("an answer"), 1);
        head.extend(byte);
    }
    (stream, String::from_utf8(head).expect("text"))
}

/// A masked frame's header, claiming `length` bytes, whose mask is zero.
fn frame(first: u8, length: u64) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..=125) => frame.push(0x80 | u8::try_from(short).expect("7 bits")),
        Ok(short) => {
            frame.push(0x80 | 126);
            frame.extend(short.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame
}

/// Reads frames until the server closes; returns the code of its close frame, if it sent one.
fn close_code(stream: &mut TcpStream) -> Option<u16> {
    let deadline = now() + PATIENCE;
    let mut code = None;
    loop {
        assert!(now() < deadline, "the server keeps the connection");
        let mut head = [0; 2];
        if stream.read_exact(&mut head).is_err() {
            return code;
        }
        let length = match head[1] & 0x7f {
            126 => {
                let mut long = [0; 2];
                stream.read_exact(&mut long).expect("a length");
                usize::from(u16::from_be_bytes(long))
            }
            127 => panic!("the server sent an enormous frame"),
            short => usize::from(short),
        };
        let mut body = vec![0; length];
        if let Err(error) = stream.read_exact(&mut body) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server stopped mid-frame");
            return code;
        }
        if head[0] & 0x0f == 8 {
            code = body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        }
    }
}

/// A call that must not notice what others do.
struct Witness {
    ann: Peer,
    bob: Peer,
}

impl Witness {
    fn of(server: &Server) -> Self {
        let ann = Peer::join(server, "room", "ann", Manner::with_ssrc(0xa11_0001));
        let bob = Peer::join(server, "room", "bob", Manner::with_ssrc(0xb0b_0001));
        Self { ann, bob }
    }

    fn assert_unharmed(&mut self) {
        let already = self.bob.heard.len();
        for _ in 0..200 {
            self.ann.say(b"still here");
            self.ann.listen(Duration::from_millis(5));
            if self.bob.run(Duration::from_millis(15), &|bob| bob.heard.len() > already) {
                return;
            }
        }
        panic!("the call was harmed");
    }
}

#[test]
fn w5_a_frame_that_claims_too_much_is_refused_before_it_is_read() {
    let server = Server::start();
    let mut witness = Witness::of(&server);
    let before = resident_kib(&server);
    for claimed in [1 << 63, (1 << 63) - 1, 1 << 32, 1 << 20] {
        let (mut stream, _) = upgraded(&server, "");
        stream.write_all(&frame(0x82, claimed)).expect("sent");
        // Not a byte of the body is sent: a server that waits for it keeps the connection.
        let code = close_code(&mut stream);
        assert!(matches!(code, Some(1009 | 1002)), "{claimed}: closed with {code:?}");
    }
    assert!(resident_kib(&server).saturating_sub(before) < MEMORY_MAX_KIB);
    witness.assert_unharmed();
}

#[test]
fn w5_a_message_of_endless_fragments_is_refused_at_the_cap() {
    let server = Server::start();
    let mut witness = Witness::of(&server);
    let before = resident_kib(&server);
    let (mut stream, _) = upgraded(&server, "");
    let body = [7; 1000];
    for number in 0..10_000 {
        // The first says binary, the others go on, none is final.
        let mut fragment = frame(if number == 0 { 0x02 } else { 0x00 }, 1000);
        fragment.extend(body);
        if stream.write_all(&fragment).is_err() {
            break;
        }
    }
    // A reset may overtake the close frame, since the server stops reading.
    let code = close_code(&mut stream);
    assert!(matches!(code, Some(1009) | None), "closed with {code:?}");
    assert!(resident_kib(&server).saturating_sub(before) < MEMORY_MAX_KIB);
    witness.assert_unharmed();
}

#[test]
fn w5_ten_thousand_empty_fragments_cost_nothing() {
    let server = Server::start();
    let mut witness = Witness::of(&server);
    let before = resident_kib(&server);
    let (mut stream, _) = upgraded(&server, "");
    stream.write_all(&frame(0x02, 0)).expect("sent");
    let storm: Vec<u8> = (0..10_000).flat_map(|_| frame(0x00, 0)).collect();
    // Refused or swallowed, as the server likes, as long as nothing grows.
    let _ = stream.write_all(&storm);
    witness.assert_unharmed();
    assert!(resident_kib(&server).saturating_sub(before) < MEMORY_MAX_KIB);
}

#[test]
fn w5_compression_is_not_agreed_on_so_a_bomb_cannot_be_sent() {
    let server = Server::start();
    let mut witness = Witness::of(&server);
    let (mut stream, head) = upgraded(&server, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert!(!head.to_ascii_lowercase().contains("permessage-deflate"), "{head}");
    // A compressed frame all the same: RSV1 set.
    let mut bomb = frame(0xc2, 4);
    bomb.extend([0x4b, 0x4c, 0x04, 0x00]);
    stream.write_all(&bomb).expect("sent");
    assert_eq!(close_code(&mut stream), Some(1002));
    witness.assert_unharmed();
}

#[test]
fn w9_a_room_that_is_not_yours_looks_like_one_that_is_not_there() {
    let server = Server::start();
    let _witness = Witness::of(&server);
    // Eve moderates her own room; `room` is live, `nowhere` is not.
    let eve = server.token("hers", "eve").grant("roomAdmin", json!(true)).sign();
    let headers =
        [("Content-Type", "application/json"), ("Authorization", &format!("Bearer {eve}") as &str)];
    let ask = |target: &str, body: &str| {
        let answer =
            http::request(server.address(), "POST", target, &headers, body).expect("answer");
        (answer.status, answer.body)
    };
    let methods = [
        "ListParticipants",
        "GetParticipant",
        "RemoveParticipant",
        "DeleteRoom",
        "UpdateRoomMetadata",
    ];
    for method in methods {
        let target = format!("/twirp/livekit.RoomService/{method}");
        let live = ask(&target, &json!({ "room": "room", "identity": "ann" }).to_string());
        let gone = ask(&target, &json!({ "room": "nowhere", "identity": "ann" }).to_string());
        assert_eq!(live, gone, "{method}");
        assert_eq!(live.0, 401, "{method}: {}", live.1);
    }
    let live = ask("/v1/rooms/room/echo", "");
    let gone = ask("/v1/rooms/nowhere/echo", "");
    assert_eq!(live.0, gone.0);
    let [live, gone] = [live.1.replace("/room/", "/X/"), gone.1.replace("/nowhere/", "/X/")];
    assert_eq!(live, gone);
}

#[test]
fn w9_a_forbidden_room_takes_no_longer_to_refuse_than_a_missing_one() {
    let server = Server::start();
    let _witness = Witness::of(&server);
    let eve = server.token("hers", "eve").grant("roomAdmin", json!(true)).sign();
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut time = |room: &str| {
        // The same length, so that only the room differs.
        let body = json!({ "room": room }).to_string();
        let request = format!(
            "POST /twirp/livekit.RoomService/ListParticipants HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {eve}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let started = now();
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).expect("an answer");
        assert!(answer[..length].starts_with(b"HTTP/1.1 401"));
        now().duration_since(started).as_secs_f64()
    };
    let mut samples: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for number in 0..6_000_usize {
        // In an order that no rhythm of the machine follows.
        let which = (number * 7 + number / 13) % 2;
        samples[which].push(time(["room", "none"][which]));
    }
    let t = welch(&samples[0], &samples[1]);
    assert!(t.abs() < 4.5, "the time tells a live room from a missing one: t = {t:.2}");
}

/// Welch's t of two samples, their slowest tenth left out: that is the machine's doing.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let moments = |sample: &[f64]| {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.truncate(sorted.len() * 9 / 10);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean_a, error_a), (mean_b, error_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}
