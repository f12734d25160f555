//! Who should hear what, and making it so.
//!
//! Wishes, rights and tracks change one by one; [`Room::reconcile`] compares what a participant
//! should hear with what it was told, and has the difference negotiated. Forwarding stops in the
//! same call; it starts when the description that names the track goes out.

use std::collections::BTreeSet;

use proto::{
    control::SignalPath,
    ids::{ParticipantSid, TrackSid},
    livekit::{
        ParticipantTracks, SubscriptionError, SubscriptionPermissionUpdate, SubscriptionResponse,
        TrackSubscribed, UpdateSubscription, UpdateTrackSettings, signal_response::Message,
    },
};

use crate::{
    context::Context,
    limits::LIST_MAX,
    room::{Room, listener::Listener},
};

/// One participant's wish about one track of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    is_wanted: bool,
    /// Paused by the listener's own player.
    is_disabled: bool,
    /// What the listener was last told of its right to hear it.
    told_allowed: Option<bool>,
}

impl Room {
    /// Offers a new track to everybody who hears without asking.
    pub(super) fn offer_track(&mut self, track: TrackSid, cx: &mut Context) {
        let Some(owner) = self.tracks.get(track).map(|track| track.owner) else { return };
        let listeners: Vec<ParticipantSid> =
            self.participants.keys().copied().filter(|sid| *sid != owner).collect();
        for listener in listeners {
            let Some(participant) = self.participants.get_mut(&listener) else { continue };
            if participant.hearing.automatic {
                participant.hearing.subscriptions.insert(track, Subscription::wanted());
                self.reconcile(listener, cx);
            }
        }
    }

    /// Takes the tracks that are there into a new participant's wishes.
    pub(super) fn want_present_tracks(&mut self, sid: ParticipantSid) {
        let present = self.tracks.iter().filter(|track| track.owner != sid);
        let present: Vec<TrackSid> = present.map(|track| track.sid).collect();
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        if participant.hearing.automatic {
            let wanted = present.into_iter().map(|track| (track, Subscription::wanted()));
            participant.hearing.subscriptions.extend(wanted);
        }
    }

    pub(super) fn on_subscription(
        &mut self,
        sid: ParticipantSid,
        request: UpdateSubscription,
        cx: &mut Context,
    ) {
        for name in tracks_named(&request.track_sids, &request.participant_tracks) {
            let track = name.parse().ok().filter(|track| self.can_want(sid, *track));
            let Some(track) = track else {
                if request.subscribe {
                    self.tell_unknown_track(sid, name, cx);
                }
                continue;
            };
            self.set_wanted(sid, track, request.subscribe);
        }
        self.reconcile(sid, cx);
    }

    fn can_want(&self, sid: ParticipantSid, track: TrackSid) -> bool {
        self.tracks.get(track).is_some_and(|track| track.owner != sid)
    }

    fn set_wanted(&mut self, sid: ParticipantSid, track: TrackSid, is_wanted: bool) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let wish = participant.hearing.subscriptions.entry(track);
        let wish = wish.or_insert_with(Subscription::wanted);
        wish.is_wanted = is_wanted;
        // Told again when it comes back, as LiveKit does.
        wish.forget_told();
    }

    fn tell_unknown_track(&self, sid: ParticipantSid, name: &str, cx: &mut Context) {
        let response = SubscriptionResponse {
            track_sid: name.to_owned(),
            err: SubscriptionError::SeTrackNotfound.into(),
        };
        self.tell(sid, Message::SubscriptionResponse(response), cx);
    }

    /// A player that is hidden or paused wants no packets, and keeps its section.
    pub(super) fn on_track_setting(
        &mut self,
        sid: ParticipantSid,
        request: &UpdateTrackSettings,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let named = request.track_sids.iter().take(LIST_MAX).filter_map(|name| name.parse().ok());
        for track in named {
            let track: TrackSid = track;
            if let Some(wish) = participant.hearing.subscriptions.get_mut(&track) {
                wish.is_disabled = request.disabled;
            }
        }
        self.open_listeners(sid, cx);
    }

    /// Makes what a participant hears what it should hear, now or by negotiation.
    pub(super) fn reconcile(&mut self, sid: ParticipantSid, cx: &mut Context) {
        self.tell_permissions(sid, cx);
        let should_hear = self.should_hear(sid);
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let carried: Vec<TrackSid> =
            participant.hearing.slots.carried().map(|(_, track)| track).collect();
        for track in carried.into_iter().filter(|track| !should_hear.contains(track)) {
            self.stop_hearing(sid, track);
        }
        self.renegotiate(sid, cx);
    }

    fn renegotiate(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        match participant.connections.path {
            SignalPath::OneConnection => self.require_sections(sid, cx),
            SignalPath::TwoConnections => self.offer_if_needed(sid, cx),
        }
    }

    /// The tracks a participant wants and may hear.
    fn should_hear(&self, sid: ParticipantSid) -> BTreeSet<TrackSid> {
        let Some(participant) = self.participants.get(&sid) else { return BTreeSet::new() };
        let wanted = participant.hearing.subscriptions.iter().filter(|(_, wish)| wish.is_wanted);
        wanted.map(|(track, _)| *track).filter(|track| self.may_hear(sid, *track)).collect()
    }

    fn may_hear(&self, sid: ParticipantSid, track: TrackSid) -> bool {
        let Some(listener) = self.participants.get(&sid) else { return false };
        let owner = self.tracks.get(track).and_then(|it| self.participants.get(&it.owner));
        let admits =
            owner.is_some_and(|it| it.publishing.audience.admits(&listener.profile, track));
        listener.profile.permission.can_subscribe && admits
    }

    /// The tracks it should hear that no section carries.
    pub(super) fn unheard_by(&self, sid: ParticipantSid) -> Vec<TrackSid> {
        let Some(participant) = self.participants.get(&sid) else { return Vec::new() };
        let slots = &participant.hearing.slots;
        self.should_hear(sid).into_iter().filter(|track| !slots.carries(*track)).collect()
    }

    /// Tells a listener when its right to hear a track it wants begins or ends.
    fn tell_permissions(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let wanted = participant.hearing.subscriptions.iter().filter(|(_, wish)| wish.is_wanted);
        let changed: Vec<(TrackSid, bool)> = wanted
            .map(|(track, wish)| (*track, self.may_hear(sid, *track), wish.told_allowed))
            .filter(|(_, may_hear, told)| *told != Some(*may_hear))
            .map(|(track, may_hear, _)| (track, may_hear))
            .collect();
        for (track, allowed) in changed {
            let Some(owner) = self.tracks.get(track).map(|track| track.owner) else { continue };
            let Some(participant) = self.participants.get_mut(&sid) else { return };
            if let Some(wish) = participant.hearing.subscriptions.get_mut(&track) {
                wish.told_allowed = Some(allowed);
            }
            let update = SubscriptionPermissionUpdate {
                participant_sid: owner.to_string(),
                track_sid: track.to_string(),
                allowed,
            };
            self.tell(sid, Message::SubscriptionPermissionUpdate(update), cx);
        }
    }

    /// Adds the listener that feeds a section just given to `track`.
    pub(super) fn start_hearing(&mut self, sid: ParticipantSid, track: TrackSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = participant.connections.downstream_mut() else { return };
        let Some(track) = self.tracks.get_mut(track) else { return };
        let ssrc = connection.ssrcs.take();
        let listener = Listener::new(connection.id, ssrc, None, cx.random.bits64());
        if !track.add_listener(listener) {
            cx.invariant_broken("a connection hears a track in one section");
        }
    }

    /// Empties the section of `track` and stops its packets at once.
    pub(super) fn stop_hearing(&mut self, sid: ParticipantSid, track: TrackSid) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.hearing.slots.vacate(track);
        let Some(connection) = participant.connections.downstream() else { return };
        if let Some(track) = self.tracks.get_mut(track) {
            track.remove_listener(connection.id);
        }
    }

    /// Opens the gates of a participant's listeners as far as its connection and its wishes go.
    pub(super) fn open_listeners(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(connection) = participant.connections.downstream() else { return };
        let (id, is_connected) = (connection.id, connection.is_connected());
        let carried = participant.hearing.slots.carried().map(|(_, track)| track);
        let wishes = &participant.hearing.subscriptions;
        let gates: Vec<(TrackSid, bool)> = carried
            .map(|track| (track, wishes.get(&track).is_some_and(|wish| !wish.is_disabled)))
            .map(|(track, plays)| (track, plays && !participant.hearing.slots.is_held(track)))
            .collect();
        for (track, is_enabled) in gates {
            let Some(listener) = self.tracks.get_mut(track).and_then(|it| it.listener_mut(id))
            else {
                continue;
            };
            let opens = is_connected && is_enabled;
            if listener.open != opens {
                listener.set_open(opens);
            }
            if opens && listener.terms.is_some() {
                self.tell_subscribed(track, cx);
            }
        }
    }

    /// Tells a publisher, once, that somebody hears its track.
    fn tell_subscribed(&mut self, track: TrackSid, cx: &mut Context) {
        let Some(track) = self.tracks.get_mut(track) else { return };
        if std::mem::replace(&mut track.subscribed_told, true) {
            return;
        }
        let owner = track.owner;
        let subscribed = TrackSubscribed { track_sid: track.sid.to_string() };
        self.tell(owner, Message::TrackSubscribed(subscribed), cx);
    }
}

impl Subscription {
    fn wanted() -> Self {
        Self { is_wanted: true, is_disabled: false, told_allowed: None }
    }

    /// What was told on a socket that is gone was not heard.
    pub(super) fn forget_told(&mut self) {
        self.told_allowed = None;
    }
}

/// Every track a request names, whichever way.
fn tracks_named<'a>(
    sids: &'a [String],
    of_participants: &'a [ParticipantTracks],
) -> impl Iterator<Item = &'a str> {
    let listed = of_participants.iter().flat_map(|tracks| &tracks.track_sids);
    sids.iter().chain(listed).map(String::as_str).take(LIST_MAX)
}
