//! Datagrams as they come: told apart by their first byte (RFC 7983), believed only from an
//! address that passed an authenticated check.

use std::net::SocketAddr;

use proto::{rtp, stun};
use sfu_core::{Delivery, Input};
use sfu_rtc::Unbelieved;

use super::{Shard, copy};
use crate::socket::Received;

/// What a datagram is, by RFC 7983 §7 and, for the last two, RFC 5761 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
    Unknown,
}

fn kind_of(bytes: &[u8]) -> Kind {
    match bytes {
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Unknown,
    }
}

impl Shard {
    /// Takes in one datagram that came to the `socket`-th socket.
    pub(super) fn take_in(&mut self, socket: usize, datagram: Received<'_>) {
        let Received { from, bytes, arrived_unix_nanos } = datagram;
        self.io.datagrams_in += 1;
        self.io.bytes_in += bytes.len() as u64;
        match kind_of(bytes) {
            Kind::Rtp => self.take_rtp(from, bytes, arrived_unix_nanos),
            Kind::Rtcp => self.take_rtcp(from, bytes),
            Kind::Stun => self.take_stun(socket, from, bytes),
            Kind::Dtls => self.take_dtls(from, bytes),
            Kind::Unknown => self.io.dropped_unknown += 1,
        }
    }

    fn take_stun(&mut self, socket: usize, from: SocketAddr, bytes: &[u8]) {
        let Ok(check) = stun::Message::parse(bytes) else {
            return self.io.stun.count(Unbelieved::Malformed);
        };
        let named = check.username.and_then(|name| self.peers.by_ufrag(name.to));
        let Some(index) = named else { return self.io.stun.count(Unbelieved::Username) };
        let nominates = check.use_candidate;
        self.guarded(Some(index), |shard| {
            if let Some(peer) = shard.peers.at(index) {
                peer.transport.handle_stun(from, bytes, shard.now);
                if let Some(why) = peer.transport.unbelieved() {
                    shard.io.stun.count(why);
                }
            }
            let is_authentic = shard.drain_peer(index, Some((from, socket)));
            if is_authentic && nominates {
                shard.peers.map(index, from, socket);
            }
        });
    }

    fn take_dtls(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Some(peer) = self.peers.by_address(from) else {
            self.io.dropped_unverified += 1;
            return;
        };
        let index = peer.id.index;
        self.guarded(Some(index), |shard| {
            if let Some(peer) = shard.peers.at(index) {
                peer.transport.handle_dtls(from, bytes, shard.now);
            }
            shard.peers.touch(index);
        });
    }

    fn take_rtp(&mut self, from: SocketAddr, bytes: &mut [u8], arrived: Option<u64>) {
        let Some(peer) = self.peers.by_address(from) else {
            self.io.dropped_unverified += 1;
            return;
        };
        let (id, sealed_len) = (peer.id, bytes.len());
        let Ok(len) = peer.transport.open_rtp(from, bytes) else {
            self.io.dropped_srtp += 1;
            return;
        };
        let plain = bytes.get(..len).unwrap_or_default();
        let Ok(packet) = rtp::Packet::parse(plain) else {
            self.io.dropped_malformed += 1;
            return;
        };
        self.io.rtp_bytes_in += sealed_len as u64;
        self.guarded(Some(id.index), |shard| {
            let Delivery { copies, taps } = shard.core.forward(id, &packet, shard.now);
            shard.egress.begin_copies(arrived);
            for forward in copies {
                copy(&mut shard.egress, &mut shard.peers, forward, packet.payload);
            }
            shard.egress.end_copies();
            if !taps.is_empty() {
                shard.links.take(taps, packet.payload, shard.now);
            }
        });
    }

    fn take_rtcp(&mut self, from: SocketAddr, bytes: &mut [u8]) {
        let Some(peer) = self.peers.by_address(from) else {
            self.io.dropped_unverified += 1;
            return;
        };
        let id = peer.id;
        let Ok(len) = peer.transport.open_rtcp(from, bytes) else {
            self.io.dropped_srtp += 1;
            return;
        };
        let packet = bytes.get(..len).unwrap_or_default();
        self.guarded(Some(id.index), |shard| {
            shard.core.handle_input(Input::Rtcp { id, packet }, shard.now);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocols_apart() {
        for first in 0..=255_u8 {
            let expected = match first {
                0..=3 => Kind::Stun,
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Unknown,
            };
            assert_eq!(kind_of(&[first, 111, 0, 0]), expected, "{first}");
        }
        assert_eq!(kind_of(&[0x80, 200, 0, 0]), Kind::Rtcp);
        assert_eq!(kind_of(&[0x80, 0x80 | 111, 0, 0]), Kind::Rtp);
        assert_eq!(kind_of(&[]), Kind::Unknown);
        assert_eq!(kind_of(&[0x80]), Kind::Unknown);
    }
}
