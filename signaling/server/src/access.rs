//! Who is asking: the token of a request, verified, and what its grants allow.
//!
//! Refusals are worded as LiveKit words them, because SDKs show and compare the text, except that
//! none repeats the token.

use std::fmt::Display;

use axum::http::{HeaderMap, StatusCode, header};
use proto::{grants::VideoGrant, ids::RoomName};
use service::{
    clock,
    token::{Claims, Keys, VerifyError},
};

/// Why a request was refused: a status, and a plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    fn unauthorized(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text)
    }
}

/// Returns the bearer token of the `Authorization` header, `None` without that header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed =
        || Refusal::unauthorized("invalid authorization header. Must start with Bearer ");
    let text = value.to_str().map_err(|_| malformed())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(Some(token.trim())),
        Some(_) | None => Err(malformed()),
    }
}

/// Verifies `token`.
pub(crate) fn verify(keys: &Keys, token: &str) -> Result<Claims, Refusal> {
    keys.verify(token, clock::unix_time()).map_err(|error| refusal_of(&error))
}

fn refusal_of(error: &VerifyError) -> Refusal {
    let invalid = |why: &dyn Display| format!("invalid token, error: {why}");
    let claims = |why: &str| invalid(&format_args!("token has invalid claims: {why}"));
    Refusal::unauthorized(match error {
        VerifyError::TooLong | VerifyError::Malformed | VerifyError::Header => {
            "invalid authorization token".to_owned()
        }
        VerifyError::UnknownKey(key) => format!("invalid API key: {key}"),
        VerifyError::Signature => invalid(&"token signature is invalid: signature is invalid"),
        VerifyError::Claims => claims("claims are malformed"),
        VerifyError::Audience => claims("token has invalid audience"),
        VerifyError::Expired => claims("token is expired"),
        VerifyError::NotYet => claims("token is not valid yet"),
    })
}

/// Returns the room that `grant` lets its bearer join.
pub(crate) fn room_to_join(grant: Option<&VideoGrant>) -> Result<RoomName, Refusal> {
    let grant = grant
        .filter(|grant| grant.room_join)
        .ok_or_else(|| Refusal::unauthorized("permissions denied"))?;
    if grant.room.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "no room name"));
    }
    let invalid = |_| Refusal::new(StatusCode::BAD_REQUEST, "room name is invalid");
    grant.room.parse().map_err(invalid)
}

/// Says whether `grant` makes its bearer a moderator of `room`.
pub(crate) fn is_admin_of(grant: Option<&VideoGrant>, room: &str) -> bool {
    grant.is_some_and(|grant| grant.room_admin && grant.room == room)
}
