//! A voice note, step by step as a client takes them.

use aws_lc_rs::digest;
use e2e::{
    PATIENCE,
    cluster::Cluster,
    http::{self, Response},
    now, recording, wait,
};
use serde_json::{Value, json};

use crate::story::LATE;

/// A note that has been announced.
pub(crate) struct Note {
    pub(crate) id: String,
    file: Vec<u8>,
    upload: Value,
}

const SENDER: &str = "sender";

impl Note {
    /// Announces a tone of two seconds.
    pub(crate) fn announce(cluster: &Cluster, room: &str, hz: u32) -> Self {
        let file = recording::write_ogg(hz, 2);
        let body = json!({
            "room": room, "contentType": "audio/ogg", "bytes": file.len(), "sha256": sha256(&file),
        });
        let key = format!("{room}-{hz}");
        let headers = [("Idempotency-Key", key.as_str())];
        let token = cluster.token(room, SENDER).sign();
        let answer = cluster.api_as(&token, "POST", "/v1/voice-notes", &headers, &body);
        assert_eq!(answer.status, 201, "{}", answer.body);
        let answer = answer.json();
        let id = answer["id"].as_str().unwrap_or_default().to_owned();
        Self { id, file, upload: answer["upload"].clone() }
    }

    /// Sends the file to the store; `None` when the store can't be reached.
    pub(crate) fn upload(&self) -> Option<u16> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = self.upload["headers"].as_object().cloned().unwrap_or_default();
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let (method, url) = (text(&self.upload["method"]), text(&self.upload["url"]));
        http::fetch(&method, &url, &headers, &self.file).ok().map(|answer| answer.status)
    }

    pub(crate) fn complete(&self, cluster: &Cluster, room: &str) -> Response {
        let target = format!("/v1/voice-notes/{}/complete", self.id);
        let token = cluster.token(room, SENDER).sign();
        cluster.api_as(&token, "POST", &target, &[], &json!({ "sha256": sha256(&self.file) }))
    }

    /// Tries until the server no longer says "later".
    pub(crate) fn complete_soon(&self, cluster: &Cluster, room: &str) -> Response {
        let deadline = now() + PATIENCE;
        loop {
            let answer = self.complete(cluster, room);
            if answer.status != 503 || now() > deadline {
                return answer;
            }
            wait(LATE / 10);
        }
    }

    /// Checks that it is in the room's list, and its content what was sent.
    #[track_caller]
    pub(crate) fn assert_kept(&self, cluster: &Cluster, room: &str) {
        let token = cluster.token(room, "listener").sign();
        let list = format!("/v1/voice-notes?room={room}");
        let listed = cluster.api_as(&token, "GET", &list, &[], &Value::Null).json();
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let found = items.iter().filter(|one| one["id"] == self.id.as_str()).count();
        assert_eq!(found, 1, "{listed}");
        let target = format!("/v1/voice-notes/{}/content", self.id);
        assert!(download(cluster, &token, &target) == self.file, "another content than was sent");
    }
}

/// Follows the redirection from the API to the store.
#[track_caller]
pub(crate) fn download(cluster: &Cluster, token: &str, target: &str) -> Vec<u8> {
    let answer = cluster.api_as(token, "GET", target, &[], &Value::Null);
    assert_eq!(answer.status, 302, "{}", answer.body);
    let url = answer.header("Location").expect("where to");
    let content = http::fetch("GET", url, &[], b"").expect("the store answers");
    assert_eq!(content.status, 200, "{}", String::from_utf8_lossy(&content.body));
    content.body
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
