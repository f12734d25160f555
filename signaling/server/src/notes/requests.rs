//! The requests of the voice notes API.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use service::{clock, random};
use storage_database::{
    DatabaseError, NewNote, Note, NoteCompletion, NoteCreation, NoteId, NoteMeta, NoteStatus,
};
use storage_objects::{Key, Sha256, SignGet, SignPut, StoreError};
use tracing::warn;

use super::{
    Notes,
    body::{self, Announced, Announcement, Completion, Listing, NO_KEY, TOO_LARGE, WRONG_TYPE},
    examine::ExamineError,
    item,
    rights::Caller,
    sound::{Kind, Sound, SoundError},
};
use crate::{
    app::App,
    idempotency,
    limits::{NOTE_UPLOAD_LIFE, SIGNED_URL_LIFE},
    listen::Scheme,
    metrics::NoteOutcome,
    problem::Problem,
};

const NO_NOTE: Problem = Problem::new(StatusCode::NOT_FOUND, "There is no such voice note.");
const IN_FLIGHT: Problem = Problem::new(
    StatusCode::CONFLICT,
    "The same request is still being worked on. Try again in a moment.",
);
const KEY_REUSED: Problem = Problem::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "This Idempotency-Key was used for another voice note. Choose a new one for each note.",
);
const KEY_OVER: Problem = Problem::new(
    StatusCode::CONFLICT,
    "The voice note of this Idempotency-Key was deleted or never uploaded. Choose a new key.",
);
const TOO_MANY_UPLOADS: Problem = Problem::new(
    StatusCode::TOO_MANY_REQUESTS,
    "Too many of your voice notes wait for their upload. Complete or delete some first.",
);
const NOT_UPLOADED: Problem = Problem::new(
    StatusCode::CONFLICT,
    "Nothing was uploaded yet. Upload the file as `upload` says, then complete the note.",
);
const MISMATCH: Problem = Problem::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "The file that was uploaded or stated here is not the one that was announced.",
);

/// `POST /v1/voice-notes`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(scheme): Extension<Scheme>,
    headers: HeaderMap,
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let key = idempotency::key(&headers).ok().flatten().ok_or(NO_KEY)?;
    let announced = body::announcement(body)?;
    let from = caller.check_writing(&announced.room)?;
    let flight = format!("create {from}\n{}\n{key}", announced.room);
    let _flight = app.notes.flights.take(flight).ok_or(IN_FLIGHT)?;
    let new = new_note(&announced, (from.clone(), caller.name().to_owned()), key)?;
    let note = match app.notes.database.create_note(&new).await.map_err(failed)? {
        NoteCreation::Created => note_of(new),
        NoteCreation::Same(note) => *note,
        NoteCreation::KeyReused => return Err(KEY_REUSED),
        NoteCreation::TooManyUploads => return Err(TOO_MANY_UPLOADS),
    };
    let id = note.id.to_string();
    let upload = match note.status {
        NoteStatus::Uploading => Some(app.notes.upload_of(&note).await?),
        NoteStatus::Ready => None,
        NoteStatus::Deleted => return Err(KEY_OVER),
    };
    let origin = origin_of(scheme, &headers, upload.as_ref().map(|upload| upload.url.as_str()));
    let answer = item::announced(&id, upload.as_ref().map(|upload| (upload, origin.as_str())));
    Ok((StatusCode::CREATED, NO_STORE, Json(answer)).into_response())
}

/// `GET /v1/voice-notes`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let (room, after, limit) = body::listing(query)?;
    caller.check_reading(&room)?;
    let notes = app.notes.database.notes_of(&room, after, limit).await.map_err(failed)?;
    let is_full = u32::try_from(notes.len()) == Ok(limit);
    let last = notes.last().and_then(|note| note.ready.as_ref()).map(|ready| ready.seq.to_string());
    let items: Vec<_> = notes.iter().map(item::of).collect();
    Ok((NO_STORE, Json(json!({ "items": items, "next": last.filter(|_| is_full) })))
        .into_response())
}

/// `GET /v1/voice-notes/{id}`
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let note = app.notes.find(&id).await?;
    caller.check_reading(&note.room)?;
    if note.status == NoteStatus::Uploading {
        // Nobody else knows of it yet.
        caller.check_author(&note).map_err(|_| NO_NOTE)?;
    }
    Ok((NO_STORE, Json(item::of(&note))).into_response())
}

/// `POST /v1/voice-notes/{id}/complete`
pub(super) async fn complete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Completion>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let sha256 = body::completion(body)?;
    let note = app.notes.find(&id).await?;
    caller.check_author(&note)?;
    if sha256 != Sha256::from(note.sha256) {
        return Err(MISMATCH);
    }
    let note = match note.status {
        NoteStatus::Ready => note,
        NoteStatus::Uploading => app.notes.finish(&note).await?,
        NoteStatus::Deleted => return Err(NO_NOTE),
    };
    Ok((NO_STORE, Json(item::of(&note))).into_response())
}

/// `GET /v1/voice-notes/{id}/content`
pub(super) async fn content(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let note = app.notes.find(&id).await?;
    caller.check_reading(&note.room)?;
    if note.status != NoteStatus::Ready {
        return Err(NO_NOTE);
    }
    let kind = Kind::declared(&note.content_type);
    let filename = format!("{}.{}", note.id, kind.map_or("bin", Kind::extension));
    let content_type = kind.map_or("application/octet-stream", Kind::content_type);
    let get = SignGet { expires: SIGNED_URL_LIFE, content_type, filename: &filename };
    let signed = app.notes.objects.sign_get(&key_of(&note)?, &get).await.map_err(unavailable)?;
    let location = HeaderValue::try_from(signed.url).map_err(|_| Problem::busy())?;
    Ok((StatusCode::FOUND, NO_STORE, [(header::LOCATION, location)]).into_response())
}

/// `DELETE /v1/voice-notes/{id}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let caller = Caller::of(&app, &headers).await?;
    let id = id.parse().map_err(|_| NO_NOTE)?;
    let note = app.notes.database.note(id).await.map_err(failed)?.ok_or(NO_NOTE)?;
    caller.check_deleting(&note)?;
    if app.notes.database.delete_note(id).await.map_err(failed)? {
        app.notes.remove_now(&note).await;
    }
    // Deleted before is deleted, too: whoever lost our answer may ask again.
    Ok(StatusCode::NO_CONTENT)
}

impl Notes {
    async fn find(&self, id: &str) -> Result<Note, Problem> {
        let id = id.parse().map_err(|_| NO_NOTE)?;
        let note = self.database.note(id).await.map_err(failed)?;
        note.filter(|note| note.status != NoteStatus::Deleted).ok_or(NO_NOTE)
    }

    async fn upload_of(&self, note: &Note) -> Result<storage_objects::SignedRequest, Problem> {
        let left = Duration::from(note.expires).checked_sub(clock::unix_time());
        let left = left.filter(|left| left.as_secs() > 0).ok_or(KEY_OVER)?;
        let put = SignPut {
            bytes: note.bytes,
            sha256: Sha256::from(note.sha256),
            content_type: &note.content_type,
            expires: left.min(SIGNED_URL_LIFE),
        };
        self.objects.sign_put(&key_of(note)?, &put).await.map_err(unavailable)
    }

    /// Reads the upload and gives the note its place in the room's history.
    async fn finish(&self, note: &Note) -> Result<Note, Problem> {
        let _flight = self.flights.take(format!("complete {}", note.id)).ok_or(IN_FLIGHT)?;
        let examined = self.examine(note).await;
        self.metrics.came_to(outcome_of(&examined));
        let sound = examined.map_err(|error| problem_of(&error))?;
        let meta = NoteMeta {
            content_type: sound.kind.content_type().to_owned(),
            duration_ms: u64::try_from(sound.duration.as_millis()).unwrap_or(u64::MAX),
            codec: sound.kind.codec().to_owned(),
            waveform: sound.waveform,
            at: clock::unix_micros(),
        };
        match self.database.complete_note(note.id, &meta).await.map_err(failed)? {
            NoteCompletion::Completed(note) | NoteCompletion::Already(note) => Ok(*note),
            NoteCompletion::Gone => Err(NO_NOTE),
        }
    }
}

fn new_note(
    announced: &Announced,
    (from, from_name): (proto::ids::Identity, String),
    key: &str,
) -> Result<NewNote, Problem> {
    let now = clock::unix_time();
    let id = NoteId::new(now.into(), random::bits().map_err(|_| Problem::busy())?);
    Ok(NewNote {
        id,
        room: announced.room.clone(),
        from,
        from_name,
        content_type: announced.content_type.clone(),
        bytes: announced.bytes,
        sha256: announced.sha256.to_bytes(),
        object: format!("notes/{id}"),
        idempotency_key: Some(key.to_owned()),
        request_digest: announced.digest(),
        created_at: now.into(),
        expires: now.saturating_add(NOTE_UPLOAD_LIFE).into(),
    })
}

/// The note that was just written down.
fn note_of(new: NewNote) -> Note {
    Note {
        id: new.id,
        room: new.room,
        from: new.from,
        from_name: new.from_name,
        content_type: new.content_type,
        bytes: new.bytes,
        sha256: new.sha256,
        object: new.object,
        status: NoteStatus::Uploading,
        created_at: new.created_at,
        expires: new.expires,
        ready: None,
    }
}

const NO_STORE: [(&str, &str); 1] = [("cache-control", "no-store")];

fn key_of(note: &Note) -> Result<Key, Problem> {
    note.object.parse().map_err(|_| NO_NOTE)
}

/// How the client reaches us, for a URL that is a path of ours. It is told to nobody else.
fn origin_of(scheme: Scheme, headers: &HeaderMap, url: Option<&str>) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = match scheme {
        Scheme::Plain => "http",
        Scheme::Tls => "https",
    };
    match (url, host) {
        (Some(url), Some(host)) if url.starts_with('/') => format!("{scheme}://{host}"),
        _ => String::new(),
    }
}

fn failed(error: DatabaseError) -> Problem {
    warn!(%error, "the database failed a request");
    Problem::busy()
}

fn unavailable(error: StoreError) -> Problem {
    warn!(%error, "the object store failed a request");
    Problem::busy()
}

fn problem_of(error: &ExamineError) -> Problem {
    match error {
        ExamineError::Missing => NOT_UPLOADED,
        ExamineError::Mismatch => MISMATCH,
        ExamineError::Sound(SoundError::Foreign | SoundError::Broken) => WRONG_TYPE,
        ExamineError::Sound(SoundError::TooLong) => TOO_LARGE,
        ExamineError::Sound(SoundError::Read(_)) | ExamineError::Store(_) | ExamineError::Busy => {
            warn!(%error, "an upload could not be read");
            Problem::busy()
        }
    }
}

fn outcome_of(examined: &Result<Sound, ExamineError>) -> NoteOutcome {
    match examined {
        Ok(_) => NoteOutcome::Ready,
        Err(ExamineError::Missing) => NoteOutcome::Missing,
        Err(ExamineError::Mismatch) => NoteOutcome::Mismatch,
        Err(ExamineError::Sound(SoundError::Foreign | SoundError::Broken)) => {
            NoteOutcome::WrongType
        }
        Err(ExamineError::Sound(SoundError::TooLong)) => NoteOutcome::TooLong,
        Err(
            ExamineError::Sound(SoundError::Read(_)) | ExamineError::Store(_) | ExamineError::Busy,
        ) => NoteOutcome::Unavailable,
    }
}
