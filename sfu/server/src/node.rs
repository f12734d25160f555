//! The node as signaling sees it: commands in, events out, whichever shard they concern.

use std::{collections::BTreeMap, io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, thread};

use proto::{
    control::{Command, Event, RequestId},
    ids::RoomName,
    livekit,
};
use sfu_rtc::Certificate;
use tokio::sync::{mpsc, watch};

use crate::{
    clock::Clock,
    config::Config,
    greeting,
    limits::{EVENTS_MAX, LINK_REQUESTS_MAX, MAILBOX_MAX, SHARDS_MAX},
    links::{self, Door, OpenLink},
    shard,
    socket::Socket,
    stats::{DelayHistogram, IoStats, Snapshot},
};

/// A running node. Dropping `commands` ends its shards.
pub struct Node {
    /// The way in.
    pub commands: mpsc::Sender<Command>,
    /// The way out.
    pub events: mpsc::Receiver<Event>,
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
    #[error("{given} shards asked for: choose 1 to {SHARDS_MAX}")]
    Shards { given: usize },
    #[error("no certificate for media could be made: {0}")]
    Certificate(String),
    #[error("the system refused what a shard needs: {0}")]
    System(#[from] io::Error),
}

/// How the node reaches one shard.
struct Mailbox {
    commands: mpsc::Sender<Command>,
    waker: Arc<OwnedFd>,
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
        let (commands, inbox) = mpsc::channel(MAILBOX_MAX);
        let (links, link_requests) = mpsc::channel(LINK_REQUESTS_MAX);
        let (outbox, events) = mpsc::channel(EVENTS_MAX);
        let shards = mailboxes.len();
        tokio::spawn(distribute(inbox, mailboxes));
        tokio::spawn(links::distribute(link_requests, doors));
        tokio::spawn(collect(shard_events, outbox, shards));
        Ok(Self { commands, events, links, snapshots, addresses })
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
    let addresses: Vec<SocketAddr> =
        config.media.iter().map(|media| SocketAddr::new(media.advertise, port)).collect();
    let waker = Arc::new(
        rustix::event::eventfd(
            0,
            rustix::event::EventfdFlags::NONBLOCK | rustix::event::EventfdFlags::CLOEXEC,
        )
        .map_err(io::Error::from)?,
    );
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
        waker: waker.try_clone()?,
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
    Ok(Started { mailbox: Mailbox { commands, waker }, door, snapshots, addresses })
}

fn port_of(config: &Config, shard: usize) -> Result<u16, StartError> {
    let offset = u16::try_from(shard).ok();
    offset
        .and_then(|offset| config.first_port.checked_add(offset))
        .ok_or(StartError::Shards { given: config.shards })
}

fn bind_all(config: &Config, port: u16) -> Result<Vec<std::net::UdpSocket>, StartError> {
    let bind = |media: &crate::config::MediaAddress| {
        Socket::bind(media.bind, port).map_err(|source| StartError::Bind {
            address: SocketAddr::new(media.bind, port),
            source,
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
        node_id: config.node_id.clone(),
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

/// Which shard a room lives on: the same for all who ask.
pub(crate) fn shard_of(room: &RoomName, shards: usize) -> usize {
    // FNV-1a: names are short, and the choice is no secret.
    let hash = room.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let shards = u64::try_from(shards).unwrap_or(1).max(1);
    usize::try_from(hash % shards).unwrap_or(0)
}

/// Brings each command to its shard. A full mailbox makes signaling wait, never the shard.
async fn distribute(mut inbox: mpsc::Receiver<Command>, mailboxes: Vec<Mailbox>) {
    while let Some(command) = inbox.recv().await {
        if let Command::Room(room) = &command {
            let home = mailboxes.get(shard_of(&room.room, mailboxes.len()));
            if let Some(mailbox) = home {
                mailbox.post(command).await;
            }
            continue;
        }
        for mailbox in &mailboxes {
            mailbox.post(command.clone()).await;
        }
    }
    // The senders go, then each shard is woken to notice.
    for Mailbox { commands, waker } in mailboxes {
        drop(commands);
        wake(&waker);
    }
}

impl Mailbox {
    async fn post(&self, command: Command) {
        // A shard that has ended has no rooms left to command.
        if self.commands.send(command).await.is_ok() {
            wake(&self.waker);
        }
    }
}

pub(crate) fn wake(waker: &OwnedFd) {
    // Only fails when the counter is full, and then the shard is awake.
    _ = rustix::io::write(waker, &1_u64.to_ne_bytes());
}

/// Passes events on, and makes one answer of the shards' lists of rooms.
async fn collect(
    mut shard_events: mpsc::Receiver<Event>,
    outbox: mpsc::Sender<Event>,
    shards: usize,
) {
    let mut lists = Lists { shards, waiting: BTreeMap::new() };
    while let Some(event) = shard_events.recv().await {
        let event = if let Event::Rooms { request, rooms } = event {
            let Some(rooms) = lists.add(request, rooms) else { continue };
            Event::Rooms { request, rooms }
        } else {
            event
        };
        if outbox.send(event).await.is_err() {
            return;
        }
    }
}

/// Lists of rooms of which some shards still owe their part.
struct Lists {
    shards: usize,
    waiting: BTreeMap<RequestId, (usize, Vec<livekit::Room>)>,
}

impl Lists {
    fn add(&mut self, request: RequestId, rooms: Vec<livekit::Room>) -> Option<Vec<livekit::Room>> {
        let (answered, all) = self.waiting.entry(request).or_default();
        *answered += 1;
        all.extend(rooms);
        if *answered < self.shards {
            return None;
        }
        self.waiting.remove(&request).map(|(_, rooms)| rooms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_the_shards_and_stay_there() {
        let rooms: Vec<RoomName> =
            (0..1000).map(|number| format!("room-{number}").parse().unwrap()).collect();
        let mut counts = [0; 4];
        for room in &rooms {
            assert_eq!(shard_of(room, 4), shard_of(room, 4));
            counts[shard_of(room, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (150..350).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_list_of_rooms_is_complete_when_every_shard_has_answered() {
        let mut lists = Lists { shards: 2, waiting: BTreeMap::new() };
        let room = |name: &str| livekit::Room { name: name.into(), ..Default::default() };
        assert!(lists.add(RequestId(1), vec![room("a")]).is_none());
        assert!(lists.add(RequestId(2), vec![]).is_none());
        let rooms = lists.add(RequestId(1), vec![room("b")]).unwrap();
        assert_eq!(rooms.len(), 2);
        assert!(lists.waiting.contains_key(&RequestId(2)) && lists.waiting.len() == 1);
    }
}
