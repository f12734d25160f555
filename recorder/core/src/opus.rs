//! What an Opus packet says of itself (RFC 6716 §3), and packets that say nothing.

/// The rate of all that is counted here, whatever the encoder's own (RFC 7587 §4.1).
pub const SAMPLES_PER_MS: u64 = 48;

/// Most samples of one packet: 120 ms.
const PACKET_SAMPLES_MAX: u64 = 5_760;
/// Longest frame (RFC 6716 §3.2.1).
const FRAME_BYTES_MAX: usize = 1_275;
/// The shortest frame, and the grid on which everything in a file lies: 2.5 ms.
pub(crate) const GRID: u64 = 120;

/// The first byte of a packet: how it is coded, and how many frames it has (RFC 6716 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc(pub u8);

impl Toc {
    /// Whether the packet has two channels.
    pub fn is_stereo(self) -> bool {
        self.0 & 0b100 != 0
    }

    /// Samples of each of its frames.
    pub fn frame_samples(self) -> u64 {
        let size = self.0 >> 3;
        match (size, size & 3) {
            (0..12, 3) => 2_880,
            (0..12, 2) => 1_920,
            (0..12, 1) | (12..16, 1 | 3) | (16.., 3) => 960,
            (0..12, _) | (12..16, _) | (16.., 2) => 480,
            (16.., 1) => 240,
            (16.., _) => GRID,
        }
    }

    /// The byte for frames of the same kind in another mode, length and number.
    fn with(self, config: u8, code: u8) -> Self {
        Self(config << 3 | self.0 & 0b100 | code)
    }
}

/// Bytes that no decoder has to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOpus;

/// Returns how many samples a packet holds, if it keeps every rule of RFC 6716 §3.4.
pub fn samples(packet: &[u8]) -> Result<u64, InvalidOpus> {
    let (toc, body) = packet.split_first().ok_or(InvalidOpus)?;
    let frames = match toc & 3 {
        0 if body.len() <= FRAME_BYTES_MAX => 1,
        1 if body.len() % 2 == 0 && body.len() / 2 <= FRAME_BYTES_MAX => 2,
        2 => {
            let (first, rest) = frame_length(body).ok_or(InvalidOpus)?;
            let second = rest.len().checked_sub(first).ok_or(InvalidOpus)?;
            if second > FRAME_BYTES_MAX {
                return Err(InvalidOpus);
            }
            2
        }
        3 => many_frames(body).ok_or(InvalidOpus)?,
        _ => return Err(InvalidOpus),
    };
    let samples = Toc(*toc).frame_samples() * frames;
    if samples <= PACKET_SAMPLES_MAX { Ok(samples) } else { Err(InvalidOpus) }
}

/// A frame's length as it is written before it (RFC 6716 §3.2.1), and what follows.
fn frame_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short @ 0..=251, rest @ ..] => Some((usize::from(*short), rest)),
        [first, second, rest @ ..] => Some((usize::from(*second) * 4 + usize::from(*first), rest)),
        _ => None,
    }
}

/// The frames of a packet of code 3 (RFC 6716 §3.2.5), whose padding and lengths must fit.
fn many_frames(body: &[u8]) -> Option<u64> {
    let (head, mut rest) = body.split_first()?;
    let (is_variable, is_padded, frames) = (head & 0x80 != 0, head & 0x40 != 0, head & 0x3f);
    let padding = if is_padded {
        let (padding, after) = padding_length(rest)?;
        rest = after;
        padding
    } else {
        0
    };
    let mut left = rest.len().checked_sub(padding)?;
    let last = if is_variable {
        for _ in 1..frames {
            let (length, after) = frame_length(rest)?;
            left = left.checked_sub(rest.len() - after.len() + length)?;
            rest = after;
        }
        left
    } else if frames > 0 && left % usize::from(frames) == 0 {
        left / usize::from(frames)
    } else {
        return None;
    };
    (frames > 0 && last <= FRAME_BYTES_MAX).then_some(u64::from(frames))
}

/// How many bytes of padding a packet ends with, and what follows the bytes that say so.
fn padding_length(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut padding = 0;
    loop {
        let (byte, rest) = bytes.split_first()?;
        bytes = rest;
        padding += usize::from((*byte).min(254));
        if *byte != 255 {
            return Some((padding, bytes));
        }
    }
}

/// Returns a packet of one byte, which asks a decoder to conceal a loss (RFC 6716 §3.2.1, RFC
/// 7845 §4.1), as long as fits into `hole`; `None` where nothing does.
///
/// `like` is the packet before: its mode, bandwidth and channels are kept where they have frames
/// that short, so that decoders stay in their state.
pub(crate) fn empty_packet(like: Toc, hole: u64) -> Option<(Toc, u64)> {
    let config = like.0 >> 3;
    // SILK has the longest frames and CELT the shortest; hybrid has the two that both have.
    let (own, longest_first): (u8, &[u8]) = match config {
        0..12 => (config & !3, &[3, 2, 1, 0]),
        12..16 => (config & !1, &[1, 0]),
        16.. => (config & !3, &[3, 2, 1, 0]),
    };
    // CELT has no medium band: it takes the next wider one.
    let celt = match config {
        0..4 => 16,
        4..12 => 20,
        12..14 => 24,
        14..16 => 28,
        16.. => config & !3,
    };
    let own = longest_first.iter().map(|size| own + size);
    let configs = own.chain([celt + 1, celt]);
    let candidates = configs.flat_map(|config| [like.with(config, 1), like.with(config, 0)]);
    let sized =
        candidates.map(|toc| (toc, toc.frame_samples() * if toc.0 & 3 == 1 { 2 } else { 1 }));
    sized
        .filter(|(_, samples)| *samples <= hole)
        .min_by_key(|(_, samples)| std::cmp::Reverse(*samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_has_its_frame_size() {
        // RFC 6716 table 2.
        let silk = [480, 960, 1_920, 2_880];
        let celt = [120, 240, 480, 960];
        let expected = [silk, silk, silk, [480, 960, 480, 960], celt, celt, celt, celt].concat();
        let found: Vec<u64> = (0..32).map(|config| Toc(config << 3).frame_samples()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn frames_of_every_code_are_counted() {
        assert_eq!(samples(&[0x78, 1, 2, 3]), Ok(960));
        assert_eq!(samples(&[0x79, 1, 2]), Ok(1_920));
        assert_eq!(samples(&[0x7a, 1, 9, 9, 9]), Ok(1_920));
        assert_eq!(samples(&[0x7b, 3, 1, 2, 3]), Ok(2_880));
        assert_eq!(samples(&[0x7b, 0x82, 1, 9, 9]), Ok(1_920), "variable sizes");
        assert_eq!(samples(&[0x7b, 0x42, 2, 9, 9, 0, 0]), Ok(1_920), "padded");
        assert_eq!(samples(&[0x78]), Ok(960), "nothing to say is something to take");
    }

    #[test]
    fn a_packet_that_breaks_a_rule_is_refused() {
        let long = vec![0x78; FRAME_BYTES_MAX + 2];
        let broken: [&[u8]; 10] = [
            &[],
            &[0x79, 1],
            &[0x7a],
            &[0x7a, 9, 1],
            &[0x7b],
            &[0x7b, 0],
            &[0x7b, 7],
            &[0x7b, 2, 1],
            &[0x7b, 0x41, 9],
            &long,
        ];
        for packet in broken {
            assert_eq!(samples(packet), Err(InvalidOpus), "{packet:?}");
        }
    }

    #[test]
    fn a_hole_on_the_grid_is_filled_exactly_whatever_came_before() {
        for toc in 0..=255 {
            for hole in (0..200).map(|step| step * GRID) {
                let mut left = hole;
                while let Some((toc, fill)) = empty_packet(Toc(toc), left) {
                    assert_eq!(samples(&[toc.0]), Ok(fill), "what it says is what it is");
                    left -= fill;
                }
                assert_eq!(left, 0, "hole of {hole} after {toc:#x}");
            }
        }
    }

    #[test]
    fn an_empty_packet_keeps_the_mode_where_it_can() {
        // SILK wide band, stereo: 2 × 60 ms, then 10 ms of it, then CELT for what is shorter.
        assert_eq!(empty_packet(Toc(0x4c), 9_000), Some((Toc(0x5d), 5_760)));
        assert_eq!(empty_packet(Toc(0x4c), 600), Some((Toc(0x44), 480)));
        assert_eq!(empty_packet(Toc(0x4c), 479), Some((Toc(0xa4 | 8), 240)));
        assert_eq!(empty_packet(Toc(0x4c), 119), None);
    }

    #[test]
    fn no_bytes_end_the_process() {
        arbtest::arbtest(|u| {
            let packet: Vec<u8> = u.arbitrary()?;
            if let Ok(samples) = samples(&packet) {
                assert!((GRID..=PACKET_SAMPLES_MAX).contains(&samples));
                assert_eq!(samples % GRID, 0);
            }
            Ok(())
        });
    }
}
