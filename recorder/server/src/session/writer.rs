//! Brings a recording's outputs to its spool, on threads that may block.

use std::{collections::BTreeMap, io, mem, path::PathBuf, sync::Arc};

use proto::{ids::TrackSid, link::UnixMicros};
use recorder_core::{Output, Recording, Resumed, Stats};
use storage_database::{Progress, TrackProgress};
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::{
    Shared,
    limits::WRITES_PER_SYNC,
    rows::Job,
    session::entry,
    spool::{Earlier, Entry, FinishedTrack, SAMPLES_PER_MS, Spool},
};

pub(super) struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    /// Away while a thread writes to it.
    spool: Option<Spool>,
    waiting: Vec<Entry>,
    writes: u32,
    counted: Stats,
}

type Failed = Vec<(TrackSid, io::Error)>;

impl Writer {
    /// Opens a recording's folder. What another has recorded since is no part of its files, so
    /// they end where they are.
    pub(super) async fn open(
        folder: PathBuf,
        job: &Job,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, Earlier)> {
        let (path, usage) = (folder.clone(), shared.usage.clone());
        let (epoch, is_continued) = (job.epoch, job.is_continued);
        let opened = spawn_blocking(move || -> io::Result<(Spool, Earlier)> {
            let (mut spool, mut earlier) = Spool::open(&path, epoch, usage)?;
            if !is_continued {
                spool.seal_earlier(&mut earlier)?;
            }
            Ok((spool, earlier))
        });
        let opened = opened.await;
        let (spool, earlier) = opened.map_err(io::Error::other)??;
        let writer = Self {
            shared,
            folder,
            spool: Some(spool),
            waiting: Vec::new(),
            writes: 0,
            counted: Stats::default(),
        };
        Ok((writer, earlier))
    }

    /// Takes what the recording gives out, at most `outputs_max`; returns whether that was all.
    pub(super) fn collect(&mut self, recording: &mut Recording, outputs_max: usize) -> bool {
        for _ in 0..outputs_max {
            let output = recording.poll_output();
            if let Output::Gap { gap, .. } = &output {
                self.shared.metrics.count_gap(gap.reason, gap.samples);
            }
            match entry(output) {
                Some(entry) => self.waiting.push(entry),
                None => return true,
            }
        }
        false
    }

    /// Writes what was taken; now and then makes sure that the disk has it.
    pub(super) async fn write(&mut self) -> (Vec<FinishedTrack>, Failed) {
        self.writes += 1;
        let is_due = self.writes >= WRITES_PER_SYNC;
        if self.waiting.is_empty() && !is_due {
            return (Vec::new(), Vec::new());
        }
        let entries = mem::take(&mut self.waiting);
        let done = self.with_spool(move |spool| {
            let mut written = spool.write(entries);
            if is_due {
                written.failed.extend(spool.sync());
            }
            written
        });
        let written = done.await.unwrap_or_default();
        if is_due {
            self.writes = 0;
        }
        (written.finished, written.failed)
    }

    /// Returns once the disk has everything.
    pub(super) async fn sync(&mut self) {
        self.writes = WRITES_PER_SYNC;
        let _ = self.write().await;
    }

    /// Ends every file that has no end yet; says whether all of them could be.
    pub(super) async fn seal_all(&mut self, until: UnixMicros) -> (Vec<FinishedTrack>, bool) {
        let sealed = self.with_spool(move |spool| {
            let mut finished = Vec::new();
            for track in spool.unfinished() {
                match spool.seal(track, until) {
                    Ok(sealed) => finished.extend(sealed),
                    Err(error) => warn!(%track, %error, "a track's file could not be ended"),
                }
            }
            (finished, spool.unfinished().is_empty())
        });
        sealed.await.unwrap_or_default()
    }

    /// How far the files are, and what keeps them from growing.
    pub(super) fn progress(&self) -> Progress {
        let Some(spool) = &self.spool else { return Progress::default() };
        let tracks = spool.progress().into_iter().filter_map(|track| {
            Some(TrackProgress {
                sid: track.sid,
                participant: track.about.participant.parse().ok()?,
                identity: track.about.identity.parse().ok()?,
                began: track.about.began(),
                name: track.about.name,
                duration_ms: track.samples / SAMPLES_PER_MS,
                bytes: track.bytes,
            })
        });
        let node = &self.shared.owner.node;
        let trouble = self.shared.usage.is_full().then(|| {
            format!("The spool of {node} is full: what is said is lost. Make room on its disk.")
        });
        Progress { tracks: tracks.collect(), trouble }
    }

    /// Has tracks go on that couldn't be written and can be now.
    pub(super) async fn reopen(&mut self) -> BTreeMap<TrackSid, Option<Resumed>> {
        if self.shared.usage.is_full() {
            return BTreeMap::new();
        }
        self.with_spool(Spool::reopen).await.unwrap_or_default()
    }

    /// Lets the files go; returns their folder.
    pub(super) fn close(self) -> PathBuf {
        self.folder
    }

    /// What became of packets since the last call.
    pub(super) fn new_packets(&mut self, recording: &Recording) -> Stats {
        let stats = recording.stats();
        let new = stats.since(self.counted);
        self.counted = stats;
        new
    }

    /// Does something with the spool on a thread that may block.
    async fn with_spool<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Spool) -> T + Send + 'static,
    ) -> Option<T> {
        let mut spool = self.spool.take()?;
        let done = spawn_blocking(move || {
            let result = work(&mut spool);
            (spool, result)
        });
        match done.await {
            Ok((spool, result)) => {
                self.spool = Some(spool);
                Some(result)
            }
            // Whoever begins anew finds the files as they are. To go on without them would lose
            // everything that is said.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_stopping) => None,
        }
    }
}
