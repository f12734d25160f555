//! Tokens that are good, and the many ways in which they are not (threats J1 to J3).

use base64::engine::general_purpose::STANDARD;
use proto::grants::VideoGrant;
use serde_json::{Value, json};

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn keys() -> Keys {
    Keys::new([("devkey", "secret"), ("other", "another")])
}

fn good_claims() -> Value {
    let now = NOW.as_secs();
    json!({ "iss": "devkey", "sub": "ada", "nbf": now, "exp": now + 60,
            "video": { "room": "demo", "roomJoin": true } })
}

fn signed(header: &Value, claims: &[u8], secret: &[u8]) -> String {
    let head = URL_SAFE_NO_PAD.encode(header.to_string());
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn verify_header(header: &Value) -> Result<Claims, VerifyError> {
    keys().verify(&signed(header, good_claims().to_string().as_bytes(), b"secret"), NOW)
}

fn verify_claims(claims: &str) -> Result<Claims, VerifyError> {
    keys().verify(&signed(&json!({"alg": "HS256"}), claims.as_bytes(), b"secret"), NOW)
}

fn verify_changed(name: &str, value: Value) -> Result<Claims, VerifyError> {
    let mut claims = good_claims();
    claims[name] = value;
    verify_claims(&claims.to_string())
}

#[test]
fn what_was_signed_verifies() {
    let video = VideoGrant { room: "demo".into(), room_join: true, ..VideoGrant::default() };
    let grants = Grants { identity: "ada".into(), video: Some(video), ..Grants::default() };
    let validity = Validity { from: NOW, until: NOW + Duration::from_secs(600) };
    let token = keys().sign("devkey", grants.clone(), validity).unwrap();

    let claims = keys().verify(&token, NOW).unwrap();
    assert_eq!(claims.grants, grants);
    assert_eq!(claims.issuer, "devkey");
    assert_eq!(claims.expires, NOW.as_secs() + 600);
}

#[test]
fn j1_every_algorithm_but_hs256_is_refused() {
    for alg in ["none", "None", "nOnE", "hs256", "HS384", "RS256", "ES256", "ES256K", "PS256", ""] {
        assert_eq!(verify_header(&json!({"alg": alg})), Err(VerifyError::Header), "{alg}");
    }
    assert_eq!(verify_header(&json!({"typ": "JWT"})), Err(VerifyError::Malformed));
    assert!(verify_header(&json!({"alg": "HS256", "typ": "JWT"})).is_ok());
}

#[test]
fn j1_a_signature_that_is_empty_zero_or_of_another_key_is_refused() {
    let good = signed(&json!({"alg": "HS256"}), good_claims().to_string().as_bytes(), b"secret");
    let unsigned = good.rsplit_once('.').unwrap().0;
    let zero = URL_SAFE_NO_PAD.encode([0; 64]);
    let standard = STANDARD.encode([0xff; 32]);
    for signature in ["", "AA", &zero, &standard] {
        let token = format!("{unsigned}.{signature}");
        assert_eq!(keys().verify(&token, NOW), Err(VerifyError::Signature), "{signature}");
    }
    let stolen = signed(&json!({"alg": "HS256"}), good_claims().to_string().as_bytes(), b"another");
    assert_eq!(keys().verify(&stolen, NOW), Err(VerifyError::Signature));
    assert_eq!(keys().verify(unsigned, NOW), Err(VerifyError::Malformed));
}

#[test]
fn j2_header_fields_that_name_a_key_are_not_followed() {
    for name in ["kid", "jku", "x5u", "jwk", "x5c"] {
        for value in ["../../dev/null", "' OR 1=1 --", "http://127.0.0.1:1/jwks", "other"] {
            assert!(verify_header(&json!({"alg": "HS256", name: value})).is_ok(), "{name}");
        }
    }
    let long = json!({"alg": "HS256", "kid": "x".repeat(1 << 20)});
    assert_eq!(verify_header(&long), Err(VerifyError::TooLong));
}

#[test]
fn j2_header_fields_that_change_the_meaning_are_refused() {
    for (name, value) in [("crit", json!(["exp"])), ("b64", json!(false)), ("zip", json!("DEF"))] {
        assert_eq!(verify_header(&json!({"alg": "HS256", name: value})), Err(VerifyError::Header));
    }
}

#[test]
fn j3_each_wrong_claim_is_refused() {
    let now = NOW.as_secs();
    let unknown = Err(VerifyError::UnknownKey(KeyName("nokey".into())));
    assert_eq!(verify_changed("iss", json!("nokey")), unknown);
    assert_eq!(verify_changed("iss", json!("other")), Err(VerifyError::Signature));
    assert_eq!(verify_changed("aud", json!("elsewhere")), Err(VerifyError::Audience));
    assert_eq!(verify_changed("exp", json!(now - 60)), Err(VerifyError::Expired));
    assert!(verify_changed("exp", json!(now - 59)).is_ok(), "clocks may differ by a minute");
    assert_eq!(verify_changed("nbf", json!(now + 61)), Err(VerifyError::NotYet));
    assert!(verify_changed("nbf", json!(now + 60)).is_ok(), "clocks may differ by a minute");
    assert_eq!(verify_changed("iat", json!(now + 61)), Err(VerifyError::NotYet));
    for bad in [json!("soon"), json!(-1), json!(1e300), json!(null)] {
        assert_eq!(verify_changed("exp", bad), Err(VerifyError::Claims));
    }
    for bad in [json!({"roomJoin": "yes"}), json!({"room": 5})] {
        assert_eq!(verify_changed("video", bad), Err(VerifyError::Claims));
    }
    let endless = json!({"iss": "devkey", "video": {"room": "demo", "roomJoin": true}});
    assert_eq!(verify_claims(&endless.to_string()), Err(VerifyError::Claims));
}

#[test]
fn j3_a_claim_that_is_there_twice_is_refused() {
    let claims = good_claims().to_string();
    let inside = claims.strip_prefix('{').unwrap();
    for extra in [r#""sub":"eve""#, r#""exp":9999999999"#, r#""unknown":1,"unknown":2"#] {
        let twice = format!("{{{extra},{inside}");
        assert_eq!(verify_claims(&twice), Err(VerifyError::Claims), "{extra}");
    }
    let nested = claims.replace(r#""room":"demo""#, r#""room":"demo","room":"secret""#);
    assert_eq!(verify_claims(&nested), Err(VerifyError::Claims));
    let twice = format!(r#"{{"iss":"other",{inside}"#);
    assert_eq!(verify_claims(&twice), Err(VerifyError::Malformed));
}

#[test]
fn j3_what_is_no_jwt_is_refused_without_repeating_it() {
    let encrypted = format!("{0}.{0}.{0}.{0}.{0}", URL_SAFE_NO_PAD.encode("{}"));
    let long = "a".repeat(1 << 20);
    for token in ["", "abc", "a.b.c", "..", "....", &encrypted, &long] {
        let error = keys().verify(token, NOW).unwrap_err();
        assert!(matches!(error, VerifyError::Malformed | VerifyError::TooLong), "{error}");
        assert!(token.is_empty() || token == "." || !error.to_string().contains(token));
    }
    let strange = verify_changed("iss", json!("x<script>\n")).unwrap_err();
    assert_eq!(strange.to_string(), "API key (not a key name) is unknown");
}

#[test]
fn a_date_may_have_a_fraction() {
    let claims = verify_changed("exp", json!(NOW.as_secs_f64() + 60.5)).unwrap();
    assert_eq!(claims.expires, NOW.as_secs() + 60);
}
