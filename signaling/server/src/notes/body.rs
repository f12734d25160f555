//! What clients send, read strictly.

use axum::{
    Json,
    extract::Query,
    extract::rejection::{JsonRejection, QueryRejection},
    http::StatusCode,
};
use proto::ids::RoomName;
use serde::Deserialize;
use storage_objects::Sha256;

use super::sound::Kind;
use crate::{
    limits::{NOTE_BYTES_MAX, NOTES_LISTED, NOTES_LISTED_MAX},
    problem::Problem,
};

/// A note that somebody wants to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Announcement {
    pub(super) room: RoomName,
    pub(super) content_type: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The same, once it has been judged.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) room: RoomName,
    pub(super) content_type: String,
    pub(super) bytes: u64,
    pub(super) sha256: Sha256,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Completion {
    sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    pub(super) room: RoomName,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) const NO_KEY: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Send an Idempotency-Key of 1 to 255 visible ASCII characters, a new one for each note.",
);
const NOT_JSON: Problem =
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.");
const BAD_ANNOUNCEMENT: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Send {\"room\", \"contentType\", \"bytes\", \"sha256\"} and nothing else.",
);
const BAD_COMPLETION: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "Send {\"sha256\"} and nothing else.");
const BAD_LISTING: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Ask with ?room=, and if you like with &after= as `next` had it, and &limit= from 1 to 200.",
);
const BAD_SHA256: Problem = Problem::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "`sha256` is the SHA-256 of the whole file, as 64 lower-case hexadecimal digits.",
);
const EMPTY: Problem =
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "`bytes` is the length of the file, above 0.");
pub(super) const WRONG_TYPE: Problem = Problem::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "A voice note is one sound alone: Ogg or WebM with Opus, MP4 with AAC, or WAV.",
);
pub(super) const TOO_LARGE: Problem = Problem::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "A voice note has at most 25 MB and lasts at most 15 minutes.",
);

pub(super) fn announcement(
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<Announced, Problem> {
    let Json(body) = body.map_err(|error| rejection(&error, BAD_ANNOUNCEMENT))?;
    if body.bytes > NOTE_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    if body.bytes == 0 {
        return Err(EMPTY);
    }
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let is_short = body.content_type.len() <= 100;
    if !is_short || !body.content_type.bytes().all(is_plain) {
        return Err(WRONG_TYPE);
    }
    Kind::declared(&body.content_type).ok_or(WRONG_TYPE)?;
    let Announcement { room, content_type, bytes, sha256 } = body;
    let sha256 = sha256.parse().map_err(|_| BAD_SHA256)?;
    Ok(Announced { room, content_type: content_type.trim().to_owned(), bytes, sha256 })
}

impl Announced {
    /// What tells this request from another.
    pub(super) fn digest(&self) -> [u8; 32] {
        let Self { room, content_type, bytes, sha256 } = self;
        // No field but the last can hold a line break.
        let text = format!("{content_type}\n{bytes}\n{sha256}\n{room}");
        service::digest::sha256(text.as_bytes())
    }
}

pub(super) fn completion(body: Result<Json<Completion>, JsonRejection>) -> Result<Sha256, Problem> {
    let Json(body) = body.map_err(|error| rejection(&error, BAD_COMPLETION))?;
    body.sha256.parse().map_err(|_| BAD_SHA256)
}

/// What is listed: after which place, and how many.
pub(super) fn listing(
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<(RoomName, u64, u32), Problem> {
    let Query(listing) = query.map_err(|_| BAD_LISTING)?;
    let after = listing.after.filter(|after| !after.is_empty());
    let after = after.map_or(Ok(0), |after| after.parse()).map_err(|_| BAD_LISTING)?;
    let limit = listing.limit.unwrap_or(NOTES_LISTED);
    if limit == 0 {
        return Err(BAD_LISTING);
    }
    Ok((listing.room, after, limit.min(NOTES_LISTED_MAX)))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "axum's rejections are non-exhaustive")]
fn rejection(error: &JsonRejection, otherwise: Problem) -> Problem {
    match error {
        JsonRejection::MissingJsonContentType(_) => NOT_JSON,
        _ => otherwise,
    }
}
