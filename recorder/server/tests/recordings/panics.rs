//! A task that panics: what it had in hand is taken up again.

use std::sync::atomic::{AtomicU32, Ordering};

use proto::link::{LinkClosed, LinkFrame};
use storage_database::RecordingStatus;
use tracing::Dispatch;

use crate::{
    log,
    world::{World, murmur, sid},
};

/// A log that panics in whoever says `words`, so many times.
fn trap(words: &'static str, times: u32) -> Dispatch {
    let left = AtomicU32::new(times);
    let fewer = |left: u32| left.checked_sub(1);
    log::whenever(words, move || {
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok() {
            panic!("the test's log panics at {words:?}");
        }
    })
}

const CLOSED: &str = "the link was closed";

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_task_panics_goes_on_where_its_file_ends() {
    let mut world = World::new().await;
    world.log = trap(CLOSED, 1);
    let life = world.start(1);
    let id = world.ask("panicked").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(490 * 65).await;
    room.say(LinkFrame::Closed(LinkClosed::TooSlow)).await;

    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(600..700)).await;
    world.spools(590 * 65).await;
    assert_eq!(life.metric("adda_recordings"), 1.0, "one of the two is over");
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;

    let track = &recording.tracks[0];
    assert_eq!((track.sid, track.file.duration_ms), (sid(1), 14_000));
    let [gap] = track.file.gaps.as_slice() else { panic!("one gap: {:?}", track.file.gaps) };
    assert_eq!((gap.start_ms + gap.duration_ms, gap.reason.as_str()), (12_000, "recorder"));
    assert!(gap.start_ms >= 9_700, "all but what wasn't a page: {gap:?}");
    assert_eq!(recording.epoch.0, 2);
    world.until("an empty spool", async || (world.spooled() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_at_which_every_task_panics_fails_in_words_and_keeps_its_sound() {
    let mut world = World::new().await;
    world.log = trap(CLOSED, u32::MAX);
    let _life = world.start(1);
    let id = world.ask("poisoned").await;
    let healthy = world.ask("healthy").await;
    let (first, second) = (world.hears_named().await, world.hears_named().await);
    let (mut room, other) =
        if first.0 == "poisoned" { (first.1, second.1) } else { (second.1, first.1) };
    for epoch in 1..=5 {
        room.publishes(1).await;
        if epoch == 1 {
            room.speaks(1, murmur(0..100)).await;
            world.spools(90 * 65).await;
        }
        room.say(LinkFrame::Closed(LinkClosed::TooSlow)).await;
        if epoch < 5 {
            world.until("the panic", async || room.is_left().then_some(())).await;
            // Not to wait for the lease.
            world.expire(id, epoch).await;
            room = world.hears().await;
        }
    }
    let failed = world.reaches(id, RecordingStatus::Failed).await;
    assert!(failed.failure.is_some_and(|why| why.contains("again and again")), "in words");
    let brought = async || {
        let tracks = world.recording(id).await.tracks;
        tracks.first().map(|track| track.file.duration_ms)
    };
    let duration = world.until("its sound", brought).await;
    assert!((1_700..=2_003).contains(&duration), "{duration}");

    other.publishes(2).await;
    other.speaks(2, murmur(0..100)).await;
    world.stop(healthy).await;
    let healthy = world.reaches(healthy, RecordingStatus::Available).await;
    assert_eq!((healthy.tracks.len(), healthy.epoch.0), (1, 1), "nobody else noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_whose_task_panics_are_brought_by_the_next_look() {
    let mut world = World::new().await;
    world.log = trap("leftovers of a recording are brought", 1);
    let life = world.start(1);
    let id = world.ask("left").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..500)).await;
    world.spools(490 * 65).await;
    life.kill();
    world.expire(id, 1).await;
    let _other = world.start_other("recorder-2", 2);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(600..700)).await;

    let _again = world.start(3);
    let tracks = async || {
        let tracks = world.recording(id).await.tracks;
        tracks.first().map(|track| track.file.duration_ms)
    };
    let duration = world.until("the leftovers", tracks).await;
    assert!((9_700..=10_003).contains(&duration), "{duration}");
    world.until("an empty spool", async || (world.spooled() == 0).then_some(())).await;
}
