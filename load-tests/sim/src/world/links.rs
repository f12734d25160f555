//! Listeners that are no participants: they come a while after a room has begun, and some go and
//! come again.

use std::collections::BTreeMap;

use proto::link::{LinkFrame, LinkPurpose, LinkRequest};
use sfu_core::{Input, LinkAction, LinkId};

use super::{Event, World, places::Place};
use crate::{LinkEvent, Random, RoomId, Told, client::person_of};

/// Listeners of each life of a room.
const LISTENERS: u64 = 2;

#[derive(Default)]
pub(super) struct Links {
    /// Where each link listens.
    rooms: BTreeMap<u64, (RoomId, Place)>,
}

impl World<'_> {
    pub(super) fn on_room_started(&mut self, name: &str, place: Place) {
        let Some(room) = name.strip_prefix("room").and_then(|number| number.parse().ok()) else {
            return self.fault(None, "a room that nobody asked for");
        };
        for listener in 0..LISTENERS {
            let mut random = self.link_random(RoomId(room), listener);
            let at = self.now + random.millis(0, 3_000);
            self.schedule(at, Event::OpenLink(RoomId(room), place));
        }
    }

    fn link_random(&self, room: RoomId, what: u64) -> Random {
        let now = u64::try_from(self.now.as_micros()).unwrap_or_default();
        Random::named(self.plan.seed, &[5, u64::from(room.0), now, what])
    }

    pub(super) fn on_open_link(&mut self, room: RoomId, place: Place) {
        let id = u64::try_from(self.links.rooms.len()).unwrap_or_default();
        self.links.rooms.insert(id, (room, place));
        let mut random = self.link_random(room, id);
        let purpose = if random.happens(500) { LinkPurpose::Recording } else { LinkPurpose::Relay };
        let Ok(name) = format!("room{}", room.0).parse() else { return };
        let request = LinkRequest { room: name, epoch: place.epoch, purpose };
        self.link(id, LinkAction::Open(request));
        if random.happens(400) {
            let gone = self.now + random.millis(500, 6_000);
            self.schedule(gone, Event::CloseLink(id));
            self.schedule(gone + random.millis(0, 1_500), Event::OpenLink(room, place));
        }
    }

    pub(super) fn on_close_link(&mut self, link: u64) {
        self.link(link, LinkAction::Close);
        self.recording.links.push(LinkEvent::Told { link, what: Told::Closed });
    }

    fn link(&mut self, link: u64, action: LinkAction) {
        let Some((room, place)) = self.links.rooms.get(&link).copied() else { return };
        let index = self.shard_of(place.node, room);
        if let Some(shell) = self.shells.get_mut(index) {
            shell.input(Input::Link { id: LinkId(link), action }, self.now);
        }
        self.collect(index);
    }

    pub(super) fn on_link(&mut self, LinkId(link): LinkId, frame: LinkFrame) {
        let Some((room, Place { node, .. })) = self.links.rooms.get(&link).copied() else {
            return self.fault(None, "a link that nobody asked for");
        };
        let what = match frame {
            LinkFrame::Opened { .. } => Told::Opened { node, room },
            LinkFrame::TrackStarted(track) => match person_of(track.identity.as_str()) {
                Some(talker) => Told::Started { track: track.id.0, talker, muted: track.muted },
                None => return self.fault(None, "a track of nobody"),
            },
            LinkFrame::TrackMuted { track, muted, .. } => Told::Muted { track: track.0, muted },
            LinkFrame::TrackEnded { track, .. } => Told::Ended { track: track.0 },
            LinkFrame::Closed(_) => Told::Closed,
            LinkFrame::Packets(_) => return self.fault(None, "packets that the core kept"),
        };
        self.recording.links.push(LinkEvent::Told { link, what });
    }
}
