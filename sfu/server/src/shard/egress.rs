//! The way out: what waits at the sockets to be handed over together, and how long each forwarded
//! packet took to get there.

use std::{io, net::SocketAddr, time::Duration};

use crate::{
    clock::Clock,
    socket::{Flushed, RecvBatch, Socket},
    stats::{DelayHistogram, IoStats},
};

/// The sockets of a shard, by index.
pub(super) struct Egress {
    sockets: Vec<Socket>,
    clock: Clock,
    /// When the packet came in whose copies are being queued, if they are copies.
    arrived: Option<u64>,
    /// Copies queued since the last flush: when their packet came in, and how many.
    waiting: Vec<(u64, u64)>,
    delay: DelayHistogram,
    sent: Flushed,
    bytes: u64,
    voice_bytes: u64,
}

impl Egress {
    pub(super) fn new(sockets: Vec<Socket>, clock: Clock) -> Self {
        Self {
            sockets,
            clock,
            arrived: None,
            waiting: Vec::with_capacity(1024),
            delay: DelayHistogram::default(),
            sent: Flushed::default(),
            bytes: 0,
            voice_bytes: 0,
        }
    }

    pub(super) fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// Takes what waits at a socket, at most a batch.
    pub(super) fn recv(&self, socket: usize, batch: &mut RecvBatch) -> io::Result<usize> {
        self.sockets.get(socket).map_or(Ok(0), |socket| socket.recv(batch))
    }

    /// What is queued until [`Self::end_copies`] are copies of a packet that came in at `arrived`,
    /// in nanoseconds of the wall clock.
    pub(super) fn begin_copies(&mut self, arrived: Option<u64>) {
        self.arrived = arrived;
    }

    pub(super) fn end_copies(&mut self) {
        self.arrived = None;
    }

    /// Queues a datagram of at most `room` bytes at a socket. Flushes first when there is no room.
    pub(super) fn send(
        &mut self,
        socket: usize,
        to: SocketAddr,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if self.sockets.get(socket).is_some_and(|socket| !socket.has_room(room)) {
            self.flush();
        }
        let Some(socket) = self.sockets.get_mut(socket) else { return };
        let mut len = 0;
        let is_queued = socket.push(to, room, |buffer| {
            len = fill(buffer)?;
            Some(len)
        });
        if !is_queued {
            return;
        }
        self.bytes += len as u64;
        let Some(arrived) = self.arrived else { return };
        match self.waiting.last_mut() {
            Some((packet, copies)) if *packet == arrived => *copies += 1,
            Some(_) | None => self.waiting.push((arrived, 1)),
        }
    }

    /// The same with a copy of somebody's voice.
    pub(super) fn send_voice(
        &mut self,
        socket: usize,
        to: SocketAddr,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let before = self.bytes;
        self.send(socket, to, room, fill);
        self.voice_bytes += self.bytes - before;
    }

    /// Hands everything to the kernel.
    pub(super) fn flush(&mut self) {
        for socket in &mut self.sockets {
            self.sent.add(socket.flush());
        }
        if self.waiting.is_empty() {
            return;
        }
        let now = self.clock.unix_nanos();
        for (arrived, copies) in self.waiting.drain(..) {
            self.delay.record(Duration::from_nanos(now.saturating_sub(arrived)), copies);
        }
    }

    pub(super) fn delay(&self) -> DelayHistogram {
        self.delay
    }

    /// Returns `io` with what was sent.
    pub(super) fn count(&self, io: IoStats) -> IoStats {
        IoStats {
            datagrams_out: self.sent.sent,
            dropped_send: self.sent.dropped,
            bytes_out: self.bytes,
            rtp_bytes_out: self.voice_bytes,
            ..io
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;
    use crate::limits::BATCH_DATAGRAMS;

    #[test]
    fn a_copy_has_stayed_until_its_own_batch_left() {
        let there = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = there.local_addr().unwrap();
        let here = Socket::new(Socket::bind(Ipv4Addr::LOCALHOST.into(), 0).unwrap());
        let mut egress = Egress::new(vec![here], Clock);
        let counted = |egress: &Egress| egress.delay().buckets.iter().sum::<u64>();
        let second = 1_000_000_000;
        egress.begin_copies(Some(Clock.unix_nanos() - second));
        (0..=BATCH_DATAGRAMS).for_each(|_| egress.send_voice(0, to, 10, |_| Some(1)));
        egress.end_copies();
        assert_eq!(counted(&egress), BATCH_DATAGRAMS as u64);
        egress.send(0, to, 10, |_| Some(1));
        egress.flush();
        assert_eq!(counted(&egress), BATCH_DATAGRAMS as u64 + 1, "one datagram was no copy");
        assert!(egress.delay().sum_nanos >= (BATCH_DATAGRAMS as u64 + 1) * second);
        let io = egress.count(IoStats::default());
        assert_eq!(io.datagrams_out, BATCH_DATAGRAMS as u64 + 2);
        assert_eq!(io.bytes_out, io.datagrams_out);
        assert_eq!(io.rtp_bytes_out, io.bytes_out - 1, "one datagram was no voice");
    }
}
