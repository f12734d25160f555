//! A room's recording: the frames of its link in, every track's pages out.

mod entry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use proto::{
    ids::TrackSid,
    link::{LinkFrame, LinkPacket, LinkTrack, LinkTrackId, UnixMicros},
};

use crate::{
    gap::{Gap, GapReason},
    limits::{RECLAIM_MICROS_MAX, TRACKS_MAX},
    stats::Stats,
    track::{Begun, Resumed, Summary, Track, TrackOutput},
};
use entry::Entry;

/// What a [`Recording`] asks of its shell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// A track's file starts.
    Begun { about: Box<LinkTrack>, begun: Begun },
    /// Append these bytes to the track's file: whole pages.
    Page { track: TrackSid, page: Bytes },
    /// Part of the file holds no sound. Comes before the pages that hold its place.
    Gap { track: TrackSid, gap: Gap },
    /// The file is complete. A track that never spoke has none.
    Finished { track: TrackSid, summary: Summary },
    /// Drained. Wake the recording at this time, or at its next input.
    Idle(Option<UnixMicros>),
}

/// Every track of a room that is being recorded.
#[derive(Debug)]
pub struct Recording {
    tracks: BTreeMap<TrackSid, Entry>,
    /// The present link's names for them.
    ids: BTreeMap<LinkTrackId, TrackSid>,
    /// Tracks that an earlier link or life of the recorder left.
    left: BTreeMap<TrackSid, Resumed>,
    /// Tracks with something to give out.
    ready: BTreeSet<TrackSid>,
    deadlines: BTreeSet<(UnixMicros, TrackSid)>,
    /// When tracks that the present link hasn't named are over.
    reclaim_until: Option<UnixMicros>,
    now: UnixMicros,
    serials: u32,
    outbox: VecDeque<Output>,
    /// Of tracks that are over.
    stats: Stats,
    refused: u64,
}

impl Recording {
    /// Makes an empty recording. Its Ogg streams are numbered from `serials` on.
    pub fn new(serials: u32, now: UnixMicros) -> Self {
        Self {
            tracks: BTreeMap::new(),
            ids: BTreeMap::new(),
            left: BTreeMap::new(),
            ready: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            reclaim_until: None,
            now,
            serials,
            outbox: VecDeque::new(),
            stats: Stats::default(),
            refused: 0,
        }
    }

    /// A file of an earlier life is there. It goes on if a link names its track; else the shell
    /// ends it when the recording is over.
    pub fn resume(&mut self, track: TrackSid, left: Resumed) {
        self.left.insert(track, left);
    }

    pub fn handle_frame(&mut self, frame: LinkFrame) {
        match frame {
            LinkFrame::Opened { at, .. } => self.on_opened(at),
            LinkFrame::TrackStarted(track) => self.on_track_started(*track),
            LinkFrame::Packets(packets) => packets.into_iter().for_each(|one| self.on_packet(one)),
            LinkFrame::TrackMuted { track, muted, at } => self.on_muted(track, muted, at),
            LinkFrame::TrackEnded { track, .. } => self.on_track_ended(track),
            // The shell knows whether another link may follow.
            LinkFrame::Closed(_) => {}
        }
    }

    /// The link is gone and another may be opened: tracks that it names go on.
    pub fn handle_link_lost(&mut self) {
        self.ids.clear();
        self.reclaim_until = None;
        for (sid, entry) in &mut self.tracks {
            entry.is_named = false;
            entry.track.interrupt(GapReason::Link);
            self.ready.insert(*sid);
        }
    }

    pub fn handle_timeout(&mut self, now: UnixMicros) {
        self.now = self.now.max(now);
        while let Some((deadline, sid)) = self.deadlines.first().copied() {
            if deadline > self.now {
                break;
            }
            self.deadlines.pop_first();
            if let Some(entry) = self.tracks.get_mut(&sid) {
                entry.deadline = None;
                entry.track.handle_timeout(self.now);
                self.ready.insert(sid);
            }
        }
        if self.reclaim_until.is_some_and(|until| until <= self.now) {
            self.reclaim_until = None;
            for (sid, entry) in self.tracks.iter_mut().filter(|(_, entry)| !entry.is_named) {
                entry.track.finish();
                self.ready.insert(*sid);
            }
        }
    }

    /// Ends every track with the last packet that came.
    pub fn finish(&mut self) {
        for (sid, entry) in &mut self.tracks {
            entry.track.finish();
            self.ready.insert(*sid);
        }
    }

    /// Writes nothing more of a track, and says nothing more of it.
    pub fn abandon(&mut self, track: TrackSid) {
        if let Some(entry) = self.tracks.get_mut(&track) {
            self.stats += entry.track.stats();
            entry.track = Track::new(0, self.now);
            entry.is_abandoned = true;
        }
    }

    /// What was given up can be written again: after what is left of it, or from the next packet.
    pub fn take_up(&mut self, track: TrackSid, left: Option<Resumed>) {
        let Some(entry) = self.tracks.get_mut(&track).filter(|entry| entry.is_abandoned) else {
            return;
        };
        self.serials = self.serials.wrapping_add(1);
        entry.is_abandoned = false;
        entry.track = match left {
            Some(left) => Track::resume(left, GapReason::Spool, self.now),
            None => Track::new(self.serials, self.now),
        };
    }

    /// Tracks that are being written.
    pub fn live_tracks(&self) -> usize {
        self.tracks.values().filter(|entry| !entry.is_abandoned).count()
    }

    /// What became of all packets so far.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        self.tracks.values().for_each(|entry| stats += entry.track.stats());
        stats
    }

    /// Tracks that weren't recorded, since there were too many at once.
    pub fn refused_tracks(&self) -> u64 {
        self.refused
    }

    /// Returns the next thing to do; [`Output::Idle`] once there is nothing left.
    pub fn poll_output(&mut self) -> Output {
        loop {
            if let Some(output) = self.outbox.pop_front() {
                return output;
            }
            let Some(sid) = self.ready.first().copied() else {
                let first = self.deadlines.first().map(|(deadline, _)| *deadline);
                return Output::Idle(first.into_iter().chain(self.reclaim_until).min());
            };
            self.poll_track(sid);
        }
    }

    fn poll_track(&mut self, sid: TrackSid) {
        let Some(entry) = self.tracks.get_mut(&sid) else {
            self.ready.remove(&sid);
            return;
        };
        let output = match entry.track.poll_output() {
            TrackOutput::Begun(begun) => {
                Output::Begun { about: Box::new(entry.about.clone()), begun }
            }
            TrackOutput::Page(page) => Output::Page { track: sid, page },
            TrackOutput::Gap(gap) => Output::Gap { track: sid, gap },
            TrackOutput::Finished(summary) => {
                self.on_finished(sid, summary);
                return;
            }
            TrackOutput::Idle(deadline) => {
                self.ready.remove(&sid);
                self.deadlines.extend(deadline.map(|deadline| (deadline, sid)));
                if let Some(old) = std::mem::replace(&mut entry.deadline, deadline)
                    && Some(old) != deadline
                {
                    self.deadlines.remove(&(old, sid));
                }
                return;
            }
        };
        if !entry.is_abandoned {
            self.outbox.push_back(output);
        }
    }

    fn on_opened(&mut self, at: UnixMicros) {
        self.now = self.now.max(at);
        self.reclaim_until = Some(UnixMicros(self.now.0.saturating_add(RECLAIM_MICROS_MAX)));
    }

    fn on_track_started(&mut self, about: LinkTrack) {
        let sid = about.sid;
        if !self.tracks.contains_key(&sid) && self.tracks.len() >= TRACKS_MAX {
            self.refused += 1;
            return;
        }
        self.ids.insert(about.id, sid);
        let (muted, at) = (about.muted, about.at);
        let entry = self.tracks.entry(sid).or_insert_with(|| {
            self.serials = self.serials.wrapping_add(1);
            let track = match self.left.remove(&sid) {
                Some(left) => Track::resume(left, GapReason::Recorder, self.now),
                None => Track::new(self.serials, self.now),
            };
            Entry::new(about, track)
        });
        entry.is_named = true;
        entry.track.handle_mute(muted, at);
    }

    fn on_packet(&mut self, packet: LinkPacket) {
        self.now = self.now.max(packet.received);
        let Some(sid) = self.ids.get(&packet.track) else { return };
        let Some(entry) = self.tracks.get_mut(sid).filter(|entry| !entry.is_abandoned) else {
            return;
        };
        entry.track.handle_packet(packet);
        self.ready.insert(*sid);
    }

    fn on_muted(&mut self, track: LinkTrackId, muted: bool, at: UnixMicros) {
        let Some(sid) = self.ids.get(&track) else { return };
        if let Some(entry) = self.tracks.get_mut(sid) {
            entry.track.handle_mute(muted, at);
        }
    }

    fn on_track_ended(&mut self, track: LinkTrackId) {
        let Some(sid) = self.ids.remove(&track) else { return };
        if let Some(entry) = self.tracks.get_mut(&sid) {
            entry.track.finish();
            self.ready.insert(sid);
        }
    }

    fn on_finished(&mut self, sid: TrackSid, summary: Option<Summary>) {
        self.ready.remove(&sid);
        let Some(entry) = self.tracks.remove(&sid) else { return };
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, sid));
        }
        self.ids.retain(|_, of| *of != sid);
        self.stats += entry.track.stats();
        if !entry.is_abandoned {
            let finished = summary.map(|summary| Output::Finished { track: sid, summary });
            self.outbox.extend(finished);
        }
    }
}
