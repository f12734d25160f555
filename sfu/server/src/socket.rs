//! One UDP socket of a shard: bound to one address, so that an answer leaves from where the
//! question came in.

mod batch;

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use batch::SendBatch;
pub(crate) use batch::{Received, RecvBatch};

use crate::limits::SOCKET_BUFFER_BYTES;

/// Where a shard listens and what it leaves in its own name.
pub(crate) struct Socket {
    udp: UdpSocket,
    outgoing: SendBatch,
}

/// What flushes did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flushed {
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
}

impl Flushed {
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.dropped += other.dropped;
    }
}

impl Socket {
    /// Binds `ip:port`.
    ///
    /// # Errors
    ///
    /// What the system says: the port is taken, or the address isn't this machine's.
    pub(crate) fn bind(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
        let address = SocketAddr::new(ip, port);
        let raw = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            raw.set_only_v6(true)?;
        }
        raw.set_nonblocking(true)?;
        raw.bind(&address.into())?;
        Ok(raw.into())
    }

    pub(crate) fn new(udp: UdpSocket) -> Self {
        let socket = SockRef::from(&udp);
        // Smaller buffers only mean less slack; `adda doctor` is where an operator hears of it.
        _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        _ = batch::stamp_arrivals(udp.as_fd());
        _ = keep_whole(&udp);
        Self { udp, outgoing: SendBatch::new() }
    }

    pub(crate) fn recv(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.recv(self.udp.as_fd())
    }

    /// Whether a packet of up to `room` bytes fits before the next flush.
    pub(crate) fn has_room(&self, room: usize) -> bool {
        self.outgoing.has_room(room)
    }

    /// Queues a packet; see [`SendBatch::push`].
    pub(crate) fn push(
        &mut self,
        to: SocketAddr,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        self.outgoing.push(to, room, fill)
    }

    pub(crate) fn flush(&mut self) -> Flushed {
        if self.outgoing.is_empty() {
            return Flushed::default();
        }
        let queued = self.outgoing.len();
        let sent = self.outgoing.flush(self.udp.as_fd());
        Flushed { sent: sent as u64, dropped: (queued - sent) as u64 }
    }
}

/// Sends whole datagrams or none, whatever ICMP says of a path. See docs/decisions/0025.
fn keep_whole(udp: &UdpSocket) -> io::Result<()> {
    match udp.local_addr()? {
        SocketAddr::V4(_) => set_ip_mtu_discover(udp, Ipv4PathMtuDiscovery::PROBE)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(udp, Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.udp.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    use super::*;

    #[test]
    fn datagrams_ask_not_to_be_cut_whatever_icmp_says() {
        let socket = |ip| Socket::new(Socket::bind(ip, 0).unwrap());
        let v4 = socket(Ipv4Addr::LOCALHOST.into());
        assert_eq!(ip_mtu_discover(v4.as_fd()).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = socket(Ipv6Addr::LOCALHOST.into());
        assert_eq!(ipv6_mtu_discover(v6.as_fd()).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }
}
