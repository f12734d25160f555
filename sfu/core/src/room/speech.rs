//! How loud one track is, from what its sender says in every packet (RFC 6464).
//!
//! The levels are claims. So a track's loudness is a mean over a grid interval, never a sum, a
//! packet that holds no sound counts as silent whatever it claims, and one participant is one
//! speaker however many packets it sends.

/// Quieter than this, in −dBov, is background.
const SPEECH_LEVEL: u8 = 40;
/// An Opus packet of this size or less is DTX: the encoder found nothing to say.
const SILENT_BYTES_MAX: usize = 3;
/// Weight of the newest interval.
const SMOOTHING: f32 = 0.5;
/// A speaker starts above the one and stops below the other, so that a ring doesn't flicker.
const START_LEVEL: f32 = 0.012;
const STOP_LEVEL: f32 = 0.006;
/// What is left of a voice below this is forgotten.
const FADED_LEVEL: f32 = 0.000_1;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speech {
    packets: u32,
    loudness: f32,
    smoothed: f32,
    active: bool,
}

impl Speech {
    /// Takes one packet's claim. True if it is loud enough to be looked at.
    pub(super) fn observe(&mut self, level: u8, payload_len: usize) -> bool {
        let below_full_scale = level & 0x7f;
        let is_sound = below_full_scale <= SPEECH_LEVEL && payload_len > SILENT_BYTES_MAX;
        self.packets += 1;
        if is_sound {
            self.loudness += amplitude(below_full_scale);
        }
        is_sound
    }

    /// Ends an interval. Returns the level from 0 to 1 while somebody speaks.
    pub(super) fn settle(&mut self) -> Option<f32> {
        let packets = f32::from(u16::try_from(self.packets).unwrap_or(u16::MAX)).max(1.0);
        let mean = self.loudness / packets;
        self.smoothed += (mean - self.smoothed) * SMOOTHING;
        (self.packets, self.loudness) = (0, 0.0);
        let threshold = if self.active { STOP_LEVEL } else { START_LEVEL };
        self.active = self.smoothed > threshold;
        self.active.then_some(self.smoothed.min(1.0))
    }

    /// Whether later intervals can bring news without another packet.
    pub(super) fn is_fading(&self) -> bool {
        self.smoothed > FADED_LEVEL
    }
}

/// −dBov as a share of full scale.
fn amplitude(below_full_scale: u8) -> f32 {
    10_f32.powf(f32::from(below_full_scale) / -20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(speech: &mut Speech, level: u8, packets: u32, payload_len: usize) -> Option<f32> {
        for _ in 0..packets {
            speech.observe(level, payload_len);
        }
        speech.settle()
    }

    #[test]
    fn a_voice_is_heard_within_one_interval_and_fades_in_a_few() {
        let mut speech = Speech::default();
        assert!(interval(&mut speech, 20, 7, 80).is_some());
        let fading = (0..10).take_while(|_| interval(&mut speech, 127, 7, 80).is_some()).count();
        assert!((1..6).contains(&fading), "{fading}");
    }

    #[test]
    fn background_noise_is_no_speaker() {
        let mut speech = Speech::default();
        assert!((0..10).all(|_| interval(&mut speech, 60, 7, 80).is_none()));
    }

    #[test]
    fn a_flood_of_packets_is_not_louder() {
        let (mut honest, mut flood) = (Speech::default(), Speech::default());
        let honest = interval(&mut honest, 20, 7, 80).unwrap();
        let flood = interval(&mut flood, 20, 7_000, 80).unwrap();
        assert!((honest - flood).abs() < 0.001, "{honest} {flood}");
    }

    #[test]
    fn a_packet_without_sound_is_silent_whatever_it_claims() {
        let mut speech = Speech::default();
        assert_eq!(interval(&mut speech, 0, 7, 1), None);
    }
}
