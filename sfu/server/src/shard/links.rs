//! The listeners' end of a shard's links: what waits for each, and who is too slow.
//!
//! Packets are gathered for a moment and leave as one frame. A listener never stalls the shard:
//! what its channel can't take waits here within bounds, and beyond them the link ends.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use proto::link::{LinkClosed, LinkFrame, LinkPacket, LinkPurpose};
use sfu_core::{LinkId, Tap};
use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use crate::{
    limits::{
        LINK_ARENA_BYTES, LINK_FRAMES_WAITING_MAX, LINK_GATHERING, LINK_PACKETS_A_FRAME_MAX,
        LINK_PACKETS_WAITING_MAX, LINK_STALL_MAX,
    },
    links::OpenLink,
};

pub(super) struct Links {
    open: BTreeMap<LinkId, Listener>,
    /// Listeners for whom something waits.
    busy: Vec<LinkId>,
    /// When what waits is to leave.
    due: Option<Instant>,
    /// Listeners that went of their own accord, or were sent away.
    gone: Vec<LinkId>,
    /// Where payloads are copied to, once for all links.
    arena: BytesMut,
    last_id: u64,
    pub(super) packets: u64,
    pub(super) overruns: u64,
}

struct Listener {
    frames: mpsc::Sender<LinkFrame>,
    /// A place in the channel for the last frame, whatever else it is full of.
    last: OwnedPermit<LinkFrame>,
    purpose: LinkPurpose,
    waiting: VecDeque<LinkFrame>,
    packets_waiting: usize,
    /// Nothing more comes, for this reason.
    closing: Option<LinkClosed>,
    stalled_since: Option<Instant>,
    is_busy: bool,
}

/// How a listener fares after a flush.
enum Flushed {
    Done,
    /// Its channel is full.
    Stalled,
    /// It has had its last frame, or dropped the receiver.
    Over,
    TooSlow,
}

impl Links {
    pub(super) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            busy: Vec::new(),
            due: None,
            gone: Vec::new(),
            arena: BytesMut::new(),
            last_id: 0,
            packets: 0,
            overruns: 0,
        }
    }

    /// Lets a listener in and names its link; `None` if its channel has no place even for a no.
    pub(super) fn admit(&mut self, open: &OpenLink) -> Option<LinkId> {
        let last = open.frames.clone().try_reserve_owned().ok()?;
        self.last_id += 1;
        let id = LinkId(self.last_id);
        let listener = Listener {
            frames: open.frames.clone(),
            last,
            purpose: open.request.purpose,
            waiting: VecDeque::new(),
            packets_waiting: 0,
            closing: None,
            stalled_since: None,
            is_busy: false,
        };
        self.open.insert(id, listener);
        Some(id)
    }

    /// When [`Self::flush`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Queues what the core tells a listener.
    pub(super) fn tell(&mut self, id: LinkId, frame: LinkFrame, now: Instant) {
        let Some(listener) = self.open.get_mut(&id) else { return };
        if let LinkFrame::Closed(why) = frame {
            listener.closing = Some(why);
        } else {
            listener.waiting.push_back(frame);
        }
        self.arm(id, now);
    }

    /// Queues a packet for those who want it.
    pub(super) fn take(&mut self, taps: &[Tap], payload: &[u8], now: Instant) {
        let payload = self.keep(payload);
        for tap in taps {
            let Some(listener) = self.open.get_mut(&tap.to) else { continue };
            listener.push(LinkPacket {
                track: tap.track,
                received: tap.received,
                index: tap.index,
                timestamp: tap.timestamp,
                encoding: tap.encoding,
                payload: payload.clone(),
            });
            let leaves = match listener.purpose {
                LinkPurpose::Recording => now + LINK_GATHERING,
                // People are listening at the other end.
                LinkPurpose::Relay => now,
            };
            self.arm(tap.to, leaves);
        }
    }

    /// One allocation carries many payloads, and goes when the last of them has been read.
    fn keep(&mut self, payload: &[u8]) -> Bytes {
        if self.arena.capacity() < payload.len() {
            self.arena = BytesMut::with_capacity(LINK_ARENA_BYTES);
        }
        self.arena.extend_from_slice(payload);
        self.arena.split().freeze()
    }

    fn arm(&mut self, id: LinkId, at: Instant) {
        let Some(listener) = self.open.get_mut(&id) else { return };
        if !listener.is_busy {
            listener.is_busy = true;
            self.busy.push(id);
        }
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Sends what waits, if its time has come.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let mut busy = std::mem::take(&mut self.busy);
        for id in busy.drain(..) {
            let Some(listener) = self.open.get_mut(&id) else { continue };
            listener.is_busy = false;
            match listener.flush(now, &mut self.packets) {
                Flushed::Done => {}
                Flushed::Stalled => self.arm(id, now + LINK_GATHERING),
                Flushed::Over => self.end(id, None),
                Flushed::TooSlow => {
                    self.overruns += 1;
                    self.end(id, Some(LinkClosed::TooSlow));
                }
            }
        }
        busy.append(&mut self.busy);
        self.busy = busy;
    }

    /// Notices listeners that dropped their receivers while nothing was said.
    pub(super) fn sweep(&mut self) {
        let gone = self.open.iter().filter(|(_, listener)| listener.frames.is_closed());
        let gone: Vec<LinkId> = gone.map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.end(id, None));
    }

    fn end(&mut self, id: LinkId, why: Option<LinkClosed>) {
        let Some(listener) = self.open.remove(&id) else { return };
        if let Some(why) = why.or(listener.closing) {
            listener.last.send(LinkFrame::Closed(why));
        }
        self.gone.push(id);
    }

    /// Takes a link of which the core doesn't know yet that it is over.
    pub(super) fn pop_gone(&mut self) -> Option<LinkId> {
        self.gone.pop()
    }
}

impl Listener {
    fn push(&mut self, packet: LinkPacket) {
        self.packets_waiting += 1;
        if let Some(LinkFrame::Packets(packets)) = self.waiting.back_mut()
            && packets.len() < LINK_PACKETS_A_FRAME_MAX
        {
            packets.push(packet);
        } else {
            self.waiting.push_back(LinkFrame::Packets(vec![packet]));
        }
    }

    fn flush(&mut self, now: Instant, sent: &mut u64) -> Flushed {
        while let Some(frame) = self.waiting.pop_front() {
            let packets = if let LinkFrame::Packets(packets) = &frame { packets.len() } else { 0 };
            match self.frames.try_send(frame) {
                Ok(()) => {
                    self.packets_waiting = self.packets_waiting.saturating_sub(packets);
                    self.stalled_since = None;
                    *sent += packets as u64;
                }
                Err(TrySendError::Full(frame)) => {
                    self.waiting.push_front(frame);
                    return self.on_full(now);
                }
                Err(TrySendError::Closed(_)) => return Flushed::Over,
            }
        }
        if self.closing.is_some() { Flushed::Over } else { Flushed::Done }
    }

    fn on_full(&mut self, now: Instant) -> Flushed {
        let since = *self.stalled_since.get_or_insert(now);
        let is_too_slow = now.saturating_duration_since(since) > LINK_STALL_MAX
            || self.packets_waiting > LINK_PACKETS_WAITING_MAX
            || self.waiting.len() > LINK_FRAMES_WAITING_MAX;
        if is_too_slow { Flushed::TooSlow } else { Flushed::Stalled }
    }
}
