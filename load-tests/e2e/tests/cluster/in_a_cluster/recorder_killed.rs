//! A recorder that is killed in mid-sentence goes on, with a hole that is listed; one whose store
//! is gone keeps what it has until the store is back.

use e2e::{
    cluster::{Cluster, Shape},
    kind::Kind,
    recording::{self, Heard},
};

use crate::{
    record,
    story::{ANN_HZ, BOB_HZ, pair},
};

/// Bytes of sound on the disk from which there is something to lose: a second of both.
const SOME_SOUND: u64 = 12_000;
/// Of what isn't listed as a gap, how many tenths of a second may be something else than the tone:
/// the edges of gaps, which a decoder fades over, and those of the file.
const EDGES: usize = 12;

const ONE_OF_EACH: Shape = Shape { signaling: 1, sfu: 1, recorders: 1 };

#[test]
fn a_recording_goes_on_with_a_listed_hole_when_its_recorder_is_killed() {
    let mut cluster = Cluster::start(ONE_OF_EACH);
    let callers = pair(&cluster, Kind::Go, "room");
    let id = record::start(&cluster, "room");
    record::wait_for_growth(&cluster.recorders[0], SOME_SOUND);
    cluster.recorders[0].process.kill();
    cluster.recorders[0].start_again();
    record::wait_for_growth(&cluster.recorders[0], SOME_SOUND);
    record::stop(&cluster, "room", &id);

    let done = record::expect(&cluster, "room", &id, "available");
    let tracks = done["tracks"].as_array().expect("tracks");
    assert_eq!(tracks.len(), 2, "{done}");
    for (caller, hz) in callers.iter().zip([ANN_HZ, BOB_HZ]) {
        let track = tracks.iter().find(|one| one["identity"] == caller.identity.as_str());
        let track = track.expect("each has one track");
        let gaps = track["gaps"].as_array().expect("gaps");
        assert!(gaps.iter().any(|gap| gap["reason"] == "recorder"), "no hole is listed: {track}");

        let file = record::content(&cluster, "room", &id, track);
        let heard = recording::hear(&file, &[ANN_HZ, BOB_HZ]);
        let other = if hz == ANN_HZ { BOB_HZ } else { ANN_HZ };
        assert!(!heard.contains(&Heard::Tone(other)), "the other's voice: {heard:?}");
        let missing: u64 = gaps.iter().filter_map(|gap| gap["durationMs"].as_u64()).sum();
        let missing = usize::try_from(missing / 100).expect("seconds");
        let sound = heard.iter().filter(|one| **one == Heard::Tone(hz)).count();
        assert!(sound + missing + EDGES >= heard.len(), "{sound} of {heard:?}: {track}");
        assert!(sound >= 10, "{heard:?}");
    }
}

#[test]
fn a_recording_waits_for_a_store_that_is_gone() {
    let mut cluster = Cluster::start(ONE_OF_EACH);
    let _callers = pair(&cluster, Kind::Go, "room");
    let id = record::start(&cluster, "room");
    cluster.servers.s3.process.kill();
    record::wait_for_growth(&cluster.recorders[0], SOME_SOUND);
    record::stop(&cluster, "room", &id);
    record::expect(&cluster, "room", &id, "finalizing");
    cluster.servers.s3.start_again();
    let done = record::expect(&cluster, "room", &id, "available");
    for track in done["tracks"].as_array().expect("tracks") {
        let hz = if track["identity"] == "ann" { ANN_HZ } else { BOB_HZ };
        let heard = recording::hear(&record::content(&cluster, "room", &id, track), &[hz]);
        let sound = heard.iter().filter(|one| **one == Heard::Tone(hz)).count();
        assert!(sound >= 10 && sound + EDGES >= heard.len(), "{track}: {heard:?}");
    }
}
