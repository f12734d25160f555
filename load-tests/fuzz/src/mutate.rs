//! Small damage to good inputs, the same for the same seed.

/// SplitMix64: enough for choosing where to break things.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `end`, or 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_be_bytes();
        byte
    }
}

/// Bytes that parsers treat in a way of their own.
const INTERESTING: [u8; 12] = [0, 1, 0x7F, 0x80, 0xFF, b'\n', b'\r', b' ', b':', b'"', b'=', b'{'];

/// Damages `input` in one to eight places; `other` lends material.
pub fn mutate(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(8) {
        mutate_once(random, input, other);
    }
}

fn mutate_once(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(input.len());
    match random.below(8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end_of(random, at, input.len()))),
        2 => repeat(random, input, at),
        3 => splice(random, input, at, other),
        4 => set(input, at, INTERESTING.get(random.below(INTERESTING.len())).copied()),
        5 => set(input, at, Some(random.byte())),
        6 => input.insert(at.min(input.len()), random.byte()),
        _ => {
            let flipped = input.get(at).map(|byte| byte ^ (1 << random.below(8)));
            set(input, at, flipped);
        }
    }
}

fn end_of(random: &mut Random, start: usize, length: usize) -> usize {
    let room = length.saturating_sub(start);
    start.saturating_add(random.below(room.min(64).saturating_add(1))).min(length)
}

fn repeat(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let end = end_of(random, at, input.len());
    let piece = input.get(at..end).unwrap_or_default().repeat(random.below(8));
    input.splice(end..end, piece);
}

fn splice(random: &mut Random, input: &mut Vec<u8>, at: usize, other: &[u8]) {
    let start = random.below(other.len());
    let piece = other.get(start..end_of(random, start, other.len())).unwrap_or_default();
    let end = end_of(random, at, input.len());
    input.splice(at.min(end)..end, piece.iter().copied());
}

fn set(input: &mut [u8], at: usize, value: Option<u8>) {
    if let (Some(byte), Some(value)) = (input.get_mut(at), value) {
        *byte = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage() {
        let damaged = |seed| {
            let mut input = b"a=candidate:1 1 udp 1 192.0.2.1 5 typ host".to_vec();
            mutate(&mut Random::new(seed), &mut input, b"m=audio 9 RTP/SAVPF 111");
            input
        };
        assert_eq!(damaged(7), damaged(7));
        let different = (0..100).map(damaged).collect::<std::collections::BTreeSet<_>>();
        assert!(different.len() > 90, "seeds differ in what they do");
    }

    #[test]
    fn nothing_is_a_fine_input() {
        for seed in 0..1000 {
            let mut input = Vec::new();
            mutate(&mut Random::new(seed), &mut input, b"");
        }
    }
}
