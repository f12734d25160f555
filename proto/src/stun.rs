//! STUN binding messages (RFC 8489), as ICE uses them (RFC 8445 §7).
//!
//! Knows no cryptography: [`Message::integrity`] hands out the bytes that MESSAGE-INTEGRITY
//! covers, and what writes a message is given a function that signs. The FINGERPRINT, a checksum,
//! is checked and written here.

mod checksum;
mod writer;

use std::net::{IpAddr, SocketAddr};

pub use writer::{ConnectivityCheck, success_response};

use crate::be::{u16_at, u32_at};

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

const MESSAGE_INTEGRITY_LEN: usize = 20;

/// HMAC-SHA1 over a message.
pub type IntegrityTag = [u8; MESSAGE_INTEGRITY_LEN];

/// Pairs a response with its request. Random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// Bytes that are no STUN binding message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStun {
    #[error("not a STUN message")]
    NotStun,
    #[error("a STUN message of another method")]
    OtherMethod,
    #[error("an attribute doesn't fit")]
    Attribute,
    #[error("the fingerprint is wrong")]
    Fingerprint,
}

/// Which of the four binding messages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// The two names in an ICE check: `to` is the receiver's ufrag, `from` the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Username<'a> {
    pub to: &'a str,
    pub from: &'a str,
}

/// What MESSAGE-INTEGRITY covers: the HMAC of `start` followed by `rest` must equal `tag`.
#[derive(Clone, Copy, Debug)]
pub struct Integrity<'a> {
    /// Type and length, the length as if the message ended at this attribute.
    pub start: [u8; 4],
    pub rest: &'a [u8],
    pub tag: &'a IntegrityTag,
}

/// A received binding message. Nothing in it may be believed until its integrity was checked.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub class: Class,
    pub transaction: TransactionId,
    pub username: Option<Username<'a>>,
    pub priority: Option<u32>,
    pub use_candidate: bool,
    pub mapped: Option<SocketAddr>,
    pub integrity: Option<Integrity<'a>>,
    pub has_fingerprint: bool,
    /// Holds a comprehension-required attribute that we don't know (RFC 8489 §6.3).
    pub unknown_required: bool,
}

impl<'a> Message<'a> {
    /// Reads a datagram that holds exactly one binding message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidStun> {
        let (class, transaction) = parse_header(bytes)?;
        let mut message = Self {
            class,
            transaction,
            username: None,
            priority: None,
            use_candidate: false,
            mapped: None,
            integrity: None,
            has_fingerprint: false,
            unknown_required: false,
        };
        let mut at = HEADER_LEN;
        while at < bytes.len() {
            if message.has_fingerprint {
                return Err(InvalidStun::Attribute);
            }
            at = message.read_attribute(bytes, at)?;
        }
        Ok(message)
    }

    fn read_attribute(&mut self, bytes: &'a [u8], at: usize) -> Result<usize, InvalidStun> {
        let invalid = InvalidStun::Attribute;
        let kind = u16_at(bytes, at).ok_or(invalid)?;
        let len = usize::from(u16_at(bytes, at + 2).ok_or(invalid)?);
        let start = at + 4;
        let value = bytes.get(start..start + len).ok_or(invalid)?;
        let next = start + len.next_multiple_of(4);
        if next > bytes.len() {
            return Err(invalid);
        }
        match kind {
            FINGERPRINT => {
                let covered = bytes.get(..at).ok_or(invalid)?;
                let expected = checksum::crc32(covered) ^ FINGERPRINT_XOR;
                if len != 4 || u32_at(value, 0) != Some(expected) {
                    return Err(InvalidStun::Fingerprint);
                }
                self.has_fingerprint = true;
            }
            // What follows MESSAGE-INTEGRITY is not protected by it (RFC 8489 §14.5).
            _ if self.integrity.is_some() => {}
            MESSAGE_INTEGRITY => {
                self.integrity = Some(integrity(bytes, at, value).ok_or(invalid)?);
            }
            _ => self.read_protected(kind, value)?,
        }
        Ok(next)
    }

    fn read_protected(&mut self, kind: u16, value: &'a [u8]) -> Result<(), InvalidStun> {
        let invalid = InvalidStun::Attribute;
        match kind {
            USERNAME => self.username = Some(parse_username(value).ok_or(invalid)?),
            PRIORITY => self.priority = Some(u32_at(value, 0).ok_or(invalid)?),
            USE_CANDIDATE => self.use_candidate = true,
            XOR_MAPPED_ADDRESS => {
                self.mapped = Some(parse_address(value, self.transaction).ok_or(invalid)?);
            }
            ERROR_CODE | ICE_CONTROLLED | ICE_CONTROLLING => {}
            other if other < 0x8000 => self.unknown_required = true,
            _ => {}
        }
        Ok(())
    }
}

fn parse_header(bytes: &[u8]) -> Result<(Class, TransactionId), InvalidStun> {
    let not_stun = InvalidStun::NotStun;
    let kind = u16_at(bytes, 0).ok_or(not_stun)?;
    let len = usize::from(u16_at(bytes, 2).ok_or(not_stun)?);
    let cookie = u32_at(bytes, 4).ok_or(not_stun)?;
    let id = bytes.get(8..).and_then(|rest| rest.first_chunk()).ok_or(not_stun)?;
    let whole = len.is_multiple_of(4) && bytes.len() == HEADER_LEN + len;
    if kind & 0xc000 != 0 || cookie != MAGIC_COOKIE || !whole {
        return Err(not_stun);
    }
    let class = match kind {
        BINDING_REQUEST => Class::Request,
        BINDING_INDICATION => Class::Indication,
        BINDING_SUCCESS => Class::Success,
        BINDING_ERROR => Class::Error,
        _ => return Err(InvalidStun::OtherMethod),
    };
    Ok((class, TransactionId(*id)))
}

fn integrity<'a>(bytes: &'a [u8], at: usize, value: &'a [u8]) -> Option<Integrity<'a>> {
    let tag: &IntegrityTag = value.try_into().ok()?;
    let [kind0, kind1, ..] = *bytes.first_chunk::<4>()?;
    let len = u16::try_from(at + 4 + MESSAGE_INTEGRITY_LEN - HEADER_LEN).ok()?;
    let [len0, len1] = len.to_be_bytes();
    Some(Integrity { start: [kind0, kind1, len0, len1], rest: bytes.get(4..at)?, tag })
}

fn parse_username(value: &[u8]) -> Option<Username<'_>> {
    let (to, from) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some(Username { to, from })
}

fn parse_address(value: &[u8], transaction: TransactionId) -> Option<SocketAddr> {
    let [_, family, port0, port1, address @ ..] = value else { return None };
    let port = u16::from_be_bytes([*port0, *port1]) ^ (0x2112);
    let mask = address_mask(transaction);
    let ip: IpAddr = match family {
        1 => xor::<4>(address.try_into().ok()?, &mask).into(),
        2 => xor::<16>(address.try_into().ok()?, &mask).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The cookie followed by the transaction id (RFC 8489 §14.2).
fn address_mask(transaction: TransactionId) -> [u8; 16] {
    let mut mask = [0; 16];
    let (cookie, id) = mask.split_at_mut(4);
    cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    id.copy_from_slice(&transaction.0);
    mask
}

fn xor<const N: usize>(mut bytes: [u8; N], mask: &[u8; 16]) -> [u8; N] {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.1: a request with padding in USERNAME. Password `VOkJxbRl1RmTxUk/WvJxBt`.
    const SAMPLE_REQUEST: &[u8] = &[
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74,
        0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e,
        0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
        0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20,
        0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5,
        0x7a, 0x3b, 0xcf,
    ];

    /// RFC 5769 §2.2: an IPv4 response, mapped address 192.0.2.1:32853.
    const SAMPLE_RESPONSE: &[u8] = &[
        0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76,
        0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1,
        0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
        0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00,
        0x04, 0xc0, 0x7d, 0x4c, 0x96,
    ];

    #[test]
    fn the_sample_request_of_rfc_5769_is_read() {
        let message = Message::parse(SAMPLE_REQUEST).unwrap();
        assert_eq!(message.class, Class::Request);
        assert_eq!(message.username, Some(Username { to: "evtj", from: "h6vY" }));
        assert_eq!(message.priority, Some(0x6e00_01ff));
        assert!(message.has_fingerprint);
        assert!(!message.use_candidate);
        let integrity = message.integrity.unwrap();
        assert_eq!(integrity.start, [0, 1, 0, 0x50]);
        assert_eq!(integrity.rest, &SAMPLE_REQUEST[4..76]);
        assert_eq!(integrity.tag[..3], [0x9a, 0xea, 0xa7]);
    }

    #[test]
    fn the_sample_response_of_rfc_5769_is_read() {
        let message = Message::parse(SAMPLE_RESPONSE).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped, Some("192.0.2.1:32853".parse().unwrap()));
    }

    #[test]
    fn a_changed_byte_breaks_the_fingerprint() {
        for at in HEADER_LEN..SAMPLE_REQUEST.len() {
            let mut bytes = SAMPLE_REQUEST.to_vec();
            bytes[at] ^= 1;
            let read = Message::parse(&bytes);
            assert!(read.is_err() || read.is_ok_and(|m| !m.has_fingerprint), "byte {at}");
        }
    }

    #[test]
    fn a_message_that_ends_early_is_refused() {
        for len in 0..SAMPLE_REQUEST.len() {
            assert!(Message::parse(&SAMPLE_REQUEST[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn what_follows_the_integrity_is_not_believed() {
        let mut bytes = SAMPLE_RESPONSE[..72].to_vec();
        bytes.extend([0x00, 0x25, 0, 0]);
        let len = u8::try_from(bytes.len() - HEADER_LEN).unwrap();
        bytes[3] = len;
        let message = Message::parse(&bytes).unwrap();
        assert!(message.integrity.is_some());
        assert!(!message.use_candidate);
    }

    #[test]
    fn nothing_may_follow_the_fingerprint() {
        let mut bytes = SAMPLE_REQUEST.to_vec();
        let covered_len = bytes.len() - 8;
        bytes.extend([0x00, 0x25, 0, 0]);
        bytes[3] += 4;
        let sum = checksum::crc32(&bytes[..covered_len]) ^ FINGERPRINT_XOR;
        bytes[covered_len + 4..covered_len + 8].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Message::parse(&bytes).unwrap_err(), InvalidStun::Attribute);
    }

    #[test]
    fn no_bytes_end_the_process() {
        arbtest::arbtest(|u| {
            let mut bytes: Vec<u8> = u.arbitrary()?;
            bytes.truncate(1_500);
            if u.ratio(9, 10)? && bytes.len() >= HEADER_LEN {
                bytes.truncate(bytes.len() / 4 * 4);
                let len = u16::try_from(bytes.len() - HEADER_LEN).unwrap();
                bytes[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            }
            let _ = Message::parse(&bytes);
            Ok(())
        });
    }
}
