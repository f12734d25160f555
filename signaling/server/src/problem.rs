//! Errors of our own HTTP API, as RFC 9457 asks: `application/problem+json`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{limits::RETRY_AFTER, owners::Unplaced};

/// An error with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: &'static str,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail }
    }

    /// Nothing is wrong with the request; trying again soon will do.
    pub(crate) const fn busy() -> Self {
        let detail = "The server can't take this right now. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<Unplaced> for Problem {
    fn from(unplaced: Unplaced) -> Self {
        match unplaced {
            Unplaced::Busy => Self::busy(),
            Unplaced::NoNode => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "No media node can take this room right now. Try again in a moment.",
            ),
            Unplaced::HolderUnreachable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The node of this room can't be reached right now. Try again in a moment.",
            ),
            Unplaced::NoDatabase => NO_DATABASE,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after());
        }
        response
    }
}

/// What everybody without a valid token is told.
pub(crate) const NO_TOKEN: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "Send a room token that is signed by a known key and has not expired, as Authorization: Bearer.",
);

/// What the bearer of a token is told who was removed from its room.
pub(crate) const REVOKED: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "This token was revoked: you were removed from the room, or the room was deleted. Get a new one.",
);

/// The store can't say. Nothing is known to have changed.
pub(crate) const NO_DATABASE: Problem = Problem::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "The database can't be asked right now. Try again in a moment.",
);

/// The value of `Retry-After` for a refusal that passes.
pub(crate) fn retry_after() -> HeaderValue {
    HeaderValue::from(RETRY_AFTER.as_secs())
}
