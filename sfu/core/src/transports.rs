//! The peer connections of a shard, found by index: whose they are and what may come in on them.

use proto::{ids::ParticipantSid, rtp::Packet, sdp::Mid};

use crate::{TransportId, limits::TRANSPORTS_MAX, room::tracks::TrackKey, rooms::RoomId};

#[derive(Debug, Default)]
pub(crate) struct Transports {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    route: Option<Route>,
}

/// Whose connection it is, and which streams its peer has signalled.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantSid,
    pub(crate) sources: Vec<Source>,
}

/// A stream that a peer may send: one published section of its description.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) mid: Mid,
    /// From `a=ssrc`; where there was none, from the first packet that names the section.
    pub(crate) ssrc: Option<u32>,
    /// The id of the header extension that names the section; zero for none.
    pub(crate) mid_extension: u8,
    pub(crate) track: TrackKey,
}

impl Transports {
    /// Names a new connection; `None` when there are too many.
    pub(crate) fn insert(
        &mut self,
        room: RoomId,
        participant: ParticipantSid,
    ) -> Option<TransportId> {
        let route = Route { room, participant, sources: Vec::new() };
        if let Some(index) = self.free.pop() {
            let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
            slot.route = Some(route);
            return Some(TransportId { index, generation: slot.generation });
        }
        if self.slots.len() >= TRANSPORTS_MAX {
            return None;
        }
        let index = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(Slot { generation: 0, route: Some(route) });
        Some(TransportId { index, generation: 0 })
    }

    pub(crate) fn remove(&mut self, id: TransportId) {
        let Some(slot) = self.slot_mut(id) else { return };
        slot.route = None;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
    }

    pub(crate) fn get(&self, id: TransportId) -> Option<&Route> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        slot.route.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: TransportId) -> Option<&mut Route> {
        self.slot_mut(id)?.route.as_mut()
    }

    fn slot_mut(&mut self, id: TransportId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        (slot.generation == id.generation && slot.route.is_some()).then_some(slot)
    }
}

impl Route {
    /// The track this packet belongs to, if its stream was signalled here.
    ///
    /// An SSRC counts only on the connection that signalled it, so two honest clients may have
    /// the same one, and nobody can speak in another's name.
    pub(crate) fn track_of(&mut self, packet: &Packet<'_>) -> Option<TrackKey> {
        let known = self.sources.iter().find(|source| source.ssrc == Some(packet.ssrc));
        if let Some(source) = known {
            return Some(source.track);
        }
        let named = self.sources.iter_mut().find(|source| source.is_named_by(packet))?;
        named.ssrc = Some(packet.ssrc);
        Some(named.track)
    }
}

impl Source {
    fn is_named_by(&self, packet: &Packet<'_>) -> bool {
        self.ssrc.is_none()
            && self.mid_extension != 0
            && packet.mid(self.mid_extension) == Some(self.mid.as_str())
    }
}
