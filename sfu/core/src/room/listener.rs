//! One listener of one track: how its copies are numbered, and whether it gets any.

use std::time::Instant;

use proto::{link::LinkEncoding, rtp::RtpTime};

use crate::{Forward, PayloadPart, TransportId, limits::SEQUENCE_JUMP_MAX};

/// What a listener's description says about how voice reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) opus: u8,
    pub(crate) red: Option<u8>,
    /// The id of the audio level extension; zero for none.
    pub(crate) level_extension: u8,
}

/// A packet that has been believed, as its listeners are offered it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    /// Sequence number with the wraps counted; never the same twice in a track.
    pub(crate) index: u64,
    pub(crate) timestamp: RtpTime,
    pub(crate) marker: bool,
    pub(crate) encoding: Encoding,
    /// RFC 6464, if the sender said.
    pub(crate) level: Option<u8>,
    pub(crate) payload_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Opus,
    /// Redundant audio: `primary` is where its newest Opus packet starts, `opus` the payload type
    /// its blocks name.
    Red {
        primary: usize,
        opus: u8,
    },
}

impl Encoding {
    pub(crate) fn in_link(self) -> LinkEncoding {
        match self {
            Self::Opus => LinkEncoding::Opus,
            Self::Red { primary, .. } => LinkEncoding::Red { primary },
        }
    }
}

/// Plain numbers: a new process could go on with them.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) to: TransportId,
    pub(crate) ssrc: u32,
    /// Absent until the listener has answered our offer.
    pub(crate) terms: Option<Terms>,
    /// Connected, and wants to hear.
    pub(crate) open: bool,
    /// The next send index. Its lower 16 bits are the sequence number, the rest the rollover
    /// count.
    next: u64,
    /// The track's index that became `anchor.1` of ours; `None` asks for a new pairing.
    anchor: Option<(u64, u64)>,
    /// The track's highest index that was sent.
    newest: Option<u64>,
    timestamp_offset: u32,
    pub(crate) sent: Sent,
    pub(crate) heard: Heard,
}

/// What has been sent, for sender reports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    pub(crate) last_at: Option<Instant>,
    /// The middle of the last report's NTP time, and when it went out.
    pub(crate) last_report: Option<(u32, Instant)>,
}

/// What the listener last reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// In 1/256.
    pub(crate) fraction_lost: u8,
    pub(crate) jitter: u32,
    pub(crate) round_trip: Option<std::time::Duration>,
}

impl Listener {
    /// `lots` places the numbering where nobody can guess it.
    pub(crate) fn new(to: TransportId, ssrc: u32, terms: Option<Terms>, lots: u64) -> Self {
        // Below 2^15, so that no early loss can be mistaken for a wrap (RFC 3711 §3.3.1).
        let next = lots & 0x7fff;
        let timestamp_offset = u32::try_from(lots >> 32).unwrap_or_default();
        Self {
            to,
            ssrc,
            terms,
            open: false,
            next,
            anchor: None,
            newest: None,
            timestamp_offset,
            sent: Sent::default(),
            heard: Heard::default(),
        }
    }

    /// Opens or closes the gate. What comes after a pause follows on in numbers.
    pub(crate) fn set_open(&mut self, open: bool) {
        if !open {
            self.pause();
        }
        self.open = open;
    }

    /// The stream will be interrupted: number what follows as if nothing was missing.
    pub(crate) fn pause(&mut self) {
        self.anchor = None;
    }

    /// This listener's copy of a packet, if it is to get one.
    pub(crate) fn copy_of(&mut self, voice: &Voice, now: Instant) -> Option<Forward> {
        let terms = self.terms.filter(|_| self.open)?;
        let (payload_type, payload) = terms.encode(voice.encoding);
        let resumed = self.anchor.is_none();
        let index = self.number(voice.index)?;
        self.count(voice, payload, now);
        Some(Forward {
            to: self.to,
            ssrc: self.ssrc,
            payload_type,
            // A first packet starts a talk spurt (RFC 3551 §4.1).
            marker: voice.marker || resumed,
            sequence: u16::try_from(index & 0xffff).unwrap_or_default(),
            roc: u32::try_from((index >> 16) & 0xffff_ffff).unwrap_or_default(),
            timestamp: self.timestamp(voice.timestamp).0,
            level_extension: voice.level.map_or(0, |_| terms.level_extension),
            level: voice.level.unwrap_or_default(),
            payload,
        })
    }

    /// The track's time on this listener's clock.
    pub(crate) fn timestamp(&self, time: RtpTime) -> RtpTime {
        time.plus(self.timestamp_offset)
    }

    /// Maps a track's index to ours: one to one, so that no number is sent twice.
    fn number(&mut self, index: u64) -> Option<u64> {
        let jumped = |(theirs, ours): &(u64, u64)| {
            (index.saturating_sub(*theirs) + ours).saturating_sub(self.next) > SEQUENCE_JUMP_MAX
        };
        if self.anchor.as_ref().is_none_or(jumped) {
            // A straggler from before the pause would be numbered after what it came before.
            if self.newest.is_some_and(|newest| index <= newest) {
                return None;
            }
            self.anchor = Some((index, self.next));
        }
        let (theirs, ours) = self.anchor?;
        // What is older than the pairing belongs to what was paused.
        let mapped = ours + index.checked_sub(theirs)?;
        self.next = self.next.max(mapped + 1);
        self.newest = self.newest.max(Some(index));
        Some(mapped)
    }

    fn count(&mut self, voice: &Voice, payload: PayloadPart, now: Instant) {
        let start = match payload {
            PayloadPart::Whole => 0,
            PayloadPart::From(start) => start,
        };
        let octets = u32::try_from(voice.payload_len - start).unwrap_or_default();
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(octets);
        self.sent.last_at = Some(now);
    }
}

impl Terms {
    /// RED passes to who takes it and numbers Opus as its sender does; others get the primary.
    fn encode(&self, encoding: Encoding) -> (u8, PayloadPart) {
        match encoding {
            Encoding::Opus => (self.opus, PayloadPart::Whole),
            Encoding::Red { primary, opus } => match self.red {
                Some(red) if opus == self.opus => (red, PayloadPart::Whole),
                _ => (self.opus, PayloadPart::From(primary)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: TransportId = TransportId { index: 0, generation: 0 };
    const TERMS: Terms = Terms { opus: 111, red: Some(63), level_extension: 1 };

    fn listener(next: u64) -> Listener {
        let mut listener = Listener::new(TO, 7, Some(TERMS), 0);
        listener.next = next;
        listener.set_open(true);
        listener
    }

    fn voice(index: u64) -> Voice {
        Voice {
            index,
            timestamp: RtpTime(u32::try_from((index * 960) & 0xffff_ffff).unwrap()),
            marker: false,
            encoding: Encoding::Opus,
            level: None,
            payload_len: 80,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn send(listener: &mut Listener, index: u64) -> Option<u64> {
        let copy = listener.copy_of(&voice(index), Instant::now())?;
        Some(u64::from(copy.roc) << 16 | u64::from(copy.sequence))
    }

    #[test]
    fn the_rollover_count_grows_when_the_sequence_wraps() {
        let mut listener = listener(65_534);
        let sent: Vec<_> = (100..104).filter_map(|index| send(&mut listener, index)).collect();
        assert_eq!(sent, [65_534, 65_535, 65_536, 65_537]);
    }

    #[test]
    fn reordered_packets_keep_their_places() {
        let mut listener = listener(10);
        let sent: Vec<_> =
            [50, 53, 51, 52].into_iter().filter_map(|index| send(&mut listener, index)).collect();
        assert_eq!(sent, [10, 13, 11, 12]);
    }

    #[test]
    fn nothing_is_missing_after_a_pause() {
        let mut listener = listener(10);
        assert_eq!(send(&mut listener, 50), Some(10));
        listener.set_open(false);
        assert_eq!(send(&mut listener, 51), None);
        listener.set_open(true);
        assert_eq!(send(&mut listener, 40_000), Some(11));
        assert_eq!(send(&mut listener, 51), None);
    }

    #[test]
    fn a_straggler_from_before_a_pause_is_not_numbered_after_it() {
        let mut listener = listener(10);
        assert_eq!(send(&mut listener, 50), Some(10));
        assert_eq!(send(&mut listener, 52), Some(12));
        listener.pause();
        assert_eq!(send(&mut listener, 51), None);
        assert_eq!(send(&mut listener, 53), Some(13));
    }

    #[test]
    fn a_jump_is_closed_and_a_gap_is_shown() {
        let mut listener = listener(10);
        send(&mut listener, 50);
        assert_eq!(send(&mut listener, 60), Some(20));
        assert_eq!(send(&mut listener, 30_060), Some(21));
    }

    #[test]
    fn no_number_is_sent_twice_whatever_the_order() {
        arbtest::arbtest(|u| {
            let mut listener = listener(u.int_in_range(0..=70_000)?);
            let mut stream = super::super::stream::Stream::new(now());
            let mut sent = std::collections::BTreeSet::new();
            for _ in 0..u.int_in_range(0..=300)? {
                if u.ratio(1, 20)? {
                    let open = listener.open;
                    listener.set_open(!open);
                }
                let Some(index) =
                    stream.accept(proto::rtp::SeqNo(u.arbitrary()?), RtpTime(0), now())
                else {
                    continue;
                };
                if let Some(number) = send(&mut listener, index) {
                    assert!(sent.insert(number), "{number} twice");
                }
            }
            Ok(())
        });
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn red_goes_whole_only_to_who_reads_its_blocks() {
        let red = Encoding::Red { primary: 40, opus: 111 };
        assert_eq!(TERMS.encode(red), (63, PayloadPart::Whole));
        let firefox = Terms { opus: 109, red: None, level_extension: 1 };
        assert_eq!(firefox.encode(red), (109, PayloadPart::From(40)));
        let renumbered = Terms { opus: 96, red: Some(63), level_extension: 1 };
        assert_eq!(renumbered.encode(red), (96, PayloadPart::From(40)));
    }
}
