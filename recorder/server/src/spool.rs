//! What is recorded and not stored yet, on this machine's disk.
//!
//! A recording has a folder, a track two files in it: its Ogg file, to which whole pages are
//! appended, and its journal, a line of JSON for whatever the pages don't say. Both are good up to
//! wherever their writer died. All calls block; they run on threads that may.

mod journal;
mod packets;
mod track;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io, mem,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use proto::{
    ids::{Epoch, TrackSid},
    link::{LinkTrack, UnixMicros},
};
use recorder_core::{Begun, Gap, Resumed, Summary};

pub(crate) use journal::About;
pub(crate) use packets::Packets;
pub(crate) use recorder_core::opus::SAMPLES_PER_MS;
pub(crate) use track::{FinishedTrack, TrackProgress, hex};
use track::{Found, TrackFiles};
pub(crate) use usage::Usage;

/// One thing to write down.
#[derive(Debug)]
pub(crate) enum Entry {
    Begun { about: Box<LinkTrack>, begun: Begun },
    Page { track: TrackSid, page: Bytes },
    Gap { track: TrackSid, gap: Gap },
    Finished { track: TrackSid, summary: Summary },
}

impl Entry {
    fn track(&self) -> TrackSid {
        match self {
            Self::Begun { about, .. } => about.sid,
            Self::Page { track, .. } | Self::Gap { track, .. } | Self::Finished { track, .. } => {
                *track
            }
        }
    }
}

/// What came of writing.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) finished: Vec<FinishedTrack>,
    /// Tracks that can't be written any more, and why.
    pub(crate) failed: Vec<(TrackSid, io::Error)>,
}

/// One recording's folder.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// Under which new files begin.
    epoch: Epoch,
    tracks: BTreeMap<TrackSid, TrackFiles>,
    /// Tracks whose writing failed, whole up to there.
    broken: BTreeMap<TrackSid, TrackFiles>,
    /// Tracks whose files could not be made.
    unbegun: BTreeSet<TrackSid>,
    usage: Usage,
}

/// What a folder holds of an earlier life.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// Tracks that may go on.
    pub(crate) open: BTreeMap<TrackSid, Resumed>,
    /// Tracks that are complete and may not be stored yet.
    pub(crate) finished: Vec<FinishedTrack>,
}

impl Spool {
    /// Opens a recording's folder, which may hold what an earlier life left.
    pub(crate) fn open(folder: &Path, epoch: Epoch, usage: Usage) -> io::Result<(Self, Earlier)> {
        fs::create_dir_all(folder)?;
        let mut spool = Self {
            folder: folder.to_owned(),
            epoch,
            tracks: BTreeMap::new(),
            broken: BTreeMap::new(),
            unbegun: BTreeSet::new(),
            usage,
        };
        let mut earlier = Earlier::default();
        for found in TrackFiles::find_all(folder, &spool.usage)? {
            match found {
                Found::Finished(track) => earlier.finished.push(track),
                Found::Open { sid, files, left } => {
                    let is_older =
                        spool.tracks.get(&sid).is_some_and(|other| files.epoch() < other.epoch());
                    let older = if is_older {
                        Some(files)
                    } else {
                        earlier.open.insert(sid, left);
                        spool.tracks.insert(sid, files)
                    };
                    // Only the newest of a track's files may go on.
                    if let Some(mut older) = older {
                        earlier.finished.extend(older.seal(None, &spool.usage)?);
                    }
                }
            }
        }
        Ok((spool, earlier))
    }

    /// Ends what an earlier life left open, for nobody goes on with it.
    pub(crate) fn seal_earlier(&mut self, earlier: &mut Earlier) -> io::Result<()> {
        while let Some((sid, _)) = earlier.open.first_key_value() {
            let sid = *sid;
            if let Some(files) = self.tracks.get_mut(&sid) {
                earlier.finished.extend(files.seal(None, &self.usage)?);
            }
            self.tracks.remove(&sid);
            earlier.open.remove(&sid);
        }
        Ok(())
    }

    /// How far the files are that are being written.
    pub(crate) fn progress(&self) -> Vec<TrackProgress> {
        self.tracks.values().chain(self.broken.values()).map(TrackFiles::progress).collect()
    }

    /// Appends everything, track by track in order. A track that fails leaves the others alone.
    pub(crate) fn write(&mut self, entries: Vec<Entry>) -> Written {
        let mut written = Written::default();
        for entry in entries {
            let sid = entry.track();
            if self.broken.contains_key(&sid) || self.unbegun.contains(&sid) {
                continue;
            }
            match self.write_one(entry) {
                Ok(finished) => written.finished.extend(finished),
                Err(error) => {
                    self.usage.refused();
                    match self.tracks.remove(&sid) {
                        Some(mut files) => {
                            files.take_back();
                            self.broken.insert(sid, files);
                        }
                        None => _ = self.unbegun.insert(sid),
                    }
                    written.failed.push((sid, error));
                }
            }
        }
        written
    }

    fn write_one(&mut self, entry: Entry) -> io::Result<Option<FinishedTrack>> {
        match entry {
            Entry::Begun { about, begun } => {
                let files = {
                    let epoch = self.epoch;
                    TrackFiles::create(&self.folder, &about, begun, epoch, &self.usage)?
                };
                self.tracks.insert(about.sid, files);
            }
            Entry::Page { track, page } => {
                if let Some(files) = self.tracks.get_mut(&track) {
                    files.append(&page, &self.usage)?;
                }
            }
            Entry::Gap { track, gap } => {
                if let Some(files) = self.tracks.get_mut(&track) {
                    files.note(gap)?;
                }
            }
            Entry::Finished { track, summary } => {
                let Some(files) = self.tracks.get_mut(&track) else { return Ok(None) };
                let finished = files.finish(summary)?;
                self.tracks.remove(&track);
                return Ok(Some(finished));
            }
        }
        Ok(None)
    }

    /// Returns once the disk has what was written.
    pub(crate) fn sync(&mut self) -> Vec<(TrackSid, io::Error)> {
        let mut failed = Vec::new();
        for (sid, files) in &mut self.tracks {
            if let Err(error) = files.sync() {
                failed.push((*sid, error));
            }
        }
        for (sid, _) in &failed {
            self.usage.refused();
            if let Some(files) = self.tracks.remove(sid) {
                self.broken.insert(*sid, files);
            }
        }
        failed
    }

    /// Opens again what could not be written, each where its file ends. A track that couldn't even
    /// begin has none.
    pub(crate) fn reopen(&mut self) -> BTreeMap<TrackSid, Option<Resumed>> {
        let mut reopened = BTreeMap::new();
        for (sid, mut files) in mem::take(&mut self.broken) {
            match files.reopen() {
                Ok(left) => {
                    reopened.insert(sid, Some(left));
                    self.tracks.insert(sid, files);
                }
                Err(_) => _ = self.broken.insert(sid, files),
            }
        }
        let unbegun = mem::take(&mut self.unbegun).into_iter().map(|sid| (sid, None));
        reopened.extend(unbegun);
        reopened
    }

    /// Ends a track's file after its last whole page. Where it broke, `until` says how long the
    /// track went on unheard.
    pub(crate) fn seal(
        &mut self,
        track: TrackSid,
        until: UnixMicros,
    ) -> io::Result<Option<FinishedTrack>> {
        let (files, until) = match self.tracks.get_mut(&track) {
            Some(files) => (files, None),
            None => match self.broken.get_mut(&track) {
                Some(files) => (files, Some(until)),
                None => return Ok(None),
            },
        };
        let finished = files.seal(until, &self.usage)?;
        self.tracks.remove(&track);
        self.broken.remove(&track);
        Ok(finished)
    }

    /// Tracks whose file has no end yet.
    pub(crate) fn unfinished(&self) -> Vec<TrackSid> {
        self.tracks.keys().chain(self.broken.keys()).copied().collect()
    }
}

/// Removes a recording's folder.
pub(crate) fn remove(folder: &Path, usage: &Usage) -> io::Result<()> {
    let bytes = folder_bytes(folder)?;
    fs::remove_dir_all(folder)?;
    usage.release(bytes);
    Ok(())
}

/// Bytes of the files in a folder, which has no folders of its own.
pub(crate) fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
