//! A track's two files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use proto::{
    ids::{Epoch, TrackSid},
    link::{LinkTrack, UnixMicros},
};
use recorder_core::{Begun, Gap, GapReason, Gaps, Resumed, Summary, Track, TrackOutput, ogg};

use super::{
    About, Usage,
    journal::{self, Journal, Line},
};

/// A complete file, and what its row says.
#[derive(Clone, Debug)]
pub(crate) struct FinishedTrack {
    pub(crate) sid: TrackSid,
    pub(crate) about: About,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) samples: u64,
    pub(crate) gaps: Gaps,
    /// An earlier life may have stored it.
    pub(crate) was_there: bool,
}

/// How much of a track is written.
#[derive(Clone, Debug)]
pub(crate) struct TrackProgress {
    pub(crate) sid: TrackSid,
    pub(crate) about: About,
    pub(crate) bytes: u64,
    pub(crate) samples: u64,
}

/// The files of a track that is being written.
#[derive(Debug)]
pub(super) struct TrackFiles {
    sid: TrackSid,
    about: About,
    path: PathBuf,
    pages: File,
    journal: File,
    /// Bytes of whole pages, and samples up to their end.
    bytes: u64,
    samples: u64,
    is_dirty: bool,
}

/// What an earlier life left of a track.
pub(super) enum Found {
    Finished(FinishedTrack),
    Open { sid: TrackSid, files: TrackFiles, left: Resumed },
}

impl TrackFiles {
    pub(super) fn create(
        folder: &Path,
        track: &LinkTrack,
        begun: Begun,
        epoch: Epoch,
        usage: &Usage,
    ) -> io::Result<Self> {
        usage.take(0)?;
        let path = folder.join(file_name(track.sid, epoch));
        let mut new = OpenOptions::new();
        let journal = new.create_new(true).read(true).append(true);
        let journal = journal.open(path.with_extension("journal"))?;
        let about = About::new(track, begun, epoch);
        let begin = || {
            journal::append(&journal, &Line::About(about.clone()))?;
            let pages = open(&path)?;
            // The names must survive a power cut, not just what is in the files.
            File::open(folder)?.sync_all()?;
            Ok(pages)
        };
        let pages = begin().inspect_err(|_: &io::Error| {
            // Another try may find room.
            for path in [path.with_extension("journal"), path.clone()] {
                let _ = fs::remove_file(path);
            }
        })?;
        let sid = track.sid;
        Ok(Self { sid, about, path, pages, journal, bytes: 0, samples: 0, is_dirty: true })
    }

    /// Finds every track of a folder. One without a whole page says nothing and is removed.
    pub(super) fn find_all(folder: &Path, usage: &Usage) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "journal") {
                match Self::find(&path.with_extension("ogg"))? {
                    Some(track) => found.push(track),
                    None => {
                        for path in [path.with_extension("ogg"), path] {
                            let bytes = fs::metadata(&path)?.len();
                            fs::remove_file(&path)?;
                            usage.release(bytes);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn find(path: &Path) -> io::Result<Option<Found>> {
        let journal = open(&path.with_extension("journal"))?;
        let read = Journal::read(&journal)?;
        let Some(about) = read.about.clone() else { return Ok(None) };
        let Ok(sid) = about.sid.parse() else { return Ok(None) };
        let mut pages = open(path)?;
        let Some((last, bytes)) = last_page(&mut pages)? else { return Ok(None) };
        pages.set_len(bytes)?;
        journal.set_len(read.bytes)?;
        let gaps = read.gaps_within(last.granule);
        if last.is_final {
            let samples = last.granule;
            let path = path.to_owned();
            return Ok(Some(Found::Finished(FinishedTrack {
                sid,
                about,
                path,
                bytes,
                samples,
                gaps,
                was_there: true,
            })));
        }
        let left = Resumed { began: about.began(), last, gaps };
        let path = path.to_owned();
        let samples = last.granule;
        let files = Self { sid, about, path, pages, journal, bytes, samples, is_dirty: true };
        Ok(Some(Found::Open { sid, files, left }))
    }

    pub(super) fn append(&mut self, page: &[u8], usage: &Usage) -> io::Result<()> {
        let bytes = u64::try_from(page.len()).unwrap_or(u64::MAX);
        usage.take(bytes)?;
        if let Err(error) = self.pages.write_all(page) {
            usage.release(bytes);
            return Err(error);
        }
        self.bytes += bytes;
        self.samples = ogg::granule(page).unwrap_or(self.samples);
        self.is_dirty = true;
        Ok(())
    }

    pub(super) fn note(&mut self, gap: Gap) -> io::Result<()> {
        self.is_dirty = true;
        journal::append(&self.journal, &gap.into())
    }

    /// The file is complete: everything is on the disk when this returns.
    pub(super) fn finish(&mut self, summary: Summary) -> io::Result<FinishedTrack> {
        let unlisted = summary.gaps.unlisted();
        journal::append(&self.journal, &Line::End { samples: summary.samples, unlisted })?;
        self.is_dirty = true;
        self.sync()?;
        Ok(FinishedTrack {
            sid: self.sid,
            about: self.about.clone(),
            path: self.path.clone(),
            bytes: self.bytes,
            samples: summary.samples,
            gaps: summary.gaps,
            was_there: false,
        })
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.about.epoch()
    }

    /// How far the file is.
    pub(super) fn progress(&self) -> TrackProgress {
        let Self { sid, about, bytes, samples, .. } = self;
        TrackProgress { sid: *sid, about: about.clone(), bytes: *bytes, samples: *samples }
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.pages.sync_data()?;
            self.journal.sync_data()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// Removes what a failed write left of a page.
    pub(super) fn take_back(&mut self) {
        // What can't be cut off now is when the track is sealed.
        let _ = self.pages.set_len(self.bytes);
    }

    /// Goes on after the last whole page.
    pub(super) fn reopen(&mut self) -> io::Result<Resumed> {
        let found = last_page(&mut self.pages)?;
        let (last, bytes) = found.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.pages.set_len(bytes)?;
        let journal = open(&self.path.with_extension("journal"))?;
        let read = Journal::read(&journal)?;
        self.journal.set_len(read.bytes)?;
        (self.bytes, self.samples, self.is_dirty) = (bytes, last.granule, true);
        Ok(Resumed { began: self.about.began(), last, gaps: read.gaps_within(last.granule) })
    }

    /// Ends the file after its last whole page; `None` when it has no page. `until` is when the
    /// track's unwritten rest was over.
    pub(super) fn seal(
        &mut self,
        until: Option<UnixMicros>,
        usage: &Usage,
    ) -> io::Result<Option<FinishedTrack>> {
        let Some((last, bytes)) = last_page(&mut self.pages)? else { return Ok(None) };
        self.pages.set_len(bytes)?;
        self.bytes = bytes;
        let mut gaps =
            Journal::read(&open(&self.path.with_extension("journal"))?)?.gaps_within(last.granule);
        if let Some(until) = until {
            let micros = until.0.saturating_sub(self.about.began);
            let samples = (micros.saturating_mul(48) / 1_000).saturating_sub(last.granule);
            let rest = Gap { start: last.granule, samples, reason: GapReason::Spool };
            self.note(rest)?;
            gaps.push(rest, 0);
        }
        let samples = if last.is_final { last.granule } else { self.end_after(last, usage)? };
        self.finish(Summary { samples, gaps }).map(Some)
    }

    /// Appends what a file needs that ends after `last`; returns how long it is then.
    fn end_after(&mut self, last: ogg::LastPage, usage: &Usage) -> io::Result<u64> {
        let began = self.about.began();
        let left = Resumed { began, last, gaps: Gaps::default() };
        let mut track = Track::resume(left, GapReason::Recorder, began);
        track.finish();
        loop {
            match track.poll_output() {
                TrackOutput::Page(page) => {
                    // What is recorded must find its end even in a full spool.
                    let bytes = u64::try_from(page.len()).unwrap_or_default();
                    usage.count(bytes);
                    self.pages.write_all(&page)?;
                    self.bytes += bytes;
                }
                TrackOutput::Finished(summary) => {
                    return Ok(summary.map_or(last.granule, |summary| summary.samples));
                }
                TrackOutput::Begun(_) | TrackOutput::Gap(_) => {}
                TrackOutput::Idle(_) => return Ok(last.granule),
            }
        }
    }
}

/// The name of a track's file that was begun under `epoch`.
fn file_name(sid: TrackSid, epoch: Epoch) -> String {
    format!("{}-{epoch}.ogg", hex(sid))
}

/// A track as part of a name: hexadecimal, since not every store tells upper from lower case.
pub(crate) fn hex(sid: TrackSid) -> String {
    let text = sid.to_string();
    let digits = text.strip_prefix(TrackSid::PREFIX).unwrap_or(&text);
    digits.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

/// Finds the last whole page of a file, and the file's length up to its end.
fn last_page(file: &mut File) -> io::Result<Option<(ogg::LastPage, u64)>> {
    let length = file.metadata()?.len();
    let tail_bytes = u64::try_from(ogg::TAIL_BYTES).unwrap_or(u64::MAX);
    let start = length.saturating_sub(tail_bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    (&*file).take(tail_bytes).read_to_end(&mut tail)?;
    let last = ogg::last_page(&tail);
    Ok(last.map(|last| (last, start + u64::try_from(last.end).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use proto::{ids::ParticipantSid, link::LinkTrackId, livekit::TrackSource};

    use super::*;

    #[test]
    fn a_file_that_has_ended_has_nothing_that_the_disk_may_yet_lose() {
        let folder = tempfile::tempdir().unwrap();
        let (at, usage) = (UnixMicros(1), Usage::new(1 << 20));
        let track = LinkTrack {
            id: LinkTrackId(1),
            sid: TrackSid::from_random(1),
            name: String::new(),
            source: TrackSource::Microphone,
            muted: false,
            participant: ParticipantSid::from_random(1),
            identity: "ada".parse().unwrap(),
            participant_name: String::new(),
            at,
        };
        let begun = Begun { at, serial: 1 };
        let mut files = TrackFiles::create(folder.path(), &track, begun, Epoch(1), &usage).unwrap();
        files.append(b"a page", &usage).unwrap();
        assert!(files.is_dirty);
        files.finish(Summary { samples: 960, gaps: Gaps::default() }).unwrap();
        assert!(!files.is_dirty, "it is going to be stored and its spool removed");
    }
}
