//! A running node: its shards, and the ways to them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    thread,
};

use proto::{control::Event, pool::Owner};
use sfu_rtc::Certificate;
use tokio::sync::{mpsc, watch};

use crate::{
    clock::Clock,
    config::Config,
    greeting,
    limits::{EVENTS_MAX, LINK_REQUESTS_MAX, MAILBOX_MAX, SHARDS_MAX},
    links::{self, Door, OpenLink},
    mailbox::{Mailbox, Mailboxes, Waker},
    router::{Connection, Control},
    shard,
    socket::Socket,
    stats::{DelayHistogram, IoStats, Snapshot},
};

/// A running node. Once it, every [`Control`] and every [`Connection`] are gone, its shards end.
pub struct Node {
    /// Which life of which node this is.
    pub owner: Owner,
    /// The way in for signaling.
    pub control: Control,
    /// The way out for voice: who sends here hears a room.
    pub links: mpsc::Sender<OpenLink>,
    /// Counters of each shard, about once a second.
    pub snapshots: Vec<watch::Receiver<Snapshot>>,
    /// Where clients send media: every socket of every shard, as offered.
    pub addresses: Vec<SocketAddr>,
}

/// Why a node didn't start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "media port {address}/udp can't be bound; stop what uses it, or choose another --port (media uses port + 2 and up)"
    )]
    Bind { address: SocketAddr, source: io::Error },
    #[error("{0} is no address of this machine: media.listen must name some that it has")]
    NoSuchAddress(IpAddr),
    #[error("{given} shards asked for: choose 1 to {SHARDS_MAX}")]
    Shards { given: usize },
    #[error("no certificate for media could be made: {0}")]
    Certificate(String),
    #[error("the system refused what a shard needs: {0}")]
    System(#[from] io::Error),
}

impl Node {
    /// Binds every media socket, starts the shards and returns at once. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// When a port is taken or the system has no more threads or descriptors to give.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        if !(1..=SHARDS_MAX).contains(&config.shards) {
            return Err(StartError::Shards { given: config.shards });
        }
        let certificate =
            Certificate::generate().map_err(|error| StartError::Certificate(error.to_string()))?;
        let (events, shard_events) = mpsc::channel(EVENTS_MAX);
        let (mut mailboxes, mut doors) = (Vec::new(), Vec::new());
        let (mut snapshots, mut addresses) = (Vec::new(), Vec::new());
        for index in 0..config.shards {
            let shard = start_shard(config, index, &certificate, events.clone())?;
            mailboxes.push(shard.mailbox);
            doors.push(shard.door);
            snapshots.push(shard.snapshots);
            addresses.extend(shard.addresses);
        }
        let (links, link_requests) = mpsc::channel(LINK_REQUESTS_MAX);
        tokio::spawn(links::distribute(link_requests, doors));
        let control = Control::start(Mailboxes::new(mailboxes), shard_events);
        let owner = config.owner.clone();
        Ok(Self { owner, control, links, snapshots, addresses })
    }

    /// Opens a connection for signaling in this process.
    pub fn connect(&self) -> Connection {
        self.control.connect()
    }
}

/// A shard that runs, and how it is reached.
struct Started {
    mailbox: Mailbox,
    door: Door,
    snapshots: watch::Receiver<Snapshot>,
    addresses: Vec<SocketAddr>,
}

fn start_shard(
    config: &Config,
    index: usize,
    certificate: &Certificate,
    events: mpsc::Sender<Event>,
) -> Result<Started, StartError> {
    let clock = Clock;
    let port = port_of(config, index)?;
    let sockets = bind_all(config, port)?;
    let mut addresses = Vec::new();
    for media in &config.media {
        let offered = SocketAddr::new(media.advertise, port);
        // Several sockets may stand behind one public address.
        if !addresses.contains(&offered) {
            addresses.push(offered);
        }
    }
    let waker = Waker::new()?;
    let (commands, shard_commands) = mpsc::channel(MAILBOX_MAX);
    let (requests, shard_links) = mpsc::channel(LINK_REQUESTS_MAX);
    let (snapshot, snapshots) = watch::channel(Snapshot {
        at: clock.now(),
        core: sfu_core::Stats::default(),
        io: IoStats::default(),
        delay: DelayHistogram::default(),
    });
    let parts = shard::Parts {
        core: core_config(config, addresses.clone(), certificate, clock),
        seed: seed()?,
        certificate: certificate.clone(),
        sockets,
        waker: waker.shard_end()?,
        commands: shard_commands,
        events,
        links: shard_links,
        snapshots: snapshot,
        clock,
    };
    thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        if let Err(error) = shard::run(parts) {
            tracing::error!(error = format!("{error:#}"), "a shard ended");
        }
    })?;
    let door = Door { requests, waker: waker.clone() };
    Ok(Started { mailbox: Mailbox::new(commands, waker), door, snapshots, addresses })
}

fn port_of(config: &Config, shard: usize) -> Result<u16, StartError> {
    let offset = u16::try_from(shard).ok();
    offset
        .and_then(|offset| config.first_port.checked_add(offset))
        .ok_or(StartError::Shards { given: config.shards })
}

fn bind_all(config: &Config, port: u16) -> Result<Vec<std::net::UdpSocket>, StartError> {
    let bind = |media: &crate::config::MediaAddress| {
        Socket::bind(media.bind, port).map_err(|source| {
            if source.kind() == io::ErrorKind::AddrNotAvailable {
                return StartError::NoSuchAddress(media.bind);
            }
            StartError::Bind { address: SocketAddr::new(media.bind, port), source }
        })
    };
    config.media.iter().map(bind).collect()
}

fn core_config(
    config: &Config,
    candidates: Vec<SocketAddr>,
    certificate: &Certificate,
    clock: Clock,
) -> sfu_core::Config {
    sfu_core::Config {
        node_id: config.owner.node.to_string(),
        region: config.region.clone(),
        version: config.version,
        candidates,
        fingerprint: certificate.fingerprint(),
        started: clock.now(),
        started_unix_micros: clock.unix_nanos() / 1_000,
        ice_servers: config.ice_servers.clone(),
        greeting: greeting::packets(),
    }
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed)
        .map_err(|_| io::Error::other("the system has no randomness to give"))?;
    Ok(seed)
}
