//! J1 to J3: tokens that must not be believed.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::{
    http::{self, Response, percent_encode},
    server::Server,
    token::{Token, unix_now},
};
use serde_json::{Value, json};

use crate::scene::{ROOM, Scene};

/// What asks for a WebSocket.
const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "c2l4dGVlbiBieXRlcy4uLg=="),
];
/// A token that fills the request's head is refused for that: larger than this.
const HEAD_BYTES_MAX: usize = 60_000;

/// Doors at which the token says who joins, and whether its bearer may.
const JOINING: [&str; 4] = ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"];

/// Everywhere a token opens a door, by query where SDKs do so, and by header.
fn knock(server: &Server, token: &str) -> Vec<(String, Response)> {
    let bearer = format!("Bearer {token}");
    let query = percent_encode(token);
    let authorization = ("Authorization", bearer.as_str());
    let upgrade: Vec<_> = UPGRADE.into_iter().chain([authorization]).collect();
    let mut answers = Vec::new();
    let mut ask = |door: String, target: &str, headers: &[(&str, &str)]| {
        let answer = http::request(server.address(), "GET", target, headers, "");
        answers.push((door, answer.expect("an answer")));
    };
    for door in JOINING {
        let target = format!("{door}?access_token={query}");
        ask(format!("{door} by query"), &target, &UPGRADE);
        ask(format!("{door} by header"), door, &upgrade);
    }
    answers.extend(moderate(server, token));
    answers
}

/// Asks for what only a moderator of the room may.
fn moderate(server: &Server, token: &str) -> [(String, Response); 2] {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = json!({ "room": ROOM }).to_string();
    let ask = |target: &str| {
        http::request(server.address(), "POST", target, &headers, &body).expect("an answer")
    };
    let participants = ask("/twirp/livekit.RoomService/ListParticipants");
    let echo = ask(&format!("/v1/rooms/{ROOM}/echo"));
    [("the room service".to_owned(), participants), ("the echo caller".to_owned(), echo)]
}

/// Every door stays shut, and none repeats what it was shown.
fn assert_refused(scene: &Scene, what: &str, token: &str) {
    for (door, answer) in knock(&scene.server, token) {
        let is_refused = match answer.status {
            401 => true,
            414 | 431 => token.len() > HEAD_BYTES_MAX,
            _ => false,
        };
        assert!(is_refused, "{what} at {door}: {} {}", answer.status, answer.body);
        let told = token.len() > 10 && answer.body.contains(token);
        assert!(!told, "{what} at {door} is told back: {}", answer.body);
    }
}

/// Asks by the shortest way whether a token lets its bearer join.
fn may_join(server: &Server, token: &str) -> u16 {
    let target = format!("/rtc/validate?access_token={}", percent_encode(token));
    http::request(server.address(), "GET", &target, &[], "").expect("an answer").status
}

fn good(scene: &Scene) -> Token {
    scene.server.token(ROOM, "eve").grant("roomAdmin", json!(true))
}

/// A token of any texts, with a signature of its own choosing.
fn assemble(header: &str, claims: &str, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(signature))
}

#[test]
fn a_good_token_opens_every_door_that_the_bad_ones_find_shut() {
    let scene = Scene::start();
    let token = good(&scene).sign();
    assert_eq!(may_join(&scene.server, &token), 200);
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let ask = |method: &str, target: &str| {
        let server = scene.server.address();
        http::request(server, method, target, &headers, "{\"room\":\"room\"}").expect("an answer")
    };
    assert_eq!(ask("GET", "/rtc/validate").status, 200);
    // Here the join request is missing, and no longer the right to join.
    assert_eq!(ask("GET", "/rtc/v1/validate").status, 400);
    assert_eq!(ask("GET", &format!("/rtc/v1/validate?access_token={token}")).status, 400);
    assert_eq!(ask("POST", "/twirp/livekit.RoomService/ListParticipants").status, 200);
    let elsewhere = scene.server.token("hers", "eve").sign();
    let headers = [("Authorization", format!("Bearer {elsewhere}"))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let echo = http::request(scene.server.address(), "POST", "/v1/rooms/hers/echo", &headers, "");
    assert_ne!(echo.expect("an answer").status, 401);
    scene.assert_unharmed();
}

#[test]
fn j1_a_signature_of_another_kind_or_none_is_refused() {
    let scene = Scene::start();
    let claims = good(&scene).claims.to_string();
    for alg in ["none", "None", "nOnE", "NONE", "", "HS384", "RS256", "ES256K"] {
        let token = good(&scene).header("alg", json!(alg));
        assert_refused(&scene, &format!("unsigned {alg}"), &format!("{}.", token.unsigned()));
        assert_refused(&scene, &format!("no third part, {alg}"), &token.unsigned());
        // Signed with the right secret, yet by another name.
        assert_refused(&scene, &format!("signed as {alg}"), &token.sign());
    }
    assert_refused(&scene, "no algorithm", &good(&scene).header("alg", Value::Null).sign());
    let lists = good(&scene).header("alg", json!(["HS256"]));
    assert_refused(&scene, "a list of algorithms", &lists.sign());
    // The signature that a broken verifier of curves takes for anything.
    let header = json!({ "alg": "ES256", "typ": "JWT" }).to_string();
    assert_refused(&scene, "psychic", &assemble(&header, &claims, &[0; 64]));
    let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
    for signature in [&[][..], &[0; 32], &[0; 16], &[0xff; 64]] {
        assert_refused(&scene, "a wrong signature", &assemble(&header, &claims, signature));
    }
    let whole = good(&scene).sign();
    assert_refused(&scene, "a signature cut short", &whole[..whole.len() - 2]);
    let public_key = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n";
    for secret in ["", "Secret", "secret ", "devkey", public_key] {
        assert_refused(&scene, "another secret", &good(&scene).secret(secret).sign());
    }
    scene.assert_unharmed();
}

#[test]
fn j2_a_header_can_neither_choose_the_key_nor_switch_checks_off() {
    let scene = Scene::start();
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    trap.set_nonblocking(true).expect("a socket");
    let url = format!("http://{}/key", trap.local_addr().expect("bound"));
    let own_key = json!({ "kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode("attacker") });
    let mut parameters = vec![
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", own_key),
        ("x5c", json!(["MIIB"])),
        ("kid", json!("k".repeat(2_000))),
    ];
    let kids = ["../../dev/null", "/etc/passwd", "' OR 1=1 --", "\0", &url];
    parameters.extend(kids.map(|kid| ("kid", json!(kid))));
    for (name, value) in parameters {
        let what = format!("{name} {value:.30}");
        for secret in ["", "attacker"] {
            let forged = good(&scene).header(name, value.clone()).secret(secret);
            assert_refused(&scene, &what, &forged.sign());
        }
        // Ignored, so that the right secret is all that matters.
        let genuine = good(&scene).header(name, value).sign();
        assert_eq!(may_join(&scene.server, &genuine), 200, "{what}");
    }
    for length in [40_000, 1_000_000] {
        let forged = good(&scene).header("kid", json!("k".repeat(length))).secret("");
        assert_refused(&scene, &format!("a kid of {length}"), &forged.sign());
    }
    // Extensions that must be understood, and aren't.
    let unencoded = good(&scene).header("b64", json!(false)).header("crit", json!(["b64"]));
    assert_refused(&scene, "crit and b64", &unencoded.sign());
    assert_refused(&scene, "b64", &good(&scene).header("b64", json!(false)).sign());
    assert_refused(&scene, "crit", &good(&scene).header("crit", json!(["exp"])).sign());
    assert_refused(&scene, "packed", &good(&scene).header("zip", json!("DEF")).sign());
    let came = trap.accept().map_err(|error| error.kind());
    assert_eq!(came.err(), Some(ErrorKind::WouldBlock), "somebody came for the key");
    scene.assert_unharmed();
}

#[test]
fn j3_wrong_claims_are_refused() {
    let scene = Scene::start();
    let past = |seconds: i64| json!(unix_now() - seconds);
    let cases = [
        ("expired", "exp", past(120)),
        ("expired long ago", "exp", json!(1)),
        ("without end", "exp", Value::Null),
        ("its end no number", "exp", json!("tomorrow")),
        ("its end a negative number", "exp", json!(-1)),
        ("not yet", "nbf", json!(unix_now() + 600)),
        ("issued in the future", "iat", json!(unix_now() + 600)),
        ("for another audience", "aud", json!("billing")),
        ("for other audiences", "aud", json!(["billing", "mail"])),
        ("unknown issuer", "iss", json!("otherkey")),
        ("no issuer", "iss", Value::Null),
        ("an empty issuer", "iss", json!("")),
        ("an issuer that is a list", "iss", json!(["devkey"])),
        ("rights that are text", "video", json!("roomJoin")),
    ];
    for (what, claim, value) in cases {
        assert_refused(&scene, what, &good(&scene).claim(claim, value).sign());
    }
    for typ in ["at+jwt", "JWE", "dpop+jwt"] {
        assert_refused(&scene, typ, &good(&scene).header("typ", json!(typ)).sign());
    }
    scene.assert_unharmed();
}

#[test]
fn j3_rights_that_are_missing_or_for_another_room_are_refused() {
    let scene = Scene::start();
    let joining = |token: Token| may_join(&scene.server, &token.sign());
    assert_eq!(joining(good(&scene).grant("roomJoin", json!(false))), 401);
    assert_eq!(joining(good(&scene).grant("roomJoin", Value::Null)), 401);
    assert_eq!(joining(good(&scene).claim("video", Value::Null)), 401);
    // LiveKit's answers, which its SDKs know.
    assert_eq!(joining(good(&scene).grant("room", Value::Null)), 400);
    assert_eq!(joining(good(&scene).grant("room", json!("a\nb"))), 400);
    assert_eq!(joining(good(&scene).claim("sub", Value::Null)), 400);

    let elsewhere = good(&scene).grant("room", json!("another room")).sign();
    let mere_guest = scene.server.token(ROOM, "eve").sign();
    let [participants, echo] = moderate(&scene.server, &elsewhere).map(|(_, answer)| answer);
    assert_eq!(
        (participants.status, echo.status),
        (401, 403),
        "{} {}",
        participants.body,
        echo.body
    );
    let [participants, _] = moderate(&scene.server, &mere_guest).map(|(_, answer)| answer);
    assert_eq!(participants.status, 401, "{}", participants.body);
    scene.finish();
}

#[test]
fn j3_claims_said_twice_nested_or_enormous_are_refused() {
    let scene = Scene::start();
    let signed = |header: &str, claims: &str| {
        // Signed with the right secret, so that only the texts are at fault.
        let [header, claims] = [header, claims].map(|text| BASE64_URL_SAFE_NO_PAD.encode(text));
        let text = format!("{header}.{claims}");
        format!("{text}.{}", good(&scene).signature_of(&text))
    };
    let header = good(&scene).header.to_string();
    let claims = good(&scene).claims.to_string();
    assert_eq!(may_join(&scene.server, &signed(&header, &claims)), 200);
    let doubled = |text: &str, first: &str| text.replacen('{', &format!("{{{first},"), 1);
    for first in ["\"exp\":1", "\"iss\":\"devkey\"", "\"sub\":\"ann\"", "\"video\":{}"] {
        assert_refused(&scene, first, &signed(&header, &doubled(&claims, first)));
    }
    let twice = doubled(&header, "\"alg\":\"none\"");
    assert_refused(&scene, "alg twice", &signed(&twice, &claims));
    for text in ["", "null", "[]", "{", "\"text\"", "{}"] {
        assert_refused(&scene, text, &signed(&header, text));
        assert_refused(&scene, text, &signed(text, &claims));
    }
    assert_refused(&scene, "deep", &signed(&header, &"[".repeat(20_000)));
    let inner = good(&scene).header("alg", json!("none")).unsigned();
    assert_refused(&scene, "a token inside", &signed(&header, &format!("\"{inner}.\"")));
    assert_refused(&scene, "a token in the header", &signed(&format!("\"{inner}.\""), &claims));
    assert_refused(&scene, "encrypted", &format!("{inner}..a.b.c"));
    assert_refused(&scene, "a megabyte", &"x".repeat(1_000_000));
    let padded = good(&scene).claim("name", json!("x".repeat(1_000_000))).sign();
    assert_refused(&scene, "a megabyte of claims", &padded);
    for text in ["", ".", "..", "...", "a.b.c", "%00", "Bearer", "\u{fffd}.\u{fffd}.\u{fffd}"] {
        assert_refused(&scene, text, text);
    }
    scene.assert_unharmed();
}

#[test]
fn j3_no_token_is_ever_logged_or_counted() {
    let mut scene = Scene::start();
    let tokens = [good(&scene).sign(), good(&scene).secret("wrong").sign()];
    for token in &tokens {
        may_join(&scene.server, token);
        http::request(
            scene.server.address(),
            "POST",
            "/twirp/livekit.RoomService/ListParticipants",
            &[("Authorization", &format!("Bearer {token}"))],
            "{}",
        )
        .expect("an answer");
    }
    let metrics = http::request(scene.server.address(), "GET", "/metrics", &[], "");
    let metrics = metrics.expect("metrics").body;
    // What is still on its way through the pipe.
    e2e::wait(std::time::Duration::from_millis(100));
    let log = scene.server.log();
    assert!(log.contains("joined"), "the log says something: {log}");
    for token in &tokens {
        let secret_part = token.rsplit('.').next().expect("a signature");
        assert!(!log.contains(secret_part), "a token is in the log");
        assert!(!metrics.contains(secret_part), "a token is in the metrics");
    }
    scene.assert_unharmed();
}
