//! Recordings of rooms: `/v1/rooms/{room}/recordings` and `/v1/recordings/{id}`.
//!
//! A recording is a row that a recorder takes up: what is asked here is on disk before it is
//! acknowledged, and is heard of by the recorder at once, by a hint, or soon, by looking.

mod rights;
mod view;

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use proto::{ids::RoomName, pool::Role};
use serde::Deserialize;
use serde_json::json;
use service::{clock, random};
use storage_database::{
    DatabaseError, NewRecording, Recording, RecordingCreation, RecordingId, TrackRow,
};
use storage_objects::SignGet;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use self::rights::Caller;
use crate::{
    api::Api,
    app::App,
    idempotency,
    limits::{RECORDER_WAIT, RECORDINGS_LISTED, RECORDINGS_LISTED_MAX, SIGNED_URL_LIFE},
    problem::{NO_DATABASE, Problem},
};

/// The registry's topic on which recorders hear that there is something to do.
const TOPIC: &str = "recordings";

/// What a track's file is.
const CONTENT_TYPE: &str = "audio/ogg";

/// Adds the operations on recordings.
pub(crate) fn serve(api: Api) -> Api {
    api.on(Method::POST, "/v1/rooms/{room}/recordings", create)
        .on(Method::GET, "/v1/rooms/{room}/recordings", list)
        .on(Method::GET, "/v1/recordings/{id}", one)
        .on(Method::POST, "/v1/recordings/{id}/stop", stop)
        .on(Method::GET, "/v1/recordings/{id}/tracks/{trackSid}/content", content)
}

const EMPTY_ROOM: Problem = Problem::new(
    StatusCode::NOT_FOUND,
    "There is no such room now. Join it, or create it, before you record it.",
);

const RUNNING: Problem = Problem::new(
    StatusCode::CONFLICT,
    "The room is being recorded already: see Location. Stop that recording to begin another.",
);

const NO_RECORDER: Problem = Problem::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "No recorder is running. Start one with `adda serve --role recorder`, then try again.",
);

const NO_ROOM: Problem = Problem::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "No recorder can take more now: its `/readyz` says why. Make room on its disk, then try again.",
);

const NO_RECORDING: Problem = Problem::new(StatusCode::NOT_FOUND, "There is no such recording.");

const NO_TRACK: Problem = Problem::new(
    StatusCode::NOT_FOUND,
    "The recording has no such track yet. Tracks appear once their files are stored.",
);

const BAD_KEY: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Send an Idempotency-Key of 1 to 255 visible ASCII characters, or none.",
);

const BAD_WISH: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "Send {\"consent\": true or false} as JSON, or no body.");

const BAD_PAGE: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Send `after` as the id of a recording and `limit` as a number from 1 to 100, or neither.",
);

/// What a recording is asked for with. All of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    /// Whether whoever asks states that everybody in the room agreed.
    consent: bool,
}

async fn create(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let room: RoomName = room.parse().map_err(|_| EMPTY_ROOM)?;
    caller.check(&room)?;
    let key = idempotency::key(&headers).map_err(|_| BAD_KEY)?;
    let Wish { consent } = match body.is_empty() {
        true => Wish::default(),
        false => serde_json::from_slice(&body).map_err(|_| BAD_WISH)?,
    };
    app.owners.find(&room).await?.ok_or(EMPTY_ROOM)?;
    check_recorders(&app).await?;
    let at = clock::unix_micros();
    let id = RecordingId::new(at, random::bits().map_err(|_| Problem::busy())?);
    let requested_by = caller.identity().clone();
    let new = NewRecording { id, room, requested_by, consent, at };
    match app.owners.database.create_recording(&new).await.map_err(failed)? {
        RecordingCreation::Created => {
            hint(&app).await;
            let body = Json(json!({ "id": id.to_string(), "status": "recording" }));
            Ok((StatusCode::CREATED, location(id)?, body).into_response())
        }
        // The answer to the same request was lost.
        RecordingCreation::Running(running)
            if key.is_some() && running.requested_by == new.requested_by =>
        {
            Ok((StatusCode::OK, location(running.id)?, Json(view::of(&running))).into_response())
        }
        RecordingCreation::Running(running) => Ok((location(running.id)?, RUNNING).into_response()),
    }
}

/// Checks that somebody can take up a recording. A recorder that has only just started is waited
/// for: it may not be on the list of this node yet.
async fn check_recorders(app: &App) -> Result<(), Problem> {
    let deadline = clock::now() + RECORDER_WAIT;
    let mut news = app.owners.hub.news();
    loop {
        let nodes = app.owners.hub.records().await.map_err(|_| Problem::busy())?;
        let mut recorders = nodes.iter().filter(|node| node.roles.contains(&Role::Recorder));
        if recorders.clone().any(|node| node.takes(Role::Recorder)) {
            return Ok(());
        }
        if timeout_at(deadline.into(), news.changed()).await.is_err() {
            return Err(if recorders.next().is_some() { NO_ROOM } else { NO_RECORDER });
        }
    }
}

async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recording = find(&app, &id, &headers).await?;
    Ok(Json(view::of(&recording)).into_response())
}

async fn stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recording = find(&app, &id, &headers).await?;
    let stopped = app.owners.database.request_stop(recording.id, clock::unix_micros()).await;
    let stopped = stopped.map_err(failed)?.ok_or(NO_RECORDING)?;
    hint(&app).await;
    Ok((StatusCode::ACCEPTED, Json(view::of(&stopped))).into_response())
}

async fn content(
    State(app): State<Arc<App>>,
    Path((id, sid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recording = find(&app, &id, &headers).await?;
    let track = recording.tracks.iter().find(|track| track.sid.to_string() == sid);
    let url = sign(&app, &recording, track.ok_or(NO_TRACK)?).await?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::FOUND, no_store, [(header::LOCATION, url)]).into_response())
}

async fn sign(app: &App, recording: &Recording, track: &TrackRow) -> Result<HeaderValue, Problem> {
    let key = track.file.object.parse().map_err(|_| NO_TRACK)?;
    let filename = format!("{}-{}.ogg", recording.id, track.sid);
    let get = SignGet { expires: SIGNED_URL_LIFE, content_type: CONTENT_TYPE, filename: &filename };
    let signed = app.objects.sign_get(&key, &get).await.map_err(|error| {
        warn!(%error, "recording's file was not signed");
        Problem::busy()
    })?;
    HeaderValue::try_from(signed.url).map_err(|_| Problem::busy())
}

/// Which part of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    page: Result<Query<Page>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let room: RoomName = room.parse().map_err(|_| EMPTY_ROOM)?;
    caller.check(&room)?;
    let Query(Page { after, limit }) = page.map_err(|_| BAD_PAGE)?;
    let after: Option<RecordingId> =
        after.map(|after| after.parse()).transpose().map_err(|_| BAD_PAGE)?;
    let limit = limit.unwrap_or(RECORDINGS_LISTED);
    if !(1..=RECORDINGS_LISTED_MAX).contains(&limit) {
        return Err(BAD_PAGE);
    }
    // One more tells whether there is a next page.
    let database = &app.owners.database;
    let mut found = database.recordings_of(&room, after, limit + 1).await.map_err(failed)?;
    let asked = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > asked;
    found.truncate(asked);
    let next = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    let items: Vec<_> = found.iter().map(view::of).collect();
    Ok(Json(json!({ "items": items, "next": next })).into_response())
}

/// Finds a recording that the bearer may see.
async fn find(app: &App, id: &str, headers: &HeaderMap) -> Result<Recording, Problem> {
    let caller = Caller::of(app, headers).await?;
    let id: RecordingId = id.parse().map_err(|_| NO_RECORDING)?;
    let found = app.owners.database.recording(id).await.map_err(failed)?;
    let recording = found.ok_or(NO_RECORDING)?;
    caller.check(&recording.room)?;
    Ok(recording)
}

/// Wakes the recorders. They look by themselves if this is lost.
async fn hint(app: &App) {
    if let Err(error) = app.owners.registry.hint(TOPIC, b"").await {
        debug!(%error, "recorders were not woken");
    }
}

fn location(id: RecordingId) -> Result<[(header::HeaderName, HeaderValue); 1], Problem> {
    let path = HeaderValue::try_from(format!("/v1/recordings/{id}"));
    Ok([(header::LOCATION, path.map_err(|_| Problem::busy())?)])
}

fn failed(error: DatabaseError) -> Problem {
    warn!(%error, "recordings were not asked for");
    NO_DATABASE
}
