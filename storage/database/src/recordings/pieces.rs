//! Files of several recorders that become one.
//!
//! Whoever puts a track's file together makes a new object, beside what there is: first its key is
//! written down as unused, then it is stored, then one transaction has the track's row point to it
//! and everything that went into it become unused. What is unused for long is doomed, then removed
//! from the store, then forgotten here. Whoever dies in between leaves nothing that isn't found.

use proto::{ids::TrackSid, link::UnixMicros};

use super::{
    TrackFile, TrackRow, rows,
    tracks::{gaps_text, hold},
};
use crate::{
    Database, DatabaseError, RecordingId,
    limits::UNUSED_LISTED_MAX,
    store::{Value, integer},
};

/// A track that more than one recorder has sound of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// The track and the file that it has.
    pub whole: TrackRow,
    /// What isn't in it yet, by epoch.
    pub waiting: Vec<TrackFile>,
}

const WAITING: &str = "SELECT DISTINCT recording, track_sid FROM recording_pieces \
     WHERE waits = 1 ORDER BY recording, track_sid LIMIT $1";
const WHOLE: &str = "SELECT * FROM recording_tracks WHERE recording = $1 AND track_sid = $2";
const WAITING_OF: &str = "SELECT * FROM recording_pieces \
     WHERE recording = $1 AND track_sid = $2 AND waits = 1 ORDER BY epoch";
const ADD_UNUSED: &str = "INSERT INTO unused_objects (object, since, doomed) VALUES ($1, $2, 0) \
     ON CONFLICT (object) DO NOTHING";
const USE: &str = "DELETE FROM unused_objects WHERE object = $1 AND doomed = 0";
const POINT: &str = "UPDATE recording_tracks SET epoch = $4, began = $5, duration_ms = $6, \
     bytes = $7, sha256 = $8, object = $9, gaps = $10 \
     WHERE recording = $1 AND track_sid = $2 AND object = $3";
const TAKEN_IN: &str = "UPDATE recording_pieces SET waits = 0 \
     WHERE recording = $1 AND track_sid = $2 AND epoch = $3";
const DOOM: &str = "UPDATE unused_objects SET doomed = 1 WHERE since < $1 AND doomed = 0";
const DOOMED: &str = "SELECT object FROM unused_objects WHERE doomed = 1 ORDER BY object LIMIT $1";
const FORGET: &str = "DELETE FROM unused_objects WHERE object = $1 AND doomed = 1";

impl Database {
    /// Tracks with pieces that wait to be put together.
    pub async fn tracks_in_pieces(
        &self,
        limit: u32,
    ) -> Result<Vec<(RecordingId, TrackSid)>, DatabaseError> {
        self.call(async {
            let rows = self.store.rows(WAITING, &[Value::Integer(limit.into())]).await?;
            rows.iter().map(|row| Ok((row.parse("recording")?, row.parse("track_sid")?))).collect()
        })
        .await
    }

    /// What a track consists of; `None` when nothing of it waits.
    pub async fn pieces_of(
        &self,
        id: RecordingId,
        sid: TrackSid,
    ) -> Result<Option<Pieces>, DatabaseError> {
        self.call(async {
            let (id, sid) = (id.to_string(), sid.to_string());
            let ids = [Value::Text(&id), Value::Text(&sid)];
            // In this order: what is taken in meanwhile is in the file and waits, too, and whoever
            // then tries to replace the file is refused or does it twice.
            let waiting = self.store.rows(WAITING_OF, &ids).await?;
            let Some(whole) = self.store.row(WHOLE, &ids).await? else { return Ok(None) };
            let waiting: Vec<_> = waiting.iter().map(rows::file_of).collect::<Result<_, _>>()?;
            let whole = rows::track_of(&whole)?;
            Ok((!waiting.is_empty()).then_some(Pieces { whole, waiting }))
        })
        .await
    }

    /// An object is about to be stored that nothing points to.
    pub async fn add_unused_object(
        &self,
        object: &str,
        at: UnixMicros,
    ) -> Result<(), DatabaseError> {
        self.call(async {
            self.store.change(ADD_UNUSED, &[Value::Text(object), integer(at.0)?]).await.map(drop)
        })
        .await
    }

    /// The track's file is `file` from now on, into which went what `pieces` said. Says whether it
    /// is: not when somebody else was faster, or took so long that the object was given up.
    pub async fn put_together(
        &self,
        id: RecordingId,
        pieces: &Pieces,
        file: &TrackFile,
        at: UnixMicros,
    ) -> Result<bool, DatabaseError> {
        self.call(async {
            let (id, sid) = (id.to_string(), pieces.whole.sid.to_string());
            let (id, sid) = (Value::Text(&id), Value::Text(&sid));
            let Value::Text(recording) = id else { return Ok(false) };
            let old = &pieces.whole.file;
            let mut transaction = self.store.begin().await?;
            let is_there = hold(&mut transaction, recording, file).await?;
            if !is_there || transaction.change(USE, &[Value::Text(&file.object)]).await? == 0 {
                return Ok(false);
            }
            let gaps = gaps_text(file)?;
            let values = [
                id,
                sid,
                Value::Text(&old.object),
                integer(file.epoch.0)?,
                integer(file.began.0)?,
                integer(file.duration_ms)?,
                integer(file.bytes)?,
                Value::Bytes(&file.sha256),
                Value::Text(&file.object),
                Value::Text(&gaps),
            ];
            if transaction.change(POINT, &values).await? == 0 {
                return Ok(false);
            }
            for piece in &pieces.waiting {
                transaction.change(TAKEN_IN, &[id, sid, integer(piece.epoch.0)?]).await?;
            }
            for unused in pieces.waiting.iter().chain([old]) {
                let values = [Value::Text(&unused.object), integer(at.0)?];
                transaction.change(ADD_UNUSED, &values).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Objects that have been unused since before `before`. Nobody uses one of these any more.
    pub async fn doomed_objects(&self, before: UnixMicros) -> Result<Vec<String>, DatabaseError> {
        self.call(async {
            self.store.change(DOOM, &[integer(before.0)?]).await?;
            let limit = Value::Integer(UNUSED_LISTED_MAX.into());
            let rows = self.store.rows(DOOMED, &[limit]).await?;
            rows.iter().map(|row| row.get("object")).collect()
        })
        .await
    }

    /// A doomed object is gone from the store.
    pub async fn forget_object(&self, object: &str) -> Result<(), DatabaseError> {
        self.call(async { self.store.change(FORGET, &[Value::Text(object)]).await.map(drop) }).await
    }
}
