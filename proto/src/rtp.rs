//! RTP packets (RFC 3550 §5) as views of the bytes that came, and the header we write.
//!
//! [`Header`] is what can be read before decryption, [`Packet`] what follows it. Header
//! extensions are read in both forms of RFC 8285 and written in the one-byte form.

mod arithmetic;
mod extensions;
pub mod red;
mod writer;

pub use arithmetic::{RtpTime, SeqNo};
pub use extensions::Extensions;
pub use writer::NewHeader;

use crate::be::{u8_at, u16_at, u32_at};

/// Length of a header without CSRCs and extensions.
pub const FIXED_HEADER_LEN: usize = 12;

/// Bytes that are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRtp {
    #[error("not RTP version 2")]
    Version,
    #[error("ends inside its header")]
    Truncated,
    #[error("padding is longer than the payload")]
    Padding,
}

/// The part of a packet that SRTP leaves readable.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: SeqNo,
    pub timestamp: RtpTime,
    pub ssrc: u32,
    pub extensions: Extensions<'a>,
    /// Bytes before the payload: fixed part, CSRCs, extension block.
    pub header_len: usize,
    has_padding: bool,
}

impl<'a> Header<'a> {
    /// Reads a header; what follows it may still be encrypted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidRtp> {
        let first = u8_at(bytes, 0).ok_or(InvalidRtp::Truncated)?;
        if first >> 6 != 2 {
            return Err(InvalidRtp::Version);
        }
        Self::parse_fields(bytes, first).ok_or(InvalidRtp::Truncated)
    }

    fn parse_fields(bytes: &'a [u8], first: u8) -> Option<Self> {
        let second = u8_at(bytes, 1)?;
        let fixed_and_csrcs = FIXED_HEADER_LEN + usize::from(first & 0x0f) * 4;
        let (extensions, header_len) = if first & 0x10 == 0 {
            (Extensions::default(), fixed_and_csrcs)
        } else {
            let words = usize::from(u16_at(bytes, fixed_and_csrcs + 2)?);
            let start = fixed_and_csrcs + 4;
            let block = bytes.get(start..start + words * 4)?;
            (Extensions::new(u16_at(bytes, fixed_and_csrcs)?, block), start + words * 4)
        };
        if bytes.len() < header_len {
            return None;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: SeqNo(u16_at(bytes, 2)?),
            timestamp: RtpTime(u32_at(bytes, 4)?),
            ssrc: u32_at(bytes, 8)?,
            extensions,
            header_len,
            has_padding: first & 0x20 != 0,
        })
    }
}

/// A whole plaintext packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: SeqNo,
    pub timestamp: RtpTime,
    pub ssrc: u32,
    pub extensions: Extensions<'a>,
    /// Bytes before the payload: fixed part, CSRCs, extension block.
    pub header_len: usize,
    /// Without padding. May be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet that carries no SRTP tag.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidRtp> {
        let header = Header::parse(bytes)?;
        let body = bytes.get(header.header_len..).ok_or(InvalidRtp::Truncated)?;
        let payload = if header.has_padding { without_padding(body)? } else { body };
        Ok(Self {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: header.sequence,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            extensions: header.extensions,
            header_len: header.header_len,
            payload,
        })
    }

    /// The value of the header extension negotiated under `id`.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions.get(id)
    }

    /// The media section's name (RFC 8843 §15), if the packet carries it.
    pub fn mid(&self, id: u8) -> Option<&'a str> {
        std::str::from_utf8(self.extension(id)?).ok()
    }

    /// The audio level byte (RFC 6464): voice flag, then −dBov in seven bits.
    pub fn audio_level(&self, id: u8) -> Option<u8> {
        self.extension(id)?.first().copied()
    }
}

fn without_padding(body: &[u8]) -> Result<&[u8], InvalidRtp> {
    let padding = body.last().map(|count| usize::from(*count)).filter(|count| *count > 0);
    let kept = padding.and_then(|padding| body.len().checked_sub(padding));
    kept.and_then(|kept| body.get(..kept)).ok_or(InvalidRtp::Padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | 111, 0x12, 0x34, 0, 0, 1, 0, 0xde, 0xad, 0xbe, 0xef];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn the_fixed_header_is_read() {
        let bytes = packet(0x80, b"voice");
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.marker);
        assert_eq!(packet.payload_type, 111);
        assert_eq!(packet.sequence, SeqNo(0x1234));
        assert_eq!(packet.timestamp, RtpTime(256));
        assert_eq!(packet.ssrc, 0xdead_beef);
        assert_eq!(packet.header_len, 12);
        assert_eq!(packet.payload, b"voice");
    }

    #[test]
    fn csrcs_and_extensions_belong_to_the_header() {
        let bytes = packet(0x92, b"csrccsrc\xbe\xde\0\x01\x10\x85\0\0voice");
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.header_len, 28);
        assert_eq!(packet.audio_level(1), Some(0x85));
        assert_eq!(packet.payload, b"voice");
    }

    #[test]
    fn padding_is_no_payload() {
        assert_eq!(Packet::parse(&packet(0xa0, b"voice\0\0\x03")).unwrap().payload, b"voice");
        assert_eq!(Packet::parse(&packet(0xa0, b"\0\0\x03")).unwrap().payload, b"");
    }

    #[test]
    fn padding_that_cannot_be_is_refused() {
        for body in [&b""[..], b"\0", b"ab\x04"] {
            assert_eq!(Packet::parse(&packet(0xa0, body)).unwrap_err(), InvalidRtp::Padding);
        }
    }

    #[test]
    fn a_header_that_ends_early_is_refused() {
        let bytes = packet(0x91, b"csrc\xbe\xde\0\x01\x10\x85\0\0");
        for len in 0..bytes.len() {
            let refused = Packet::parse(&bytes[..len]).unwrap_err();
            assert_eq!(refused, InvalidRtp::Truncated, "{len} bytes");
        }
        assert_eq!(Packet::parse(&packet(0x40, b"")).unwrap_err(), InvalidRtp::Version);
    }

    #[test]
    fn no_bytes_end_the_process_and_a_packet_stays_inside_them() {
        arbtest::arbtest(|u| {
            let mut bytes: Vec<u8> = u.arbitrary()?;
            if let Some(first) = bytes.first_mut() {
                *first = 0x80 | (*first & 0x3f);
            }
            if let Ok(packet) = Packet::parse(&bytes) {
                assert!(packet.header_len + packet.payload.len() <= bytes.len());
                for id in 0..=255 {
                    packet.extension(id);
                }
            }
            Ok(())
        });
    }
}
