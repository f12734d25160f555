//! `adda load`: callers by the thousand at any server that speaks the protocol.

use std::time::Duration;

use load::{JoinOrder, Options, Percentiles, Phase, Progress, Report, SignalPath, Window};
use tokio::sync::watch;

use crate::{cli::LoadArgs, print};

/// Loads the server that `args` name and prints what was measured.
///
/// # Errors
///
/// When the options make no load, nobody could join, or the process can't be observed.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let (progress, watched) = watch::channel(Progress::NONE);
        let shown = tokio::spawn(show(watched));
        let report = load::run(options(args), progress).await;
        shown.abort();
        print::progress("");
        report
    })?;
    if args.output == "json" {
        print::text(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        print::text(&in_words(&report));
    }
    Ok(())
}

fn options(args: &LoadArgs) -> Options {
    Options {
        url: args.url.clone(),
        key: args.key.clone(),
        secret: args.secret.clone(),
        rooms: args.rooms,
        talkers: args.talkers,
        listeners: args.listeners,
        sampled: args.sample,
        packet_ms: args.packet_ms,
        joins_per_second: args.rate,
        order: if args.by_room { JoinOrder::RoomByRoom } else { JoinOrder::TalkersFirst },
        warm_up: Duration::from_secs(args.warm_up),
        window: Duration::from_secs(args.window),
        windows: args.windows,
        path: if args.v0 { SignalPath::TwoConnections } else { SignalPath::OneConnection },
        threads: args.threads,
        server_pid: args.pid,
    }
}

async fn show(mut progress: watch::Receiver<Progress>) {
    while progress.changed().await.is_ok() {
        let Progress { phase, joined, failed, wanted, streams, streams_wanted, .. } =
            *progress.borrow_and_update();
        let delivered = progress.borrow().packets_delivered;
        let phase = match phase {
            Phase::Joining => "joining".to_owned(),
            Phase::WarmingUp => "warming up".to_owned(),
            Phase::Measuring { window } => format!("measuring window {window}"),
            Phase::Leaving => "leaving".to_owned(),
        };
        print::progress(&format!(
            "{phase}: {joined} of {wanted} joined, {failed} failed, \
             {streams} of {streams_wanted} streams heard, {delivered} packets delivered"
        ));
    }
}

fn in_words(report: &Report) -> String {
    let joins = &report.joins;
    let mut text = format!(
        "joined     {} of {} ({} failed), {} of {} streams heard\n",
        joins.joined, joins.wanted, joins.failed, joins.streams_heard, joins.streams_wanted
    );
    for (cause, count) in &joins.failures {
        text.push_str(&format!("  failed   {count} × {cause}\n"));
    }
    text.push_str(&format!("connected  {}\n", spread(&joins.connected_ms, "ms")));
    text.push_str(&format!("1st packet {}\n", spread(&joins.first_packet_ms, "ms")));
    text.push_str(&format!(
        "first 100  {} listeners lost {} of {} packets while the rest joined\n",
        joins.early.listeners,
        joins.early.packets_lost,
        joins.early.packets_lost + joins.early.packets_delivered
    ));
    if let Some(server) = &joins.server {
        text.push_str(&format!(
            "server     {:.2} ms of CPU a join, {:.1} kB a listener\n",
            server.cpu_ms_per_join,
            server.memory_bytes_per_listener as f64 / 1e3
        ));
    }
    for (number, window) in report.windows.iter().enumerate() {
        text.push_str(&window_in_words(number + 1, window));
    }
    text
}

fn window_in_words(number: usize, window: &Window) -> String {
    let mut text = format!(
        "window {number}   {} packets delivered in {:.1} s, {:.3} % lost, {} late\n  one way  {}\n",
        window.packets_delivered,
        window.seconds,
        window.loss_percent,
        window.packets_late,
        spread(&window.one_way_ms, "ms")
    );
    if let Some(server) = &window.server {
        text.push_str(&format!(
            "  server   {:.2} µs of CPU a packet delivered, {:.0} % of a core, {:.1} MB\n",
            server.cpu_us_per_packet,
            server.cpu * 100.0,
            server.memory_bytes as f64 / 1e6
        ));
    }
    text.push_str(&format!("  driver   {:.0} % of a core\n", window.driver_cpu * 100.0));
    text
}

fn spread(of: &Percentiles, unit: &str) -> String {
    let Percentiles { p50, p90, p99, p999, max, .. } = of;
    format!("p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2} {unit}")
}
