//! Sets off both defects on the crates below `webrtc` and says of each whether it is still there.
//!
//! `cargo run --release -p peer --example upstream_defects`, at each release of `webrtc`; what to
//! do with the answer: `docs/decisions/0002-webrtc-crate-stays-out-of-the-server.md`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{
    env, fmt,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitCode, Output},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use peer::{
    Usage,
    attack::{Association, FRAGMENTS, Forger, SKIP_MAX, acknowledged_tsn, hello_datagrams},
};
use rtc::{
    crypto::default_provider,
    dtls::{
        config::{ConfigBuilder, HandshakeConfig},
        crypto::Certificate,
        endpoint::Endpoint,
    },
    shared::TransportProtocol,
};

/// What threads get by default, those of an async runtime included.
const STACK_BYTES: usize = 2 << 20;
/// A chunk of twenty bytes is worth microseconds. This much means a loop over what it claims.
const CHUNK_CPU_MAX: Duration = Duration::from_millis(100);

/// How a child ends that took longer.
const SLOW: u8 = 2;

const FRAGMENTED_HELLO: &str = "fragmented-hello";
const FORWARD_TSN: &str = "forward-tsn";

fn main() -> Result<ExitCode> {
    match env::args().nth(1).as_deref() {
        None => report().map(|()| ExitCode::SUCCESS),
        Some(FRAGMENTED_HELLO) => on_a_small_stack(receive_fragmented_hello),
        Some(FORWARD_TSN) => on_a_small_stack(receive_forward_tsn),
        Some(other) => bail!("unknown defect {other}"),
    }
}

/// Each defect in a process of its own, since one of them ends it.
fn report() -> Result<()> {
    let hello = in_child(FRAGMENTED_HELLO)?;
    let verdict = match (hello.status.success(), hello.status.signal()) {
        (true, _) => Verdict::Fixed,
        (false, Some(_)) => Verdict::StillThere,
        (false, None) => Verdict::Unclear,
    };
    println!(
        "rtc-dtls, {FRAGMENTS} one-byte fragments of a ClientHello: {verdict} ({})",
        fate(&hello)
    );

    let forged = in_child(FORWARD_TSN)?;
    let verdict = match forged.status.code() {
        Some(0) => Verdict::Fixed,
        Some(code) if code == i32::from(SLOW) => Verdict::StillThere,
        Some(_) | None => Verdict::Unclear,
    };
    println!("rtc-sctp, one forged FORWARD-TSN of 20 bytes: {verdict} ({})", fate(&forged));
    Ok(())
}

enum Verdict {
    StillThere,
    Fixed,
    /// The attack itself did not work.
    Unclear,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StillThere => "still there",
            Self::Fixed => "fixed",
            Self::Unclear => "unclear, mend this example",
        })
    }
}

/// How the child ended and what it said last.
fn fate(child: &Output) -> String {
    let said = [&child.stdout, &child.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let last = said.iter().flat_map(|text| text.lines()).rfind(|line| !line.trim().is_empty());
    format!("{}: {}", child.status, last.unwrap_or_default())
}

fn in_child(defect: &str) -> Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(defect).env("RUST_BACKTRACE", "0").output().context("the child can't be started")
}

fn on_a_small_stack(receive: fn() -> Result<ExitCode>) -> Result<ExitCode> {
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(receive)?;
    thread.join().unwrap_or_else(|_| bail!("it panicked"))
}

/// Hands the fragments to a DTLS server, as if ICE had just found the client.
fn receive_fragmented_hello() -> Result<ExitCode> {
    let ours = SocketAddr::from((Ipv4Addr::LOCALHOST, 4444));
    let theirs = SocketAddr::from((Ipv4Addr::LOCALHOST, 4445));
    let mut server = Endpoint::new(ours, TransportProtocol::UDP, Some(Arc::new(dtls_config()?)));
    let mut refused = 0;
    for datagram in hello_datagrams() {
        let read = server.read(now(), theirs, None, BytesMut::from(&datagram[..]));
        refused += u32::from(read.is_err());
    }
    println!("it lived and refused {refused} datagrams");
    Ok(ExitCode::SUCCESS)
}

fn dtls_config() -> Result<HandshakeConfig> {
    let provider = default_provider()?;
    let certificate =
        Certificate::generate_self_signed(vec!["localhost".to_owned()], provider.crypto())?;
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_insecure_skip_verify(true)
        .build(false, None)?;
    Ok(config)
}

/// Hands the forgery to one end of an association and measures the processor time it takes.
fn receive_forward_tsn() -> Result<ExitCode> {
    let mut client = Association::connect(now())?;
    let mut server = Association::accept();
    let mut forger = Forger::default();
    let mut is_silent = false;
    while !is_silent {
        is_silent = true;
        while let Some(packet) = client.poll_packet() {
            forger.observe(&packet);
            server.handle_packet(packet, now());
            is_silent = false;
        }
        while let Some(packet) = server.poll_packet() {
            client.handle_packet(packet, now());
            is_silent = false;
        }
    }
    ensure!(client.is_connected() && server.is_connected(), "there is no association");
    let forged = forger.forge(SKIP_MAX).context("no packet was seen")?;
    let before = cpu()?;
    server.handle_packet(Bytes::from(forged), now());
    let spent = cpu()?.saturating_sub(before);
    // An acknowledgement may be delayed.
    server.handle_timeout(now() + Duration::from_secs(1));
    let answers = std::iter::from_fn(|| server.poll_packet());
    let acknowledged = answers.filter_map(|packet| acknowledged_tsn(&packet)).last();
    println!("{} ms of CPU", spent.as_millis());
    if spent > CHUNK_CPU_MAX {
        return Ok(ExitCode::from(SLOW));
    }
    ensure!(acknowledged == forger.reached(SKIP_MAX), "the forgery was not believed");
    Ok(ExitCode::SUCCESS)
}

fn cpu() -> Result<Duration> {
    Ok(Usage::of(std::process::id())?.cpu)
}

#[expect(clippy::disallowed_methods, reason = "the one clock of this program")]
fn now() -> Instant {
    Instant::now()
}
