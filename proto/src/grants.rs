//! What a token allows its bearer to do: LiveKit's grants, as JSON claims inside a JWT.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a participant may do and how it presents itself, once its token has been verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Grants {
    /// Who it is. Empty for a token that only calls the server API.
    #[serde(rename = "sub", skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// The name people see.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The app's own text about the participant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// The app's own key-value pairs about the participant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// `standard`, `agent`, `egress`, `ingress`, `sip`; empty means standard.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// SHA-256 of a body, base64: what webhooks carry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Rights in rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoGrant>,
}

/// Rights in one room, or over all of them. A missing `can_…` means yes, as LiveKit's SDKs assume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VideoGrant {
    /// The only room this grant speaks of.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// May join `room`.
    #[serde(skip_serializing_if = "is_false")]
    pub room_join: bool,
    /// May create and delete rooms.
    #[serde(skip_serializing_if = "is_false")]
    pub room_create: bool,
    /// May list rooms.
    #[serde(skip_serializing_if = "is_false")]
    pub room_list: bool,
    /// May moderate `room`: list, remove, mute, update its participants.
    #[serde(skip_serializing_if = "is_false")]
    pub room_admin: bool,
    /// May start and stop recordings.
    #[serde(skip_serializing_if = "is_false")]
    pub room_record: bool,
    /// May publish tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// May subscribe to tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// May send data packets. Follows `can_publish` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// Sources it may publish, by lower-case name (`microphone`). Empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    /// May change its own name, metadata and attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    /// Is not shown to others.
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Records the room; shown to others as such.
    #[serde(skip_serializing_if = "is_false")]
    pub recorder: bool,
    /// Is an agent.
    #[serde(skip_serializing_if = "is_false")]
    pub agent: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
