//! How long an Opus packet sounds, by its first two bytes (RFC 6716 §3).

use std::time::Duration;

use super::SoundError;

/// The longest that the RFC allows.
const PACKET_MAX: Duration = Duration::from_millis(120);

/// Returns the duration of a packet that begins with `start`.
pub(super) fn duration(start: &[u8]) -> Result<Duration, SoundError> {
    // An empty packet stands for something lost.
    let Some(toc) = start.first() else { return Ok(Duration::ZERO) };
    let config = toc >> 3;
    let step = u32::from(config & 3);
    let frame_us = match config {
        0..=11 if step == 3 => 60_000,
        0..=11 => 10_000 << step,
        12..=15 => 10_000 << (step & 1),
        _ => 2_500 << step,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(start.get(1).ok_or(SoundError::Broken)? & 0x3f),
    };
    let duration = Duration::from_micros(frame_us * frames);
    if frames > 0 && duration <= PACKET_MAX { Ok(duration) } else { Err(SoundError::Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_says_how_long() {
        let of = |start: &[u8]| duration(start).ok().map(|one| one.as_micros());
        // CELT 2.5 ms and 20 ms, SILK 60 ms, hybrid 20 ms, two frames, six frames.
        assert_eq!(of(&[16 << 3]), Some(2_500));
        assert_eq!(of(&[19 << 3]), Some(20_000));
        assert_eq!(of(&[3 << 3]), Some(60_000));
        assert_eq!(of(&[15 << 3]), Some(20_000));
        assert_eq!(of(&[(19 << 3) | 1]), Some(40_000));
        assert_eq!(of(&[(19 << 3) | 3, 6]), Some(120_000));
        assert_eq!(of(&[]), Some(0));
        for broken in [&[(19 << 3) | 3, 7][..], &[(19 << 3) | 3, 0], &[(19 << 3) | 3]] {
            assert_eq!(of(broken), None, "{broken:?}");
        }
    }
}
