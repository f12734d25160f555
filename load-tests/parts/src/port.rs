//! Ports below those that systems hand out, so that a server finds its own again after a pause.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::Range,
    sync::atomic::{AtomicU16, Ordering},
};

const PORTS: Range<u16> = 12_000..20_000;
/// How far apart test programs that run at once begin.
const PROGRAM_STRIDE: u32 = 37;

/// Returns a port that is free for TCP and UDP and that no other caller of this program gets.
#[must_use]
pub fn free_port() -> u16 {
    free_ports(1)
}

/// Returns the first of `count` ports in a row that are free.
#[must_use]
pub fn free_ports(count: u16) -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let length = PORTS.end - PORTS.start;
    let stride = std::process::id().wrapping_mul(PROGRAM_STRIDE) % u32::from(length);
    let offset = u16::try_from(stride).expect("less than the range");
    for _ in 0..length {
        let taken = TAKEN.fetch_add(count, Ordering::Relaxed);
        let first = PORTS.start + offset.wrapping_add(taken) % (length - count);
        if (first..first + count).all(is_free) {
            return first;
        }
    }
    panic!("no {count} ports in a row are free")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
