//! What the bearer of a token may do with the notes of a room.

use axum::http::{HeaderMap, StatusCode};
use proto::{
    grants::VideoGrant,
    ids::{Identity, RoomName},
};
use storage_database::Note;

use crate::{app::App, bearer, limits::NOTE_NAME_CHARS_MAX, problem::Problem};

/// Somebody with a token for one room.
#[derive(Debug)]
pub(super) struct Caller {
    room: RoomName,
    identity: Option<Identity>,
    name: String,
    is_member: bool,
    may_write: bool,
    is_admin: bool,
}

const OTHER_ROOM: Problem =
    Problem::new(StatusCode::FORBIDDEN, "The token is not for this room's voice notes.");

const NO_WRITING: Problem = Problem::new(
    StatusCode::FORBIDDEN,
    "The token doesn't let you send voice notes: it needs an identity and canPublish.",
);

const NOT_YOURS: Problem =
    Problem::new(StatusCode::FORBIDDEN, "Only who sent a voice note may do this to it.");

impl Caller {
    pub(super) async fn of(app: &App, headers: &HeaderMap) -> Result<Self, Problem> {
        let grants = bearer::claims(app, headers).await?.grants;
        let video: VideoGrant = grants.video.unwrap_or_default();
        Ok(Self {
            room: video.room.parse().map_err(|_| OTHER_ROOM)?,
            identity: grants.identity.parse().ok(),
            name: grants.name.chars().take(NOTE_NAME_CHARS_MAX).collect(),
            is_member: video.room_join,
            may_write: video.room_join && video.can_publish != Some(false),
            is_admin: video.room_admin,
        })
    }

    /// May hear the notes of `room`.
    pub(super) fn check_reading(&self, room: &RoomName) -> Result<(), Problem> {
        let may = self.room == *room && (self.is_member || self.is_admin);
        if may { Ok(()) } else { Err(OTHER_ROOM) }
    }

    /// May send notes to `room`, as whoever is returned.
    pub(super) fn check_writing(&self, room: &RoomName) -> Result<&Identity, Problem> {
        self.check_reading(room)?;
        self.identity.as_ref().filter(|_| self.may_write).ok_or(NO_WRITING)
    }

    /// What its token calls the bearer; empty if it doesn't.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sent this very note.
    pub(super) fn check_author(&self, note: &Note) -> Result<(), Problem> {
        let identity = self.check_writing(&note.room)?;
        if *identity == note.from { Ok(()) } else { Err(NOT_YOURS) }
    }

    /// May delete this note.
    pub(super) fn check_deleting(&self, note: &Note) -> Result<(), Problem> {
        self.check_reading(&note.room)?;
        let is_author = self.identity.as_ref() == Some(&note.from);
        if is_author || self.is_admin { Ok(()) } else { Err(NOT_YOURS) }
    }
}
