//! What a publisher's section allows it to send, and whether a packet is that.

use std::time::Instant;

use proto::rtp::{Packet, red::Primary};

use crate::{
    Stats,
    room::{
        listener::{Encoding, Terms, Voice},
        stream::Stream,
    },
};

#[derive(Debug)]
pub(crate) struct Intake {
    pub(super) terms: Terms,
    pub(super) stream: Stream,
    /// When the last packet came.
    pub(super) last_at: Option<Instant>,
}

impl Intake {
    pub(super) fn new(terms: Terms, now: Instant) -> Self {
        Self { terms, stream: Stream::new(now), last_at: None }
    }

    /// Reads a packet of this track; `None` if it isn't to be believed, which is counted.
    pub(super) fn read(
        &mut self,
        packet: &Packet<'_>,
        now: Instant,
        stats: &mut Stats,
    ) -> Option<Voice> {
        let encoding = match self.encoding_of(packet) {
            Ok(encoding) => encoding,
            Err(Unreadable::PayloadType) => {
                stats.packets_payload_type += 1;
                return None;
            }
            Err(Unreadable::Body) => {
                stats.packets_malformed += 1;
                return None;
            }
        };
        let index = self.stream.accept(packet.sequence, packet.timestamp, now)?;
        stats.packets_received += 1;
        self.last_at = Some(now);
        Some(Voice {
            index,
            timestamp: packet.timestamp,
            marker: packet.marker,
            encoding,
            level: self.level_of(packet),
            payload_len: packet.payload.len(),
        })
    }

    fn encoding_of(&self, packet: &Packet<'_>) -> Result<Encoding, Unreadable> {
        let Terms { opus, red, .. } = self.terms;
        if packet.payload.is_empty() {
            return Err(Unreadable::Body);
        }
        if packet.payload_type == opus {
            return Ok(Encoding::Opus);
        }
        if Some(packet.payload_type) != red {
            return Err(Unreadable::PayloadType);
        }
        let primary = Primary::find(packet.payload).map_err(|_| Unreadable::Body)?;
        let holds_opus = primary.payload_type == opus && primary.offset < packet.payload.len();
        holds_opus
            .then_some(Encoding::Red { primary: primary.offset, opus })
            .ok_or(Unreadable::Body)
    }

    fn level_of(&self, packet: &Packet<'_>) -> Option<u8> {
        let id = self.terms.level_extension;
        if id == 0 { None } else { packet.audio_level(id) }
    }
}

enum Unreadable {
    PayloadType,
    Body,
}
