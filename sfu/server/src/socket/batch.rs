//! Datagrams in and out by the batch: `recvmmsg` and `sendmmsg` over arrays made once.
//!
//! The only `unsafe` on the media path. Every pointer handed to the kernel leads into a buffer
//! that the same struct owns on the heap and neither grows nor moves.
#![expect(unsafe_code, reason = "no safe crate offers recvmmsg; see docs/decisions/0005")]
#![expect(clippy::cast_possible_truncation, reason = "sizes and families of C, small constants")]

use std::{
    io, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use crate::limits::{ARENA_BYTES, BATCH_DATAGRAMS, DATAGRAM_BYTES_MAX};

/// Room for one `SCM_TIMESTAMPNS`, aligned as control messages must be.
type Control = [u64; 8];

const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
const ADDRESS_V4_BYTES: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
const _: () = assert!(BATCH_DATAGRAMS <= 1024, "the kernel takes no more in one call");
const _: () = assert!(ADDRESS_V4_BYTES <= ADDRESS_BYTES);

/// One datagram as it came.
pub(crate) struct Received<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: &'a mut [u8],
    /// When the kernel took it in, in nanoseconds of the wall clock.
    pub(crate) arrived_unix_nanos: Option<u64>,
}

/// What one `recvmmsg` fills.
pub(crate) struct RecvBatch {
    buffers: Vec<[u8; DATAGRAM_BYTES_MAX]>,
    names: Vec<libc::sockaddr_in6>,
    controls: Vec<Control>,
    /// Kept alive for `headers`, which point here.
    _iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl RecvBatch {
    pub(crate) fn new() -> Self {
        let mut buffers = vec![[0_u8; DATAGRAM_BYTES_MAX]; BATCH_DATAGRAMS];
        // SAFETY: all-zero is a valid value of these plain C structs.
        let mut names = vec![unsafe { mem::zeroed::<libc::sockaddr_in6>() }; BATCH_DATAGRAMS];
        let mut controls = vec![Control::default(); BATCH_DATAGRAMS];
        let mut iovecs: Vec<libc::iovec> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: DATAGRAM_BYTES_MAX,
            })
            .collect();
        let mut headers = Vec::with_capacity(BATCH_DATAGRAMS);
        for ((iovec, name), control) in iovecs.iter_mut().zip(&mut names).zip(&mut controls) {
            // SAFETY: all-zero is a valid `mmsghdr`.
            let mut header = unsafe { mem::zeroed::<libc::mmsghdr>() };
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            headers.push(header);
        }
        Self { buffers, names, controls, _iovecs: iovecs, headers }
    }

    /// Takes what waits at `socket`, at most a batch. `Ok(0)` means nothing did.
    pub(crate) fn recv(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = ADDRESS_BYTES;
            header.msg_hdr.msg_controllen = size_of::<Control>();
            header.msg_hdr.msg_flags = 0;
        }
        // SAFETY: `headers` has BATCH_DATAGRAMS entries, each pointing at buffers we own.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH_DATAGRAMS as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    /// Returns the `index`-th datagram of the last call; `None` if the kernel had to cut it.
    pub(crate) fn get(&mut self, index: usize) -> Option<Received<'_>> {
        let header = self.headers.get(index)?;
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let from = address_from_c(self.names.get(index)?)?;
        let controls = self.controls.get(index)?;
        let arrived_unix_nanos = timestamp(controls, header.msg_hdr.msg_controllen);
        let len = usize::try_from(header.msg_len).ok()?;
        let bytes = self.buffers.get_mut(index)?.get_mut(..len)?;
        Some(Received { from, bytes, arrived_unix_nanos })
    }
}

/// Asks the kernel to note when each datagram came in. Without it, delays aren't measured.
pub(super) fn stamp_arrivals(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is one `int`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            ptr::from_ref(&on).cast(),
            len,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads the one control message we ask for (`SO_TIMESTAMPNS`), without following pointers.
fn timestamp(control: &Control, len: usize) -> Option<u64> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    if len < HEADER + size_of::<libc::timespec>() {
        return None;
    }
    // Length, then level and type as two 32-bit words, then seconds and nanoseconds.
    let [_, level_and_type, seconds, nanos, ..] = *control;
    let [a, b, c, d, e, f, g, h] = level_and_type.to_ne_bytes();
    let is_ours = i32::from_ne_bytes([a, b, c, d]) == libc::SOL_SOCKET
        && i32::from_ne_bytes([e, f, g, h]) == libc::SCM_TIMESTAMPNS;
    is_ours.then(|| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos))
}

/// Packets waiting to leave one socket, back to back in an arena.
pub(crate) struct SendBatch {
    arena: Box<[u8]>,
    used: usize,
    queued: usize,
    names: Vec<libc::sockaddr_in6>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl SendBatch {
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid value of these plain C structs.
        let (name, header) =
            unsafe { (mem::zeroed::<libc::sockaddr_in6>(), mem::zeroed::<libc::mmsghdr>()) };
        let iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut names = vec![name; BATCH_DATAGRAMS];
        let mut iovecs = vec![iovec; BATCH_DATAGRAMS];
        let mut headers = vec![header; BATCH_DATAGRAMS];
        for ((header, iovec), name) in headers.iter_mut().zip(&mut iovecs).zip(&mut names) {
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
        }
        let arena = vec![0; ARENA_BYTES].into_boxed_slice();
        Self { arena, used: 0, queued: 0, names, iovecs, headers }
    }

    /// Whether a packet of up to `room` bytes fits before the next flush.
    pub(crate) fn has_room(&self, room: usize) -> bool {
        self.queued < BATCH_DATAGRAMS && self.arena.len() - self.used >= room
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.queued
    }

    /// Lets `fill` write a packet of at most `room` bytes to `to`. It returns the length, or
    /// `None` to send nothing. Returns whether a packet was queued.
    pub(crate) fn push(
        &mut self,
        to: SocketAddr,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let slots = (
            self.headers.get_mut(self.queued),
            self.iovecs.get_mut(self.queued),
            self.names.get_mut(self.queued),
            self.arena.get_mut(self.used..self.used.saturating_add(room)),
        );
        let (Some(header), Some(iovec), Some(name), Some(space)) = slots else { return false };
        let Some(len) = fill(space).filter(|len| *len <= room) else { return false };
        header.msg_hdr.msg_namelen = address_to_c(to, name);
        iovec.iov_base = space.as_mut_ptr().cast();
        iovec.iov_len = len;
        self.used += len;
        self.queued += 1;
        true
    }

    /// Hands everything to the kernel. Returns how many packets left; the others were dropped,
    /// since a late packet of speech is worth less than the next one.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> usize {
        let (mut at, mut sent) = (0, 0);
        while let Some(rest) = self.headers.get_mut(at..self.queued).filter(|it| !it.is_empty()) {
            let count = libc::c_uint::try_from(rest.len()).unwrap_or(0);
            // SAFETY: the first `queued` headers point at names and arena bytes we own.
            let done = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, libc::MSG_DONTWAIT)
            };
            match usize::try_from(done) {
                Ok(done) => {
                    at += done;
                    sent += done;
                }
                Err(_) => {
                    let error = io::Error::last_os_error().kind();
                    if error == io::ErrorKind::WouldBlock {
                        break;
                    }
                    // One destination can't be reached: its packet is lost, the next is not.
                    if error != io::ErrorKind::Interrupted {
                        at += 1;
                    }
                }
            }
        }
        self.used = 0;
        self.queued = 0;
        sent
    }
}

fn address_from_c(name: &libc::sockaddr_in6) -> Option<SocketAddr> {
    match i32::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: an AF_INET address is a `sockaddr_in`, which is smaller than the buffer.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddrV6::new(ip, port, 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn address_to_c(address: SocketAddr, name: &mut libc::sockaddr_in6) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: `sockaddr_in` is smaller than the buffer and needs no more alignment.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = v4.port().to_be();
            name.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            ADDRESS_V4_BYTES
        }
        SocketAddr::V6(v6) => {
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = v6.port().to_be();
            name.sin6_flowinfo = 0;
            name.sin6_addr.s6_addr = v6.ip().octets();
            name.sin6_scope_id = v6.scope_id();
            ADDRESS_BYTES
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use super::*;

    fn exchange(bind: &str) {
        let [here, there] = [(), ()].map(|()| UdpSocket::bind(bind).unwrap());
        here.set_nonblocking(true).unwrap();
        let mut batch = SendBatch::new();
        for text in ["one", "two", "three"] {
            let to = there.local_addr().unwrap();
            assert!(batch.push(to, 100, |space| {
                space[..text.len()].copy_from_slice(text.as_bytes());
                Some(text.len())
            }));
        }
        assert_eq!(batch.flush(here.as_fd()), 3);
        assert!(batch.is_empty());

        let mut received = RecvBatch::new();
        assert_eq!(received.recv(there.as_fd()).unwrap(), 3);
        for (index, text) in ["one", "two", "three"].into_iter().enumerate() {
            let datagram = received.get(index).unwrap();
            assert_eq!(datagram.bytes, text.as_bytes());
            assert_eq!(datagram.from, here.local_addr().unwrap());
        }
        assert_eq!(received.recv(there.as_fd()).unwrap(), 0);
    }

    #[test]
    fn a_batch_arrives_in_order_over_ipv4() {
        exchange("127.0.0.1:0");
    }

    #[test]
    fn a_batch_arrives_in_order_over_ipv6() {
        exchange("[::1]:0");
    }

    #[test]
    fn a_packet_nobody_can_route_costs_only_itself() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket.local_addr().unwrap();
        let mut batch = SendBatch::new();
        for to in ["[2001:db8::1]:9".parse().unwrap(), here] {
            assert!(batch.push(to, 10, |_| Some(1)));
        }
        assert_eq!(batch.flush(socket.as_fd()), 1);
    }

    #[test]
    fn a_full_batch_takes_no_more() {
        let mut batch = SendBatch::new();
        let to = "127.0.0.1:9".parse().unwrap();
        for _ in 0..BATCH_DATAGRAMS {
            assert!(batch.has_room(10) && batch.push(to, 10, |_| Some(1)));
        }
        assert!(!batch.has_room(10) && !batch.push(to, 10, |_| Some(1)));
    }
}
