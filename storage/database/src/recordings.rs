//! Recordings: what was asked for, which recorder works on it, what came of it.
//!
//! A recording is a job that one recorder holds under an epoch of its own, for as long as it renews
//! its lease. Whoever claims it next gets a higher epoch, and then nothing the earlier one writes
//! counts. Leases are compared with the caller's clock: recorders' clocks must agree within a
//! lease, or a job changes hands too early, which costs a seam and is no harm to what was written.

mod jobs;
mod pieces;
mod progress;
mod rows;
mod tracks;

use proto::{
    ids::{Epoch, Identity, RoomName},
    link::UnixMicros,
    pool::Owner,
};

pub use self::{
    jobs::{RecordingJob, Renewal},
    pieces::Pieces,
    progress::{Progress, TrackProgress},
    tracks::{Gap, Kept, TrackFile, TrackRow},
};
use crate::{
    Database, DatabaseError, RecordingId,
    limits::PAGE_MAX,
    store::{Value, integer},
};

/// What is needed to begin a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecording {
    pub id: RecordingId,
    pub room: RoomName,
    pub requested_by: Identity,
    /// Whether the requester states that everybody in the room agreed.
    pub consent: bool,
    pub at: UnixMicros,
}

/// What came of asking for a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingCreation {
    Created,
    /// The room is being recorded already, as this. Whoever asks again after a lost answer, too.
    Running(Box<Recording>),
}

/// One recording with its tracks, by their start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub id: RecordingId,
    pub room: RoomName,
    pub requested_by: Identity,
    pub consent: bool,
    pub status: RecordingStatus,
    /// Why it failed, in a sentence.
    pub failure: Option<String>,
    pub created_at: UnixMicros,
    /// When the recorder began to listen; what starts of tracks count from.
    pub started_at: Option<UnixMicros>,
    pub ended_at: Option<UnixMicros>,
    pub stop_requested_at: Option<UnixMicros>,
    /// Of its job; 0 while no recorder has claimed it.
    pub epoch: Epoch,
    pub recorder: Option<Owner>,
    pub lease_until: Option<UnixMicros>,
    pub tracks: Vec<TrackRow>,
    /// What its recorder is writing, as it last said. Empty once all of it is stored.
    pub progress: Progress,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingStatus {
    Recording,
    /// It has ended; its files are on their way to the object store.
    Finalizing,
    Available,
    Failed,
}

const CREATE: &str = "INSERT INTO recordings \
     (id, room, requested_by, consent, status, created_at) \
     VALUES ($1, $2, $3, $4, 'recording', $5) ON CONFLICT DO NOTHING";
const RUNNING: &str = "SELECT * FROM recordings \
     WHERE room = $1 AND status = 'recording' AND stop_requested_at IS NULL";
const ONE: &str = "SELECT * FROM recordings WHERE id = $1";
const TRACKS_OF_ONE: &str =
    "SELECT * FROM recording_tracks WHERE recording = $1 ORDER BY began, track_sid";
const PAGE: &str = "SELECT * FROM recordings WHERE room = $1 AND id > $2 ORDER BY id LIMIT $3";
const TRACKS_OF_PAGE: &str = "SELECT * FROM recording_tracks WHERE recording IN \
     (SELECT id FROM recordings WHERE room = $1 AND id > $2 ORDER BY id LIMIT $3) \
     ORDER BY recording, began, track_sid";
const STOP: &str = "UPDATE recordings SET stop_requested_at = $2 \
     WHERE id = $1 AND status = 'recording' AND stop_requested_at IS NULL";

impl Database {
    /// Asks for a recording of a room, unless it is being recorded already.
    pub async fn create_recording(
        &self,
        new: &NewRecording,
    ) -> Result<RecordingCreation, DatabaseError> {
        self.call(async {
            let (id, room) = (new.id.to_string(), Value::Text(new.room.as_str()));
            let values = [
                Value::Text(&id),
                room,
                Value::Text(new.requested_by.as_str()),
                Value::Integer(new.consent.into()),
                integer(new.at.0)?,
            ];
            if self.store.change(CREATE, &values).await? == 1 {
                return Ok(RecordingCreation::Created);
            }
            match self.store.row(RUNNING, &[room]).await? {
                Some(row) => {
                    let running = rows::recording_of(&row)?;
                    Ok(RecordingCreation::Running(Box::new(self.with_tracks(running).await?)))
                }
                // It was there a moment ago: asking again creates one.
                None => Err(DatabaseError::Late),
            }
        })
        .await
    }

    /// Returns the recording, if there is one.
    pub async fn recording(&self, id: RecordingId) -> Result<Option<Recording>, DatabaseError> {
        self.call(async {
            let Some(row) = self.store.row(ONE, &[Value::Text(&id.to_string())]).await? else {
                return Ok(None);
            };
            Ok(Some(self.with_tracks(rows::recording_of(&row)?).await?))
        })
        .await
    }

    async fn with_tracks(&self, mut recording: Recording) -> Result<Recording, DatabaseError> {
        let id = recording.id.to_string();
        for row in self.store.rows(TRACKS_OF_ONE, &[Value::Text(&id)]).await? {
            recording.tracks.push(rows::track_of(&row)?);
        }
        Ok(recording)
    }

    /// The recordings of a room, oldest first, that were asked for after `after`.
    pub async fn recordings_of(
        &self,
        room: &RoomName,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<Recording>, DatabaseError> {
        self.call(async {
            let after = after.map(|id| id.to_string()).unwrap_or_default();
            let limit = Value::Integer(limit.min(PAGE_MAX).into());
            let values = [Value::Text(room.as_str()), Value::Text(&after), limit];
            let rows = self.store.rows(PAGE, &values).await?;
            let mut recordings: Vec<Recording> =
                rows.iter().map(rows::recording_of).collect::<Result<_, _>>()?;
            for row in self.store.rows(TRACKS_OF_PAGE, &values).await? {
                let of: RecordingId = row.parse("recording")?;
                // One that came between the two statements has no row yet.
                if let Ok(index) = recordings.binary_search_by_key(&of, |one| one.id)
                    && let Some(recording) = recordings.get_mut(index)
                {
                    recording.tracks.push(rows::track_of(&row)?);
                }
            }
            Ok(recordings)
        })
        .await
    }

    /// Asks the recorder to end. Asking again changes nothing. Returns the recording as it then is.
    pub async fn request_stop(
        &self,
        id: RecordingId,
        at: UnixMicros,
    ) -> Result<Option<Recording>, DatabaseError> {
        self.call(async {
            let values = [Value::Text(&id.to_string()), integer(at.0)?];
            self.store.change(STOP, &values).await.map(drop)
        })
        .await?;
        self.recording(id).await
    }
}

impl Recording {
    /// From its start to what began then, in milliseconds.
    pub fn start_ms(&self, began: UnixMicros) -> u64 {
        let first = || self.tracks.iter().map(|track| track.file.began).min();
        let started = self.started_at.or_else(first).unwrap_or(began);
        began.0.saturating_sub(started.0) / 1_000
    }
}

impl RecordingStatus {
    /// As the API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Finalizing => "finalizing",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }

    /// Whether a recording that is so may become `next`.
    fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Recording, Self::Finalizing | Self::Failed)
            | (Self::Finalizing, Self::Available | Self::Failed) => true,
            (Self::Recording | Self::Finalizing | Self::Available | Self::Failed, _) => false,
        }
    }
}
