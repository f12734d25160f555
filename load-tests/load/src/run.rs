//! A whole run: everybody joins, windows are measured, everybody leaves.

use std::{ops::Range, sync::Arc, time::Duration};

use anyhow::Context;
use sfu_rtc::Certificate;
use tokio::{
    sync::watch,
    time::{self, Instant, MissedTickBehavior},
};

use crate::{
    caller::{Part, Recruit},
    clock::Clock,
    ledger::{Arrivals, Cut, Totals, percentiles, read},
    limits::{EARLY_CALLERS, PAYLOAD_BYTES, SETTLE_TIMEOUT},
    options::{JoinOrder, Options, SignalPath},
    process::{Process, Usage},
    random,
    report::{Joins, Report, ServerJoining, ServerUse, Window, Workload},
    worker::{Brief, Worker},
};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    pub joined: u64,
    pub failed: u64,
    /// Callers there will be.
    pub wanted: u64,
    /// Streams that have carried a packet to a listener.
    pub streams: u64,
    pub streams_wanted: u64,
    /// Since the start; their differences are rates.
    pub packets_sent: u64,
    pub packets_delivered: u64,
}

impl Progress {
    /// Before anybody has been called up.
    pub const NONE: Self = Self {
        phase: Phase::Joining,
        joined: 0,
        failed: 0,
        wanted: 0,
        streams: 0,
        streams_wanted: 0,
        packets_sent: 0,
        packets_delivered: 0,
    };
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Joining,
    WarmingUp,
    /// The windows count from one.
    Measuring {
        window: u32,
    },
    Leaving,
}

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Loads a server and reports. `progress` hears four times a second how far it is.
///
/// Fails if the options make no load, if the server's process can't be observed, or if nobody
/// could join; a caller that fails is part of the report.
pub async fn run(options: Options, progress: watch::Sender<Progress>) -> anyhow::Result<Report> {
    options.check()?;
    let run = Run::new(options, progress)?;
    let joins = run.join().await?;
    anyhow::ensure!(joins.joined > 0, "nobody could join: {:?}", joins.failures);
    run.wait(Phase::WarmingUp, run.options.warm_up).await;
    let mut windows = Vec::new();
    for window in 1..=run.options.windows {
        windows.push(run.measure(window).await?);
    }
    // Causes of loss come to light until the end.
    let joins = Joins {
        failed: read(&run.totals.failed),
        failures: run.arrivals().await?.failures,
        ..joins
    };
    let report = Report { workload: workload(&run.options), joins, windows };
    run.leave().await;
    Ok(report)
}

/// Who has been called up so far.
struct Roll {
    /// What this run's rooms are called, before their number.
    name: String,
    pace: time::Interval,
    recruited: u64,
}

struct Run {
    options: Arc<Options>,
    workers: Vec<Worker>,
    totals: Arc<Totals>,
    server: Option<Process>,
    progress: watch::Sender<Progress>,
}

impl Run {
    fn new(options: Options, progress: watch::Sender<Progress>) -> anyhow::Result<Self> {
        let server = options.server_pid.map(Process::new).transpose()?;
        let (options, totals) = (Arc::new(options), Arc::new(Totals::default()));
        let brief = Brief {
            options: Arc::clone(&options),
            certificate: Certificate::generate()?,
            clock: Clock::start(),
            totals: Arc::clone(&totals),
        };
        let workers = (0..options.threads).map(|_| Worker::start(brief.clone()));
        Ok(Self { workers: workers.collect::<Result<_, _>>()?, options, totals, server, progress })
    }

    /// Lets everybody join at the pace, and waits until they hear.
    async fn join(&self) -> anyhow::Result<Joins> {
        let name = format!("load-{}", random::text::<4>()?);
        let mut pace = time::interval(Duration::from_secs_f64(1.0 / self.options.joins_per_second));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut roll = Roll { name, pace, recruited: 0 };
        let everywhere = 0..self.options.rooms;
        let before = match self.options.order {
            JoinOrder::TalkersFirst => {
                self.recruit_all(&mut roll, everywhere.clone(), Part::Talker).await?;
                self.settle(roll.recruited, 0).await;
                let before = self.server_usage()?;
                self.recruit_all(&mut roll, everywhere, Part::Listener).await?;
                before
            }
            JoinOrder::RoomByRoom => {
                let before = self.server_usage()?;
                for room in everywhere {
                    self.recruit_all(&mut roll, room..room + 1, Part::Talker).await?;
                    self.recruit_all(&mut roll, room..room + 1, Part::Listener).await?;
                }
                before
            }
        };
        self.settle(roll.recruited, self.options.streams()).await;
        let after = self.server_usage()?;
        let arrivals = self.arrivals().await?;
        let counted = match self.options.order {
            JoinOrder::TalkersFirst => u64::from(self.options.listeners),
            JoinOrder::RoomByRoom => u64::from(self.options.listeners + self.options.talkers),
        };
        let counted = counted * u64::from(self.options.rooms);
        Ok(Joins {
            wanted: roll.recruited,
            joined: read(&self.totals.joined),
            failed: read(&self.totals.failed),
            failures: arrivals.failures,
            connected_ms: percentiles(&arrivals.connected),
            first_packet_ms: percentiles(&arrivals.first_packet),
            streams_heard: read(&self.totals.streams),
            streams_wanted: self.options.streams(),
            early: arrivals.early,
            server: before.zip(after).map(|(before, after)| joining(before, after, counted)),
        })
    }

    /// Recruits all who have this part in these rooms, a round of the rooms at a time.
    async fn recruit_all(
        &self,
        roll: &mut Roll,
        rooms: Range<u32>,
        part: Part,
    ) -> anyhow::Result<()> {
        let count = match part {
            Part::Talker => self.options.talkers,
            Part::Listener => self.options.listeners,
        };
        for number in 0..count {
            for room in rooms.clone() {
                roll.pace.tick().await;
                self.tell(Phase::Joining);
                let worker = usize::try_from(roll.recruited)? % self.workers.len();
                let worker = self.workers.get(worker).context("no threads")?;
                let is_early = roll.recruited < EARLY_CALLERS;
                let is_sampled = self.options.is_sampled(number);
                let room = format!("{}-{room}", roll.name);
                worker.recruit(Recruit { room, part, number, is_early, is_sampled }).await?;
                roll.recruited += 1;
            }
        }
        Ok(())
    }

    /// Waits until `callers` have joined or failed and `streams` are heard; not for ever.
    async fn settle(&self, callers: u64, streams: u64) {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        while Instant::now() < deadline {
            let (joined, failed) = (read(&self.totals.joined), read(&self.totals.failed));
            let everybody_hears = read(&self.totals.streams) >= streams;
            if joined + failed >= callers && (everybody_hears || joined == 0) {
                return;
            }
            self.tell(Phase::Joining);
            time::sleep(PROGRESS_INTERVAL).await;
        }
    }

    async fn measure(&self, window: u32) -> anyhow::Result<Window> {
        let own = Process::this();
        self.cut().await?;
        let (started, server_before, own_before) =
            (Instant::now(), self.server_usage()?, own.usage()?);
        self.wait(Phase::Measuring { window }, self.options.window).await;
        let (seconds, server_after, own_after) =
            (started.elapsed().as_secs_f64(), self.server_usage()?, own.usage()?);
        let cut = self.cut().await?;
        let server = server_before.zip(server_after);
        let [sampled, listeners] = [self.options.sampled(), self.options.listeners].map(u64::from);
        let packets_wanted = cut.sent * sampled;
        // What the others got is not seen: as much as the sampled.
        let delivered = cut.delivered * listeners / sampled.max(1);
        Ok(Window {
            seconds,
            packets_sent: cut.sent,
            packets_delivered: cut.delivered,
            packets_wanted,
            loss_percent: 100.0 * (1.0 - ratio(cut.delivered, packets_wanted)).max(0.0),
            loss_percent_by_listener: percentiles(&cut.loss),
            one_way_ms: percentiles(&cut.one_way),
            packets_late: cut.late,
            server: server.map(|(before, after)| server_use(before, after, seconds, delivered)),
            driver_cpu: (own_after.cpu_seconds - own_before.cpu_seconds) / seconds,
        })
    }

    async fn cut(&self) -> anyhow::Result<Cut> {
        let mut sum = Cut::empty();
        for worker in &self.workers {
            sum.add(&worker.cut().await?)?;
        }
        Ok(sum)
    }

    async fn arrivals(&self) -> anyhow::Result<Arrivals> {
        let mut sum = Arrivals::empty();
        for worker in &self.workers {
            sum.add(worker.arrivals().await?)?;
        }
        Ok(sum)
    }

    async fn wait(&self, phase: Phase, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.tell(phase);
            time::sleep_until(end.min(Instant::now() + PROGRESS_INTERVAL)).await;
        }
    }

    async fn leave(self) {
        self.tell(Phase::Leaving);
        for worker in self.workers {
            worker.end().await;
        }
    }

    fn server_usage(&self) -> anyhow::Result<Option<Usage>> {
        let usage = self.server.as_ref().map(Process::usage).transpose();
        usage.context("the server's process is gone")
    }

    fn tell(&self, phase: Phase) {
        let participants = u64::from(self.options.talkers) + u64::from(self.options.listeners);
        let _ = self.progress.send(Progress {
            phase,
            joined: read(&self.totals.joined),
            failed: read(&self.totals.failed),
            wanted: participants * u64::from(self.options.rooms),
            streams: read(&self.totals.streams),
            streams_wanted: self.options.streams(),
            packets_sent: read(&self.totals.sent),
            packets_delivered: read(&self.totals.delivered),
        });
    }
}

fn workload(options: &Options) -> Workload {
    let path = match options.path {
        SignalPath::OneConnection => "/rtc/v1",
        SignalPath::TwoConnections => "/rtc",
    };
    let per_second = 1_000 / options.packet_ms.max(1);
    Workload {
        url: options.url.clone(),
        path: path.to_owned(),
        rooms: options.rooms,
        talkers_per_room: options.talkers,
        listeners_per_room: options.listeners,
        listeners_sampled_per_room: options.sampled(),
        joins_per_second: options.joins_per_second,
        payload_bytes: PAYLOAD_BYTES,
        packets_per_second_and_talker: per_second,
    }
}

fn server_use(before: Usage, after: Usage, seconds: f64, delivered: u64) -> ServerUse {
    let used = after.cpu_seconds - before.cpu_seconds;
    ServerUse {
        cpu: used / seconds,
        cpu_us_per_packet: used * 1_000_000.0 / count(delivered.max(1)),
        memory_bytes: after.memory_bytes,
    }
}

fn joining(before: Usage, after: Usage, listeners: u64) -> ServerJoining {
    let grown = after.memory_bytes.cast_signed() - before.memory_bytes.cast_signed();
    ServerJoining {
        cpu_ms_per_join: (after.cpu_seconds - before.cpu_seconds) * 1_000.0 / count(listeners),
        memory_before_bytes: before.memory_bytes,
        memory_after_bytes: after.memory_bytes,
        memory_bytes_per_listener: grown / listeners.cast_signed().max(1),
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    count(part) / count(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "packets of one window: far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}
