//! What the threads that forward allocate, packet by packet: nothing, once they are warm.
//!
//! The whole server runs in this process under an allocator that counts by thread. Two loads
//! take turns that differ in one thing, how much sound a packet holds: what comes with time
//! (reports, checks, ticks) is the same in both, what comes with a packet is not. Of each load the
//! turn with the fewest counts: a busy machine adds losses, and what they are answered with; what
//! a packet allocates is in every turn.

mod counting;

use std::{
    env, fs,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use load::{JoinOrder, Options, Phase, Progress, SignalPath};
use serde_json::{Value, json};
use tokio::{sync::watch, time};

const ROOMS: u32 = 4;
const TALKERS: u32 = 2;
const LISTENERS: u32 = 20;
const WARM_UP: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(10);
const TURNS: usize = 3;
/// One allocation for each packet received would be a twentieth for each forwarded, with this many
/// listeners; a tenth of that is more than chance.
const PER_PACKET_MAX: f64 = 0.005;

/// What the shards did in one window.
#[derive(Clone, Copy, Debug)]
struct Counted {
    seconds: f64,
    packets: u64,
    allocations: u64,
    /// Of the packets.
    loss_percent: f64,
}

impl Counted {
    fn packets_a_second(&self) -> f64 {
        as_float(self.packets) / self.seconds
    }

    fn allocations_a_second(&self) -> f64 {
        as_float(self.allocations) / self.seconds
    }
}

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let port = free_port()?;
    let data = directory.path().to_string_lossy().into_owned();
    thread::spawn(move || {
        let port = port.to_string();
        let words = ["adda", "dev", "--port", &port, "--log", "json", "--data-dir", &data];
        adda::run(words.map(Into::into))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut of_20_ms, mut of_10_ms) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        wait_until_open(port).await?;
        for _ in 0..TURNS {
            of_20_ms.push(under_load(port, 20).await?);
            of_10_ms.push(under_load(port, 10).await?);
        }
        anyhow::Ok(())
    })?;
    let (slow, fast) = (fewest(&of_20_ms)?, fewest(&of_10_ms)?);
    let more_packets = fast.packets_a_second() - slow.packets_a_second();
    ensure!(more_packets > 0.0, "shorter packets were not more packets");
    let more = fast.allocations_a_second() - slow.allocations_a_second();
    let per_packet = more / more_packets;
    let figures = json!({
        "workload": format!("{ROOMS}×{TALKERS}×{LISTENERS}"),
        "packets_of_20_ms": of_20_ms.iter().map(counted).collect::<Value>(),
        "packets_of_10_ms": of_10_ms.iter().map(counted).collect::<Value>(),
        "allocations_per_forwarded_packet": (per_packet * 1e6).round() / 1e6,
    });
    writeln!(io::stdout(), "{figures:#}")?;
    if let Some(path) = path_asked_for() {
        fs::write(&path, format!("{figures:#}\n")).with_context(|| path.display().to_string())?;
    }
    ensure!(per_packet < PER_PACKET_MAX, "{per_packet:.4} allocations per forwarded packet");
    Ok(())
}

/// The turn with the fewest allocations in its time.
fn fewest(turns: &[Counted]) -> Result<Counted> {
    let rate = Counted::allocations_a_second;
    let fewest = turns.iter().min_by(|one, other| rate(one).total_cmp(&rate(other)));
    fewest.copied().context("no turn")
}

fn counted(of: &Counted) -> Value {
    json!({
        "packets_forwarded": of.packets,
        "allocations_on_shards": of.allocations,
        "loss_percent": of.loss_percent,
        "seconds": (of.seconds * 1e3).round() / 1e3,
    })
}

/// Loads the server with packets of so many milliseconds and counts through one window.
async fn under_load(port: u16, packet_ms: u32) -> Result<Counted> {
    let (progress, watched) = watch::channel(Progress::NONE);
    let counting = tokio::spawn(count(watched));
    let report = load::run(options(port, packet_ms), progress).await?;
    let window = report.windows.first().context("no window")?;
    let counted = counting.await?.context("the load ended before its window did")?;
    Ok(Counted { loss_percent: window.loss_percent, ..counted })
}

/// What happens between the first sign of the window and the first of its end. The window is
/// seen from outside, to the quarter of a second: all three are read together.
async fn count(mut watched: watch::Receiver<Progress>) -> Option<Counted> {
    let started = time::Instant::now();
    let mut begun: Option<Counted> = None;
    while watched.changed().await.is_ok() {
        let Progress { phase, packets_delivered, .. } = *watched.borrow_and_update();
        let now = Counted {
            seconds: started.elapsed().as_secs_f64(),
            packets: packets_delivered,
            allocations: counting::of_threads("shard-"),
            loss_percent: 0.0,
        };
        match (phase, begun) {
            (Phase::Measuring { .. }, None) => begun = Some(now),
            (Phase::Leaving, Some(begun)) => {
                return Some(Counted {
                    seconds: now.seconds - begun.seconds,
                    packets: now.packets - begun.packets,
                    allocations: now.allocations - begun.allocations,
                    ..begun
                });
            }
            _ => {}
        }
    }
    None
}

fn options(port: u16, packet_ms: u32) -> Options {
    Options {
        url: format!("ws://127.0.0.1:{port}"),
        key: "devkey".to_owned(),
        secret: "secret".to_owned(),
        rooms: ROOMS,
        talkers: TALKERS,
        listeners: LISTENERS,
        sampled: None,
        packet_ms,
        joins_per_second: 50.0,
        order: JoinOrder::TalkersFirst,
        warm_up: WARM_UP,
        window: WINDOW,
        windows: 1,
        path: SignalPath::OneConnection,
        threads: 1,
        server_pid: None,
    }
}

async fn wait_until_open(port: u16) -> Result<()> {
    for _ in 0..100 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the server doesn't listen on port {port}")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What follows `--json`; Cargo has words of its own.
fn path_asked_for() -> Option<PathBuf> {
    env::args().skip_while(|word| word != "--json").nth(1).map(PathBuf::from)
}

#[expect(clippy::cast_precision_loss, reason = "packets of a few seconds: far below 2^52")]
fn as_float(number: u64) -> f64 {
    number as f64
}
