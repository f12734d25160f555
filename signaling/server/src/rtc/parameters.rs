//! What a client says about itself when it connects, in either of the two forms.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use proto::{
    control::Resume,
    grants::Grants,
    livekit::{
        AddTrackRequest, ClientInfo, JoinRequest, SessionDescription, SyncState, client_info::Sdk,
    },
};
use serde::Deserialize;

use super::{frame::Format, join_request};
use crate::access::Refusal;

/// The query as it came. Clients differ in what they send; unknown names are skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Raw {
    pub(super) access_token: Option<String>,
    join_request: Option<String>,
    /// `1`: write JSON from the first message on.
    json: String,
    auto_subscribe: String,
    sdk: String,
    version: String,
    protocol: String,
    client_protocol: String,
    os: String,
    os_version: String,
    device_model: String,
    browser: String,
    browser_version: String,
    network: String,
    reconnect: String,
    reconnect_reason: String,
    sid: String,
}

/// The same for both forms.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) client: ClientInfo,
    pub(super) auto_subscribe: bool,
    pub(super) resume: Option<Resume>,
    pub(super) format: Format,
    pub(super) first: FirstWords,
}

/// What only a join request can carry: messages that needn't wait for the socket.
#[derive(Debug, Default)]
pub(super) struct FirstWords {
    pub(super) publisher_offer: Option<SessionDescription>,
    pub(super) add_tracks: Vec<AddTrackRequest>,
    pub(super) sync_state: Option<Box<SyncState>>,
    metadata: String,
    attributes: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads the query of `/rtc`.
    pub(super) fn of_query(raw: &Raw) -> Self {
        let resume = is_set(&raw.reconnect).then(|| Resume {
            participant: raw.sid.parse().ok(),
            reason: raw.reconnect_reason.parse().unwrap_or_default(),
        });
        Self {
            client: client_of(raw),
            auto_subscribe: raw.auto_subscribe.is_empty() || is_set(&raw.auto_subscribe),
            resume,
            format: raw.format(),
            first: FirstWords::default(),
        }
    }

    /// Reads the join request of `/rtc/v1`.
    pub(super) fn of_join_request(raw: &Raw) -> Result<Self, Refusal> {
        let text = raw.join_request.as_deref().filter(|text| !text.is_empty());
        let text =
            text.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "join_request is required"))?;
        let request: JoinRequest = join_request::decode(text)?;
        let settings = request.connection_settings;
        let resume = request.reconnect.then(|| Resume {
            participant: request.participant_sid.parse().ok(),
            reason: request.reconnect_reason,
        });
        Ok(Self {
            client: request.client_info.unwrap_or_default(),
            auto_subscribe: settings.is_none_or(|settings| settings.auto_subscribe),
            resume,
            format: raw.format(),
            first: FirstWords {
                publisher_offer: request.publisher_offer,
                add_tracks: request.add_track_requests,
                sync_state: request.sync_state.map(Box::new),
                metadata: request.metadata,
                attributes: request.participant_attributes,
            },
        })
    }
}

impl FirstWords {
    /// Lets a client present itself as it asked to, if its token allows that.
    pub(super) fn present(&self, grants: &mut Grants) {
        let video = grants.video.as_ref();
        if video.and_then(|video| video.can_update_own_metadata) == Some(true) {
            if !self.metadata.is_empty() {
                grants.metadata.clone_from(&self.metadata);
            }
            grants.attributes.extend(self.attributes.clone());
        }
    }
}

impl Raw {
    fn format(&self) -> Format {
        if is_set(&self.json) { Format::Text } else { Format::Binary }
    }
}

fn is_set(flag: &str) -> bool {
    flag == "1" || flag.eq_ignore_ascii_case("true")
}

fn client_of(raw: &Raw) -> ClientInfo {
    ClientInfo {
        sdk: sdk_of(&raw.sdk).into(),
        version: raw.version.clone(),
        protocol: raw.protocol.parse().unwrap_or_default(),
        client_protocol: raw.client_protocol.parse().unwrap_or_default(),
        os: raw.os.clone(),
        os_version: raw.os_version.clone(),
        device_model: raw.device_model.clone(),
        browser: raw.browser.clone(),
        browser_version: raw.browser_version.clone(),
        network: raw.network.clone(),
        ..ClientInfo::default()
    }
}

/// The names SDKs use in the query.
fn sdk_of(name: &str) -> Sdk {
    match name {
        "js" => Sdk::Js,
        "ios" | "swift" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "unityweb" => Sdk::UnityWeb,
        "node" => Sdk::Node,
        "unreal" => Sdk::Unreal,
        "esp32" => Sdk::Esp32,
        "dotnet" => Sdk::Dotnet,
        _ => Sdk::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::Query, http::Uri};
    use proto::ids::ParticipantSid;

    use super::*;

    fn of_query(query: &'static str) -> Parameters {
        let uri = Uri::from_static(query);
        let Query(raw) = Query::<Raw>::try_from_uri(&uri).unwrap();
        Parameters::of_query(&raw)
    }

    #[test]
    fn the_query_of_a_recorded_client_is_understood() {
        let join = of_query(
            "/rtc?access_token=x&auto_subscribe=1&sdk=js&version=2.23.0&protocol=17&client_protocol=2",
        );
        assert_eq!(join.client.sdk(), Sdk::Js);
        assert_eq!((join.client.protocol, join.client.client_protocol), (17, 2));
        assert!(join.auto_subscribe && join.resume.is_none());
        assert_eq!(join.format, Format::Binary);
    }

    #[test]
    fn a_resume_names_the_participant_it_was() {
        let sid = ParticipantSid::from_random(7);
        let uri: Uri =
            format!("/rtc?reconnect=1&sid={sid}&reconnect_reason=1&auto_subscribe=0&json=1")
                .parse()
                .unwrap();
        let Query(raw) = Query::<Raw>::try_from_uri(&uri).unwrap();
        let join = Parameters::of_query(&raw);
        let resume = join.resume.unwrap();
        assert_eq!((resume.participant, resume.reason), (Some(sid), 1));
        assert!(!join.auto_subscribe);
        assert_eq!(join.format, Format::Text);
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        let join = of_query("/rtc");
        assert!(join.auto_subscribe && join.resume.is_none());
        assert_eq!(join.client, ClientInfo::default());
    }
}
