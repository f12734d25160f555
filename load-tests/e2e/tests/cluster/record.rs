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
    expect_that(cluster, room, id, |found| found["status"] == status)
}

/// Waits until the API says this of it.
#[track_caller]
pub(crate) fn expect_that(
    cluster: &Cluster,
    room: &str,
    id: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let deadline = now() + PATIENCE;
    loop {
        let found = cluster.api("GET", &format!("/v1/recordings/{id}"), room, &Value::Null).json();
        if is_so(&found) {
            return found;
        }
        assert!(now() < deadline, "not so: {found}");
        wait(LATE / 10);
    }
}

/// The place among the cluster's recorders of the one that works on it.
#[track_caller]
pub(crate) fn recorder_of(cluster: &Cluster, id: &str) -> usize {
    let statement = format!("SELECT coalesce(recorder_node, '') FROM recordings WHERE id = '{id}'");
    let deadline = now() + PATIENCE;
    loop {
        let node = cluster.servers.postgres.query(&statement);
        if let Some(found) = cluster.recorders.iter().position(|one| one.id == node.trim()) {
            return found;
        }
        assert!(now() < deadline, "{node:?} has the recording");
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

/// Waits until it is so.
#[track_caller]
pub(crate) fn wait_for(is_so: impl Fn() -> bool, what: &str) {
    let deadline = now() + PATIENCE;
    while !is_so() {
        assert!(now() < deadline, "waited for {what}");
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
