//! Packets that came before an earlier one, put in order.

use std::collections::BTreeMap;

use proto::link::{LinkPacket, UnixMicros};

use crate::limits::{INDEX_STEP_BACK_MAX, WAITING_MICROS_MAX, WAITING_PACKETS_MAX};

/// A track's packets by index, for as long as an earlier one may still come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// By count and index: a sender that starts again begins another count.
    packets: BTreeMap<(u64, u64), LinkPacket>,
    count: u64,
    /// Whose turn it is; `None` before the first packet of a count.
    next: Option<(u64, u64)>,
}

/// A packet whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) packet: LinkPacket,
    /// Packets before it that didn't come.
    pub(crate) missing: u64,
    /// Which count it is of.
    pub(crate) count: u64,
}

/// A packet whose place was taken, or was filled without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

impl Waiting {
    pub(crate) fn insert(&mut self, packet: LinkPacket) -> Result<(), Late> {
        let newest = self.packets.keys().next_back().copied().or(self.next);
        let began_again = newest.is_some_and(|(count, index)| {
            count == self.count && packet.index.saturating_add(INDEX_STEP_BACK_MAX) < index
        });
        if began_again {
            self.count += 1;
        }
        let place = (self.count, packet.index);
        if self.next.is_some_and(|next| place < next) || self.packets.contains_key(&place) {
            return Err(Late);
        }
        self.packets.insert(place, packet);
        Ok(())
    }

    /// Takes out the packet whose turn it is at `now`.
    pub(crate) fn release(&mut self, now: UnixMicros) -> Option<Released> {
        let entry = self.packets.first_entry()?;
        let (count, index) = *entry.key();
        let is_next = self.next == Some((count, index));
        if !is_next && count == self.count && now < deadline_of(entry.get()) {
            return if self.packets.len() > WAITING_PACKETS_MAX { self.take_first() } else { None };
        }
        self.take_first()
    }

    /// Takes out the first, whatever is missing before it.
    pub(crate) fn take_first(&mut self) -> Option<Released> {
        let ((count, index), packet) = self.packets.pop_first()?;
        let expected = self.next.filter(|(of, _)| *of == count).map(|(_, expected)| expected);
        let missing = expected.map_or(0, |expected| index.saturating_sub(expected));
        self.next = Some((count, index.saturating_add(1)));
        Some(Released { packet, missing, count })
    }

    /// When the first won't wait any longer.
    pub(crate) fn deadline(&self) -> Option<UnixMicros> {
        self.packets.values().next().map(deadline_of)
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &LinkPacket> {
        self.packets.values()
    }

    /// What comes next isn't a continuation of what came; returns which count it is of.
    pub(crate) fn interrupt(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

fn deadline_of(packet: &LinkPacket) -> UnixMicros {
    UnixMicros(packet.received.0.saturating_add(WAITING_MICROS_MAX))
}
