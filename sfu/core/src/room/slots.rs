//! The sections of a description in which one participant listens.
//!
//! A section that has carried one track may carry another only after the client has been told
//! that it is empty: a track that changes under a live section is no new track to a browser.

use proto::{ids::TrackSid, sdp::Mid};

use crate::limits::LISTENING_SECTIONS_MAX;

#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    mid: Mid,
    load: Load,
    /// Its packets wait until the client has shown that it knows of the section's track.
    is_held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Free,
    Track(TrackSid),
    /// Empty, and the client doesn't know yet.
    Vacated,
}

impl Slots {
    /// Makes `mid` a listening section if it isn't one yet and there is room.
    pub(super) fn add(&mut self, mid: &Mid) {
        let known = self.slots.iter().any(|slot| slot.mid == *mid);
        if !known && self.has_room() {
            self.slots.push(Slot { mid: mid.clone(), load: Load::Free, is_held: false });
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < LISTENING_SECTIONS_MAX
    }

    /// How many more sections may be added.
    pub(super) fn room(&self) -> usize {
        LISTENING_SECTIONS_MAX - self.slots.len()
    }

    /// Forgets the sections of which `keeps` says no. Their tracks are without a section.
    pub(super) fn retain(&mut self, keeps: impl Fn(&Mid) -> bool) -> Vec<TrackSid> {
        let lost = self.carried().filter(|(mid, _)| !keeps(mid)).map(|(_, track)| track).collect();
        self.slots.retain(|slot| keeps(&slot.mid));
        lost
    }

    pub(super) fn carries(&self, track: TrackSid) -> bool {
        self.slots.iter().any(|slot| slot.load == Load::Track(track))
    }

    /// Each section with what it carries.
    pub(super) fn carried(&self) -> impl Iterator<Item = (&Mid, TrackSid)> {
        self.slots.iter().filter_map(|slot| match slot.load {
            Load::Track(track) => Some((&slot.mid, track)),
            Load::Free | Load::Vacated => None,
        })
    }

    pub(super) fn track_in(&self, mid: &Mid) -> Option<TrackSid> {
        self.carried().find(|(carrying, _)| *carrying == mid).map(|(_, track)| track)
    }

    pub(super) fn mids(&self) -> impl Iterator<Item = &Mid> {
        self.slots.iter().map(|slot| &slot.mid)
    }

    pub(super) fn vacate(&mut self, track: TrackSid) {
        for slot in self.slots.iter_mut().filter(|slot| slot.load == Load::Track(track)) {
            slot.load = Load::Vacated;
        }
    }

    /// Gives a free section to `track`.
    pub(super) fn assign(&mut self, track: TrackSid) -> Option<&Mid> {
        let slot = self.slots.iter_mut().find(|slot| slot.load == Load::Free)?;
        (slot.load, slot.is_held) = (Load::Track(track), false);
        Some(&slot.mid)
    }

    /// Lets the packets of `track` wait for [`Self::release`].
    pub(super) fn hold(&mut self, track: TrackSid) {
        for slot in self.slots.iter_mut().filter(|slot| slot.load == Load::Track(track)) {
            slot.is_held = true;
        }
    }

    /// The client has applied our last description.
    pub(super) fn release(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.is_held = false);
    }

    pub(super) fn is_held(&self, track: TrackSid) -> bool {
        self.slots.iter().any(|slot| slot.is_held && slot.load == Load::Track(track))
    }

    pub(super) fn has_held(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_held && matches!(slot.load, Load::Track(_)))
    }

    /// Whether the client believes that a section carries something.
    pub(super) fn is_in_use(&self) -> bool {
        self.slots.iter().any(|slot| slot.load != Load::Free)
    }

    /// A description with the present state went out: what was vacated is free from the next on.
    pub(super) fn settle(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.load == Load::Vacated) {
            slot.load = Load::Free;
        }
    }

    /// Sections that carry nothing, or won't after the next description.
    pub(super) fn idle(&self) -> usize {
        self.slots.iter().filter(|slot| !matches!(slot.load, Load::Track(_))).count()
    }

    /// Whether the client has to learn of an empty section.
    pub(super) fn has_vacated(&self) -> bool {
        self.slots.iter().any(|slot| slot.load == Load::Vacated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_empty_for_one_description_before_it_carries_again() {
        let (first, second) = (TrackSid::from_random(1), TrackSid::from_random(2));
        let mut slots = Slots::default();
        slots.add(&Mid::new("0").unwrap());
        assert!(slots.assign(first).is_some());
        slots.vacate(first);
        assert!(slots.has_vacated());
        assert_eq!(slots.assign(second), None);
        slots.settle();
        assert_eq!(slots.assign(second).map(Mid::as_str), Some("0"));
    }

    #[test]
    fn sections_are_bounded() {
        let mut slots = Slots::default();
        for n in 0..LISTENING_SECTIONS_MAX + 5 {
            slots.add(&Mid::new(&n.to_string()).unwrap());
        }
        assert_eq!(slots.idle(), LISTENING_SECTIONS_MAX);
    }
}
