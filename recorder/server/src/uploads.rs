//! Brings finished files to the object store, for as long as that takes.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use proto::link::UnixMicros;
use service::clock::now;
use storage_database::{RecordingId, RecordingStatus};
use storage_objects::{Hasher, Key, PutError, Sha256};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};
use tracing::{error, info, warn};

use crate::{
    Shared, joining,
    limits::{RETRY_FIRST, RETRY_MAX, UPLOADS_WAITING_MAX},
    metrics::Outcome,
    rows::{self, Answer, Job},
    session::Lease,
    spool::{self, FinishedTrack, hex},
};

/// What a file of ours is.
const CONTENT_TYPE: &str = "audio/ogg; codecs=opus";

/// Stores tracks one after the other. A store that is gone is tried again, for ever.
#[derive(Debug)]
pub(crate) struct Uploads {
    shared: Arc<Shared>,
    job: Job,
    queue: mpsc::Sender<(FinishedTrack, Instant)>,
    storing: JoinHandle<Stored>,
    /// Tracks that found no place in the queue. Their files stay in the spool.
    refused: usize,
}

/// What came of bringing files to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    All,
    /// Something is missing, and trying again won't help.
    Lost,
    /// The recording is another recorder's, or isn't there.
    Taken,
}

impl Uploads {
    pub(crate) fn start(shared: Arc<Shared>, job: Job) -> Self {
        let (queue, tracks) = mpsc::channel(UPLOADS_WAITING_MAX);
        let storing = tokio::spawn(store_all(Arc::clone(&shared), job.clone(), tracks));
        Self { shared, job, queue, storing, refused: 0 }
    }

    pub(crate) fn add(&mut self, track: FinishedTrack) {
        if self.queue.try_send((track, now())).is_err() {
            error!("a finished track found no place in the queue");
            self.refused += 1;
        }
    }

    /// Leaves what isn't stored to whoever looks after leftovers.
    pub(crate) fn abandon(self) {
        self.storing.abort();
    }

    /// Waits until everything is stored, says so in the recording's row, and empties the spool.
    pub(crate) async fn conclude(self, lease: Lease, ended: UnixMicros, folder: PathBuf) {
        let Self { shared, job, queue, mut storing, refused } = self;
        drop(queue);
        let (recording, finalizing) = (RecordingStatus::Recording, RecordingStatus::Finalizing);
        let is_finalizing = (job.is_finalizing
            || retry(&shared, &lease, || rows::set_ended(&shared, &job, ended)).await)
            && retry(&shared, &lease, || rows::advance(&shared, &job, recording, finalizing)).await;
        let stored = tokio::select! {
            stored = &mut storing, if is_finalizing => stored.unwrap_or(Stored::Lost),
            // The next start finds the files.
            () = shared.shutdown.requested() => Stored::Taken,
            else => Stored::Taken,
        };
        match stored {
            Stored::All if refused > 0 => {
                let reason = "too many tracks ended at once: some files are in the spool only";
                retry(&shared, &lease, || rows::fail(&shared, &job, reason)).await;
            }
            Stored::Taken => storing.abort(),
            Stored::Lost => {
                let reason = "a file could not be stored: the recorder's log says why";
                retry(&shared, &lease, || rows::fail(&shared, &job, reason)).await;
            }
            Stored::All => {
                let to = RecordingStatus::Available;
                if retry(&shared, &lease, || rows::advance(&shared, &job, finalizing, to)).await {
                    info!("the recording is available");
                    remove(folder, &shared).await;
                }
            }
        }
    }
}

/// Removes a folder from the spool.
pub(crate) async fn remove(folder: PathBuf, shared: &Shared) {
    let usage = shared.usage.clone();
    let removed = spawn_blocking(move || spool::remove(&folder, &usage)).await;
    if let Err(error) = removed.map_err(io::Error::other).flatten() {
        warn!(%error, "a spool folder could not be removed");
    }
}

/// Asks until there is an answer; returns whether it was yes.
async fn retry<F: Future<Output = Answer>>(
    shared: &Shared,
    lease: &Lease,
    ask: impl Fn() -> F,
) -> bool {
    let mut pause = Pause::default();
    loop {
        match ask().await {
            Answer::Done => return true,
            Answer::Refused | Answer::Impossible => return false,
            Answer::Later => {}
        }
        if lease.is_taken() || shared.shutdown.is_requested() {
            return false;
        }
        sleep(pause.next()).await;
    }
}

async fn store_all(
    shared: Arc<Shared>,
    job: Job,
    mut tracks: mpsc::Receiver<(FinishedTrack, Instant)>,
) -> Stored {
    let mut result = Stored::All;
    while let Some((track, ended)) = tracks.recv().await {
        match store(&shared, job.id, &track).await {
            Stored::All => {
                shared.metrics.observe_upload_age(now().saturating_duration_since(ended))
            }
            Stored::Lost => result = Stored::Lost,
            Stored::Taken => return Stored::Taken,
        }
    }
    result
}

/// Brings one file to the store and its row, for as long as that takes. May be done again.
pub(crate) async fn store(shared: &Shared, id: RecordingId, track: &FinishedTrack) -> Stored {
    let stored = match bring(shared, id, track).await {
        Ok(false) => Stored::All,
        Ok(true) => {
            joining::join(shared, id, track.sid).await;
            Stored::All
        }
        Err(stored) => stored,
    };
    match stored {
        Stored::All => shared.metrics.count_upload(Outcome::Stored),
        Stored::Lost => shared.metrics.count_upload(Outcome::Lost),
        Stored::Taken => {}
    }
    stored
}

/// Stores a file; says whether it waits to be put together with another.
async fn bring(shared: &Shared, id: RecordingId, track: &FinishedTrack) -> Result<bool, Stored> {
    if track.was_there && is_kept(shared, id, track).await {
        // Its object may be gone already, for the track's file holds it.
        return Ok(true);
    }
    let Some(key) = key_of(id, track) else {
        error!("a recording's id is no part of a key");
        return Err(Stored::Lost);
    };
    let Some(sum) = sum_of(&track.path).await else { return Err(Stored::Lost) };
    put(shared, &key, &track.path, sum).await?;
    let mut pause = Pause::default();
    loop {
        match rows::keep_track(shared, id, track, &key, sum).await {
            Ok(waits) => return Ok(waits),
            Err(Answer::Later) => sleep(pause.next()).await,
            Err(Answer::Refused) => return Err(Stored::Taken),
            Err(Answer::Done | Answer::Impossible) => return Err(Stored::Lost),
        }
    }
}

async fn is_kept(shared: &Shared, id: RecordingId, track: &FinishedTrack) -> bool {
    let mut pause = Pause::default();
    loop {
        match rows::is_kept(shared, id, track.sid, track.about.epoch()).await {
            Some(is_kept) => return is_kept,
            None => sleep(pause.next()).await,
        }
    }
}

/// Stores a file under a key, for as long as that takes.
pub(crate) async fn put(
    shared: &Shared,
    key: &Key,
    path: &Path,
    sum: Sha256,
) -> Result<(), Stored> {
    let mut pause = Pause::default();
    loop {
        match shared.parts.objects.put_file(key, path, CONTENT_TYPE, sum).await {
            Ok(()) => return Ok(()),
            Err(PutError::Store(error)) => {
                shared.metrics.count_upload(Outcome::Retried);
                warn!(%error, "a track isn't stored yet; it is tried again");
            }
            Err(error @ (PutError::Taken | PutError::Mismatch | PutError::Source(_))) => {
                error!(%error, key = key.as_str(), "a track can't be stored; its file is kept");
                return Err(Stored::Lost);
            }
        }
        sleep(pause.next()).await;
    }
}

/// Where a file is stored. Servers make it of nothing that a client chose.
fn key_of(id: RecordingId, track: &FinishedTrack) -> Option<Key> {
    format!("rec/{id}/{}/{}.ogg", track.about.epoch, hex(track.sid)).parse().ok()
}

/// Sums a file of ours.
pub(crate) async fn sum_of(path: &Path) -> Option<Sha256> {
    let path = path.to_owned();
    let summed = spawn_blocking(move || sum(&path)).await.map_err(io::Error::other).flatten();
    match summed {
        Ok(sum) => Some(sum),
        Err(error) => {
            error!(%error, "a finished track can't be read");
            None
        }
    }
}

/// The same, which blocks.
pub(crate) fn sum(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        match buffer.get(..length) {
            Some(read) if length > 0 => hasher.update(read),
            Some(_) | None => return Ok(hasher.finish()),
        }
    }
}

/// Waits longer each time, up to a bound.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(RETRY_FIRST)
    }
}

impl Pause {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(RETRY_MAX);
        pause
    }
}
