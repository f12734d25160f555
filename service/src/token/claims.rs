//! What a token says.

use std::time::Duration;

use proto::grants::Grants;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The claims of a token: LiveKit's grants and the registered claims around them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The API key whose secret signed it.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// Seconds since 1970 from which on it is worthless.
    #[serde(rename = "exp", deserialize_with = "seconds")]
    pub expires: u64,
    /// Seconds since 1970 before which it is worthless.
    #[serde(
        rename = "nbf",
        default,
        deserialize_with = "some_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_before: Option<u64>,
    /// Seconds since 1970 when it was signed.
    #[serde(
        rename = "iat",
        default,
        deserialize_with = "some_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub issued: Option<u64>,
    /// Unique, or the identity in tokens from LiveKit's SDKs.
    #[serde(rename = "jti", default)]
    pub id: String,
    /// Never in tokens meant for us.
    #[serde(rename = "aud", default, skip_serializing)]
    pub(super) audience: Option<serde_json::Value>,
    /// What the bearer may do.
    #[serde(flatten)]
    pub grants: Grants,
}

impl Claims {
    /// When it was issued, for whoever refuses older ones: the earlier of what it says itself,
    /// since 1970. A token that says nothing counts as the oldest.
    pub fn issued_at(&self) -> Duration {
        let said = [self.issued, self.not_before].into_iter().flatten().min();
        Duration::from_secs(said.unwrap_or_default())
    }
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    number.as_u64().or_else(|| whole_seconds(&number)).ok_or_else(|| {
        de::Error::invalid_value(de::Unexpected::Other("a number"), &"seconds since 1970")
    })
}

fn some_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    seconds(deserializer).map(Some)
}

fn whole_seconds(number: &serde_json::Number) -> Option<u64> {
    let seconds = number.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok().map(|date| date.as_secs())
}
