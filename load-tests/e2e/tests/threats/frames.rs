//! W5: what is too large is refused before it is kept.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use e2e::{PATIENCE, http, now, server::Server};
use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use proto::livekit::{WrappedJoinRequest, wrapped_join_request};

use crate::{process::resident_bytes, scene::Scene};

/// Connections that attack at once.
const ATTACKERS: usize = 32;
/// What one of them may make the server keep: the longest message.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

const TOO_LARGE: Option<u16> = Some(1009);
const NO_FRAME: Option<u16> = Some(1002);

/// A WebSocket to `/rtc`, past the upgrade, as bytes, and the head of the answer.
fn upgraded(server: &Server, identity: &str, extra: &str) -> (TcpStream, String) {
    let token = server.token("hers", identity).sign();
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

/// As many of them as attack at once.
fn attackers(server: &Server) -> Vec<TcpStream> {
    (0..ATTACKERS).map(|number| upgraded(server, &format!("eve-{number}"), "").0).collect()
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
    loop {
        assert!(now() < deadline, "the server keeps the connection");
        let mut head = [0; 2];
        stream.read_exact(&mut head).map_err(assert_no_timeout).ok()?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut long = [0; 2];
                stream.read_exact(&mut long).map_err(assert_no_timeout).ok()?;
                usize::from(u16::from_be_bytes(long))
            }
            127 => panic!("the server sent an enormous frame"),
            short => usize::from(short),
        };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).map_err(assert_no_timeout).ok()?;
        if head[0] & 0x0f == 8 {
            return body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        }
    }
}

fn assert_no_timeout(error: std::io::Error) {
    let is_timeout = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(!is_timeout, "the server keeps the connection");
}

#[test]
fn w5_a_frame_that_claims_too_much_is_refused_before_it_is_read() {
    let scene = Scene::start();
    let before = resident_bytes(&scene.server);
    let over_the_cap = MESSAGE_BYTES_MAX as u64 + 1;
    for claimed in [over_the_cap, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let mut attackers = attackers(&scene.server);
        for stream in &mut attackers {
            // Not a byte of the body is sent: a server that waits for it keeps the connection.
            stream.write_all(&frame(0x82, claimed)).expect("sent");
        }
        for stream in &mut attackers {
            // A length of 64 bits is no frame at all: RFC 6455 §5.2 wants its first bit clear.
            let code = close_code(stream);
            let is_refused = code == TOO_LARGE || (claimed >> 63 == 1 && code == NO_FRAME);
            assert!(is_refused, "{claimed}: closed with {code:?}");
        }
    }
    let grown = resident_bytes(&scene.server).saturating_sub(before);
    assert!(grown < ATTACKERS * MESSAGE_BYTES_MAX, "{grown} bytes");
    scene.assert_unharmed();
}

#[test]
fn w5_a_message_of_endless_fragments_is_refused_at_the_cap() {
    let scene = Scene::start();
    let before = resident_bytes(&scene.server);
    let mut attackers = attackers(&scene.server);
    let mut fragment = frame(0x00, 1000);
    fragment.extend([7; 1000]);
    let storm = fragment.repeat(10_000);
    for stream in &mut attackers {
        // The first says binary, the others go on, none is final.
        stream.write_all(&frame(0x02, 0)).expect("sent");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        // The server stops reading before the end.
        let _ = stream.write_all(&storm);
    }
    for stream in &mut attackers {
        // A reset may overtake the close frame, since not everything was read.
        let code = close_code(stream);
        assert!(matches!(code, TOO_LARGE | None), "closed with {code:?}");
    }
    let grown = resident_bytes(&scene.server).saturating_sub(before);
    assert!(grown < ATTACKERS * MESSAGE_BYTES_MAX, "{grown} bytes");
    scene.assert_unharmed();
}

#[test]
fn w5_ten_thousand_empty_fragments_cost_nothing() {
    let scene = Scene::start();
    let mut attackers = attackers(&scene.server);
    let before = resident_bytes(&scene.server);
    let storm = frame(0x00, 0).repeat(10_000);
    for stream in &mut attackers {
        stream.write_all(&frame(0x02, 0)).expect("sent");
        stream.write_all(&storm).expect("sent");
        // The message ends after all, and is an empty request, which is none.
        stream.write_all(&frame(0x80, 0)).expect("sent");
        stream.write_all(&frame(0x88, 0)).expect("sent");
    }
    for stream in &mut attackers {
        close_code(stream);
    }
    let grown = resident_bytes(&scene.server).saturating_sub(before);
    assert!(grown < ATTACKERS * MESSAGE_BYTES_MAX, "{grown} bytes");
    scene.assert_unharmed();
}

/// The bomb of the threat never explodes: what was not agreed on is a protocol error (1002, RFC
/// 6455 §5.2) before a byte is unpacked, where a cap on unpacked bytes would answer 1009.
#[test]
fn w5_compression_is_not_agreed_on_so_a_bomb_cannot_be_sent() {
    let scene = Scene::start();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut stream, head) = upgraded(&scene.server, "eve", offer);
    assert!(!head.to_ascii_lowercase().contains("permessage-deflate"), "{head}");
    // A compressed frame all the same: RSV1 set, and a megabyte of zeros in it.
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 1 << 20]).expect("memory");
    let packed = packed.finish().expect("memory");
    assert!(packed.len() < (1 << 20) / 900);
    let mut bomb = frame(0xc2, packed.len() as u64);
    bomb.extend(packed);
    stream.write_all(&bomb).expect("sent");
    assert_eq!(close_code(&mut stream), NO_FRAME);
    scene.assert_unharmed();
}

#[test]
fn w5_a_packed_join_request_is_not_unpacked_beyond_the_cap() {
    let scene = Scene::start();
    let before = resident_bytes(&scene.server);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 32 << 20]).expect("memory");
    let wrapped = WrappedJoinRequest {
        compression: wrapped_join_request::Compression::Gzip.into(),
        join_request: packed.finish().expect("memory"),
    };
    let bomb = BASE64_URL_SAFE.encode(wrapped.encode_to_vec());
    let token = scene.server.token("hers", "eve").sign();
    let target = format!("/rtc/v1/validate?access_token={token}&join_request={bomb}");
    for _ in 0..ATTACKERS {
        let answer = http::request(scene.server.address(), "GET", &target, &[], "");
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (400, "join request is too large"));
    }
    let grown = resident_bytes(&scene.server).saturating_sub(before);
    assert!(grown < ATTACKERS * MESSAGE_BYTES_MAX, "{grown} bytes");
    scene.assert_unharmed();
}

#[test]
fn w5_a_request_that_claims_too_much_is_refused_before_it_is_read() {
    let scene = Scene::start();
    let token = scene.server.token("hers", "eve").sign();
    for claimed in [MESSAGE_BYTES_MAX as u64 + 1, 1 << 32, (1 << 63) - 1] {
        let request = format!(
            "POST /twirp/livekit.RoomService/ListParticipants HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\nContent-Length: {claimed}\r\n\r\n{{"
        );
        let answer = http::exchange(scene.server.address(), request.as_bytes()).expect("an answer");
        // Not for having waited in vain for the rest.
        let is_refused = answer.status == 400 && answer.body.contains("longer than");
        assert!(is_refused, "{claimed}: {} {}", answer.status, answer.body);
    }
    scene.assert_unharmed();
}
