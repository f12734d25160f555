//! One participant: who it is, what it may do, what it publishes and hears.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use proto::{
    control::{ConnectionFailure, Event, MediaStage, SignalPath},
    grants::Grants,
    ids::{Identity, ParticipantSid, SessionId, TrackSid},
    livekit::{self, ParticipantInfo, ParticipantPermission, participant_info},
};

use crate::{
    context::Context,
    limits::JOIN_TIMEOUT,
    room::{
        audience::Audience, budget::Budget, connection::Connections, dual::Offers,
        pending::PendingTrack, permissions, quality::Standing, single::Sections, slots::Slots,
        subscribe::Subscription,
    },
};

#[derive(Debug)]
pub(super) struct Participant {
    pub(super) profile: Profile,
    pub(super) presence: Presence,
    pub(super) connections: Connections,
    pub(super) publishing: Publishing,
    pub(super) hearing: Hearing,
    pub(super) standing: Standing,
    pub(super) budget: Budget,
}

/// Who it is, and what it may do.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) sid: ParticipantSid,
    pub(super) identity: Identity,
    /// As in its token, and as changed since: what its next token will say.
    pub(super) grants: Grants,
    pub(super) permission: ParticipantPermission,
    pub(super) kind: participant_info::Kind,
    pub(super) client: livekit::ClientInfo,
    pub(super) is_firefox: bool,
    pub(super) joined_at: Instant,
    pub(super) joined_unix_micros: i64,
}

/// Whether it is there, and what others know of that.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) session: Option<SessionId>,
    /// When its WebSocket went away.
    pub(super) absent_since: Option<Instant>,
    pub(super) state: participant_info::State,
    /// Others have been told of it.
    pub(super) is_announced: bool,
    /// Grows with every change that others are told.
    pub(super) version: u32,
    /// How far its media has come.
    pub(super) reached: Option<MediaStage>,
    /// Why media never came, as far as it is known.
    pub(super) failure: Option<ConnectionFailure>,
    pub(super) simulated: Simulated,
}

/// What a client's test asked to happen at its next resume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Simulated {
    #[default]
    Nothing,
    /// The signal connection ends after the answer.
    DisconnectOnResume,
    /// It ends without one.
    DisconnectOnResumeSilently,
}

#[derive(Debug, Default)]
pub(super) struct Publishing {
    /// Asked for, and not in any description yet.
    pub(super) pending: Vec<PendingTrack>,
    pub(super) tracks: BTreeSet<TrackSid>,
    /// Who may hear them.
    pub(super) audience: Audience,
}

#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// Wants every track without asking.
    pub(super) automatic: bool,
    pub(super) subscriptions: BTreeMap<TrackSid, Subscription>,
    pub(super) slots: Slots,
    /// How it is asked for sections, when the client offers them.
    pub(super) sections: Sections,
    /// How we offer them, when we do.
    pub(super) offers: Offers,
}

impl Participant {
    pub(super) fn new(profile: Profile, path: SignalPath, session: Option<SessionId>) -> Self {
        let joined_at = profile.joined_at;
        Self {
            profile,
            presence: Presence {
                session,
                absent_since: None,
                state: participant_info::State::Joining,
                is_announced: false,
                version: 0,
                reached: None,
                failure: None,
                simulated: Simulated::Nothing,
            },
            connections: Connections::new(path),
            publishing: Publishing::default(),
            hearing: Hearing::default(),
            standing: Standing::default(),
            budget: Budget::new(joined_at),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.presence.state == participant_info::State::Active
    }

    /// Tells how far a newcomer's media has come, by whichever connection comes there first.
    pub(super) fn reached(&mut self, stage: MediaStage, cx: &mut Context) {
        let joins = cx.now.saturating_duration_since(self.profile.joined_at) <= JOIN_TIMEOUT;
        if self.presence.reached >= Some(stage) || !joins {
            return;
        }
        self.presence.reached = Some(stage);
        if let Some(session) = self.presence.session {
            cx.event(Event::Reached { session, stage });
        }
    }

    /// The Go SDK: the one whose WebRTC stack isn't libwebrtc or Firefox's.
    pub(super) fn is_pion(&self) -> bool {
        self.profile.client.sdk() == livekit::client_info::Sdk::Go
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.profile.permission.hidden
    }

    /// What others are told, without the tracks: those are the room's.
    pub(super) fn info(&self) -> ParticipantInfo {
        let Profile { sid, identity, grants, permission, kind, client, .. } = &self.profile;
        ParticipantInfo {
            sid: sid.to_string(),
            identity: identity.to_string(),
            state: self.presence.state.into(),
            metadata: grants.metadata.clone(),
            joined_at: self.profile.joined_unix_micros / 1_000_000,
            joined_at_ms: self.profile.joined_unix_micros / 1_000,
            name: grants.name.clone(),
            version: self.presence.version,
            permission: Some(permission.clone()),
            is_publisher: !self.publishing.tracks.is_empty(),
            kind: (*kind).into(),
            attributes: grants.attributes.clone(),
            client_protocol: client.client_protocol,
            capabilities: client.capabilities.clone(),
            ..ParticipantInfo::default()
        }
    }
}

impl Profile {
    pub(super) fn new(
        sid: ParticipantSid,
        identity: Identity,
        grants: Grants,
        (client, user_agent): (livekit::ClientInfo, &str),
        joined: (Instant, i64),
    ) -> Self {
        Self {
            sid,
            identity,
            permission: permissions::of(&grants),
            kind: kind_of(&grants.kind),
            grants,
            client,
            is_firefox: user_agent.contains("Firefox/"),
            joined_at: joined.0,
            joined_unix_micros: joined.1,
        }
    }
}

fn kind_of(name: &str) -> participant_info::Kind {
    match name {
        "agent" => participant_info::Kind::Agent,
        "egress" => participant_info::Kind::Egress,
        "ingress" => participant_info::Kind::Ingress,
        "sip" => participant_info::Kind::Sip,
        _ => participant_info::Kind::Standard,
    }
}
