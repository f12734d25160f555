//! One track: packets in, pages and gaps out.

mod mutes;
mod steps;

use std::collections::VecDeque;

use bytes::Bytes;
use proto::{
    link::{LinkEncoding, LinkPacket, UnixMicros},
    rtp::{RtpTime, red::Redundant},
};

use crate::{
    gap::{Gap, GapReason, Gaps},
    limits::{HOLE_SAMPLES_MAX, PAYLOAD_BYTES_MAX},
    ogg::{Channels, Content, LastPage, Stream},
    opus::{self, GRID, Toc},
    stats::Stats,
    timeline::{Circumstances, Place, Timeline},
    waiting::{Released, Waiting},
};
use mutes::Mutes;
use steps::{Step, Steps};

/// What a [`Track`] asks of its shell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum TrackOutput {
    /// Its file starts.
    Begun(Begun),
    /// Append these bytes to the file: whole pages.
    Page(Bytes),
    /// Part of the file holds no sound. Comes before the pages that hold its place.
    Gap(Gap),
    /// The file is complete, or the track had nothing to put into one.
    Finished(Option<Summary>),
    /// Drained. Wake the track at this time, or at its next input.
    Idle(Option<UnixMicros>),
}

/// How a file starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// When its first sample came, by the clock of the room's owner.
    pub at: UnixMicros,
    pub serial: u32,
}

/// What a complete file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub samples: u64,
    pub gaps: Gaps,
}

/// What an earlier life of the recorder left of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    pub began: UnixMicros,
    pub last: LastPage,
    pub gaps: Gaps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Ending,
    Done,
}

/// A file being written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    stream: Stream,
    timeline: Timeline,
    /// The newest packet's first byte: what fills a hole after it is of its kind.
    toc: Toc,
    /// How long that packet was.
    packet_samples: u64,
    /// When it came.
    received: UnixMicros,
}

/// A track that is being recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    serial: u32,
    now: UnixMicros,
    phase: Phase,
    waiting: Waiting,
    file: Option<File>,
    steps: Steps,
    mutes: Mutes,
    /// From which count on packets don't continue what came, and why.
    interruption: Option<(u64, GapReason)>,
    gaps: Gaps,
    outbox: VecDeque<TrackOutput>,
    stats: Stats,
}

impl Track {
    /// Makes a track whose file starts with its first packet. `serial` names the Ogg stream; any
    /// number does.
    pub fn new(serial: u32, now: UnixMicros) -> Self {
        Self {
            serial,
            now,
            phase: Phase::Open,
            waiting: Waiting::default(),
            file: None,
            steps: Steps::default(),
            mutes: Mutes::default(),
            interruption: None,
            gaps: Gaps::default(),
            outbox: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Makes a track that goes on in the file of an earlier life, after its last whole page.
    pub fn resume(left: Resumed, reason: GapReason, now: UnixMicros) -> Self {
        let mut track = Self::new(left.last.serial, now);
        track.file = Some(File {
            stream: Stream::after(left.last.serial, left.last.next_sequence, left.last.granule),
            timeline: Timeline::starting(left.began),
            // Full band: what was spoken before isn't known, and every decoder takes it.
            toc: Toc(31 << 3),
            packet_samples: 960,
            received: left.began,
        });
        track.gaps = left.gaps;
        track.interruption = Some((0, reason));
        track
    }

    /// Takes a packet of this track.
    pub fn handle_packet(&mut self, packet: LinkPacket) {
        if self.phase != Phase::Open {
            return;
        }
        self.now = self.now.max(packet.received);
        let is_sound = primary(&packet).is_some_and(|opus| opus::samples(opus).is_ok());
        if packet.payload.len() > PAYLOAD_BYTES_MAX || !is_sound {
            self.stats.malformed += 1;
        } else if self.waiting.insert(packet).is_err() {
            self.stats.late += 1;
        }
    }

    /// The track was muted or unmuted.
    pub fn handle_mute(&mut self, muted: bool, at: UnixMicros) {
        self.mutes.set(muted, at);
    }

    /// What comes next isn't a continuation of what came.
    pub fn interrupt(&mut self, reason: GapReason) {
        let count = self.waiting.interrupt();
        self.interruption.get_or_insert((count, reason));
    }

    pub fn handle_timeout(&mut self, now: UnixMicros) {
        self.now = self.now.max(now);
    }

    /// Ends the track with the last packet that came.
    pub fn finish(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Ending;
        }
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns the next thing to do; [`TrackOutput::Idle`] once there is nothing left.
    pub fn poll_output(&mut self) -> TrackOutput {
        loop {
            if let Some(output) = self.outbox.pop_front() {
                return output;
            }
            if self.step() {
                continue;
            }
            let released = match self.phase {
                Phase::Open => self.waiting.release(self.now),
                Phase::Ending => self.waiting.take_first(),
                Phase::Done => return TrackOutput::Idle(None),
            };
            match released {
                Some(released) => self.on_released(released),
                None if self.phase == Phase::Ending => self.close(),
                None => return TrackOutput::Idle(self.waiting.deadline()),
            }
        }
    }

    /// Plans what a packet adds to the file: what was lost before it and can be had, and itself.
    fn on_released(&mut self, Released { packet, missing, count }: Released) {
        let Some((toc, samples)) = shape(&packet) else { return };
        if self.file.is_none() {
            self.begin(&packet, toc, samples);
        }
        let heard = self.file.as_ref().map(|file| file.received);
        let pause = self.mutes.reason_between(heard, packet.received);
        let interruption = self.interruption.filter(|(from, _)| *from <= count);
        let Some(file) = &mut self.file else { return };
        let about = Circumstances {
            samples,
            end: file.stream.samples(),
            may_have_paused: pause == GapReason::Mute || interruption.is_some(),
        };
        if interruption.is_some() {
            file.timeline.interrupt();
        }
        let timestamp = RtpTime(packet.timestamp);
        let place = file.timeline.place(timestamp, packet.received, about);
        let (at, is_timed) = match place {
            Place::Timed(at) => (at, true),
            Place::Arrived(at) => (at, false),
            Place::Past => {
                self.stats.late += 1;
                return;
            }
            Place::Ahead => {
                self.stats.ahead += 1;
                return;
            }
        };
        let at = u64::try_from(at).unwrap_or_default().max(about.end);
        if at - about.end > HOLE_SAMPLES_MAX {
            self.stats.ahead += 1;
            return;
        }
        let lost = missing.saturating_mul(file.packet_samples);
        let reason = interruption.map_or(pause, |(_, reason)| reason);
        let mut steps = Steps::after(about.end, lost, reason);
        if missing > 0 && is_timed {
            for (age, block) in older(&packet, self.waiting.packets()) {
                let Some(start) = at.checked_sub(u64::from(age)) else { continue };
                self.stats.recovered += u64::from(steps.recover(start, at, block));
            }
        }
        if let Some(opus) = primary_bytes(&packet) {
            steps.voice(at, opus, samples);
        }
        file.received = packet.received;
        if interruption.is_some() {
            self.interruption = None;
        }
        self.steps = steps;
    }

    fn begin(&mut self, packet: &LinkPacket, toc: Toc, samples: u64) {
        let is_stereo = self.waiting.packets().filter_map(shape).any(|(toc, _)| toc.is_stereo());
        let channels = if is_stereo || toc.is_stereo() { Channels::Stereo } else { Channels::Mono };
        let (stream, pages) = Stream::start(self.serial, channels);
        let mut timeline = Timeline::starting(packet.received);
        timeline.anchor(RtpTime(packet.timestamp));
        let received = packet.received;
        self.file = Some(File { stream, timeline, toc, packet_samples: samples, received });
        self.outbox.push_back(TrackOutput::Begun(Begun { at: received, serial: self.serial }));
        self.outbox.push_back(TrackOutput::Page(pages));
    }

    /// Does one step of what is planned; returns whether there was one.
    fn step(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        let start = file.stream.samples();
        match self.steps.next() {
            None => return false,
            Some(Step::Hole { samples, reason }) => {
                let gap = Gap { start, samples, reason };
                if samples >= file.toc.frame_samples() {
                    self.gaps.push(gap, file.packet_samples);
                    self.outbox.push_back(TrackOutput::Gap(gap));
                }
            }
            Some(Step::Fill { hole }) => {
                let Some((toc, samples)) = opus::empty_packet(file.toc, hole) else {
                    debug_assert!(false, "holes lie on the grid: {hole}");
                    self.steps.filled(hole);
                    return true;
                };
                self.steps.filled(samples);
                let page = file.stream.push(&[toc.0], samples, Content::Silence);
                self.outbox.extend(page.map(TrackOutput::Page));
            }
            Some(Step::Voice { packet, samples }) => {
                self.stats.written += 1;
                file.toc = packet.first().map_or(file.toc, |first| Toc(*first));
                file.packet_samples = samples;
                let page = file.stream.push(&packet, samples, Content::Voice);
                self.outbox.extend(page.map(TrackOutput::Page));
            }
        }
        true
    }

    fn close(&mut self) {
        self.phase = Phase::Done;
        let summary = self.file.as_mut().map(|file| {
            if file.stream.is_empty()
                && let Some((toc, samples)) = opus::empty_packet(file.toc, GRID)
            {
                let page = file.stream.push(&[toc.0], samples, Content::Silence);
                self.outbox.extend(page.map(TrackOutput::Page));
            }
            self.outbox.push_back(TrackOutput::Page(file.stream.finish()));
            Summary { samples: file.stream.samples(), gaps: std::mem::take(&mut self.gaps) }
        });
        self.outbox.push_back(TrackOutput::Finished(summary));
    }
}

/// The newest Opus packet of a payload.
fn primary(packet: &LinkPacket) -> Option<&[u8]> {
    match packet.encoding {
        LinkEncoding::Opus => Some(&packet.payload),
        LinkEncoding::Red { primary } => packet.payload.get(primary..),
    }
}

fn primary_bytes(packet: &LinkPacket) -> Option<Bytes> {
    primary(packet).map(|opus| packet.payload.slice_ref(opus))
}

/// What the newest Opus packet of a payload is, and how long.
fn shape(packet: &LinkPacket) -> Option<(Toc, u64)> {
    let opus = primary(packet)?;
    Some((Toc(*opus.first()?), opus::samples(opus).ok()?))
}

/// Older packets that `first` and those after it repeat, the oldest first, each with how many
/// samples it lies before `first`.
fn older<'a>(
    first: &'a LinkPacket,
    waiting: impl Iterator<Item = &'a LinkPacket>,
) -> Vec<(u32, Bytes)> {
    let mut found: Vec<(u32, Bytes)> = Vec::new();
    for packet in std::iter::once(first).chain(waiting) {
        let LinkEncoding::Red { .. } = packet.encoding else { continue };
        let Ok(blocks) = Redundant::find(&packet.payload) else { continue };
        let later = RtpTime(packet.timestamp).since(RtpTime(first.timestamp));
        found.extend(blocks.filter_map(|block| {
            let age = u32::try_from(i32::from(block.age).checked_sub(later)?).ok()?;
            Some((age, packet.payload.slice_ref(block.block)))
        }));
    }
    found.retain(|(age, block)| *age > 0 && opus::samples(block).is_ok());
    found.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    found
}
