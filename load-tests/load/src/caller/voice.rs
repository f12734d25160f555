//! What a talker says: packets that look like Opus and tell when they were sent.

use proto::{
    rtcp::{SenderReport, write_cname, write_sender_report},
    rtp::{NewHeader, RtpTime, SeqNo},
};

use super::{
    connection::{Connection, SEAL_ROOM},
    descriptions::{CNAME, LEVEL_EXTENSION, OPUS},
};
use crate::{
    clock,
    limits::{PAYLOAD_BYTES, UNITS_PER_MS},
    random,
    worker::Crew,
};

/// Voice at −20 dBov (RFC 6464).
const LEVEL: u8 = 0x80 | 20;
const HEADER_ROOM: usize = 32;
/// From 1900, where NTP counts from, to 1970.
const NTP_EPOCH_SECONDS: u64 = 2_208_988_800;

pub(super) struct Voice {
    ssrc: u32,
    /// Sequence number with the rollover counter above it.
    index: u64,
    timestamp: RtpTime,
    packets: u32,
}

impl Voice {
    pub(super) fn new(ssrc: u32) -> anyhow::Result<Self> {
        let [high, low, time @ ..] = random::bytes::<6>()?;
        // RFC 3711 §3.3.1: far enough from a wrap that the first loss doesn't matter.
        let index = u64::from(u16::from_be_bytes([high & 0x7f, low]));
        Ok(Self { ssrc, index, timestamp: RtpTime(u32::from_be_bytes(time)), packets: 0 })
    }

    pub(super) fn say(&mut self, connection: &mut Connection, crew: &Crew) {
        let mut packet = [0x5a; HEADER_ROOM + PAYLOAD_BYTES + SEAL_ROOM];
        let [.., roc0, roc1, roc2, roc3, high, low] = self.index.to_be_bytes();
        let header = NewHeader {
            marker: false,
            payload_type: OPUS,
            sequence: SeqNo(u16::from_be_bytes([high, low])),
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            extensions: &[(LEVEL_EXTENSION, &[LEVEL])],
        };
        let Some(header_len) = header.write(&mut packet) else { return };
        let payload = packet.get_mut(header_len..header_len + size_of::<u64>());
        if let Some(payload) = payload {
            payload.copy_from_slice(&crew.clock.nanos().to_be_bytes());
        }
        let roc = u32::from_be_bytes([roc0, roc1, roc2, roc3]);
        if connection.send_rtp(&mut packet, header_len, header_len + PAYLOAD_BYTES, roc) {
            crew.ledger.borrow_mut().note_sent();
        }
        self.index += 1;
        self.packets = self.packets.wrapping_add(1);
        self.timestamp = self.timestamp.plus(crew.options.packet_ms * UNITS_PER_MS);
    }

    /// A compound with a sender report.
    pub(super) fn report(&self) -> Vec<u8> {
        let now = clock::unix_time();
        let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp = (now.as_secs() + NTP_EPOCH_SECONDS) << 32 | fraction;
        let octets = self.packets.wrapping_mul(u32::try_from(PAYLOAD_BYTES).unwrap_or_default());
        let report = SenderReport::new(self.ssrc, ntp, self.timestamp, self.packets, octets);
        let mut compound = Vec::new();
        write_sender_report(&mut compound, &report, &[]);
        write_cname(&mut compound, self.ssrc, CNAME);
        compound
    }
}
