//! Listeners that are no participants: who they are, what they are told, which packets they get.
//!
//! A link neither keeps a room alive nor counts in it. It hears what participants hear: nothing
//! of a muted track, and nothing of the server's own making, which the echo caller's voice is. A
//! recording hears only what everybody may hear, and everybody is told of it.

use proto::{
    ids::{ParticipantSid, TrackSid},
    link::{LinkClosed, LinkFrame, LinkPurpose, LinkTrack, LinkTrackId, UnixMicros},
};

use crate::{
    LinkId, Output, Tap,
    context::Context,
    limits::LINKS_PER_ROOM_MAX,
    room::{Room, listener::Voice, track::Track},
};

#[derive(Debug, Default)]
pub(super) struct Links {
    open: Vec<Link>,
    /// How many names have been given to tracks; the next is the next number.
    named: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    id: LinkId,
    purpose: LinkPurpose,
}

/// How a track goes in links, the same in all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linked {
    id: LinkTrackId,
    /// Its owner chose who may hear it.
    is_private: bool,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_recording(&self) -> bool {
        self.open.iter().any(|link| link.purpose == LinkPurpose::Recording)
    }

    /// Adds each link's claim to a packet to `taps`.
    pub(super) fn tap(
        &self,
        linked: Linked,
        voice: &Voice,
        received: UnixMicros,
        taps: &mut Vec<Tap>,
    ) {
        taps.extend(self.listening(linked).map(|to| Tap {
            to,
            track: linked.id,
            received,
            index: voice.index,
            timestamp: voice.timestamp.0,
            encoding: voice.encoding.in_link(),
        }));
    }

    fn listening(&self, linked: Linked) -> impl Iterator<Item = LinkId> + '_ {
        self.open.iter().filter(move |link| link.hears(linked)).map(|link| link.id)
    }

    fn name_track(&mut self, is_private: bool) -> Linked {
        self.named = self.named.wrapping_add(1);
        Linked { id: LinkTrackId(self.named), is_private }
    }

    fn tell(&self, linked: Linked, frame: &LinkFrame, cx: &mut Context) {
        let outputs = self.listening(linked).map(|id| Output::Link { id, frame: frame.clone() });
        cx.outbox.extend(outputs);
    }
}

impl Link {
    fn hears(self, linked: Linked) -> bool {
        match self.purpose {
            LinkPurpose::Recording => !linked.is_private,
            // Who may hear it is decided where the people are.
            LinkPurpose::Relay => true,
        }
    }
}

impl Room {
    /// Opens a link, and tells it of the tracks that are here.
    pub(crate) fn open_link(
        &mut self,
        id: LinkId,
        purpose: LinkPurpose,
        cx: &mut Context,
    ) -> Result<(), LinkClosed> {
        if self.links.len() >= LINKS_PER_ROOM_MAX {
            return Err(LinkClosed::Refused);
        }
        let was_recording = self.links.is_recording();
        self.links.open.push(Link { id, purpose });
        cx.links.insert(id, self.id);
        let at = cx.link_time();
        cx.link(id, LinkFrame::Opened { sid: self.sid, epoch: self.epoch, at });
        let mut tracks: Vec<(LinkTrackId, LinkFrame)> = self
            .tracks
            .iter()
            .filter(|track| track.linked.is_some_and(|it| Link { id, purpose }.hears(it)))
            .filter_map(|track| Some((track.linked?.id, self.introduction_of(track, at)?)))
            .collect();
        tracks.sort_unstable_by_key(|(track, _)| *track);
        tracks.into_iter().for_each(|(_, frame)| cx.link(id, frame));
        self.tell_if_recording_changed(was_recording, cx);
        Ok(())
    }

    /// The listener has gone.
    pub(crate) fn close_link(&mut self, id: LinkId, cx: &mut Context) {
        let was_recording = self.links.is_recording();
        self.links.open.retain(|link| link.id != id);
        cx.links.remove(&id);
        self.tell_if_recording_changed(was_recording, cx);
    }

    /// Ends every link for a reason of the room's. Participants go too, so none is told.
    pub(crate) fn close_links(&mut self, why: LinkClosed, cx: &mut Context) {
        for link in std::mem::take(&mut self.links.open) {
            cx.links.remove(&link.id);
            cx.link(link.id, LinkFrame::Closed(why));
        }
    }

    fn tell_if_recording_changed(&mut self, was_recording: bool, cx: &mut Context) {
        if self.links.is_recording() != was_recording {
            self.tell_room(cx);
        }
    }

    /// Lets links hear a track from here on.
    pub(super) fn link_track(&mut self, sid: TrackSid, cx: &mut Context) {
        let Some(owner) = self.tracks.get(sid).map(|track| track.owner) else { return };
        if self.is_echo(owner) {
            return;
        }
        let is_private = self
            .participants
            .get(&owner)
            .is_some_and(|owner| !owner.publishing.audience.is_everybody());
        let linked = self.links.name_track(is_private);
        let Some(track) = self.tracks.get_mut(sid) else { return };
        track.linked = Some(linked);
        if self.links.len() == 0 {
            return;
        }
        let introduction =
            self.tracks.get(sid).and_then(|it| self.introduction_of(it, cx.link_time()));
        if let Some(frame) = introduction {
            self.links.tell(linked, &frame, cx);
        }
    }

    /// No link hears the track from here on.
    pub(super) fn unlink_track(&mut self, sid: TrackSid, cx: &mut Context) {
        let linked = self.tracks.get_mut(sid).and_then(|track| track.linked.take());
        if let Some(linked) = linked {
            let frame = LinkFrame::TrackEnded { track: linked.id, at: cx.link_time() };
            self.links.tell(linked, &frame, cx);
        }
    }

    /// A participant chose anew who may hear it. To links, other listeners make another track.
    pub(super) fn relink_tracks(&mut self, owner: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&owner) else { return };
        let is_private = !participant.publishing.audience.is_everybody();
        let tracks: Vec<TrackSid> = participant.publishing.tracks.iter().copied().collect();
        for sid in tracks {
            let linked = self.tracks.get(sid).and_then(|track| track.linked);
            if linked.is_some_and(|linked| linked.is_private != is_private) {
                self.unlink_track(sid, cx);
                self.link_track(sid, cx);
            }
        }
    }

    pub(super) fn tell_links_muted(&self, sid: TrackSid, cx: &mut Context) {
        let Some(track) = self.tracks.get(sid) else { return };
        if let Some(linked) = track.linked {
            let (muted, at) = (track.info.muted, cx.link_time());
            self.links.tell(linked, &LinkFrame::TrackMuted { track: linked.id, muted, at }, cx);
        }
    }

    fn introduction_of(&self, track: &Track, at: UnixMicros) -> Option<LinkFrame> {
        let owner = &self.participants.get(&track.owner)?.profile;
        Some(LinkFrame::TrackStarted(Box::new(LinkTrack {
            id: track.linked?.id,
            sid: track.sid,
            name: track.info.name.clone(),
            source: track.info.source(),
            muted: track.info.muted,
            participant: owner.sid,
            identity: owner.identity.clone(),
            participant_name: owner.grants.name.clone(),
            at,
        })))
    }
}
