//! What the rows of recordings and their tracks say.

use proto::{ids::Epoch, link::UnixMicros, pool::Owner};

use super::{Recording, RecordingStatus, TrackFile, TrackRow, progress};
use crate::{DatabaseError, store::Row};

/// Reads a recording, yet without its tracks.
pub(super) fn recording_of(row: &Row) -> Result<Recording, DatabaseError> {
    let time = |column| Ok::<_, DatabaseError>(row.maybe_integer(column)?.map(UnixMicros));
    Ok(Recording {
        id: row.parse("id")?,
        room: row.parse("room")?,
        requested_by: row.parse("requested_by")?,
        consent: row.get::<i64>("consent")? != 0,
        status: status_of(row)?,
        failure: row.get("failure")?,
        created_at: UnixMicros(row.integer("created_at")?),
        started_at: time("started_at")?,
        ended_at: time("ended_at")?,
        stop_requested_at: time("stop_requested_at")?,
        epoch: Epoch(row.integer("epoch")?),
        recorder: recorder_of(row)?,
        lease_until: time("lease_until")?,
        tracks: Vec::new(),
        progress: progress::of(row)?,
    })
}

fn status_of(row: &Row) -> Result<RecordingStatus, DatabaseError> {
    match row.get::<String>("status")?.as_str() {
        "recording" => Ok(RecordingStatus::Recording),
        "finalizing" => Ok(RecordingStatus::Finalizing),
        "available" => Ok(RecordingStatus::Available),
        "failed" => Ok(RecordingStatus::Failed),
        _ => Err(DatabaseError::Content("a status")),
    }
}

fn recorder_of(row: &Row) -> Result<Option<Owner>, DatabaseError> {
    if row.get::<Option<String>>("recorder_node")?.is_none() {
        return Ok(None);
    }
    let (node, boot) = (row.parse("recorder_node")?, row.parse("recorder_boot")?);
    Ok(Some(Owner { node, boot }))
}

pub(super) fn track_of(row: &Row) -> Result<TrackRow, DatabaseError> {
    Ok(TrackRow {
        sid: row.parse("track_sid")?,
        participant: row.parse("participant_sid")?,
        identity: row.parse("identity")?,
        name: row.get("name")?,
        file: file_of(row)?,
    })
}

/// Reads a track's file, or a piece of one.
pub(super) fn file_of(row: &Row) -> Result<TrackFile, DatabaseError> {
    let gaps: String = row.get("gaps")?;
    Ok(TrackFile {
        epoch: Epoch(row.integer("epoch")?),
        began: UnixMicros(row.integer("began")?),
        duration_ms: row.integer("duration_ms")?,
        bytes: row.integer("bytes")?,
        sha256: row.digest("sha256")?,
        object: row.get("object")?,
        gaps: serde_json::from_str(&gaps).map_err(|_| DatabaseError::Content("gaps"))?,
    })
}
