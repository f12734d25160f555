//! A socket that takes everything but voice, so that its reader has nothing to do.

use std::io;

use socket2::{SockFilter, SockRef};
use tokio::net::UdpSocket;

/// Has the kernel drop RTP that arrives at `socket`. STUN, DTLS and RTCP get through: the caller
/// stays in the call (RFC 7983 §7, RFC 5761 §4).
pub(super) fn set(socket: &UdpSocket) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&FILTER)
}

/// Classic BPF over a datagram that still has its UDP header. Jumps count from the next line.
const FILTER: [SockFilter; 8] = [
    load(UDP_HEADER_BYTES),
    jump_if_at_least(192, 4, 0),
    jump_if_at_least(128, 0, 3),
    load(UDP_HEADER_BYTES + 1),
    jump_if_at_least(224, 2, 0),
    jump_if_at_least(192, 0, 1),
    take(u32::MAX),
    take(0),
];
const UDP_HEADER_BYTES: u32 = 8;

const fn load(offset: u32) -> SockFilter {
    SockFilter::new(0x30, 0, 0, offset)
}

const fn jump_if_at_least(value: u32, so: u8, otherwise: u8) -> SockFilter {
    SockFilter::new(0x35, so, otherwise, value)
}

const fn take(bytes: u32) -> SockFilter {
    SockFilter::new(0x06, 0, 0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn voice_stays_out_and_all_else_comes_in() {
        let [ours, theirs] = [bind().await, bind().await];
        ours.connect(theirs.local_addr().unwrap()).await.unwrap();
        theirs.connect(ours.local_addr().unwrap()).await.unwrap();
        set(&ours).unwrap();
        let [voice, marked] = [[0x80, 111], [0x90, 239]];
        let [stun, dtls, sender_report, receiver_report] =
            [[0, 1], [22, 254], [0x80, 200], [0x81, 201]];
        for datagram in [voice, stun, marked, dtls, voice, sender_report, receiver_report, marked] {
            theirs.send(&datagram).await.unwrap();
        }
        for expected in [stun, dtls, sender_report, receiver_report] {
            let mut datagram = [0; 2];
            assert_eq!(ours.recv(&mut datagram).await.unwrap(), 2);
            assert_eq!(datagram, expected);
        }
        assert!(ours.try_recv(&mut [0; 2]).is_err());
    }

    async fn bind() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }
}
