//! Redundant audio (RFC 2198): where the encodings of a payload lie, the newest and the older ones.

use crate::{
    be::{u8_at, u16_at},
    limits::RED_BLOCKS_MAX,
};

/// The newest encoding in a RED payload: everything from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Primary {
    pub payload_type: u8,
    pub offset: usize,
}

/// A payload that is no RED: its blocks don't fit, or there are more than anybody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RED blocks don't fit their payload")]
pub struct InvalidRed;

impl Primary {
    /// Finds the primary block. It may be empty.
    pub fn find(payload: &[u8]) -> Result<Self, InvalidRed> {
        let mut redundant_bytes = 0;
        for block in 0..=RED_BLOCKS_MAX {
            let header = block * 4;
            let first = u8_at(payload, header).ok_or(InvalidRed)?;
            if first & 0x80 == 0 {
                let offset = header + 1 + redundant_bytes;
                let fits = offset <= payload.len();
                return fits
                    .then_some(Self { payload_type: first & 0x7f, offset })
                    .ok_or(InvalidRed);
            }
            let length = u16_at(payload, header + 2).ok_or(InvalidRed)? & 0x03ff;
            redundant_bytes += usize::from(length);
        }
        Err(InvalidRed)
    }
}

/// An older encoding that a RED payload repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundant<'a> {
    pub payload_type: u8,
    /// How much older than the primary it is, in units of the stream's clock.
    pub age: u16,
    pub block: &'a [u8],
}

impl Redundant<'_> {
    /// Finds the older encodings, in the order in which they were sent: as a rule the oldest first.
    pub fn find(payload: &[u8]) -> Result<impl Iterator<Item = Redundant<'_>>, InvalidRed> {
        Primary::find(payload)?;
        let headers = move |index: usize| {
            payload.get(index * 4..index * 4 + 4).filter(|header| is_redundant(header))
        };
        let count = (0..).map_while(headers).count();
        let mut start = count * 4 + 1;
        Ok((0..count).map_while(headers).filter_map(move |header| {
            let word = u16_at(header, 1)?;
            let length = usize::from(u16_at(header, 2)? & 0x03ff);
            let block = payload.get(start..start + length)?;
            start += length;
            Some(Redundant { payload_type: u8_at(header, 0)? & 0x7f, age: word >> 2, block })
        }))
    }
}

fn is_redundant(header: &[u8]) -> bool {
    header.first().is_some_and(|first| first & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of four bytes: type, timestamp offset 960, `length`.
    fn redundant(payload_type: u8, length: u8) -> [u8; 4] {
        [0x80 | payload_type, 0x0f, 0, length]
    }

    #[test]
    fn the_primary_follows_every_redundant_block() {
        let payload = [&redundant(111, 3)[..], &redundant(111, 2), &[111], b"oldmeNEW"].concat();
        let primary = Primary::find(&payload).unwrap();
        assert_eq!(primary.payload_type, 111);
        assert_eq!(&payload[primary.offset..], b"NEW");
    }

    #[test]
    fn a_primary_alone_is_red_too() {
        assert_eq!(Primary::find(b"\x6fvoice"), Ok(Primary { payload_type: 111, offset: 1 }));
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused() {
        for payload in
            [&[][..], &redundant(111, 3), &[&redundant(111, 9)[..], b"\x6fshort"].concat()]
        {
            assert_eq!(Primary::find(payload), Err(InvalidRed));
        }
        let endless = redundant(111, 0).repeat(RED_BLOCKS_MAX + 1);
        assert_eq!(Primary::find(&[&endless[..], b"\x6f"].concat()), Err(InvalidRed));
    }

    #[test]
    fn every_older_encoding_is_found_with_its_age() {
        let payload = [&redundant(111, 3)[..], &redundant(112, 2), &[111], b"oldmeNEW"].concat();
        let found: Vec<Redundant<'_>> = Redundant::find(&payload).unwrap().collect();
        let old = Redundant { payload_type: 111, age: 960, block: b"old" };
        let me = Redundant { payload_type: 112, age: 960, block: b"me" };
        assert_eq!(found, [old, me]);
        assert_eq!(Redundant::find(b"\x6fvoice").unwrap().count(), 0);
        assert!(Redundant::find(&redundant(111, 3)).is_err());
    }

    #[test]
    fn an_offset_never_leaves_the_payload() {
        arbtest::arbtest(|u| {
            let payload: Vec<u8> = u.arbitrary()?;
            if let Ok(blocks) = Redundant::find(&payload) {
                blocks.for_each(drop);
            }
            if let Ok(primary) = Primary::find(&payload) {
                assert!(primary.offset <= payload.len());
            }
            Ok(())
        });
    }
}
