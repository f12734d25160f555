//! A recorder that is killed in mid-sentence goes on, with a hole that is listed, or another does,
//! and what the first one has is added when it comes back.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use e2e::{
    cluster::{Cluster, Shape},
    kind::Kind,
    recording::{self, Heard},
};

use serde_json::Value;

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

/// One for a recording and one to go on with it.
const TWO_RECORDERS: Shape = Shape { signaling: 1, sfu: 1, recorders: 2 };

#[test]
fn what_a_killed_recorder_has_is_added_to_what_the_other_recorded() {
    let mut cluster = Cluster::start(TWO_RECORDERS);
    let callers = pair(&cluster, Kind::Go, "room");
    let id = record::start(&cluster, "room");
    let first = record::recorder_of(&cluster, &id);
    record::wait_for_growth(&cluster.recorders[first], SOME_SOUND);
    cluster.recorders[first].process.kill();
    record::wait_for_growth(&cluster.recorders[1 - first], SOME_SOUND);
    record::stop(&cluster, "room", &id);
    let without = record::expect(&cluster, "room", &id, "available");

    cluster.recorders[first].start_again();
    let with = record::expect_that(&cluster, "room", &id, |recording| {
        let tracks = recording["tracks"].as_array().expect("tracks");
        tracks.iter().all(|track| !gaps_of(track).is_empty())
    });
    assert_eq!(with["status"], "available");
    for (caller, hz) in callers.iter().zip([ANN_HZ, BOB_HZ]) {
        let [short, long] =
            [&without, &with].map(|recording| track_of(recording, &caller.identity));
        let gaps = gaps_of(long);
        assert!(gaps.iter().any(|gap| gap["reason"] == "recorder"), "no hole is listed: {long}");
        let [short_ms, long_ms] = [short, long].map(|track| track["durationMs"].as_u64());
        assert!(long_ms > short_ms && long["startMs"].as_u64() < short["startMs"].as_u64());

        let file = record::content(&cluster, "room", &id, long);
        assert_eq!(long["bytes"], file.len());
        recording::assert_sound(&file, Duration::from_millis(long_ms.expect("a length")));
        let heard = recording::hear(&file, &[ANN_HZ, BOB_HZ]);
        assert_in_its_place(&heard, gaps, hz);
    }
    assert_nothing_unused_stays(&cluster, &id, &with);
}

/// Fails unless an hour later the store holds a recording's files and nothing else of it.
fn assert_nothing_unused_stays(cluster: &Cluster, id: &str, recording: &Value) {
    let postgres = &cluster.servers.postgres;
    let _ = postgres.query("UPDATE unused_objects SET since = 0");
    let unused = || postgres.query("SELECT count(*) FROM unused_objects");
    record::wait_for(|| unused().trim() == "0", "unused objects to be removed");
    let folder = cluster.servers.s3.objects().join("rec").join(id);
    let kept = folders_below(&folder).iter().map(|folder| files_in(folder)).sum::<usize>();
    assert_eq!(kept, 2, "files in {}", folder.display());
    for track in recording["tracks"].as_array().expect("tracks") {
        assert_eq!(track["bytes"], record::content(cluster, "room", id, track).len());
    }
}

fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn files_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.filter(|entry| entry.path().extension() == Some("ogg".as_ref())).count()
}

fn track_of<'a>(recording: &'a Value, identity: &str) -> &'a Value {
    let tracks = recording["tracks"].as_array().expect("tracks");
    let found: Vec<_> = tracks.iter().filter(|one| one["identity"] == identity).collect();
    assert_eq!(found.len(), 1, "tracks of {identity}: {recording}");
    found[0]
}

fn gaps_of(track: &Value) -> &[Value] {
    track["gaps"].as_array().map(Vec::as_slice).expect("gaps")
}

/// Fails unless the tone is heard before and after every gap, and not in it.
#[track_caller]
fn assert_in_its_place(heard: &[Heard], gaps: &[Value], hz: u32) {
    let is_gap = |tenth: usize| {
        gaps.iter().any(|gap| {
            let [start, length] = ["startMs", "durationMs"].map(|key| gap[key].as_u64());
            let (start, length) = (start.expect("a start"), length.expect("a length"));
            let at = u64::try_from(tenth).expect("a time") * 100;
            at + 100 > start && at < start + length
        })
    };
    for (tenth, found) in heard.iter().enumerate() {
        // A decoder fades over edges, and the first and last tenths are no whole ones.
        let nearby = tenth.saturating_sub(2)..=tenth + 2;
        let is_edge = nearby.clone().any(|one| is_gap(one) != is_gap(tenth));
        if is_edge || tenth < 2 || tenth + 2 >= heard.len() {
            continue;
        }
        match is_gap(tenth) {
            true => assert_ne!(*found, Heard::Tone(hz), "at {tenth} of {heard:?}: {gaps:?}"),
            false => assert_eq!(*found, Heard::Tone(hz), "at {tenth} of {heard:?}: {gaps:?}"),
        }
    }
}
