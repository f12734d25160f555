//! Tokens that must not be believed (rows J of the threat list), over real sockets.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::{
    http::{self, Response, percent_encode},
    server::Server,
    token::{Token, unix_now},
};
use serde_json::{Value, json};

/// Everywhere a token opens a door: by header and by query.
fn knock(server: &Server, token: &str) -> Vec<(&'static str, Response)> {
    let bearer = format!("Bearer {token}");
    let query = format!("access_token={}", percent_encode(token));
    let by_header = [("Authorization", bearer.as_str())];
    let json = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let ask = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        http::request(server.address(), method, target, headers, body).expect("an answer")
    };
    let list = "/twirp/livekit.RoomService/ListParticipants";
    vec![
        ("/rtc/validate by query", ask("GET", &format!("/rtc/validate?{query}"), &[], "")),
        ("/rtc/validate by header", ask("GET", "/rtc/validate", &by_header, "")),
        ("/rtc/v1/validate", ask("GET", &format!("/rtc/v1/validate?{query}"), &[], "")),
        ("the room service", ask("POST", list, &json, "{\"room\":\"room\"}")),
        ("the echo caller", ask("POST", "/v1/rooms/room/echo", &json, "")),
    ]
}

/// Every door stays shut, and none says what it was shown.
fn assert_refused(server: &Server, what: &str, token: &str) {
    for (door, answer) in knock(server, token) {
        // A token that fills the request's head may be refused as that.
        let refused = matches!(answer.status, 400 | 401 | 414 | 431);
        assert!(refused, "{what} at {door}: {} {}", answer.status, answer.body);
        let told = !token.is_empty() && answer.body.contains(token);
        assert!(!told, "{what} at {door} is told back: {}", answer.body);
    }
}

fn good(server: &Server) -> Token {
    server.token("room", "ann").grant("roomAdmin", json!(true))
}

/// A token of any texts, with a signature of its own choosing.
fn assemble(header: &str, claims: &str, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(signature))
}

#[test]
fn a_good_token_opens_every_door() {
    let server = Server::start();
    let list = |answers: Vec<(&'static str, Response)>| {
        answers.into_iter().map(|(door, answer)| (door, answer.status)).collect::<Vec<_>>()
    };
    for (door, status) in list(knock(&server, &good(&server).sign())) {
        // A version-1 validation also wants a join request, which isn't the token's matter.
        let opened = matches!(status, 200 | 202 | 404) || door == "/rtc/v1/validate";
        assert!(opened && status != 401, "{door}: {status}");
    }
}

#[test]
fn j1_a_signature_of_another_kind_or_none_is_refused() {
    let server = Server::start();
    let claims = good(&server).claims;
    for alg in
        ["none", "None", "nOnE", "NONE", "", "HS1", "HS384", "HS512", "RS256", "ES256K", "ES256"]
    {
        let token = good(&server).header("alg", json!(alg));
        assert_refused(&server, &format!("unsigned {alg}"), &format!("{}.", token.unsigned()));
        assert_refused(&server, &format!("no third part, {alg}"), &token.unsigned());
        // Signed with the right secret, yet by another name.
        assert_refused(&server, &format!("signed as {alg}"), &token.sign());
    }
    // The signature that a broken verifier of curves takes for anything.
    let header = json!({ "alg": "ES256", "typ": "JWT" }).to_string();
    assert_refused(&server, "psychic", &assemble(&header, &claims.to_string(), &[0; 64]));
    let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
    for signature in [&[][..], &[0; 32], &[0; 16], &[0xff; 64]] {
        assert_refused(
            &server,
            "a wrong signature",
            &assemble(&header, &claims.to_string(), signature),
        );
    }
    for secret in ["", "Secret", "secret ", "devkey", "secretsecret"] {
        assert_refused(&server, "another secret", &good(&server).secret(secret).sign());
    }
    assert_refused(&server, "no algorithm", &good(&server).header("alg", Value::Null).sign());
}

#[test]
fn j2_a_header_cannot_choose_the_key_or_switch_checks_off() {
    let mut server = Server::start();
    let long = "k".repeat(40_000);
    let kids = ["../../dev/null", "/etc/passwd", "' OR 1=1 --", "http://127.0.0.1:1/key", &long];
    for kid in kids {
        // Believed or refused by the right secret alone, whatever the name of the key.
        let forged = good(&server).header("kid", json!(kid)).secret("");
        assert_refused(&server, &format!("kid {:.20}", kid), &forged.sign());
    }
    let url = format!("http://{}/key", server.address());
    let own_key = json!({ "kty": "oct", "k": "YXR0YWNrZXI" });
    for (name, value) in
        [("jku", json!(url)), ("x5u", json!(url)), ("jwk", own_key), ("x5c", json!(["MIIB"]))]
    {
        let forged = good(&server).header(name, value).secret("attacker");
        assert_refused(&server, name, &forged.sign());
    }
    // Extensions that must be understood, and aren't.
    let critical = good(&server).header("crit", json!(["exp"]));
    assert_refused(&server, "crit", &critical.sign());
    let unencoded = good(&server).header("b64", json!(false)).header("crit", json!(["b64"]));
    assert_refused(&server, "b64", &unencoded.sign());
    // Nobody came for the key: the server would have asked itself.
    assert!(!server.log().contains("GET /key"));
}

#[test]
fn j3_wrong_claims_are_refused() {
    let server = Server::start();
    let past = |seconds: i64| json!(unix_now() - seconds);
    let cases = [
        ("expired", "exp", past(120)),
        ("expired long ago", "exp", json!(1)),
        ("without end", "exp", Value::Null),
        ("its end no number", "exp", json!("tomorrow")),
        ("not yet", "nbf", json!(unix_now() + 600)),
        ("unknown issuer", "iss", json!("otherkey")),
        ("no issuer", "iss", Value::Null),
        ("an empty issuer", "iss", json!("")),
        ("an issuer that is a list", "iss", json!(["devkey"])),
        ("no rights", "video", Value::Null),
        ("rights that are text", "video", json!("roomJoin")),
        ("no identity", "sub", Value::Null),
    ];
    for (what, claim, value) in cases {
        let token = good(&server).claim(claim, value).sign();
        for (door, answer) in knock(&server, &token).into_iter().take(3) {
            assert!(matches!(answer.status, 400 | 401), "{what} at {door}: {}", answer.status);
            assert!(!answer.body.contains(&token), "{what} at {door} is told back");
        }
    }
    let by_query = |token: &str| {
        let target = format!("/rtc/validate?access_token={token}");
        http::request(server.address(), "GET", &target, &[], "").expect("an answer").status
    };
    assert_eq!(by_query(&good(&server).grant("roomJoin", json!(false)).sign()), 401);
    assert_eq!(by_query(&good(&server).grant("roomJoin", Value::Null).sign()), 401);
    // LiveKit's answer, which its SDKs know.
    assert_eq!(by_query(&good(&server).grant("room", Value::Null).sign()), 400);
}

#[test]
fn j3_rights_hold_for_their_room_alone() {
    let server = Server::start();
    let elsewhere = good(&server).grant("room", json!("another room")).sign();
    for (door, answer) in knock(&server, &elsewhere).into_iter().skip(3) {
        assert!(matches!(answer.status, 401 | 403), "{door}: {}", answer.status);
    }
    let mere_guest = server.token("room", "ann").sign();
    let (door, answer) = knock(&server, &mere_guest).remove(3);
    assert_eq!(answer.status, 401, "{door}");
}

#[test]
fn j3_claims_said_twice_nested_or_enormous_are_refused() {
    let server = Server::start();
    let signed = |claims: &str| {
        // Signed with the right secret, so that only the claims are at fault.
        let token = good(&server);
        let header = BASE64_URL_SAFE_NO_PAD.encode(token.header.to_string());
        let text = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        format!("{text}.{}", token.signature_of(&text))
    };
    let claims = good(&server).claims.to_string();
    let twice = claims.replacen('{', &format!("{{\"exp\":{},", unix_now() - 120), 1);
    assert_refused(&server, "exp twice", &signed(&twice));
    for text in ["", "null", "[]", "{", "\"text\"", "{}"] {
        assert_refused(&server, text, &signed(text));
    }
    assert_refused(&server, "deep", &signed(&"[".repeat(20_000)));
    let inner = good(&server).header("alg", json!("none")).unsigned();
    assert_refused(&server, "a token inside", &signed(&format!("\"{inner}.\"")));
    let nested = format!("{inner}..a.b.c");
    assert_refused(&server, "five parts", &nested);
    let enormous = "x".repeat(1_000_000);
    assert_refused(&server, "a megabyte", &enormous);
    for text in ["", ".", "..", "a.b.c", "%00", "Bearer", "\u{fffd}.\u{fffd}.\u{fffd}"] {
        assert_refused(&server, text, text);
    }
}

#[test]
fn no_token_is_ever_logged() {
    let mut server = Server::start();
    let tokens = [good(&server).sign(), good(&server).secret("wrong").sign()];
    for token in &tokens {
        knock(&server, token);
    }
    let metrics = http::request(server.address(), "GET", "/metrics", &[], "").expect("metrics");
    // What is still on its way through the pipe.
    e2e::wait(Duration::from_millis(200));
    let log = server.log();
    for token in &tokens {
        let secret_part = token.rsplit('.').next().expect("a signature");
        assert!(!log.contains(secret_part), "a token is in the log");
        assert!(!metrics.body.contains(secret_part), "a token is in the metrics");
    }
}
