//! The files of a recording.
//!
//! A track has one file, and mostly one recorder wrote it. Where several did, each in its time,
//! every one's piece is kept under the epoch in which it began, and waits until somebody has put
//! it together with what there is: see [`super::pieces`].

use proto::{
    ids::{Epoch, Identity, ParticipantSid, TrackSid},
    link::UnixMicros,
};
use serde::{Deserialize, Serialize};

use crate::{
    Database, DatabaseError, RecordingId,
    limits::{PIECES_MAX, TRACKS_MAX},
    store::{Transaction, Value, integer},
};

/// One track and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackRow {
    pub sid: TrackSid,
    pub participant: ParticipantSid,
    pub identity: Identity,
    /// The participant's name, for people. May be empty.
    pub name: String,
    pub file: TrackFile,
}

/// A file of sound. It is in the object store by the time it is written here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFile {
    /// Under which a recorder began it; the highest of a file that was put together.
    pub epoch: Epoch,
    /// When its first sound came.
    pub began: UnixMicros,
    pub duration_ms: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Its key in the object store.
    pub object: String,
    pub gaps: Vec<Gap>,
}

/// Where a file holds silence instead of what was said, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// From the file's start.
    pub start_ms: u64,
    pub duration_ms: u64,
    pub reason: String,
}

/// What came of keeping a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The track's row holds all of it.
    Whole,
    /// The track has another file: this one waits to be put together with it.
    Waits,
    /// There is no such recording, or the epoch was never granted.
    Refused,
}

/// Locks the recording's row, so that who keeps and who puts together take turns. What is heard
/// of a recording can't come before its start.
const HOLD: &str = "UPDATE recordings SET started_at = \
     CASE WHEN started_at IS NULL OR started_at > $3 THEN $3 ELSE started_at END \
     WHERE id = $1 AND epoch >= $2";
const THERE: &str = "SELECT COUNT(CASE WHEN track_sid <> $2 THEN 1 END) AS others, \
     MAX(CASE WHEN track_sid = $2 THEN epoch END) AS epoch, \
     (SELECT COUNT(*) FROM recording_pieces WHERE recording = $1 AND track_sid = $2) AS pieces \
     FROM recording_tracks WHERE recording = $1";
const PUT: &str = "INSERT INTO recording_tracks (recording, track_sid, epoch, participant_sid, \
     identity, name, began, duration_ms, bytes, sha256, object, gaps) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
     ON CONFLICT (recording, track_sid) DO UPDATE SET epoch = excluded.epoch, \
     participant_sid = excluded.participant_sid, identity = excluded.identity, \
     name = excluded.name, began = excluded.began, duration_ms = excluded.duration_ms, \
     bytes = excluded.bytes, sha256 = excluded.sha256, object = excluded.object, \
     gaps = excluded.gaps";
/// The file that is there becomes the first piece. Its sound is in the track's file already.
const SPLIT: &str = "INSERT INTO recording_pieces (recording, track_sid, epoch, began, \
     duration_ms, bytes, sha256, object, gaps, waits) \
     SELECT recording, track_sid, epoch, began, duration_ms, bytes, sha256, object, gaps, 0 \
     FROM recording_tracks WHERE recording = $1 AND track_sid = $2";
const PUT_PIECE: &str = "INSERT INTO recording_pieces (recording, track_sid, epoch, began, \
     duration_ms, bytes, sha256, object, gaps, waits) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1) ON CONFLICT DO NOTHING";
const WAITS: &str = "SELECT waits FROM recording_pieces \
     WHERE recording = $1 AND track_sid = $2 AND epoch = $3";

impl Database {
    /// Keeps a track's file. Said again, a file of the same epoch is the same, and the last word
    /// on it counts as long as the track has no other.
    pub async fn keep_track(
        &self,
        id: RecordingId,
        track: &TrackRow,
    ) -> Result<Kept, DatabaseError> {
        self.call(async {
            let (id, sid) = (id.to_string(), track.sid.to_string());
            let ids = [Value::Text(&id), Value::Text(&sid)];
            let mut transaction = self.store.begin().await?;
            if !hold(&mut transaction, &id, &track.file).await? {
                return Ok(Kept::Refused);
            }
            let Some(there) = transaction.row(THERE, &ids).await? else {
                return Err(DatabaseError::Content("no count"));
            };
            if there.integer("others")? >= TRACKS_MAX {
                return Err(DatabaseError::Full("tracks of a recording"));
            }
            let pieces = there.integer("pieces")?;
            let epoch = there.maybe_integer("epoch")?.map(Epoch);
            if pieces == 0 && epoch.is_none_or(|epoch| epoch == track.file.epoch) {
                put(&mut transaction, &id, track).await?;
                transaction.commit().await?;
                return Ok(Kept::Whole);
            }
            if pieces == 0 {
                transaction.change(SPLIT, &ids).await?;
            }
            if pieces >= PIECES_MAX {
                return Err(DatabaseError::Full("pieces of a track"));
            }
            let kept = put_piece(&mut transaction, ids, &track.file).await?;
            transaction.commit().await?;
            Ok(kept)
        })
        .await
    }

    /// Whether a file of this epoch was kept before.
    pub async fn has_piece(
        &self,
        id: RecordingId,
        sid: TrackSid,
        epoch: Epoch,
    ) -> Result<bool, DatabaseError> {
        self.call(async {
            let (id, sid) = (id.to_string(), sid.to_string());
            let values = [Value::Text(&id), Value::Text(&sid), integer(epoch.0)?];
            Ok(self.store.row(WAITS, &values).await?.is_some())
        })
        .await
    }
}

/// Has others wait who would change the recording's files; says whether there is one to change.
pub(super) async fn hold(
    transaction: &mut Transaction,
    id: &str,
    file: &TrackFile,
) -> Result<bool, DatabaseError> {
    let values = [Value::Text(id), integer(file.epoch.0)?, integer(file.began.0)?];
    Ok(transaction.change(HOLD, &values).await? == 1)
}

async fn put(
    transaction: &mut Transaction,
    id: &str,
    track: &TrackRow,
) -> Result<(), DatabaseError> {
    let (sid, participant) = (track.sid.to_string(), track.participant.to_string());
    let gaps = gaps_text(&track.file)?;
    let values = [
        Value::Text(id),
        Value::Text(&sid),
        integer(track.file.epoch.0)?,
        Value::Text(&participant),
        Value::Text(track.identity.as_str()),
        Value::Text(&track.name),
        integer(track.file.began.0)?,
        integer(track.file.duration_ms)?,
        integer(track.file.bytes)?,
        Value::Bytes(&track.file.sha256),
        Value::Text(&track.file.object),
        Value::Text(&gaps),
    ];
    transaction.change(PUT, &values).await.map(drop)
}

async fn put_piece(
    transaction: &mut Transaction,
    [id, sid]: [Value<'_>; 2],
    file: &TrackFile,
) -> Result<Kept, DatabaseError> {
    let (epoch, gaps) = (integer(file.epoch.0)?, gaps_text(file)?);
    let values = [
        id,
        sid,
        epoch,
        integer(file.began.0)?,
        integer(file.duration_ms)?,
        integer(file.bytes)?,
        Value::Bytes(&file.sha256),
        Value::Text(&file.object),
        Value::Text(&gaps),
    ];
    transaction.change(PUT_PIECE, &values).await?;
    let row = transaction.row(WAITS, &[id, sid, epoch]).await?;
    let waits = row.map(|row| row.integer("waits")).transpose()?;
    Ok(if waits == Some(0) { Kept::Whole } else { Kept::Waits })
}

pub(super) fn gaps_text(file: &TrackFile) -> Result<String, DatabaseError> {
    serde_json::to_string(&file.gaps).map_err(|_| DatabaseError::Content("gaps"))
}
