//! What the database is asked and told. No answer is an answer, too: nothing here waits for long.

use std::sync::{Arc, OnceLock};

use proto::{
    ids::{Epoch, RoomName},
    link::UnixMicros,
};
use service::clock::unix_micros;
use storage_database::{
    DatabaseError, Gap, RecordingId, RecordingJob, RecordingStatus, Renewal, TrackRow,
};
use storage_objects::{Key, Sha256};
use tracing::{error, warn};

use crate::{
    Shared,
    limits::LEASE,
    session::Standing,
    spool::{FinishedTrack, SAMPLES_PER_MS},
};

/// A recording that is ours to make.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: RecordingId,
    pub(crate) room: RoomName,
    pub(crate) epoch: Epoch,
    /// Nothing more is to be heard, only stored.
    pub(crate) is_over: bool,
    /// An earlier life has said so.
    pub(crate) is_finalizing: bool,
    /// When listening began, by the clock of the room's owner: what tracks' starts count from.
    pub(crate) started: Arc<OnceLock<UnixMicros>>,
}

/// What came of telling the database something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The recording is another's, or over.
    Refused,
    /// It can't be asked at the moment.
    Later,
    /// It won't ever take this.
    Impossible,
}

impl From<RecordingJob> for Job {
    fn from(job: RecordingJob) -> Self {
        let is_finalizing = job.status != RecordingStatus::Recording;
        let is_over = job.stop_requested || is_finalizing;
        let started = job.started_at.map(OnceLock::from).unwrap_or_default();
        let started = Arc::new(started);
        Self { id: job.id, room: job.room, epoch: job.epoch, is_over, is_finalizing, started }
    }
}

/// Takes up a recording that nobody works on.
pub(crate) async fn claim(shared: &Shared) -> Option<Job> {
    let now = unix_micros();
    let until = lease_from(now);
    match shared.parts.database.claim_recording(&shared.owner, now, until).await {
        Ok(job) => job.map(Job::from),
        Err(error) if error.is_unavailable() => None,
        Err(error) => {
            error!(%error, "the database could not be asked for recordings");
            None
        }
    }
}

/// Keeps the recording ours; `None` when the database doesn't answer.
pub(crate) async fn renew(shared: &Shared, job: &Job) -> Option<Standing> {
    let until = lease_from(unix_micros());
    match shared.parts.database.renew_recording(job.id, job.epoch, until).await {
        Ok(Renewal::Held { stop_requested: false }) => Some(Standing::Held),
        Ok(Renewal::Held { stop_requested: true }) => Some(Standing::Stopped),
        Ok(Renewal::Lost) => Some(Standing::Taken),
        Err(error) => {
            warn!(%error, "a recording's lease could not be renewed; recording goes on");
            None
        }
    }
}

pub(crate) async fn set_started(shared: &Shared, job: &Job, at: UnixMicros) -> Answer {
    let said = shared.parts.database.set_started(job.id, job.epoch, at).await;
    // No change means that it is there already.
    answer(said.map(|_| true))
}

pub(crate) async fn set_ended(shared: &Shared, job: &Job, at: UnixMicros) -> Answer {
    answer(shared.parts.database.set_ended(job.id, job.epoch, at).await)
}

/// Moves the recording's status on. A move that was made before counts as made.
pub(crate) async fn advance(
    shared: &Shared,
    job: &Job,
    from: RecordingStatus,
    to: RecordingStatus,
) -> Answer {
    let database = &shared.parts.database;
    let moved = match database.set_status(job.id, job.epoch, from, to).await {
        Ok(false) => database.recording(job.id).await.map(|recording| {
            recording.is_some_and(|one| one.status == to && one.epoch == job.epoch)
        }),
        other => other,
    };
    answer(moved)
}

pub(crate) async fn fail(shared: &Shared, job: &Job, reason: &str) -> Answer {
    answer(shared.parts.database.fail_recording(job.id, job.epoch, reason).await)
}

/// Whether a recording is available with all of these tracks; `None` when nobody knows.
pub(crate) async fn is_available(
    shared: &Shared,
    id: RecordingId,
    tracks: &[FinishedTrack],
) -> Option<bool> {
    let recording = shared.parts.database.recording(id).await.ok()?;
    Some(recording.is_some_and(|one| {
        one.status == RecordingStatus::Available
            && tracks.iter().all(|track| {
                one.tracks.iter().any(|row| row.sid == track.sid && row.bytes == track.bytes)
            })
    }))
}

/// Writes down where a track is stored.
pub(crate) async fn put_track(
    shared: &Shared,
    job: &Job,
    track: &FinishedTrack,
    key: &Key,
    sum: Sha256,
) -> Answer {
    let Some(row) = row(job, track, key, sum) else {
        error!(track = %track.sid, "a track's journal names nobody");
        return Answer::Impossible;
    };
    answer(shared.parts.database.put_track(job.id, job.epoch, &row).await)
}

fn row(job: &Job, track: &FinishedTrack, key: &Key, sum: Sha256) -> Option<TrackRow> {
    let started = job.started.get().copied().unwrap_or(track.about.began());
    let start = track.about.began().0.saturating_sub(started.0);
    let gaps = track.gaps.listed().iter().map(|gap| Gap {
        start_ms: gap.start_ms(),
        duration_ms: gap.duration_ms(),
        reason: gap.reason.as_str().to_owned(),
    });
    Some(TrackRow {
        sid: track.sid,
        participant: track.about.participant.parse().ok()?,
        identity: track.about.identity.parse().ok()?,
        name: track.about.name.clone(),
        start_ms: start / 1_000,
        duration_ms: track.samples / SAMPLES_PER_MS,
        bytes: track.bytes,
        sha256: sum.to_bytes(),
        object: key.as_str().to_owned(),
        gaps: gaps.collect(),
    })
}

fn answer(said: Result<bool, DatabaseError>) -> Answer {
    match said {
        Ok(true) => Answer::Done,
        Ok(false) => Answer::Refused,
        Err(error) if error.is_unavailable() => Answer::Later,
        Err(error) => {
            error!(%error, "the database refuses what a recording is");
            Answer::Impossible
        }
    }
}

fn lease_from(now: UnixMicros) -> UnixMicros {
    let lease = u64::try_from(LEASE.as_micros()).unwrap_or_default();
    UnixMicros(now.0.saturating_add(lease))
}
