//! What the database is asked and told. No answer is an answer, too: nothing here waits for long.

use std::sync::{Arc, OnceLock};

use proto::{
    ids::{Epoch, NodeId, RoomName, TrackSid},
    link::UnixMicros,
};
use recorder_core::Gaps;
use service::clock::unix_micros;
use storage_database::{
    DatabaseError, Gap, Kept, Progress, RecordingId, RecordingJob, RecordingStatus, Renewal,
    TrackFile, TrackRow,
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
    /// Nobody else worked on it since an earlier life of this node did.
    pub(crate) is_continued: bool,
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

impl Job {
    fn new(job: RecordingJob, node: &NodeId) -> Self {
        let is_finalizing = job.status != RecordingStatus::Recording;
        let is_over = job.stop_requested || is_finalizing;
        let started = job.started_at.map(OnceLock::from).unwrap_or_default();
        let started = Arc::new(started);
        let is_continued = job.previous.is_none_or(|previous| previous.node == *node);
        let (id, room, epoch) = (job.id, job.room, job.epoch);
        Self { id, room, epoch, is_over, is_finalizing, is_continued, started }
    }
}

/// Takes up a recording that nobody works on.
pub(crate) async fn claim(shared: &Shared) -> Option<Job> {
    let now = unix_micros();
    let until = lease_from(now);
    match shared.parts.database.claim_recording(&shared.owner, now, until).await {
        Ok(job) => job.map(|job| Job::new(job, &shared.owner.node)),
        Err(error) if error.is_unavailable() => None,
        Err(error) => {
            error!(%error, "the database could not be asked for recordings");
            None
        }
    }
}

/// Keeps the recording ours; `None` when the database doesn't answer.
pub(crate) async fn renew(
    shared: &Shared,
    job: &Job,
    progress: Option<&Progress>,
) -> Option<Standing> {
    let until = lease_from(unix_micros());
    let database = &shared.parts.database;
    match database.renew_recording(job.id, job.epoch, until, progress).await {
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

/// Lets somebody take up a recording at once. Without the database its lease runs out.
pub(crate) async fn release(shared: &Shared, id: RecordingId, epoch: Epoch) {
    if let Err(error) = shared.parts.database.release_recording(id, epoch).await {
        warn!(recording = %id, %error, "a recording was not given back");
    }
}

/// Ends a recording at which its task has panicked too often; what is in the spool is brought all
/// the same. Says whether that was written.
pub(crate) async fn give_up(shared: &Shared, id: RecordingId, epoch: Epoch) -> bool {
    let reason = "The recorder failed at it again and again: its log says why.";
    let failed = shared.parts.database.fail_recording(id, epoch, reason).await;
    if let Err(error) = &failed {
        warn!(recording = %id, %error, "a recording was not given up");
    }
    failed.is_ok()
}

/// Who is to bring what the spool has of a recording to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bringer {
    /// Whoever works on it, which is going to be this node.
    Session,
    /// It is another's, or over: what lies here is added.
    Leftovers,
    /// There is no such recording.
    Nobody,
}

/// Whose a recording is that has a folder in the spool; `None` when nobody knows.
pub(crate) async fn bringer(shared: &Shared, id: RecordingId) -> Option<Bringer> {
    let Some(found) = shared.parts.database.recording(id).await.ok()? else {
        return Some(Bringer::Nobody);
    };
    let is_over = match found.status {
        RecordingStatus::Recording | RecordingStatus::Finalizing => false,
        RecordingStatus::Available | RecordingStatus::Failed => true,
    };
    let is_ours = found.recorder.is_none_or(|owner| owner.node == shared.owner.node);
    Some(if is_ours && !is_over { Bringer::Session } else { Bringer::Leftovers })
}

/// Writes down where a track's file is stored. Says whether it waits to be put together with
/// another.
pub(crate) async fn keep_track(
    shared: &Shared,
    id: RecordingId,
    track: &FinishedTrack,
    key: &Key,
    sum: Sha256,
) -> Result<bool, Answer> {
    let Some(row) = row(track, key, sum) else {
        error!(track = %track.sid, "a track's journal names nobody");
        return Err(Answer::Impossible);
    };
    match shared.parts.database.keep_track(id, &row).await {
        Ok(Kept::Whole) => Ok(false),
        Ok(Kept::Waits) => Ok(true),
        Ok(Kept::Refused) => Err(Answer::Refused),
        Err(error) => Err(answer(Err(error))),
    }
}

/// Whether an earlier life has brought this file; `None` when nobody knows.
pub(crate) async fn is_kept(
    shared: &Shared,
    id: RecordingId,
    sid: TrackSid,
    epoch: Epoch,
) -> Option<bool> {
    shared.parts.database.has_piece(id, sid, epoch).await.ok()
}

fn row(track: &FinishedTrack, key: &Key, sum: Sha256) -> Option<TrackRow> {
    Some(TrackRow {
        sid: track.sid,
        participant: track.about.participant.parse().ok()?,
        identity: track.about.identity.parse().ok()?,
        name: track.about.name.clone(),
        file: TrackFile {
            epoch: track.about.epoch(),
            began: track.about.began(),
            duration_ms: track.samples / SAMPLES_PER_MS,
            bytes: track.bytes,
            sha256: sum.to_bytes(),
            object: key.as_str().to_owned(),
            gaps: gaps_of(&track.gaps),
        },
    })
}

/// Gaps as rows have them.
pub(crate) fn gaps_of(gaps: &Gaps) -> Vec<Gap> {
    let gaps = gaps.listed().iter().map(|gap| Gap {
        start_ms: gap.start_ms(),
        duration_ms: gap.duration_ms(),
        reason: gap.reason.as_str().to_owned(),
    });
    gaps.collect()
}

pub(crate) fn answer(said: Result<bool, DatabaseError>) -> Answer {
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
