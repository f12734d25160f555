//! What the bearer of a token may do with recordings.

use axum::http::{HeaderMap, StatusCode};
use proto::{
    grants::VideoGrant,
    ids::{Identity, RoomName},
};

use crate::{
    app::App,
    bearer,
    problem::{NO_TOKEN, Problem},
};

/// Somebody who may record: one room, or with a token that names none, every room.
#[derive(Debug)]
pub(super) struct Caller {
    identity: Identity,
    grant: VideoGrant,
}

const NO_RIGHT: Problem = Problem::new(
    StatusCode::FORBIDDEN,
    "The token doesn't let you record this room: it needs roomRecord or roomAdmin for it.",
);

impl Caller {
    pub(super) async fn of(app: &App, headers: &HeaderMap) -> Result<Self, Problem> {
        let claims = bearer::claims(app, headers).await?;
        let grant = claims.grants.video.unwrap_or_default();
        if !grant.room_record && !grant.room_admin {
            return Err(NO_RIGHT);
        }
        // A server's token has no identity: then its key stands for it.
        let identity = claims.grants.identity.parse().or_else(|_| claims.issuer.parse());
        Ok(Self { identity: identity.map_err(|_| NO_TOKEN)?, grant })
    }

    /// May record `room` and hear its recordings.
    pub(super) fn check(&self, room: &RoomName) -> Result<(), Problem> {
        let is_for_it = self.grant.room.is_empty() || self.grant.room == room.as_str();
        if is_for_it { Ok(()) } else { Err(NO_RIGHT) }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }
}
