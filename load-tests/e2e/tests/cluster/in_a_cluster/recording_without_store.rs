//! The object store is gone, silent or full while a room is recorded: the call goes on, the
//! recorder keeps what it has, and brings it once the store takes it.

use e2e::{
    cluster::{Cluster, Shape},
    kind::Kind,
    recording::{self, Heard},
};
use serde_json::Value;

use crate::{
    record,
    small_disk::SmallDisk,
    story::{ANN_HZ, BOB_HZ, LATE, pair},
};

/// Bytes of sound on the disk from which there is something to lose: a second of both.
const SOME_SOUND: u64 = 12_000;
/// Of a file, how many tenths of a second may be something else than the tone: its edges.
const EDGES: usize = 12;

const ONE_OF_EACH: Shape = Shape { signaling: 1, sfu: 1, recorders: 1 };

/// Records a call through an outage of the store.
fn a_recording_outlasts(
    mut cluster: Cluster,
    begin: impl FnOnce(&mut Cluster),
    end: impl FnOnce(&mut Cluster),
) {
    let _callers = pair(&cluster, Kind::Go, "room");
    let talk = cluster.talk("talk");
    let id = record::start(&cluster, "room");
    record::wait_for_growth(&cluster.recorders[0], SOME_SOUND);
    begin(&mut cluster);
    record::wait_for_growth(&cluster.recorders[0], SOME_SOUND);
    record::stop(&cluster, "room", &id);
    record::expect(&cluster, "room", &id, "finalizing");
    let tried = "adda_recorder_uploads_total{outcome=\"retried\"}";
    record::wait_for(|| cluster.recorders[0].metric(tried) >= 1.0, "a try that fails");
    end(&mut cluster);
    let done = record::expect(&cluster, "room", &id, "available");
    let tracks = done["tracks"].as_array().expect("tracks");
    assert_eq!(tracks.len(), 2, "{done}");
    for track in tracks {
        assert_tone(&cluster, &id, track);
    }
    talk.finish().assert_whole(LATE);
}

fn assert_tone(cluster: &Cluster, id: &str, track: &Value) {
    let hz = if track["identity"] == "ann" { ANN_HZ } else { BOB_HZ };
    assert_eq!(track["gaps"], serde_json::json!([]), "{track}");
    let heard = recording::hear(&record::content(cluster, "room", id, track), &[hz]);
    let sound = heard.iter().filter(|one| **one == Heard::Tone(hz)).count();
    assert!(sound >= 10 && sound + EDGES >= heard.len(), "{track}: {heard:?}");
}

#[test]
fn a_recording_waits_for_a_store_that_is_gone() {
    let cluster = Cluster::start(ONE_OF_EACH);
    a_recording_outlasts(
        cluster,
        |cluster| cluster.servers.s3.process.kill(),
        |cluster| cluster.servers.s3.start_again(),
    );
}

#[test]
fn a_recording_waits_for_a_store_that_is_silent() {
    let cluster = Cluster::start(ONE_OF_EACH);
    a_recording_outlasts(
        cluster,
        |cluster| cluster.servers.s3.process.pause(),
        |cluster| cluster.servers.s3.process.resume(),
    );
}

#[test]
fn a_recording_waits_for_a_store_that_is_full() {
    e2e::enter_network();
    let disk = SmallDisk::mount();
    let cluster = disk.start_cluster(ONE_OF_EACH);
    let ballast = disk.path().join("ballast");
    a_recording_outlasts(
        cluster,
        |_| assert_eq!(disk.fill(), ballast),
        |_| std::fs::remove_file(&ballast).expect("it was there"),
    );
}
