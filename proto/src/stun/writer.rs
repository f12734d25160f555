//! The binding messages we send: checks, and answers to them.

use std::net::{IpAddr, SocketAddr};

use super::{
    BINDING_REQUEST, BINDING_SUCCESS, FINGERPRINT, FINGERPRINT_XOR, HEADER_LEN, ICE_CONTROLLING,
    IntegrityTag, MAGIC_COOKIE, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_LEN, PRIORITY, TransactionId,
    USE_CANDIDATE, USERNAME, Username, XOR_MAPPED_ADDRESS, address_mask, checksum, xor,
};

/// A check that the controlling side sends (RFC 8445 §7.2.2).
#[derive(Clone, Copy, Debug)]
pub struct ConnectivityCheck<'a> {
    pub transaction: TransactionId,
    pub username: Username<'a>,
    pub priority: u32,
    pub tie_breaker: u64,
    pub use_candidate: bool,
}

impl ConnectivityCheck<'_> {
    /// Writes the request; `sign` is HMAC-SHA1 under the receiver's password.
    pub fn write(&self, sign: impl FnOnce(&[u8]) -> IntegrityTag) -> Vec<u8> {
        let mut message = Writer::new(BINDING_REQUEST, self.transaction);
        let Username { to, from } = self.username;
        message.attribute(USERNAME, format!("{to}:{from}").as_bytes());
        message.attribute(PRIORITY, &self.priority.to_be_bytes());
        message.attribute(ICE_CONTROLLING, &self.tie_breaker.to_be_bytes());
        if self.use_candidate {
            message.attribute(USE_CANDIDATE, &[]);
        }
        message.finish(sign)
    }
}

/// Writes the answer to a good check: the address it came from. `sign` is HMAC-SHA1 under our
/// own password.
pub fn success_response(
    transaction: TransactionId,
    mapped: SocketAddr,
    sign: impl FnOnce(&[u8]) -> IntegrityTag,
) -> Vec<u8> {
    let mut message = Writer::new(BINDING_SUCCESS, transaction);
    let mask = address_mask(transaction);
    let [port0, port1] = (mapped.port() ^ 0x2112).to_be_bytes();
    let mut value = Vec::with_capacity(20);
    match mapped.ip() {
        IpAddr::V4(ip) => {
            value.extend([0, 1, port0, port1]);
            value.extend(xor(ip.octets(), &mask));
        }
        IpAddr::V6(ip) => {
            value.extend([0, 2, port0, port1]);
            value.extend(xor(ip.octets(), &mask));
        }
    }
    message.attribute(XOR_MAPPED_ADDRESS, &value);
    message.finish(sign)
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn new(kind: u16, transaction: TransactionId) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend(transaction.0);
        Self { bytes }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self, sign: impl FnOnce(&[u8]) -> IntegrityTag) -> Vec<u8> {
        self.set_len_with(4 + MESSAGE_INTEGRITY_LEN);
        let tag = sign(&self.bytes);
        self.attribute(MESSAGE_INTEGRITY, &tag);
        self.set_len_with(8);
        let sum = checksum::crc32(&self.bytes) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &sum.to_be_bytes());
        self.bytes
    }

    /// Both checks cover the length as it will be once their own attribute is there.
    fn set_len_with(&mut self, attribute_len: usize) {
        let len = self.bytes.len() + attribute_len - HEADER_LEN;
        if let Some(field) = self.bytes.get_mut(2..4) {
            field.copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Message};
    use super::*;

    const ID: TransactionId = TransactionId([7; 12]);

    fn tag(_: &[u8]) -> IntegrityTag {
        [9; 20]
    }

    #[test]
    fn a_check_is_read_back() {
        let check = ConnectivityCheck {
            transaction: ID,
            username: Username { to: "server", from: "me" },
            priority: 0x6e00_01ff,
            tie_breaker: 1,
            use_candidate: true,
        };
        let mut signed = Vec::new();
        let bytes = check.write(|covered| {
            signed = covered.to_vec();
            [9; 20]
        });
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class, Class::Request);
        assert_eq!(message.transaction, ID);
        assert_eq!(message.username, Some(check.username));
        assert_eq!(message.priority, Some(0x6e00_01ff));
        assert!(message.use_candidate && message.has_fingerprint);
        let integrity = message.integrity.unwrap();
        assert_eq!([&integrity.start[..], integrity.rest].concat(), signed);
        assert_eq!(integrity.tag, &[9; 20]);
    }

    #[test]
    fn an_answer_tells_the_address_in_either_family() {
        for address in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
            let address: SocketAddr = address.parse().unwrap();
            let bytes = success_response(ID, address, tag);
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.class, Class::Success);
            assert_eq!(message.mapped, Some(address));
        }
    }
}
