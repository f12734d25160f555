//! One thread, its sockets and its rooms: from UDP in to UDP out without a lock.
//!
//! Each lap visits stop, commands, sockets and timers, each within a budget, then drains what the
//! core and the transports have to say, then flushes. Time is read once a wake-up. A timer that
//! may come late waits for a packet that wakes the thread anyway. Between a datagram's arrival and
//! its copies' departure nothing is allocated once warm.

mod egress;
mod events;
mod intake;
mod links;
mod peers;
mod timers;
mod voice;

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

use proto::control::{Command, ConnectionFailure, Event};
use rustix::event::epoll;
use sfu_core::{
    Forward, Input, LinkAction, LinkId, Output, TransportAction, TransportEvent, TransportId,
};
use sfu_rtc::{Certificate, Event as RtcEvent, Output as RtcOutput, Role, Transport};
use tokio::sync::{mpsc, watch};

use self::{egress::Egress, events::Events, links::Links, peers::Peers, timers::Timers};
use crate::{
    clock::Clock,
    limits::{BATCHES_A_LAP_MAX, COMMANDS_A_LAP_MAX, LINK_REQUESTS_A_LAP_MAX, TIMER_SLACK},
    links::OpenLink,
    socket::{RecvBatch, Socket},
    stats::{IoStats, Snapshot},
};

/// How often a shard publishes its counters, and so the longest it sleeps.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// The token under which the wake-up call is registered; sockets use their index.
const WAKER_TOKEN: u64 = u64::MAX;

/// What a shard is made of.
pub(crate) struct Parts {
    pub(crate) core: sfu_core::Config,
    pub(crate) seed: [u8; 32],
    pub(crate) certificate: Certificate,
    pub(crate) sockets: Vec<std::net::UdpSocket>,
    pub(crate) waker: OwnedFd,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) links: mpsc::Receiver<OpenLink>,
    pub(crate) snapshots: watch::Sender<Snapshot>,
    pub(crate) clock: Clock,
}

/// The loop's state.
pub(crate) struct Shard {
    core: sfu_core::Shard,
    core_deadline: Option<Instant>,
    certificate: Rc<Certificate>,
    peers: Peers,
    timers: Timers,
    egress: Egress,
    events: Events,
    links: Links,
    link_requests: mpsc::Receiver<OpenLink>,
    io: IoStats,
    clock: Clock,
    now: Instant,
}

/// Runs a shard until its commands end.
///
/// # Errors
///
/// When the system refuses an event queue.
pub(crate) fn run(parts: Parts) -> anyhow::Result<()> {
    let Parts {
        core,
        seed,
        certificate,
        sockets,
        waker,
        commands,
        events,
        links,
        snapshots,
        clock,
    } = parts;
    let now = clock.now();
    let mut shard = Shard {
        core: sfu_core::Shard::new(core, seed, now),
        core_deadline: None,
        certificate: Rc::new(certificate),
        peers: Peers::default(),
        timers: Timers::default(),
        egress: Egress::new(sockets.into_iter().map(Socket::new).collect(), clock),
        events: Events::new(events),
        links: Links::new(),
        link_requests: links,
        io: IoStats::default(),
        clock,
        now,
    };
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, socket) in shard.egress.sockets().iter().enumerate() {
        let token = epoll::EventData::new_u64(index as u64);
        epoll::add(&queue, socket, token, epoll::EventFlags::IN)?;
    }
    let token = epoll::EventData::new_u64(WAKER_TOKEN);
    epoll::add(&queue, &waker, token, epoll::EventFlags::IN)?;
    turn(&mut shard, &queue, &waker, commands, &snapshots)
}

/// The laps.
fn turn(
    shard: &mut Shard,
    queue: &OwnedFd,
    waker: &OwnedFd,
    mut commands: mpsc::Receiver<Command>,
    snapshots: &watch::Sender<Snapshot>,
) -> anyhow::Result<()> {
    let mut batch = RecvBatch::new();
    let mut ready = Vec::with_capacity(16);
    let mut snapshot_due = shard.now;
    let mut busy = false;
    loop {
        let timeout = if busy { Duration::ZERO } else { shard.sleep_for(snapshot_due) };
        wait(queue, &mut ready, timeout)?;
        shard.now = shard.clock.now();
        busy = false;

        if ready.contains(&WAKER_TOKEN) {
            _ = rustix::io::read(waker, &mut [0_u8; 8]);
        }
        match shard.run_commands(&mut commands) {
            Mailbox::Empty => {}
            Mailbox::MoreWaits => busy = true,
            Mailbox::Closed => {
                shard.links.flush(shard.now);
                shard.egress.flush();
                return Ok(());
            }
        }
        for index in 0..shard.egress.sockets().len() {
            if ready.contains(&(index as u64)) {
                busy |= shard.run_socket(index, &mut batch);
            }
        }
        shard.run_timers();
        busy |= shard.run_links();
        busy |= shard.events.flush();
        shard.egress.flush();
        if shard.now >= snapshot_due {
            snapshot_due = shard.now + SNAPSHOT_INTERVAL;
            shard.links.sweep();
            snapshots.send_replace(shard.snapshot());
        }
    }
}

/// What [`Shard::run_commands`] left behind.
enum Mailbox {
    Empty,
    MoreWaits,
    Closed,
}

/// Waits for a socket or the waker; collects their tokens.
fn wait(queue: &OwnedFd, ready: &mut Vec<u64>, timeout: Duration) -> io::Result<()> {
    ready.clear();
    let mut slots = [const { std::mem::MaybeUninit::<epoll::Event>::uninit() }; 16];
    let timeout = rustix::event::Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(1),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    match epoll::wait(queue, &mut slots, Some(&timeout)) {
        Ok((events, _)) => ready.extend(events.iter().map(|event| event.data.u64())),
        Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

impl Shard {
    fn sleep_for(&self, snapshot_due: Instant) -> Duration {
        let patient = [self.timers.next(), self.core_deadline].into_iter().flatten().min();
        let deadlines = [
            patient.map(|deadline| deadline + TIMER_SLACK),
            self.core.punctual_deadline(),
            self.links.due(),
            Some(snapshot_due),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or(snapshot_due);
        next.saturating_duration_since(self.now)
    }

    fn snapshot(&self) -> Snapshot {
        let io = IoStats {
            events_lost: self.events.lost,
            link_packets: self.links.packets,
            link_overruns: self.links.overruns,
            ..self.egress.count(self.io)
        };
        Snapshot { at: self.now, core: self.core.stats(), io, delay: self.egress.delay() }
    }

    fn run_timers(&mut self) {
        if self.core_deadline.is_some_and(|deadline| deadline <= self.now) {
            self.guarded(None, |shard| shard.core.handle_timeout(shard.now));
        }
        while let Some(index) = self.timers.pop_due(self.now) {
            let now = self.now;
            self.guarded(Some(index), |shard| {
                if let Some(peer) = shard.peers.at(index) {
                    peer.transport.handle_timeout(now);
                }
                shard.peers.touch(index);
            });
        }
        self.drain();
    }

    fn run_commands(&mut self, commands: &mut mpsc::Receiver<Command>) -> Mailbox {
        for _ in 0..COMMANDS_A_LAP_MAX {
            let command = match commands.try_recv() {
                Ok(command) => command,
                Err(mpsc::error::TryRecvError::Empty) => return Mailbox::Empty,
                Err(mpsc::error::TryRecvError::Disconnected) => return Mailbox::Closed,
            };
            self.guarded(None, |shard| {
                shard.core.handle_input(Input::Command(command), shard.now);
            });
            self.drain();
        }
        Mailbox::MoreWaits
    }

    /// Lets listeners in, hands them what waits, and lets go of those who went. Returns whether
    /// more of them wait at the door.
    fn run_links(&mut self) -> bool {
        let mut admitted = 0;
        while admitted < LINK_REQUESTS_A_LAP_MAX
            && let Ok(open) = self.link_requests.try_recv()
        {
            admitted += 1;
            let Some(id) = self.links.admit(&open) else { continue };
            self.link(id, LinkAction::Open(open.request));
        }
        self.links.flush(self.now);
        while let Some(id) = self.links.pop_gone() {
            self.link(id, LinkAction::Close);
        }
        admitted == LINK_REQUESTS_A_LAP_MAX
    }

    fn link(&mut self, id: LinkId, action: LinkAction) {
        self.guarded(None, |shard| {
            shard.core.handle_input(Input::Link { id, action }, shard.now);
        });
        self.drain();
    }

    /// Reads what waits at a socket. Returns whether the budget ended before the datagrams did.
    fn run_socket(&mut self, index: usize, batch: &mut RecvBatch) -> bool {
        for _ in 0..BATCHES_A_LAP_MAX {
            // An error here belongs to an earlier send; the next read goes on.
            let count = self.egress.recv(index, batch).unwrap_or(0);
            if count == 0 {
                return false;
            }
            for slot in 0..count {
                match batch.get(slot) {
                    Some(datagram) => self.take_in(index, datagram),
                    None => self.io.dropped_unknown += 1,
                }
            }
            self.drain();
            if count < crate::limits::BATCH_DATAGRAMS {
                return false;
            }
        }
        self.io.laps_exhausted += 1;
        true
    }

    /// Runs one step so that a bug of ours costs the session it touched, never the others.
    fn guarded(&mut self, culprit: Option<u32>, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_ok() {
            return;
        }
        self.io.invariants_broken += 1;
        tracing::error!("a step of a shard panicked");
        let Some(peer) = culprit.and_then(|index| self.peers.at(index)) else { return };
        let event = TransportEvent::Failed(ConnectionFailure::DtlsFailed);
        let input = Input::Transport { id: peer.id, event };
        let now = self.now;
        let closed = AssertUnwindSafe(|| self.core.handle_input(input, now));
        if catch_unwind(closed).is_err() {
            self.io.invariants_broken += 1;
        }
    }

    /// Lets the core and the transports speak until neither has more to say.
    fn drain(&mut self) {
        loop {
            while let Some(index) = self.peers.pop_dirty() {
                self.guarded(Some(index), |shard| _ = shard.drain_peer(index, None));
            }
            self.guarded(None, Self::drain_core);
            if !self.peers.has_dirty() {
                return;
            }
        }
    }

    /// Lets one transport speak. `via` is where an answer to its own address must leave.
    /// Returns whether there was such an answer.
    fn drain_peer(&mut self, index: u32, via: Option<(SocketAddr, usize)>) -> bool {
        let mut has_answered = false;
        while let Some(peer) = self.peers.at(index) {
            let peers::Peer { id, transport, paths, .. } = peer;
            let id = *id;
            match transport.poll_output() {
                RtcOutput::Datagram { to, bytes } => {
                    let answer = via.filter(|(address, _)| *address == to);
                    has_answered |= answer.is_some();
                    let socket = answer.map_or_else(|| paths.socket_to(to), |(_, socket)| socket);
                    self.egress.send(socket, to, bytes.len(), |buffer| {
                        buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
                        Some(bytes.len())
                    });
                }
                RtcOutput::Event(event) => {
                    if let RtcEvent::AddressVerified(address) = &event {
                        let socket = via.map_or(0, |(_, socket)| socket);
                        self.peers.map(index, *address, socket);
                    }
                    self.on_rtc_event(id, event);
                }
                RtcOutput::Idle(deadline) => {
                    if let Some(deadline) = deadline {
                        self.timers.arm(index, deadline);
                    }
                    self.peers.settle(index);
                    return has_answered;
                }
            }
        }
        has_answered
    }

    fn on_rtc_event(&mut self, id: TransportId, event: RtcEvent) {
        let input = match &event {
            RtcEvent::AddressVerified(_) => {
                Input::Transport { id, event: TransportEvent::AddressVerified }
            }
            RtcEvent::Connected => Input::Transport { id, event: TransportEvent::Connected },
            RtcEvent::ChannelOpen(channel) => {
                Input::Transport { id, event: TransportEvent::ChannelOpen(*channel) }
            }
            RtcEvent::Failed(cause) => {
                Input::Transport { id, event: TransportEvent::Failed(*cause) }
            }
            RtcEvent::Data { channel, payload } => Input::Data { id, channel: *channel, payload },
        };
        self.core.handle_input(input, self.now);
    }

    fn drain_core(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Event(event) => self.events.send(event),
                Output::Transport { id, action } => self.act(id, action),
                Output::Data { to, channel, payload } => {
                    if let Some(peer) = self.peers.get(to) {
                        // A full or closed channel has lost the message; the core was told of
                        // neither, since its sender could do nothing about it.
                        _ = peer.transport.send_data(channel, &payload, self.now);
                        self.peers.touch(to.index);
                    }
                }
                Output::Rtcp { to, packet } => self.send_rtcp(to, packet),
                Output::Link { id, frame } => self.links.tell(id, frame, self.now),
                Output::Voice { to, payload } => {
                    for forward in &to {
                        copy(&mut self.egress, &mut self.peers, forward, &payload);
                    }
                }
                Output::Idle(deadline) => {
                    self.core_deadline = deadline;
                    return;
                }
            }
        }
    }

    fn act(&mut self, id: TransportId, action: TransportAction) {
        match action {
            TransportAction::Open { local, channels } => {
                let ufrag = local.ufrag.clone();
                let transport =
                    Transport::new(&self.certificate, Role::Server, local, channels, self.now);
                self.peers.insert(id, transport, ufrag);
            }
            TransportAction::SetRemote { ice, fingerprint } => {
                if let Some(peer) = self.peers.get(id) {
                    peer.transport.set_remote(ice, fingerprint);
                    self.peers.touch(id.index);
                }
            }
            TransportAction::RestartIce { local } => {
                let ufrag = local.ufrag.clone();
                if let Some(peer) = self.peers.get(id) {
                    peer.transport.restart_ice(local);
                    self.peers.name(id.index, ufrag);
                    self.peers.touch(id.index);
                }
            }
            TransportAction::Close => {
                if self.peers.get(id).is_some() {
                    self.peers.remove(id.index);
                }
            }
        }
    }

    fn send_rtcp(&mut self, to: TransportId, packet: Vec<u8>) {
        const TRAILER_BYTES_MAX: usize = 4 + 16;
        let Some(peer) = self.peers.get(to) else { return };
        let Some(address) = peer.transport.peer() else { return };
        let room = packet.len() + TRAILER_BYTES_MAX;
        let transport = &mut peer.transport;
        self.egress.send(peer.paths.media, address, room, |buffer| {
            buffer.get_mut(..packet.len())?.copy_from_slice(&packet);
            transport.seal_rtcp(buffer, packet.len())
        });
    }
}

/// Queues one listener's copy of a packet.
fn copy(egress: &mut Egress, peers: &mut Peers, forward: &Forward, payload: &[u8]) {
    let Some(peer) = peers.get(forward.to) else { return };
    let socket = peer.paths.media;
    let Some(copy) = voice::copy_for(peer, forward, payload) else { return };
    egress.send_voice(socket, copy.to, copy.room, |buffer| copy.write(buffer));
}
