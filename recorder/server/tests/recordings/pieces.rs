//! A recorder that dies, another that takes over, and the first one's return.

use std::fs;

use proto::link::{LinkFrame, LinkTrackId};
use storage_database::{Gap, Recording, RecordingId, RecordingStatus, TrackRow};

use crate::world::{Life, Room, World, at_ms, copy, murmur, sid};

/// What all but the last ten of these packets take on the disk, at five a page.
fn most_of(packets: u64) -> u64 {
    (packets - 10) * 71
}

pub(crate) const OTHER: &str = "recorder-2";

/// The first recorder has heard ten seconds when it dies.
pub(crate) async fn killed(world: &mut World) -> RecordingId {
    let life = world.start(1);
    let id = world.ask("room").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    // Another, whose whole time this was.
    room.publishes(2).await;
    room.speaks(2, murmur(0..50)).await;
    world.spools(most_of(550)).await;
    life.kill();
    id
}

/// The other goes on with it after two seconds, for two.
pub(crate) async fn taken_over(world: &mut World, id: RecordingId) -> (Life, Room) {
    world.expire(id, 1).await;
    let other = world.start_other(OTHER, 1);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(600..700)).await;
    world.spools_in(&world.spool_of(OTHER), most_of(100)).await;
    (other, room)
}

pub(crate) async fn finished(world: &World, id: RecordingId) -> Recording {
    world.stop(id).await;
    world.reaches(id, RecordingStatus::Available).await
}

pub(crate) async fn emptied(world: &World, folder: &std::path::Path) {
    world.until("an empty spool", async || (!folder.exists()).then_some(())).await;
}

fn track(recording: &Recording, id: u32) -> &TrackRow {
    let mut found = recording.tracks.iter().filter(|track| track.sid == sid(id));
    let track = found.next().expect("the track");
    assert!(found.next().is_none(), "a track is listed once");
    track
}

/// The numbers of the packets in a track's file, each of which must be where it was said.
async fn heard(world: &World, track: &TrackRow) -> Vec<u32> {
    let bytes = world.object(&track.file.object).await;
    assert_eq!(bytes.len() as u64, track.file.bytes);
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&bytes));
    let (mut samples, mut numbers) = (0, Vec::new());
    while let Some(packet) = reader.read_packet().expect("nothing is torn") {
        if packet.data.starts_with(b"Opus") {
            continue;
        }
        if let Some(number) = packet.data.last_chunk() {
            let number = u32::from_be_bytes(*number);
            assert_eq!(samples, u64::from(number) * 960, "the place of {number}");
            numbers.push(number);
        }
        samples += recorder_core::opus::samples(&packet.data).expect("Opus");
    }
    assert_eq!(samples / 48, track.file.duration_ms);
    numbers
}

/// Fails unless the recording has what both recorders heard, in its place.
pub(crate) async fn assert_whole(world: &World, recording: &Recording) {
    let both = track(recording, 1);
    assert_eq!(recording.start_ms(both.file.began), 0);
    let numbers = heard(world, both).await;
    let first = numbers.iter().take_while(|number| **number < 600).count();
    assert!((485..=500).contains(&first), "all but what was no page yet: {first}");
    let (first, second) = numbers.split_at(first);
    assert!(first.iter().copied().eq(0..u32::try_from(first.len()).expect("few")), "{first:?}");
    assert!(second.iter().copied().eq(600..700), "{second:?}");
    let [Gap { start_ms, duration_ms, reason }] = both.file.gaps.as_slice() else {
        panic!("one gap: {:?}", both.file.gaps)
    };
    // A file that is ended late ends with an empty packet of 2.5 ms.
    assert!(start_ms.abs_diff(first.len() as u64 * 20) <= 3, "{start_ms} after {}", first.len());
    assert_eq!(reason, "recorder");
    assert_eq!(start_ms + duration_ms, 12_000);
    let alone = track(recording, 2);
    assert!(heard(world, alone).await.len() >= 35, "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_recorder_has_is_added_while_another_goes_on() {
    let mut world = World::new().await;
    let id = killed(&mut world).await;
    let (_other, _room) = taken_over(&mut world, id).await;

    let _again = world.start(2);
    emptied(&world, &world.spool().join(id.to_string())).await;
    let so_far = world.recording(id).await;
    assert_eq!((so_far.status, so_far.epoch.0), (RecordingStatus::Recording, 2));
    assert_eq!(so_far.tracks.len(), 2, "what the first had is stored");
    assert_whole(&world, &finished(&world, id).await).await;
    emptied(&world, &world.spool_of(OTHER).join(id.to_string())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_recorder_has_is_added_after_the_recording_became_available() {
    let mut world = World::new().await;
    let id = killed(&mut world).await;
    let (other, _room) = taken_over(&mut world, id).await;
    let without = finished(&world, id).await;
    assert_eq!(without.tracks.len(), 1);
    let alone = without.tracks[0].file.clone();
    assert_eq!((alone.duration_ms, alone.gaps.as_slice()), (2_000, [].as_slice()));
    other.kill();

    let folder = world.spool().join(id.to_string());
    let kept = world.folder.path().join("kept");
    copy(&folder, &kept);
    let again = world.start(2);
    emptied(&world, &folder).await;
    let with = world.recording(id).await;
    assert_eq!(with.status, RecordingStatus::Available);
    assert_whole(&world, &with).await;
    // Whoever was sent there a moment ago can read on.
    assert_eq!(world.object(&alone.object).await.len() as u64, alone.bytes);
    again.kill();

    // Had it died before its folder was gone, the next life would change nothing.
    copy(&kept, &folder);
    let _once_more = world.start(3);
    emptied(&world, &folder).await;
    assert_eq!(world.recording(id).await, with);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_died_before_it_put_a_track_together_is_done_without() {
    let mut world = World::new().await;
    let id = killed(&mut world).await;
    let (other, _room) = taken_over(&mut world, id).await;
    // What is put together can be stored nowhere.
    let blocked = world.folder.path().join(format!("objects/objects/rec/{id}/whole"));
    fs::create_dir_all(blocked.parent().expect("a folder")).expect("a folder");
    fs::write(&blocked, b"in the way").expect("written");
    let again = world.start(2);
    world
        .until("the first's file", async || {
            (world.recording(id).await.tracks.len() == 2).then_some(())
        })
        .await;
    world.stop(id).await;
    world
        .until("a piece that waits", async || {
            (!world.database.tracks_in_pieces(9).await.expect("a database").is_empty())
                .then_some(())
        })
        .await;
    again.kill();
    other.kill();

    fs::remove_file(&blocked).expect("removed");
    let _third = world.start_other("recorder-3", 1);
    world
        .until("one file", async || {
            world.database.tracks_in_pieces(9).await.expect("a database").is_empty().then_some(())
        })
        .await;
    assert_whole(&world, &world.recording(id).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_lives_and_lost_its_recording_adds_what_it_has() {
    let mut world = World::new().await;
    let _life = world.start(1);
    let id = world.ask("room").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(most_of(500)).await;
    // Its database was gone for longer than its lease: both hear the room for a while.
    let owner = proto::pool::Owner {
        node: OTHER.parse().expect("a name"),
        boot: proto::pool::BootId::from_random(1),
    };
    let later = proto::link::UnixMicros(u64::MAX >> 2);
    let job = world.database.claim_recording(&owner, later, later).await.expect("a database");
    assert_eq!(job.expect("a job").epoch.0, 2);
    emptied(&world, &world.spool().join(id.to_string())).await;
    let recording = world.recording(id).await;
    let numbers = heard(&world, track(&recording, 1)).await;
    assert!(numbers.len() >= 485, "{} of 500", numbers.len());
    assert_eq!(track(&recording, 1).file.epoch.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_comes_back_to_its_recording_after_another_begins_anew() {
    let mut world = World::new().await;
    let id = killed(&mut world).await;
    let (other, _room) = taken_over(&mut world, id).await;
    other.kill();
    world.expire(id, 2).await;

    let _again = world.start(2);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(750..800)).await;
    room.say(LinkFrame::TrackEnded { track: LinkTrackId(1), at: at_ms(16_000) }).await;
    let ended = |recording: &Recording| {
        let track = recording.tracks.iter().find(|track| track.sid == sid(1));
        track.is_some_and(|track| track.file.duration_ms == 16_000)
    };
    world
        .until("both files of the first", async || ended(&world.recording(id).await).then_some(()))
        .await;
    world.start_other(OTHER, 2);
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    let _other = world.start_other(OTHER, 3);
    emptied(&world, &world.spool_of(OTHER).join(id.to_string())).await;
    let recording = Recording { tracks: world.recording(id).await.tracks, ..recording };
    let numbers = heard(&world, track(&recording, 1)).await;
    assert!(numbers.len() >= 485 + 100 + 50, "{numbers:?}");
    assert!(numbers.ends_with(&(750..800).collect::<Vec<_>>()), "{numbers:?}");
}
