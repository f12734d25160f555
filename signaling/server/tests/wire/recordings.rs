//! `/v1/rooms/{room}/recordings` and `/v1/recordings/{id}`, by a node with a recorder announced.

use proto::{
    grants::VideoGrant,
    ids::{ParticipantSid, TrackSid},
    link::UnixMicros,
    pool::{NodeState, Role},
};
use serde_json::{Value, json};
use storage_database::{Gap, Kept, Progress, RecordingStatus, TrackFile, TrackProgress, TrackRow};

use crate::{
    http::{Answer, send},
    node::{Node, life_of, record_of, room_token, server_token},
};

fn recorder_of(room: &str) -> String {
    let room = room.to_owned();
    server_token(VideoGrant { room, room_record: true, ..VideoGrant::default() })
}

async fn call(
    node: &Node,
    method: &str,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [&[("Authorization", bearer.as_str())], headers].concat();
    send(node.address, method, path, &headers, b"").await
}

async fn with_recorder() -> (Node, crate::node::Client) {
    let mut node = Node::start().await;
    node.add_recorder().await;
    let (client, _) = node.join("demo", "ada").await;
    // The next listing brings the recorder.
    loop {
        let operator = VideoGrant { room_admin: true, ..VideoGrant::default() };
        let pool = call(&node, "GET", "/admin/v1/pool", &server_token(operator), &[]).await;
        if pool.json()["nodes"].to_string().contains("recorder-1") {
            return (node, client);
        }
    }
}

const ROOM: &str = "/v1/rooms/demo/recordings";

#[tokio::test]
async fn a_recording_is_begun_seen_ended_and_listed() {
    let (node, _client) = with_recorder().await;
    let token = recorder_of("demo");
    let mut hints = node.registry.hints("recordings");
    let begun = call(&node, "POST", ROOM, &token, &[]).await;
    assert_eq!((begun.status, &begun.json()["status"]), (201, &json!("recording")));
    let path = begun.header("location").to_owned();
    assert_eq!(path, format!("/v1/recordings/{}", begun.json()["id"].as_str().unwrap()));
    assert!(hints.recv().await.is_some(), "recorders were woken");

    let again = call(&node, "POST", ROOM, &token, &[]).await;
    assert_eq!((again.status, again.header("location")), (409, path.as_str()));
    assert_eq!(again.header("content-type"), "application/problem+json");
    let key = [("Idempotency-Key", "a-key")];
    let retried = call(&node, "POST", ROOM, &token, &key).await;
    assert_eq!((retried.status, &retried.json()["id"]), (200, &begun.json()["id"]));

    let seen = call(&node, "GET", &path, &token, &[]).await.json();
    assert_eq!((&seen["room"], &seen["tracks"]), (&json!("demo"), &json!([])));
    let stop = format!("{path}/stop");
    for _ in 0..2 {
        let stopped = call(&node, "POST", &stop, &token, &[]).await;
        assert_eq!(stopped.status, 202);
        assert!(stopped.json()["stopRequestedAt"].is_string(), "{}", stopped.text());
    }
    let second = call(&node, "POST", ROOM, &token, &[]).await;
    assert_eq!(second.status, 201, "the first has been asked to end");

    let page = call(&node, "GET", &format!("{ROOM}?limit=1"), &token, &[]).await.json();
    assert_eq!(
        (&page["items"][0]["id"], &page["next"]),
        (&begun.json()["id"], &begun.json()["id"])
    );
    let after = format!("{ROOM}?after={}", page["next"].as_str().unwrap());
    let rest = call(&node, "GET", &after, &token, &[]).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&second.json()["id"], &Value::Null));
}

#[tokio::test]
async fn whoever_may_not_record_a_room_is_told_so() {
    let (node, _client) = with_recorder().await;
    assert_eq!(send(node.address, "POST", ROOM, &[], b"").await.status, 401);
    let begun = call(&node, "POST", ROOM, &recorder_of("demo"), &[]).await;
    let path = begun.header("location");
    for token in [room_token("demo", "ada"), recorder_of("other")] {
        assert_eq!(call(&node, "POST", ROOM, &token, &[]).await.status, 403);
        assert_eq!(call(&node, "GET", ROOM, &token, &[]).await.status, 403);
        assert_eq!(call(&node, "GET", path, &token, &[]).await.status, 403);
        assert_eq!(call(&node, "POST", &format!("{path}/stop"), &token, &[]).await.status, 403);
    }
    let operator = server_token(VideoGrant { room_admin: true, ..VideoGrant::default() });
    assert_eq!(call(&node, "GET", path, &operator, &[]).await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (node, _client) = with_recorder().await;
    let nobody =
        call(&node, "POST", "/v1/rooms/empty/recordings", &recorder_of("empty"), &[]).await;
    assert_eq!(nobody.status, 404);
    let token = recorder_of("demo");
    for id in ["0", "01938f3c-0000-7000-8000-000000000000"] {
        let path = format!("/v1/recordings/{id}");
        assert_eq!(call(&node, "GET", &path, &token, &[]).await.status, 404);
        assert_eq!(call(&node, "POST", &format!("{path}/stop"), &token, &[]).await.status, 404);
    }
    let bad = call(&node, "GET", &format!("{ROOM}?limit=0"), &token, &[]).await;
    assert_eq!(bad.status, 400);
    let bad = call(&node, "POST", ROOM, &token, &[("Idempotency-Key", "")]).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn without_a_recorder_nothing_is_promised() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ada").await;
    let answer = call(&node, "POST", ROOM, &recorder_of("demo"), &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert!(answer.text().contains("--role recorder"), "{}", answer.text());
}

#[tokio::test]
async fn a_finished_track_leads_to_its_file() {
    let (node, _client) = with_recorder().await;
    let token = recorder_of("demo");
    let begun = call(&node, "POST", ROOM, &token, &[]).await;
    let path = begun.header("location").to_owned();
    let sid = record_track(&node).await;

    let seen = call(&node, "GET", &path, &token, &[]).await.json();
    assert_eq!(seen["status"], "available");
    let track = &seen["tracks"][0];
    assert_eq!((&track["identity"], &track["durationMs"]), (&json!("ada"), &json!(1500)));
    let gaps = json!([{"startMs": 100, "durationMs": 40, "reason": "loss"}]);
    assert_eq!((&track["startMs"], &track["gaps"]), (&json!(250), &gaps));
    let content = format!("{path}/tracks/{sid}/content");
    let found = call(&node, "GET", &content, &token, &[]).await;
    assert_eq!((found.status, found.header("cache-control")), (302, "no-store"));
    assert!(found.header("location").contains("rec/one.ogg"), "{}", found.header("location"));
    let other = format!("{path}/tracks/TR_AMother/content");
    assert_eq!(call(&node, "GET", &other, &token, &[]).await.status, 404);
    assert_eq!(call(&node, "GET", &content, &recorder_of("other"), &[]).await.status, 403);
}

/// Does what a recorder does, up to the end.
async fn record_track(node: &Node) -> TrackSid {
    let (now, until) = (UnixMicros(1), UnixMicros(u64::from(u32::MAX)));
    let recorder = life_of("recorder-1");
    let job = node.database.claim_recording(&recorder, now, until).await.unwrap().unwrap();
    let (id, epoch) = (job.id, job.epoch);
    let sid = TrackSid::from_random(3);
    let track = TrackRow {
        sid,
        participant: ParticipantSid::from_random(4),
        identity: "ada".parse().unwrap(),
        name: String::new(),
        file: TrackFile {
            epoch,
            began: UnixMicros(1_250_000),
            duration_ms: 1500,
            bytes: 4000,
            sha256: [0; 32],
            object: "rec/one.ogg".to_owned(),
            gaps: vec![Gap { start_ms: 100, duration_ms: 40, reason: "loss".to_owned() }],
        },
    };
    assert!(node.database.set_started(id, epoch, UnixMicros(1_000_000)).await.unwrap());
    assert_eq!(node.database.keep_track(id, &track).await.unwrap(), Kept::Whole);
    for (from, to) in [
        (RecordingStatus::Recording, RecordingStatus::Finalizing),
        (RecordingStatus::Finalizing, RecordingStatus::Available),
    ] {
        assert!(node.database.set_status(id, epoch, from, to).await.unwrap());
    }
    sid
}

#[tokio::test]
async fn a_track_that_is_being_written_is_shown_as_far_as_it_is() {
    let (node, _client) = with_recorder().await;
    let token = recorder_of("demo");
    let begun = call(&node, "POST", ROOM, &token, &[]).await;
    let path = begun.header("location").to_owned();
    let (now, until) = (UnixMicros(1), UnixMicros(u64::from(u32::MAX)));
    let recorder = life_of("recorder-1");
    let job = node.database.claim_recording(&recorder, now, until).await.unwrap().unwrap();
    let (id, epoch) = (job.id, job.epoch);
    assert!(node.database.set_started(id, epoch, UnixMicros(1_000_000)).await.unwrap());
    let written = |n: u128, began_ms: u64| TrackProgress {
        sid: TrackSid::from_random(n),
        participant: ParticipantSid::from_random(n),
        identity: "ada".parse().unwrap(),
        name: "Ada".to_owned(),
        began: UnixMicros(began_ms * 1_000),
        duration_ms: 2_000,
        bytes: 6_000,
    };
    let trouble = Some("no room".to_owned());
    let progress = Progress { tracks: vec![written(1, 1_500), written(2, 9_000)], trouble };
    node.database.renew_recording(id, epoch, until, Some(&progress)).await.unwrap();
    let seen = call(&node, "GET", &path, &token, &[]).await.json();
    assert_eq!((&seen["status"], &seen["failure"]), (&json!("recording"), &json!("no room")));
    let track = &seen["tracks"][0];
    assert_eq!((&track["identity"], &track["startMs"]), (&json!("ada"), &json!(500)));
    assert_eq!((&track["durationMs"], &track["bytes"]), (&json!(2_000), &json!(6_000)));
    assert_eq!(track["gaps"], json!([]));
    let content = format!("{path}/tracks/{}/content", TrackSid::from_random(1));
    assert_eq!(call(&node, "GET", &content, &token, &[]).await.status, 404, "not stored yet");

    // The first was stored meanwhile. The second goes on after a recorder that stored its part.
    let stored = |n: u128, began_ms: u64| TrackRow {
        sid: TrackSid::from_random(n),
        participant: ParticipantSid::from_random(n),
        identity: "ada".parse().unwrap(),
        name: "Ada".to_owned(),
        file: TrackFile {
            epoch,
            began: UnixMicros(began_ms * 1_000),
            duration_ms: 2_500,
            bytes: 7_000,
            sha256: [0; 32],
            object: format!("rec/{n}.ogg"),
            gaps: Vec::new(),
        },
    };
    for track in [stored(1, 1_500), stored(2, 3_000)] {
        assert_eq!(node.database.keep_track(id, &track).await.unwrap(), Kept::Whole);
    }
    let seen = call(&node, "GET", &path, &token, &[]).await.json();
    let lengths = |key: &str| [&seen["tracks"][0][key], &seen["tracks"][1][key]].map(Value::as_u64);
    assert_eq!(seen["tracks"].as_array().unwrap().len(), 2);
    assert_eq!(lengths("startMs"), [Some(500), Some(2_000)]);
    assert_eq!(lengths("durationMs"), [Some(2_500), Some(8_000)]);
    assert_eq!(lengths("bytes"), [Some(7_000), Some(13_000)]);
}

#[tokio::test]
async fn a_recording_that_failed_says_why() {
    let (node, _client) = with_recorder().await;
    let token = recorder_of("demo");
    let begun = call(&node, "POST", ROOM, &token, &[]).await;
    let path = begun.header("location").to_owned();
    assert_eq!(begun.json()["failure"], Value::Null);
    let (now, until) = (UnixMicros(1), UnixMicros(u64::from(u32::MAX)));
    let recorder = life_of("recorder-1");
    let job = node.database.claim_recording(&recorder, now, until).await.unwrap().unwrap();
    assert!(node.database.fail_recording(job.id, job.epoch, "the disk is gone").await.unwrap());
    let told = (json!("failed"), json!("the disk is gone"));
    let of = |seen: &Value| (seen["status"].clone(), seen["failure"].clone());
    assert_eq!(of(&call(&node, "GET", &path, &token, &[]).await.json()), told);
    assert_eq!(of(&call(&node, "GET", ROOM, &token, &[]).await.json()["items"][0]), told);
}

#[tokio::test]
async fn a_recorder_that_is_listed_a_moment_later_is_waited_for() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ada").await;
    let token = recorder_of("demo");
    let mut record = record_of(&life_of("recorder-1"), "");
    record.roles = vec![Role::Recorder];
    let announced = async {
        node.registry.announce(&record, crate::node::PATIENCE).await.unwrap();
    };
    let (answer, ()) = tokio::join!(call(&node, "POST", ROOM, &token, &[]), announced);
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn a_recorder_without_room_is_no_recorder_and_the_answer_says_where_to_look() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ada").await;
    let mut record = record_of(&life_of("recorder-1"), "");
    (record.roles, record.state) = (vec![Role::Recorder], NodeState::Unready);
    let mut all_in_one = record_of(&life_of("all-in-one"), "");
    (all_in_one.roles, all_in_one.unready_roles) =
        (vec![Role::Signaling, Role::Recorder], vec![Role::Recorder]);
    for record in [&record, &all_in_one] {
        node.registry.announce(record, crate::node::PATIENCE).await.unwrap();
        let answer = call(&node, "POST", ROOM, &recorder_of("demo"), &[]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert!(answer.text().contains("/readyz"), "{}", answer.text());
    }
}
