//! Room tokens as an application's own backend would sign them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Claims that are still open to change, and the key they will be signed with.
#[derive(Clone, Debug)]
pub struct Token {
    pub header: Value,
    pub claims: Value,
    secret: String,
}

impl Token {
    /// A token that lets `identity` into `room` for an hour, with a participant's usual rights.
    pub(crate) fn new(key: &str, secret: &str, room: &str, identity: &str) -> Self {
        let claims = json!({
            "iss": key,
            "sub": identity,
            "nbf": unix_now() - 5,
            "exp": unix_now() + 3600,
            "video": {
                "room": room,
                "roomJoin": true,
                "canPublish": true,
                "canSubscribe": true,
                "canPublishData": true,
                "canUpdateOwnMetadata": true,
            },
        });
        Self { header: json!({ "alg": "HS256", "typ": "JWT" }), claims, secret: secret.to_owned() }
    }

    /// Adds or replaces a claim; `Null` removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// Adds or replaces a right.
    #[must_use]
    pub fn grant(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims["video"], name, value);
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    #[must_use]
    pub fn sign(&self) -> String {
        let signed = self.unsigned();
        format!("{signed}.{}", self.signature_of(&signed))
    }

    /// What would be the third part of a token that begins with any other text.
    #[must_use]
    pub fn signature_of(&self, text: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key(), text.as_bytes()))
    }

    /// Header and claims, with no signature behind them.
    #[must_use]
    pub fn unsigned(&self) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes())
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let fields = object.as_object_mut().expect("an object");
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
}

/// The claims inside a signed token, unchecked.
#[must_use]
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[must_use]
#[expect(clippy::disallowed_methods, reason = "tokens say in wall time when they end")]
pub fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("seconds")
}
