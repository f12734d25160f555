//! Attacks on tokens (J1 to J3 of the threat list), over HTTP.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use service::clock;

use crate::{
    http::{get, send},
    node::{Node, room_token},
};

fn claims() -> Value {
    let now = clock::unix_time().as_secs();
    json!({ "iss": "devkey", "sub": "eve", "nbf": now, "exp": now + 60,
            "video": { "room": "demo", "roomJoin": true } })
}

pub(crate) fn forge(header: &Value, claims: &str, secret: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let text = format!("{}.{}", encode(&header.to_string()), encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = BASE64_URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()));
    format!("{text}.{tag}")
}

/// Asserts that every door refuses `token`, and that none repeats it.
async fn assert_refused(node: &Node, token: &str) {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    for (method, path) in [
        ("GET", "/rtc/validate"),
        ("POST", "/twirp/livekit.RoomService/ListRooms"),
        ("POST", "/v1/rooms/demo/echo"),
    ] {
        let answer = send(node.address, method, path, &headers, b"{}").await;
        assert_eq!(answer.status, 401, "{path} {token}");
        assert!(!answer.text().contains(token), "{path} repeats the token");
    }
    let answer = get(node.address, &format!("/rtc/validate?access_token={token}")).await;
    assert_eq!(answer.status, 401, "{token}");
    assert!(!answer.text().contains(token), "the token is repeated");
}

#[tokio::test]
async fn j1_a_token_under_another_algorithm_or_signature_is_refused() {
    let node = Node::start().await;
    for alg in ["none", "None", "nOnE", "RS256", "ES256K", "HS512"] {
        assert_refused(&node, &forge(&json!({"alg": alg}), &claims().to_string(), "secret")).await;
    }
    let good = room_token("demo", "ada");
    let unsigned = good.rsplit_once('.').unwrap().0;
    assert_refused(&node, &format!("{unsigned}.")).await;
    assert_refused(&node, &format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64]))).await;
    assert_refused(&node, &forge(&json!({"alg": "HS256"}), &claims().to_string(), "guess")).await;
}

#[tokio::test]
async fn j2_a_header_that_names_its_own_key_gains_nothing() {
    let node = Node::start().await;
    for name in ["kid", "jku", "x5u"] {
        for value in ["../../dev/null", "http://127.0.0.1:1/keys", "' OR 1=1 --"] {
            let header = json!({"alg": "HS256", name: value});
            assert_refused(&node, &forge(&header, &claims().to_string(), "")).await;
        }
    }
    let header = json!({"alg": "HS256", "crit": ["exp"]});
    assert_refused(&node, &forge(&header, &claims().to_string(), "secret")).await;
    let header = json!({"alg": "HS256", "b64": false});
    assert_refused(&node, &forge(&header, &claims().to_string(), "secret")).await;
    let header = json!({"alg": "HS256", "kid": "x".repeat(16 * 1024)});
    assert_refused(&node, &forge(&header, &claims().to_string(), "secret")).await;
}

#[tokio::test]
async fn j3_a_wrong_or_doubled_claim_is_refused() {
    let node = Node::start().await;
    let now = clock::unix_time().as_secs();
    for (name, value) in [
        ("iss", json!("nokey")),
        ("exp", json!(now - 3600)),
        ("nbf", json!(now + 3600)),
        ("iat", json!(now + 3600)),
        ("aud", json!("elsewhere")),
    ] {
        let mut claims = claims();
        claims[name] = value;
        assert_refused(&node, &forge(&json!({"alg": "HS256"}), &claims.to_string(), "secret"))
            .await;
    }
    let doubled = claims().to_string().replacen('{', r#"{"sub":"ada","#, 1);
    assert_refused(&node, &forge(&json!({"alg": "HS256"}), &doubled, "secret")).await;
    assert_refused(&node, "e30.e30.e30.e30.e30").await;
}

#[tokio::test]
async fn j3_a_token_of_a_megabyte_is_refused_before_it_is_read() {
    let node = Node::start().await;
    let long = "a".repeat(1 << 20);
    let answer = get(node.address, &format!("/rtc/validate?access_token={long}")).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    let bearer = format!("Bearer {long}");
    let headers = [("Authorization", bearer.as_str())];
    let answer = send(node.address, "GET", "/rtc/validate", &headers, b"").await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}
