//! A recorder whose disk is full: calls go on, whoever asks is told, and the tracks go on once
//! there is room, with a hole that is listed.

use e2e::{
    caller::{Caller, Microphone},
    cluster::{Cluster, Shape},
    kind::Kind,
    recording::{self, Heard},
};
use serde_json::{Value, json};

use crate::{
    record,
    small_disk::SmallDisk,
    story::{ANN_HZ, BOB_HZ, LATE, pair},
};

/// Bytes of sound on the disk from which there is something to lose: a second of both.
const SOME_SOUND: u64 = 12_000;

const ONE_OF_EACH: Shape = Shape { signaling: 1, sfu: 1, recorders: 1 };

fn operator_page(cluster: &Cluster) -> Caller {
    let address = cluster.signaling[0].address();
    let page = Caller::open_page(address, "admin", Microphone::None);
    let token = cluster.token("", "operator").grant("roomAdmin", json!(true));
    page.fill("#token", &token.grant("roomList", json!(true)).sign());
    page.press("#token-form button");
    page
}

#[test]
fn a_full_spool_is_told_of_and_recorded_into_again_once_it_has_room() {
    e2e::enter_network();
    let cluster = Cluster::start(ONE_OF_EACH);
    let recorder = &cluster.recorders[0];
    let disk = SmallDisk::mount_on(&recorder.folder().join("data/spool"));
    let _callers = pair(&cluster, Kind::Go, "room");
    let talk = cluster.talk("talk");
    let id = record::start(&cluster, "room");
    record::wait_for_growth(recorder, SOME_SOUND);

    let ballast = disk.fill();
    recorder.expect_readiness(false, "spool: it is full");
    let told = record::expect_that(&cluster, "room", &id, |recording| {
        recording["failure"].as_str().is_some_and(|why| why.contains("is full"))
    });
    assert_eq!(told["status"], "recording");
    let other = cluster.api("POST", "/v1/rooms/talk/recordings", "talk", &Value::Null);
    assert_eq!(other.status, 503, "{}", other.body);
    assert!(other.body.contains("readyz") && other.header("Retry-After").is_some());
    let page = operator_page(&cluster);
    page.wait_for_words("#findings", "spool: it is full");
    page.wait_for_words("#findings", "is full: what is said is lost");

    std::fs::remove_file(ballast).expect("it was there");
    recorder.expect_readiness(true, "");
    record::expect_that(&cluster, "room", &id, |recording| recording["failure"].is_null());
    page.wait_for("#findings [data-kind=good]");
    record::wait_for_growth(recorder, SOME_SOUND);
    record::stop(&cluster, "room", &id);
    let done = record::expect(&cluster, "room", &id, "available");
    for (identity, hz) in [("ann", ANN_HZ), ("bob", BOB_HZ)] {
        let tracks = done["tracks"].as_array().expect("tracks");
        let track = tracks.iter().find(|one| one["identity"] == identity).expect("a track");
        let gaps = track["gaps"].as_array().expect("gaps");
        let lost = gaps.iter().find(|gap| gap["reason"] == "spool").expect("a hole");
        let [start, length] = ["startMs", "durationMs"].map(|key| lost[key].as_u64());
        let (start, length) = (start.expect("a start"), length.expect("a length"));
        let file = record::content(&cluster, "room", &id, track);
        let whole = std::time::Duration::from_millis(track["durationMs"].as_u64().expect("ms"));
        recording::assert_sound(&file, whole);
        let heard = recording::hear(&file, &[hz]);
        let tenth = |ms: u64| usize::try_from(ms / 100).expect("few");
        let (before, after) = (&heard[..tenth(start)], &heard[tenth(start + length)..]);
        for part in [before, after] {
            let sound = part.iter().filter(|one| **one == Heard::Tone(hz)).count();
            assert!(sound >= 5 && sound + 6 >= part.len(), "{part:?} around {}", json!(gaps));
        }
    }
    talk.finish().assert_whole(LATE);
}
