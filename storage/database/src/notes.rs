//! Voice notes: from the request to upload one until nothing of it is left.
//!
//! A row comes before its object and goes after it. It is `uploading` until the object was found
//! whole, then `ready`, with a place in the room's history; when it is deleted, or its upload has
//! expired, the row says so first and the object follows. A crash between any two steps leaves a
//! row that says what is to be done.

mod sweep;

use proto::{
    ids::{Identity, RoomName},
    link::UnixMicros,
};

use crate::{
    Database, DatabaseError, NoteId,
    limits::{PAGE_MAX, UPLOADS_MAX},
    store::{Row, Transaction, Value, integer},
};

/// What is known of a note before it is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    pub id: NoteId,
    pub room: RoomName,
    pub from: Identity,
    /// What the sender is called; empty if nobody said.
    pub from_name: String,
    pub content_type: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Its key in the object store.
    pub object: String,
    /// What the client calls this request, so that it may repeat it.
    pub idempotency_key: Option<String>,
    /// Of the request, to tell a repetition from another request under the same key.
    pub request_digest: [u8; 32],
    pub created_at: UnixMicros,
    /// Until when it may be uploaded.
    pub expires: UnixMicros,
}

/// What came of creating a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteCreation {
    Created,
    /// This request was made before, and this came of it.
    Same(Box<Note>),
    /// The key was used for another request.
    KeyReused,
    /// The sender is uploading too many already.
    TooManyUploads,
}

/// One voice note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub id: NoteId,
    pub room: RoomName,
    pub from: Identity,
    /// What the sender is called; empty if nobody said.
    pub from_name: String,
    /// As declared, until it is ready; then as it is.
    pub content_type: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
    pub object: String,
    pub status: NoteStatus,
    pub created_at: UnixMicros,
    pub expires: UnixMicros,
    /// Once it is ready.
    pub ready: Option<NoteReady>,
}

/// How far a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteStatus {
    Uploading,
    Ready,
    Deleted,
}

/// What is known of a note that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteReady {
    /// Its place in the room's history; the next to become ready gets a higher one.
    pub seq: u64,
    pub at: UnixMicros,
    pub duration_ms: u64,
    pub codec: String,
    pub waveform: Vec<u8>,
}

/// What was found out about an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteMeta {
    pub content_type: String,
    pub duration_ms: u64,
    pub codec: String,
    pub waveform: Vec<u8>,
    pub at: UnixMicros,
}

/// What came of completing a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteCompletion {
    /// It is ready as of now.
    Completed(Box<Note>),
    /// It was ready before, and is as it was.
    Already(Box<Note>),
    /// There is no such note, or it was deleted.
    Gone,
}

const BY_KEY: &str = "SELECT * FROM notes WHERE room = $1 AND sender = $2 AND idempotency_key = $3";
const UPLOADS: &str = "SELECT COUNT(*) AS count FROM notes \
     WHERE room = $1 AND sender = $2 AND status = 'uploading'";
const CREATE: &str = "INSERT INTO notes (id, room, sender, idempotency_key, request_digest, \
     content_type, bytes, sha256, object, status, created_at, upload_expires_at, sender_name) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'uploading', $10, $11, $12) ON CONFLICT DO NOTHING";
const ONE: &str = "SELECT * FROM notes WHERE id = $1";
const PAGE: &str = "SELECT * FROM notes \
     WHERE room = $1 AND seq > $2 AND status = 'ready' ORDER BY seq LIMIT $3";
/// Locks the note, so that it can't be deleted before it is ready.
const HOLD: &str =
    "UPDATE notes SET status = status WHERE id = $1 AND status = 'uploading' RETURNING room";
/// The row's lock is held until the commit: notes become visible in the order of their places.
const NEXT_SEQ: &str = "INSERT INTO note_sequences (room, last) VALUES ($1, 1) \
     ON CONFLICT (room) DO UPDATE SET last = note_sequences.last + 1 RETURNING last";
const COMPLETE: &str = "UPDATE notes SET status = 'ready', seq = $2, content_type = $3, \
     duration_ms = $4, codec = $5, waveform = $6, ready_at = $7 WHERE id = $1";
const DELETE: &str = "UPDATE notes SET status = 'deleted' WHERE id = $1 AND status <> 'deleted'";

impl Database {
    /// Writes a note down before it is uploaded.
    pub async fn create_note(&self, new: &NewNote) -> Result<NoteCreation, DatabaseError> {
        self.call(async {
            if let Some(earlier) = self.earlier_request(new).await? {
                return Ok(earlier);
            }
            let (room, from) = (Value::Text(new.room.as_str()), Value::Text(new.from.as_str()));
            let uploads = self.store.row(UPLOADS, &[room, from]).await?;
            let uploads = uploads.map(|row| row.integer("count")).transpose()?.unwrap_or_default();
            if uploads >= UPLOADS_MAX {
                return Ok(NoteCreation::TooManyUploads);
            }
            let id = new.id.to_string();
            let values = [
                Value::Text(&id),
                room,
                from,
                Value::MaybeText(new.idempotency_key.as_deref()),
                Value::Bytes(&new.request_digest),
                Value::Text(&new.content_type),
                integer(new.bytes)?,
                Value::Bytes(&new.sha256),
                Value::Text(&new.object),
                integer(new.created_at.0)?,
                integer(new.expires.0)?,
                Value::Text(&new.from_name),
            ];
            if self.store.change(CREATE, &values).await? == 1 {
                return Ok(NoteCreation::Created);
            }
            // The same request came by another way at the same time.
            self.earlier_request(new).await?.ok_or(DatabaseError::Late)
        })
        .await
    }

    async fn earlier_request(&self, new: &NewNote) -> Result<Option<NoteCreation>, DatabaseError> {
        let Some(key) = &new.idempotency_key else { return Ok(None) };
        let values =
            [Value::Text(new.room.as_str()), Value::Text(new.from.as_str()), Value::Text(key)];
        let Some(row) = self.store.row(BY_KEY, &values).await? else { return Ok(None) };
        if row.digest("request_digest")? != new.request_digest {
            return Ok(Some(NoteCreation::KeyReused));
        }
        Ok(Some(NoteCreation::Same(Box::new(note_of(&row)?))))
    }

    /// Returns the note, also one that is deleted and not yet swept.
    pub async fn note(&self, id: NoteId) -> Result<Option<Note>, DatabaseError> {
        self.call(async {
            let row = self.store.row(ONE, &[Value::Text(&id.to_string())]).await?;
            row.as_ref().map(note_of).transpose()
        })
        .await
    }

    /// The notes of a room that became ready after the place `after`, in the order of their places.
    /// Whoever reads on from the last place it saw misses none: a place is seen before any later
    /// one.
    pub async fn notes_of(
        &self,
        room: &RoomName,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Note>, DatabaseError> {
        self.call(async {
            let limit = Value::Integer(limit.min(PAGE_MAX).into());
            // No place is as high as what a client may make up.
            let after = Value::Integer(i64::try_from(after).unwrap_or(i64::MAX));
            let values = [Value::Text(room.as_str()), after, limit];
            self.store.rows(PAGE, &values).await?.iter().map(note_of).collect()
        })
        .await
    }

    /// States that the upload is in the object store, whole, and what it is.
    pub async fn complete_note(
        &self,
        id: NoteId,
        meta: &NoteMeta,
    ) -> Result<NoteCompletion, DatabaseError> {
        self.call(async {
            let id = id.to_string();
            let mut transaction = self.store.begin().await?;
            let held = transaction.row(HOLD, &[Value::Text(&id)]).await?;
            if let Some(held) = &held {
                complete(&mut transaction, &id, &held.get::<String>("room")?, meta).await?;
            }
            let Some(row) = transaction.row(ONE, &[Value::Text(&id)]).await? else {
                return Ok(NoteCompletion::Gone);
            };
            transaction.commit().await?;
            let note = note_of(&row)?;
            Ok(match (note.status, held) {
                (NoteStatus::Ready, Some(_)) => NoteCompletion::Completed(Box::new(note)),
                (NoteStatus::Ready, None) => NoteCompletion::Already(Box::new(note)),
                (NoteStatus::Uploading | NoteStatus::Deleted, _) => NoteCompletion::Gone,
            })
        })
        .await
    }

    /// Deletes a note: nobody finds it from now on, and its object goes with the next sweep. Says
    /// whether there was one to delete.
    pub async fn delete_note(&self, id: NoteId) -> Result<bool, DatabaseError> {
        self.call(async {
            Ok(self.store.change(DELETE, &[Value::Text(&id.to_string())]).await? == 1)
        })
        .await
    }
}

async fn complete(
    transaction: &mut Transaction,
    id: &str,
    room: &str,
    meta: &NoteMeta,
) -> Result<(), DatabaseError> {
    let place = transaction.row(NEXT_SEQ, &[Value::Text(room)]).await?;
    let place = place.ok_or(DatabaseError::Content("no place"))?.integer("last")?;
    let values = [
        Value::Text(id),
        integer(place)?,
        Value::Text(&meta.content_type),
        integer(meta.duration_ms)?,
        Value::Text(&meta.codec),
        Value::Bytes(&meta.waveform),
        integer(meta.at.0)?,
    ];
    transaction.change(COMPLETE, &values).await.map(drop)
}

fn note_of(row: &Row) -> Result<Note, DatabaseError> {
    Ok(Note {
        id: row.parse("id")?,
        room: row.parse("room")?,
        from: row.parse("sender")?,
        from_name: row.get("sender_name")?,
        content_type: row.get("content_type")?,
        bytes: row.integer("bytes")?,
        sha256: row.digest("sha256")?,
        object: row.get("object")?,
        status: match row.get::<String>("status")?.as_str() {
            "uploading" => NoteStatus::Uploading,
            "ready" => NoteStatus::Ready,
            "deleted" => NoteStatus::Deleted,
            _ => return Err(DatabaseError::Content("a status")),
        },
        created_at: UnixMicros(row.integer("created_at")?),
        expires: UnixMicros(row.integer("upload_expires_at")?),
        ready: row.maybe_integer("seq")?.map(|seq| ready_of(row, seq)).transpose()?,
    })
}

fn ready_of(row: &Row, seq: u64) -> Result<NoteReady, DatabaseError> {
    Ok(NoteReady {
        seq,
        at: UnixMicros(row.integer("ready_at")?),
        duration_ms: row.integer("duration_ms")?,
        codec: row.get("codec")?,
        waveform: row.get("waveform")?,
    })
}

impl NoteStatus {
    /// As the API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Ready => "ready",
            Self::Deleted => "deleted",
        }
    }
}
