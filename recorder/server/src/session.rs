//! One recording, from its claim until its row says that it is available.

mod clock;
mod lease;
mod writer;

use std::sync::Arc;

use proto::{
    ids::Epoch,
    link::{LinkClosed, LinkFrame, LinkPurpose, LinkRequest, UnixMicros},
    pool::NodeRecord,
};
use recorder_core::{GapReason, Output, Recording};
use service::clock::{now, unix_time};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, error, info, warn};

use crate::{
    OpenLink, Shared,
    limits::{
        FRAMES_MAX, LINK_ANSWER_MAX, LINK_RETRY, PROGRESS_INTERVAL, RETRY_FIRST, ROOM_ABSENT_MAX,
        WRITE_INTERVAL, WRITES_MAX,
    },
    rooms,
    rows::Job,
    spool::Entry,
    uploads::Uploads,
};
use clock::OwnerClock;
pub(crate) use lease::{Lease, Standing};
use writer::Writer;

/// Why nothing more is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// Somebody stopped it, or the room is over.
    Finished,
    /// The process stops; the next one goes on.
    Shutdown,
    /// Another recorder has it.
    Taken,
}

/// Why one link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Over(Over),
    /// The room may be elsewhere, or here again soon.
    Cut,
    /// It is owned under a higher epoch.
    Stale(Epoch),
}

struct Session {
    shared: Arc<Shared>,
    job: Job,
    recording: Recording,
    writer: Writer,
    uploads: Uploads,
    lease: Lease,
    clock: OwnerClock,
    /// The highest epoch of the room that was heard of. What comes under a lower one is the voice
    /// of an owner who was replaced and doesn't know it.
    seen: Epoch,
}

/// Runs a recording to its end.
pub(crate) async fn run(shared: Arc<Shared>, job: Job) {
    let _counted = Counted::new(&shared);
    match Session::open(Arc::clone(&shared), job).await {
        Ok(session) => session.run().await,
        Err(error) => error!(%error, "the spool could not be opened; is the disk full?"),
    }
}

/// A recording in progress, whatever it ends by.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.metrics.recordings.inc();
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.recordings.dec();
    }
}

impl Session {
    async fn open(shared: Arc<Shared>, job: Job) -> std::io::Result<Self> {
        let folder = shared.config.spool.join(job.id.to_string());
        let (writer, earlier) = Writer::open(folder, &job, Arc::clone(&shared)).await?;
        let lease = Lease::keep(Arc::clone(&shared), &job);
        let mut uploads = Uploads::start(Arc::clone(&shared), job.clone());
        let clock = OwnerClock::new(unix_time(), now());
        let serials = u32::try_from(clock.at(now()).0 & 0xffff_ffff).unwrap_or_default();
        let mut recording = Recording::new(serials, clock.at(now()));
        // Should the database have never heard when it started: not after its first track.
        let open = earlier.open.values().map(|left| left.began);
        let finished = earlier.finished.iter().map(|track| track.about.began());
        if let Some(began) = open.chain(finished).min() {
            job.started.get_or_init(|| began);
        }
        for (track, left) in earlier.open {
            recording.resume(track, left);
        }
        for track in earlier.finished {
            uploads.add(track);
        }
        let seen = Epoch(0);
        Ok(Self { shared, job, recording, writer, uploads, lease, clock, seen })
    }

    async fn run(mut self) {
        let over = if self.job.is_over { Over::Finished } else { self.listen().await };
        match over {
            Over::Finished => self.finish().await,
            Over::Shutdown => {
                self.drain(usize::MAX).await;
                self.writer.sync().await;
                // The lease isn't given back: another node doesn't have what is in the spool here.
                info!("the recording waits for the next start");
            }
            Over::Taken => {
                warn!("another recorder has this recording; what is here is added to it");
                self.drain(usize::MAX).await;
                self.writer.sync().await;
                self.uploads.abandon();
            }
        }
    }

    /// Opens one link after another until it is over.
    async fn listen(&mut self) -> Over {
        let mut absent_since = now();
        loop {
            if let Some(over) = self.over() {
                return over;
            }
            if let Some((node, epoch)) =
                rooms::find(&self.shared.parts, &self.job.room, self.seen).await
                && let Some(frames) = self.open_link(node, epoch).await
            {
                let opened = now();
                match self.hear(frames).await {
                    Left::Over(over) => return over,
                    Left::Stale(current) => self.seen = self.seen.max(current),
                    Left::Cut => {
                        self.shared.metrics.links_lost.inc();
                        self.recording.handle_link_lost();
                        self.drain(WRITES_MAX).await;
                    }
                }
                if now().saturating_duration_since(opened) > LINK_ANSWER_MAX {
                    absent_since = now();
                }
            }
            if now().saturating_duration_since(absent_since) > ROOM_ABSENT_MAX {
                info!("the room is nowhere any more");
                return Over::Finished;
            }
            sleep(LINK_RETRY).await;
        }
    }

    fn over(&self) -> Option<Over> {
        match self.lease.standing() {
            Standing::Stopped => Some(Over::Finished),
            Standing::Taken => Some(Over::Taken),
            Standing::Held if self.shared.shutdown.is_requested() => Some(Over::Shutdown),
            Standing::Held => None,
        }
    }

    async fn open_link(&self, node: NodeRecord, epoch: Epoch) -> Option<mpsc::Receiver<LinkFrame>> {
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        let room = self.job.room.clone();
        let request = LinkRequest { room, epoch, purpose: LinkPurpose::Recording };
        let open = OpenLink { node, request, frames: sender };
        let asked = timeout(LINK_ANSWER_MAX, self.shared.parts.links.send(open)).await;
        matches!(asked, Ok(Ok(()))).then_some(frames)
    }

    /// Records what one link says.
    async fn hear(&mut self, mut frames: mpsc::Receiver<LinkFrame>) -> Left {
        match timeout(LINK_ANSWER_MAX, frames.recv()).await {
            Ok(Some(LinkFrame::Closed(why))) => return left(why),
            Ok(Some(LinkFrame::Opened { epoch, .. })) if epoch < self.seen => {
                info!(%epoch, seen = %self.seen, "an earlier life of the room was refused");
                return Left::Cut;
            }
            Ok(Some(first)) => self.take(first),
            Ok(None) | Err(_) => return Left::Cut,
        }
        let mut telling = interval(PROGRESS_INTERVAL);
        telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick = interval(WRITE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.shared.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return Left::Over(Over::Shutdown),
                _ = tick.tick() => {
                    self.recording.handle_timeout(self.clock.at(now()));
                    self.drain(WRITES_MAX).await;
                    if let Some(over) = self.over() {
                        return Left::Over(over);
                    }
                }
                _ = telling.tick() => {
                    self.lease.tell(self.writer.progress());
                    for (track, left) in self.writer.reopen().await {
                        info!(%track, "there is room for a track again");
                        self.recording.take_up(track, left);
                    }
                }
                frame = frames.recv() => match frame {
                    Some(LinkFrame::Closed(why)) => {
                        debug!(%why, "the link was closed");
                        return left(why);
                    }
                    Some(frame) => self.take(frame),
                    None => return Left::Cut,
                }
            }
        }
    }

    fn take(&mut self, frame: LinkFrame) {
        if let Some(at) = time_of(&frame) {
            self.clock.heard(at, now());
        }
        if let LinkFrame::Opened { at, epoch, .. } = &frame {
            self.job.started.get_or_init(|| *at);
            self.seen = self.seen.max(*epoch);
        }
        self.recording.handle_frame(frame);
        // Everything but a long silence fits, and that is taken up at the next tick.
        self.writer.collect(&mut self.recording, WRITES_MAX);
    }

    /// Writes what is ready, about `outputs_max` of it.
    async fn drain(&mut self, outputs_max: usize) {
        self.writer.collect(&mut self.recording, outputs_max);
        let (finished, failed) = self.writer.write().await;
        for track in finished {
            self.uploads.add(track);
        }
        for (track, error) in failed {
            warn!(%track, %error, "a track can't be written any more");
            self.recording.abandon(track);
        }
        self.shared.metrics.count_packets(self.writer.new_packets(&self.recording));
    }

    /// Ends every file, stores them all, and says so.
    async fn finish(mut self) {
        self.recording.finish();
        while !self.writer.collect(&mut self.recording, WRITES_MAX) {
            self.drain(0).await;
        }
        self.drain(WRITES_MAX).await;
        let until = self.clock.at(now());
        loop {
            let (finished, is_all) = self.writer.seal_all(until).await;
            for track in finished {
                let unheard = track.gaps.listed().iter();
                for gap in unheard.filter(|gap| gap.reason == GapReason::Spool) {
                    self.shared.metrics.count_gap(gap.reason, gap.samples);
                }
                self.uploads.add(track);
            }
            if is_all {
                break;
            }
            if self.lease.is_taken() || self.shared.shutdown.is_requested() {
                return self.uploads.abandon();
            }
            // The disk is full: what others store makes room.
            sleep(RETRY_FIRST).await;
        }
        let folder = self.writer.close();
        self.uploads.conclude(self.lease, until, folder).await;
    }
}

fn left(why: LinkClosed) -> Left {
    match why {
        LinkClosed::RoomEnded => Left::Over(Over::Finished),
        LinkClosed::StaleEpoch { current } => Left::Stale(current),
        LinkClosed::NoSuchRoom | LinkClosed::TooSlow | LinkClosed::Refused => Left::Cut,
    }
}

/// When the room's owner says that it is.
fn time_of(frame: &LinkFrame) -> Option<UnixMicros> {
    match frame {
        LinkFrame::Opened { at, .. }
        | LinkFrame::TrackMuted { at, .. }
        | LinkFrame::TrackEnded { at, .. } => Some(*at),
        LinkFrame::Packets(packets) => packets.iter().map(|packet| packet.received).max(),
        LinkFrame::TrackStarted(_) | LinkFrame::Closed(_) => None,
    }
}

/// What the core gives out, as the spool takes it.
fn entry(output: Output) -> Option<Entry> {
    match output {
        Output::Begun { about, begun } => Some(Entry::Begun { about, begun }),
        Output::Page { track, page } => Some(Entry::Page { track, page }),
        Output::Gap { track, gap } => Some(Entry::Gap { track, gap }),
        Output::Finished { track, summary } => Some(Entry::Finished { track, summary }),
        Output::Idle(_) => None,
    }
}
