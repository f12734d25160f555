//! A recording of a room, from its start to its files.

use std::{fs, path::Path};

use e2e::{
    PATIENCE,
    cluster::{Cluster, Node},
    now, wait,
};
use serde_json::{Value, json};

use crate::{note::download, story::LATE};

/// Starts to record `room` and returns the recording's id.
pub(crate) fn start(cluster: &Cluster, room: &str) -> String {
    let target = format!("/v1/rooms/{room}/recordings");
    let answer = cluster.api("POST", &target, room, &json!({ "consent": true }));
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

pub(crate) fn stop(cluster: &Cluster, room: &str, id: &str) {
    let answer = cluster.api("POST", &format!("/v1/recordings/{id}/stop"), room, &Value::Null);
    assert!((200..300).contains(&answer.status), "{}", answer.body);
}

/// Waits until it has this status.
#[track_caller]
pub(crate) fn expect(cluster: &Cluster, room: &str, id: &str, status: &str) -> Value {
    let deadline = now() + PATIENCE;
    loop {
        let found = cluster.api("GET", &format!("/v1/recordings/{id}"), room, &Value::Null).json();
        if found["status"] == status {
            return found;
        }
        assert!(now() < deadline, "not {status}: {found}");
        wait(LATE / 10);
    }
}

/// The file of one track.
pub(crate) fn content(cluster: &Cluster, room: &str, id: &str, track: &Value) -> Vec<u8> {
    let track = track["trackSid"].as_str().expect("a SID");
    let token = cluster.token(room, "moderator").grant("roomRecord", json!(true)).sign();
    download(cluster, &token, &format!("/v1/recordings/{id}/tracks/{track}/content"))
}

/// Waits until what this recorder has on its disk has grown by so many bytes.
pub(crate) fn wait_for_growth(recorder: &Node, bytes: u64) {
    let wanted = size_of(recorder.folder()) + bytes;
    let deadline = now() + PATIENCE;
    while size_of(recorder.folder()) < wanted {
        assert!(now() < deadline, "{} writes nothing", recorder.id);
        wait(LATE / 10);
    }
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        // Of what is written to without end, only the files of sound are meant.
        Ok(about) if about.is_dir() => size_of(&entry.path()),
        Ok(about) if entry.file_name() != "log" => about.len(),
        _ => 0,
    });
    sizes.sum()
}
