//! RTCP (RFC 3550 §6) and transport-layer NACKs (RFC 4585 §6.2.1): compound packets read one
//! by one, and the reports we send.
//!
//! What a packet says is a claim of its sender; this module only makes sure that it was said.

mod report;
mod writer;

pub use report::{Nack, ReceiverReport, ReportBlock, SenderReport, SourceDescription};
pub use writer::{write_cname, write_receiver_report, write_sender_report};

use crate::be::{u8_at, u16_at};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const GENERIC_NACK: u8 = 1;

/// Bytes that are no RTCP packet. Whatever preceded them in the compound was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RTCP packet")]
pub struct InvalidRtcp;

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    SenderReport(SenderReport<'a>),
    ReceiverReport(ReceiverReport<'a>),
    SourceDescription(SourceDescription<'a>),
    Bye(Bye<'a>),
    Nack(Nack<'a>),
    /// One that we have no use for.
    Other {
        payload_type: u8,
    },
}

/// The SSRCs that have left.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    ssrcs: &'a [u8],
}

impl<'a> Bye<'a> {
    /// Each SSRC; at most 31.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.ssrcs.as_chunks().0.iter().map(|chunk| u32::from_be_bytes(*chunk))
    }
}

/// Reads a compound packet front to back. Ends after the first packet that is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// `bytes` is a whole decrypted datagram.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Packet<'a>, InvalidRtcp>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((packet, rest)) = split_packet(self.rest) else {
            self.rest = &[];
            return Some(Err(InvalidRtcp));
        };
        self.rest = rest;
        Some(parse_packet(packet).ok_or(InvalidRtcp).inspect_err(|_| self.rest = &[]))
    }
}

/// Cuts off the first packet, by the length it states.
fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let version = u8_at(bytes, 0)? >> 6;
    let len = (usize::from(u16_at(bytes, 2)?) + 1) * 4;
    if version == 2 { bytes.split_at_checked(len) } else { None }
}

fn parse_packet(packet: &[u8]) -> Option<Packet<'_>> {
    let first = u8_at(packet, 0)?;
    let payload_type = u8_at(packet, 1)?;
    let count = usize::from(first & 0x1f);
    let body = without_padding(packet.get(4..)?, first & 0x20 != 0)?;
    Some(match payload_type {
        SENDER_REPORT => Packet::SenderReport(SenderReport::parse(body, count)?),
        RECEIVER_REPORT => Packet::ReceiverReport(ReceiverReport::parse(body, count)?),
        SOURCE_DESCRIPTION => Packet::SourceDescription(SourceDescription::new(body)),
        BYE => Packet::Bye(Bye { ssrcs: body.get(..count * 4)? }),
        TRANSPORT_FEEDBACK if first & 0x1f == GENERIC_NACK => Packet::Nack(Nack::parse(body)?),
        _ => Packet::Other { payload_type },
    })
}

fn without_padding(body: &[u8], padded: bool) -> Option<&[u8]> {
    if !padded {
        return Some(body);
    }
    let padding = usize::from(*body.last()?);
    if padding == 0 { None } else { body.get(..body.len().checked_sub(padding)?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::SeqNo;

    const NACK: &[u8] =
        &[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0b0000_0000, 0b0000_0101];

    #[test]
    fn a_nack_names_each_lost_packet() {
        let [Ok(Packet::Nack(nack))] = Compound::new(NACK).collect::<Vec<_>>()[..] else {
            panic!("no NACK")
        };
        assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
        let lost: Vec<SeqNo> = nack.lost().collect();
        assert_eq!(lost, [SeqNo(0xfffe), SeqNo(0xffff), SeqNo(1)]);
    }

    #[test]
    fn a_bye_names_who_left() {
        let bytes = [0x82, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let [Ok(Packet::Bye(bye))] = Compound::new(&bytes).collect::<Vec<_>>()[..] else {
            panic!("no BYE")
        };
        assert!(bye.ssrcs().eq([1, 2]));
    }

    #[test]
    fn reading_ends_at_the_first_malformed_packet() {
        let compound = [NACK, &[0x80, 201, 0, 9], NACK].concat();
        let read: Vec<_> = Compound::new(&compound).collect();
        assert_eq!(read.len(), 2);
        assert!(read[0].is_ok());
        assert!(read[1].is_err());
    }

    #[test]
    fn a_count_that_lies_is_refused() {
        for bytes in [
            &[0x9f, 203, 0, 1, 0, 0, 0, 1][..],
            &[0x81, 201, 0, 1, 0, 0, 0, 1],
            &[0x80, 200, 0, 1, 0, 0, 0, 1],
            &[0xa0, 203, 0, 1, 0, 0, 0, 9],
            &[0xa0, 203, 0, 1, 0, 0, 0, 0],
        ] {
            assert!(Compound::new(bytes).all(|packet| packet.is_err()), "{bytes:?}");
        }
    }

    #[test]
    fn what_we_do_not_know_is_stepped_over() {
        let compound = [&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2][..], NACK].concat();
        let read: Vec<_> = Compound::new(&compound).collect();
        assert!(matches!(read[..], [Ok(Packet::Other { payload_type: 206 }), Ok(Packet::Nack(_))]));
    }

    #[test]
    fn no_bytes_end_the_process_and_reading_ends() {
        arbtest::arbtest(|u| {
            let mut bytes: Vec<u8> = u.arbitrary()?;
            if bytes.len() > 4 && u.ratio(9, 10)? {
                bytes[0] = 0x80 | (bytes[0] & 0x3f);
                bytes[1] = 200 + bytes[1] % 7;
                bytes[2] = 0;
            }
            let mut items = 0;
            for packet in Compound::new(&bytes) {
                items += 1;
                match packet {
                    Ok(Packet::SenderReport(report)) => assert!(report.blocks().count() <= 31),
                    Ok(Packet::ReceiverReport(report)) => assert!(report.blocks().count() <= 31),
                    Ok(Packet::SourceDescription(sdes)) => assert!(sdes.cnames().count() <= 400),
                    Ok(Packet::Bye(bye)) => assert!(bye.ssrcs().count() <= 31),
                    Ok(Packet::Nack(nack)) => assert!(nack.lost().count() <= bytes.len() * 17),
                    Ok(Packet::Other { .. }) | Err(InvalidRtcp) => {}
                }
            }
            assert!(items <= bytes.len() / 4 + 1);
            Ok(())
        });
    }
}
