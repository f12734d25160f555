//! What a token's grants let a participant do, and the way back into the next token.

use proto::{
    grants::{Grants, VideoGrant},
    livekit::{ParticipantPermission, TrackSource},
};

/// Reads grants as LiveKit does: what is not mentioned is allowed, but for changing oneself.
pub(super) fn of(grants: &Grants) -> ParticipantPermission {
    let video = grants.video.clone().unwrap_or_default();
    let can_publish = video.can_publish.unwrap_or(true);
    ParticipantPermission {
        can_subscribe: video.can_subscribe.unwrap_or(true),
        can_publish,
        can_publish_data: video.can_publish_data.unwrap_or(can_publish),
        can_publish_sources: sources_of(&video),
        hidden: video.hidden,
        recorder: video.recorder,
        can_update_metadata: video.can_update_own_metadata.unwrap_or(false),
        agent: video.agent,
        ..ParticipantPermission::default()
    }
}

/// Writes a moderator's decision into the grants, so that the next token says the same.
pub(super) fn grant(grants: &mut Grants, permission: &ParticipantPermission) {
    let video = grants.video.get_or_insert_default();
    video.can_subscribe = Some(permission.can_subscribe);
    video.can_publish = Some(permission.can_publish);
    video.can_publish_data = Some(permission.can_publish_data);
    video.can_update_own_metadata = Some(permission.can_update_metadata);
    video.can_publish_sources = permission.can_publish_sources().map(name_of).collect();
    video.hidden = permission.hidden;
    video.recorder = permission.recorder;
    video.agent = permission.agent;
}

/// Whether a track from `source` may be published.
pub(super) fn allow_source(permission: &ParticipantPermission, source: TrackSource) -> bool {
    let mut sources = permission.can_publish_sources();
    permission.can_publish
        && (permission.can_publish_sources.is_empty() || sources.any(|allowed| allowed == source))
}

fn sources_of(video: &VideoGrant) -> Vec<i32> {
    let named = video.can_publish_sources.iter();
    let known = named.filter_map(|name| TrackSource::from_str_name(&name.to_ascii_uppercase()));
    known.map(i32::from).collect()
}

fn name_of(source: TrackSource) -> String {
    source.as_str_name().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(video: VideoGrant) -> Grants {
        Grants { video: Some(video), ..Grants::default() }
    }

    #[test]
    fn what_a_token_does_not_mention_is_allowed_but_for_changing_oneself() {
        let permission = of(&grants(VideoGrant::default()));
        assert!(permission.can_subscribe && permission.can_publish && permission.can_publish_data);
        assert!(!permission.can_update_metadata);
    }

    #[test]
    fn data_follows_publishing_unless_said_otherwise() {
        let listener = VideoGrant { can_publish: Some(false), ..VideoGrant::default() };
        assert!(!of(&grants(listener.clone())).can_publish_data);
        let chatter = VideoGrant { can_publish_data: Some(true), ..listener };
        assert!(of(&grants(chatter)).can_publish_data);
    }

    #[test]
    fn a_decision_survives_the_way_through_a_token() {
        let decided = ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_sources: vec![TrackSource::Microphone.into()],
            ..ParticipantPermission::default()
        };
        let mut token = grants(VideoGrant::default());
        grant(&mut token, &decided);
        assert_eq!(of(&token), decided);
        assert!(allow_source(&decided, TrackSource::Microphone));
        assert!(!allow_source(&decided, TrackSource::ScreenShareAudio));
    }
}
