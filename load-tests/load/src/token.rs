//! The token a caller joins with.

use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use proto::grants::{Grants, VideoGrant};
use serde::Serialize;

/// Longer than any run.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    nbf: u64,
    exp: u64,
    #[serde(flatten)]
    grants: Grants,
}

/// Signs the right to join `room` as `identity`.
pub(crate) fn sign(
    key: &str,
    secret: &str,
    room: &str,
    identity: &str,
    now: Duration,
) -> anyhow::Result<String> {
    let video = VideoGrant { room: room.to_owned(), room_join: true, ..VideoGrant::default() };
    let grants = Grants { identity: identity.to_owned(), video: Some(video), ..Grants::default() };
    // Clocks of two machines differ.
    let nbf = now.as_secs().saturating_sub(60);
    let claims = Claims { iss: key, nbf, exp: (now + LIFETIME).as_secs(), grants };
    let key = EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}
