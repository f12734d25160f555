//! The files of a recording.

use proto::ids::{Epoch, Identity, ParticipantSid, TrackSid};
use serde::{Deserialize, Serialize};

use crate::{
    Database, DatabaseError, RecordingId,
    limits::TRACKS_MAX,
    store::{Value, integer},
};

/// One track's file. It is in the object store by the time it is written here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackRow {
    pub sid: TrackSid,
    pub participant: ParticipantSid,
    pub identity: Identity,
    /// The participant's name, for people. May be empty.
    pub name: String,
    /// From the recording's start to the file's first sound.
    pub start_ms: u64,
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

/// Locks the recording's row, so that no higher epoch is granted until the track is written.
const HOLD: &str = "UPDATE recordings SET epoch = epoch \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing')";
const COUNT: &str =
    "SELECT COUNT(*) AS count FROM recording_tracks WHERE recording = $1 AND track_sid <> $2";
const PUT: &str = "INSERT INTO recording_tracks (recording, track_sid, epoch, participant_sid, \
     identity, name, start_ms, duration_ms, bytes, sha256, object, gaps) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
     ON CONFLICT (recording, track_sid) DO UPDATE SET epoch = excluded.epoch, \
     participant_sid = excluded.participant_sid, identity = excluded.identity, \
     name = excluded.name, start_ms = excluded.start_ms, duration_ms = excluded.duration_ms, \
     bytes = excluded.bytes, sha256 = excluded.sha256, object = excluded.object, \
     gaps = excluded.gaps";

impl Database {
    /// Writes down a track's file, in place of what was written of it before. Says whether it was:
    /// not when the recording is held under a higher epoch, or over.
    pub async fn put_track(
        &self,
        id: RecordingId,
        epoch: Epoch,
        track: &TrackRow,
    ) -> Result<bool, DatabaseError> {
        self.call(async {
            let (id, epoch) = (id.to_string(), integer(epoch.0)?);
            let (sid, participant) = (track.sid.to_string(), track.participant.to_string());
            let gaps =
                serde_json::to_string(&track.gaps).map_err(|_| DatabaseError::Content("gaps"))?;
            let mut transaction = self.store.begin().await?;
            if transaction.change(HOLD, &[Value::Text(&id), epoch]).await? == 0 {
                return Ok(false);
            }
            let others = transaction.row(COUNT, &[Value::Text(&id), Value::Text(&sid)]).await?;
            let others = others.map(|row| row.integer("count")).transpose()?.unwrap_or_default();
            if others >= TRACKS_MAX {
                return Err(DatabaseError::Full("tracks of a recording"));
            }
            let values = [
                Value::Text(&id),
                Value::Text(&sid),
                epoch,
                Value::Text(&participant),
                Value::Text(track.identity.as_str()),
                Value::Text(&track.name),
                integer(track.start_ms)?,
                integer(track.duration_ms)?,
                integer(track.bytes)?,
                Value::Bytes(&track.sha256),
                Value::Text(&track.object),
                Value::Text(&gaps),
            ];
            transaction.change(PUT, &values).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}
