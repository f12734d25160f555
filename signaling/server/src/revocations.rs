//! Takes `/v1` away from whoever was removed from a room, or whose room was deleted.
//!
//! A token stays signed until it expires; what was issued before the removal is refused, by every
//! node as soon as the removal is acknowledged. Joining the room is not: LiveKit's
//! RemoveParticipant ends a session and leaves it to the application to issue no new token.

use std::time::Duration;

use proto::{
    ids::{Identity, RoomName},
    link::UnixMicros,
};
use service::{clock, token::Claims};
use storage_database::{Database, DatabaseError, Revoked};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::{
    limits::{REVOCATION_AGE, REVOCATION_AHEAD_MAX, REVOCATION_LEEWAY, REVOCATION_LOOK_INTERVAL},
    problem::{NO_DATABASE, Problem},
};

/// It is not on disk. The reason is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not revoked")]
pub(crate) struct NotRevoked;

/// A time to revoke until that is too far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revoke_token_ts is not in seconds, or more than a day ahead")]
pub(crate) struct TooFarAhead;

/// Until when the tokens of somebody who is removed at `now` must have been issued to be refused.
/// `asked` is the caller's wish in seconds since 1970, as the protocol has it: 0 for none.
pub(crate) fn end_for(asked: i64, now: Duration) -> Result<UnixMicros, TooFarAhead> {
    let end = match u64::try_from(asked).unwrap_or_default() {
        0 => now.saturating_add(REVOCATION_LEEWAY),
        seconds => Duration::from_secs(seconds),
    };
    match end > now.saturating_add(REVOCATION_AHEAD_MAX) {
        true => Err(TooFarAhead),
        false => Ok(end.into()),
    }
}

/// Refuses what was issued to `identity` for `room` before `end`. `Ok` means on disk.
pub(crate) async fn revoke_one(
    database: &Database,
    room: &RoomName,
    identity: &Identity,
    end: UnixMicros,
) -> Result<(), NotRevoked> {
    written(room, database.revoke(room, Revoked::One(identity), end).await)
}

/// Refuses what was issued to anybody for `room` until now. `Ok` means on disk.
///
/// There is no leeway: the room may begin again at once, for people with new tokens.
pub(crate) async fn revoke_all(database: &Database, room: &RoomName) -> Result<(), NotRevoked> {
    let now = clock::unix_micros();
    written(room, database.revoke(room, Revoked::Everybody, now).await)
}

fn written(room: &RoomName, result: Result<(), DatabaseError>) -> Result<(), NotRevoked> {
    result.map_err(|error| {
        warn!(room = room.as_str(), %error, "tokens were not revoked");
        NotRevoked
    })
}

/// Whether the bearer was removed since the token was issued. A token that makes nobody a
/// participant of one room, such as a server's, can't be removed from it.
pub(crate) async fn is_revoked(database: &Database, claims: &Claims) -> Result<bool, Problem> {
    let Some(video) = claims.grants.video.as_ref() else { return Ok(false) };
    let Ok(room) = video.room.parse::<RoomName>() else { return Ok(false) };
    let identity = claims.grants.identity.parse::<Identity>().ok();
    let whose = match &identity {
        Some(identity) => Revoked::One(identity),
        None if video.room_join => Revoked::Everybody,
        None => return Ok(false),
    };
    let end = database.revoked(&room, whose).await.map_err(|error| {
        warn!(%error, "revocations were not read");
        NO_DATABASE
    })?;
    // Tokens count in seconds. One of the very second of the removal may be older.
    Ok(end.is_some_and(|end| claims.issued_at() < Duration::from(end)))
}

/// Forgets revocations that no living token is older than. Runs until it is dropped.
pub(crate) async fn forget(database: Database) {
    loop {
        let age = clock::unix_time().saturating_sub(REVOCATION_AGE);
        match database.forget_revoked(age.into()).await {
            Ok(0) => {}
            Ok(forgotten) => debug!(forgotten, "old revocations were forgotten"),
            Err(error) => warn!(%error, "old revocations were not forgotten"),
        }
        sleep(REVOCATION_LOOK_INTERVAL).await;
    }
}
