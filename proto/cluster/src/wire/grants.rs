//! What a token allows, as fields.

use proto::grants::{Grants, VideoGrant};

use crate::message as pb;

impl From<Grants> for pb::Grants {
    fn from(grants: Grants) -> Self {
        let Grants { identity, name, metadata, attributes, kind, sha256, video } = grants;
        let video = video.map(Into::into);
        Self { identity, name, metadata, attributes, kind, sha256, video }
    }
}

impl From<pb::Grants> for Grants {
    fn from(grants: pb::Grants) -> Self {
        let pb::Grants { identity, name, metadata, attributes, kind, sha256, video } = grants;
        let video = video.map(Into::into);
        Self { identity, name, metadata, attributes, kind, sha256, video }
    }
}

/// Both types have the same fields: naming each here keeps one from being forgotten.
macro_rules! video_grant {
    ($from:ty, $to:ty) => {
        impl From<$from> for $to {
            fn from(grant: $from) -> Self {
                Self {
                    room: grant.room,
                    room_join: grant.room_join,
                    room_create: grant.room_create,
                    room_list: grant.room_list,
                    room_admin: grant.room_admin,
                    room_record: grant.room_record,
                    can_publish: grant.can_publish,
                    can_subscribe: grant.can_subscribe,
                    can_publish_data: grant.can_publish_data,
                    can_publish_sources: grant.can_publish_sources,
                    can_update_own_metadata: grant.can_update_own_metadata,
                    hidden: grant.hidden,
                    recorder: grant.recorder,
                    agent: grant.agent,
                }
            }
        }
    };
}

video_grant!(VideoGrant, pb::VideoGrant);
video_grant!(pb::VideoGrant, VideoGrant);
