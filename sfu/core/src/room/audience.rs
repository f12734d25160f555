//! Whom a publisher lets hear its tracks (`subscription_permission`).

use proto::{
    ids::TrackSid,
    livekit::{SubscriptionPermission, TrackPermission},
};

use crate::{
    limits::{LIST_MAX, TRACKS_PER_PARTICIPANT_MAX},
    room::participant::Profile,
};

#[derive(Clone, Debug, Default)]
pub(super) enum Audience {
    #[default]
    Everybody,
    Only(Vec<TrackPermission>),
}

impl Audience {
    /// Reads a client's wish; what is beyond the limit is not permitted.
    pub(super) fn from_request(request: SubscriptionPermission) -> Self {
        if request.all_participants {
            return Self::Everybody;
        }
        let mut permitted = request.track_permissions;
        permitted.truncate(LIST_MAX);
        for permission in &mut permitted {
            permission.track_sids.truncate(TRACKS_PER_PARTICIPANT_MAX);
        }
        Self::Only(permitted)
    }

    pub(super) fn is_everybody(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    pub(super) fn admits(&self, listener: &Profile, track: TrackSid) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(permitted) => {
                let mut of_listener =
                    permitted.iter().filter(|permission| names(permission, listener));
                of_listener.any(|permission| covers(permission, track))
            }
        }
    }
}

fn names(permission: &TrackPermission, listener: &Profile) -> bool {
    permission.participant_identity == listener.identity.as_str()
        || permission.participant_sid.parse() == Ok(listener.sid)
}

fn covers(permission: &TrackPermission, track: TrackSid) -> bool {
    permission.all_tracks || permission.track_sids.iter().any(|sid| sid.parse() == Ok(track))
}
