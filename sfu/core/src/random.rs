//! Everything a shard draws by lot: ids, credentials, stream numbers.

use proto::ice;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

/// `ice-char` of RFC 8839 §5.4 without its two signs, so that a name can be read out.
const ICE_CHARS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The shard's only source of randomness: same seed, same ids.
#[derive(Debug)]
pub(crate) struct Random(ChaCha20Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub(crate) fn bits32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn bits64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn bits128(&mut self) -> u128 {
        u128::from(self.bits64()) << 64 | u128::from(self.bits64())
    }

    /// 95 bits name the session, 190 bits key its checks.
    pub(crate) fn credentials(&mut self) -> ice::Credentials {
        ice::Credentials { ufrag: self.ice_text(16), pwd: self.ice_text(32) }
    }

    fn ice_text(&mut self, len: usize) -> String {
        (0..len).map(|_| self.ice_char()).collect()
    }

    fn ice_char(&mut self) -> char {
        loop {
            let six_bits = usize::try_from(self.bits32() & 0x3f).unwrap_or_default();
            if let Some(char) = ICE_CHARS.get(six_bits) {
                return char::from(*char);
            }
        }
    }
}

/// Stream numbers of one connection: scattered, and none twice in 2³² of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ssrcs {
    next: u32,
}

impl Ssrcs {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self { next: random.bits32() }
    }

    pub(crate) fn take(&mut self) -> u32 {
        // An odd step visits every number before it comes back.
        self.next = self.next.wrapping_add(0x9e37_79b1);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn credentials_fit_ice_and_differ() {
        let mut random = Random::new([7; 32]);
        let (one, two) = (random.credentials(), random.credentials());
        assert_eq!((one.ufrag.len(), one.pwd.len()), (16, 32));
        assert!(one.pwd.chars().all(|char| char.is_ascii_alphanumeric()));
        assert_ne!(one, two);
    }

    #[test]
    fn a_connection_never_uses_a_stream_number_twice() {
        let mut ssrcs = Ssrcs::new(&mut Random::new([7; 32]));
        let taken: BTreeSet<u32> = (0..100_000).map(|_| ssrcs.take()).collect();
        assert_eq!(taken.len(), 100_000);
    }
}
