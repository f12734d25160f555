//! A recorder that dies, and the next one.

use std::{ffi::OsStr, fs, io::Write as _, path::Path};

use proto::link::LinkFrame;
use storage_database::{Gap, RecordingStatus};

use crate::world::{World, copy, murmur, sid};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_recorder_goes_on_where_its_file_ends() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("killed").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(490 * 65).await;
    life.kill();
    tear(&world.spool().join(id.to_string()));

    let _life = world.start(2);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(600..700)).await;
    world.spools(590 * 65).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;

    let track = &recording.tracks[0];
    assert_eq!((track.sid, track.file.duration_ms), (sid(1), 14_000));
    let [Gap { start_ms, duration_ms, reason }] = track.file.gaps.as_slice() else {
        panic!("one gap: {:?}", track.file.gaps)
    };
    assert!((9_700..=10_000).contains(start_ms), "all but what wasn't a page: {start_ms}");
    assert_eq!((start_ms + duration_ms, reason.as_str()), (12_000, "recorder"));
    assert_eq!(recording.epoch.0, 2);
    assert!(track.file.object.contains("/1/"), "as which it began: {}", track.file.object);
    let bytes = world.object(&track.file.object).await;
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&bytes));
    let mut samples = 0;
    // The two headers hold none.
    while let Some(packet) = reader.read_packet().expect("nothing is torn") {
        let is_header = packet.data.starts_with(b"Opus");
        let length = recorder_core::opus::samples(&packet.data);
        samples += if is_header { 0 } else { length.expect("Opus") };
    }
    assert_eq!(samples, 14 * 48_000);
}

/// What a process leaves that dies while it writes.
fn tear(folder: &Path) {
    for file in fs::read_dir(folder).expect("a folder").flatten() {
        let torn: &[u8] = match file.path().extension().and_then(OsStr::to_str) {
            Some("ogg") => b"OggS\0\0half a page",
            Some(_) | None => b"{\"gap\":{\"start\":4",
        };
        let mut file = fs::OpenOptions::new().append(true).open(file.path()).expect("a file");
        file.write_all(torn).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_stopped_while_nobody_ran_is_stored_by_the_next() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("stopped").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(490 * 65).await;
    life.kill();
    world.stop(id).await;

    let _life = world.start(2);
    let recording = world.reaches(id, RecordingStatus::Available).await;
    let track = &recording.tracks[0];
    assert!((9_700..=10_003).contains(&track.file.duration_ms), "{}", track.file.duration_ms);
    assert_eq!(track.file.gaps, []);
    let bytes = world.object(&track.file.object).await;
    let end = recorder_core::ogg::last_page(&bytes).expect("a page");
    assert!(end.is_final && end.end == bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_is_asked_to_stop_loses_nothing() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("rolling").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(400 * 65).await;
    life.stop().await;

    let _life = world.start(2);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(500..600)).await;
    world.spools(580 * 65).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    let track = &recording.tracks[0];
    assert_eq!(track.file.duration_ms, 12_000);
    let lost: u64 = track.file.gaps.iter().map(|gap| gap.duration_ms).sum();
    assert!(lost <= 120, "at most what was no page yet: {:?}", track.file.gaps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_opened_again_and_the_track_goes_on() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("cut").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..100)).await;
    drop(room);

    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(200..300)).await;
    world.spools(190 * 65).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    let track = &recording.tracks[0];
    assert_eq!(track.file.duration_ms, 6_000);
    let cut = Gap { start_ms: 2_000, duration_ms: 2_000, reason: "link".to_owned() };
    assert_eq!(track.file.gaps, [cut]);
    assert_eq!(life.metric("adda_recorder_links_lost_total"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_leaves_the_spool_even_if_its_recorder_died_before() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("leftover").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..100)).await;
    world.spools(90 * 65).await;
    let folder = world.spool().join(id.to_string());
    let kept = world.folder.path().join("kept");
    room.say(LinkFrame::TrackEnded {
        track: proto::link::LinkTrackId(1),
        at: crate::world::at_ms(2_000),
    })
    .await;
    world
        .until("the track", async || (!world.recording(id).await.tracks.is_empty()).then_some(()))
        .await;
    copy(&folder, &kept);
    world.stop(id).await;
    world.reaches(id, RecordingStatus::Available).await;
    world.until("an empty spool", async || (!folder.exists()).then_some(())).await;
    life.kill();

    copy(&kept, &folder);
    let _life = world.start(2);
    world.until("an empty spool", async || (!folder.exists()).then_some(())).await;
}
