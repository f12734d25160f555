//! `POST /v1/rooms/{room}/echo`: invites the echo caller, so that nobody has to test a call alone.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use proto::control::{OperationError, RoomAction};

use crate::{access, app::App, bearer, hub::AskError, problem::Problem};

pub(crate) async fn invite(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let claims = bearer::claims(&app, &headers).await?;
    let room = access::room_to_join(claims.grants.video.as_ref()).map_err(|_| OTHER_ROOM)?;
    if room.as_str() != name {
        return Err(OTHER_ROOM);
    }
    let hold = app.owners.find(&room).await?.ok_or(EMPTY_ROOM)?;
    match app.owners.hub.ask(&hold, |request| RoomAction::CallEcho { request }).await {
        Ok(_reply) => Ok(StatusCode::ACCEPTED),
        Err(AskError::Busy(_)) => Err(Problem::busy()),
        Err(AskError::Refused(error)) => Err(problem_of(&error)),
    }
}

const OTHER_ROOM: Problem =
    Problem::new(StatusCode::FORBIDDEN, "The token doesn't let you join this room.");

const EMPTY_ROOM: Problem =
    Problem::new(StatusCode::NOT_FOUND, "Nobody is in this room. Join it first.");

fn problem_of(error: &OperationError) -> Problem {
    match error {
        OperationError::NoSuchRoom
        | OperationError::NoSuchParticipant
        | OperationError::NoSuchTrack => EMPTY_ROOM,
        OperationError::RemoteUnmute => {
            Problem::new(StatusCode::CONFLICT, "The room doesn't allow this.")
        }
        OperationError::Invalid(_) => Problem::new(
            StatusCode::CONFLICT,
            "The echo caller can't come: nobody is in the room, or somebody has its identity.",
        ),
        OperationError::Exhausted(_) => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "The node has as many rooms as it takes. Try again once one has ended.",
        ),
    }
}
