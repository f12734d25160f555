//! One listener's copy of a packet, from plain payload to a sealed datagram in the send arena.

use std::net::SocketAddr;

use proto::rtp::{NewHeader, RtpTime, SeqNo};
use sfu_core::{Forward, PayloadPart};
use sfu_rtc::Transport;

use super::peers::Peer;

/// Header, one extension block of eight bytes, and the longest tag.
const OVERHEAD_BYTES_MAX: usize = 12 + 8 + 16;

/// A packet on its way to one peer.
pub(super) struct Copy<'a> {
    pub(super) to: SocketAddr,
    pub(super) room: usize,
    forward: &'a Forward,
    payload: &'a [u8],
    transport: &'a Transport,
}

/// Plans the copy; `None` when the peer can't be reached yet or any more.
pub(super) fn copy_for<'a>(
    peer: &'a Peer,
    forward: &'a Forward,
    payload: &'a [u8],
) -> Option<Copy<'a>> {
    let to = peer.transport.peer()?;
    let payload = match forward.payload {
        PayloadPart::Whole => payload,
        PayloadPart::From(start) => payload.get(start..)?,
    };
    let room = payload.len() + OVERHEAD_BYTES_MAX;
    Some(Copy { to, room, forward, payload, transport: &peer.transport })
}

impl Copy<'_> {
    /// Writes and seals the packet into `buffer`; returns its length.
    pub(super) fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let level = [self.forward.level];
        let level = [(self.forward.level_extension, &level[..])];
        let header = NewHeader {
            marker: self.forward.marker,
            payload_type: self.forward.payload_type,
            sequence: SeqNo(self.forward.sequence),
            timestamp: RtpTime(self.forward.timestamp),
            ssrc: self.forward.ssrc,
            extensions: if self.forward.level_extension == 0 { &[] } else { &level },
        };
        let header_len = header.write(buffer)?;
        let plain_len = header_len + self.payload.len();
        buffer.get_mut(header_len..plain_len)?.copy_from_slice(self.payload);
        self.transport.seal_rtp(buffer, header_len, plain_len, self.forward.roc)
    }
}
