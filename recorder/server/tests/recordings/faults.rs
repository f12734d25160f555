//! A store that refuses, a spool that is full.

use std::fs;

use proto::{
    link::{LinkFrame, LinkTrackId},
    pool::Role,
};
use service::health::Health;
use storage_database::RecordingStatus;

use crate::world::{World, at_ms, murmur, sid};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_is_tried_until_it_takes_the_file() {
    let mut world = World::new().await;
    let life = world.start(1);
    // A file lies where the recordings' folder should be.
    let blocked = world.folder.path().join("objects/objects/rec");
    fs::write(&blocked, b"in the way").expect("written");
    let id = world.ask("refused").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..100)).await;
    world.spools(90 * 65).await;
    world.stop(id).await;
    let retried = "adda_recorder_uploads_total{outcome=\"retried\"}";
    world.until("some tries", async || (life.metric(retried) >= 2.0).then_some(())).await;
    assert_eq!(world.recording(id).await.status, RecordingStatus::Finalizing);
    assert!(world.spooled() > 0, "what isn't stored stays");

    fs::remove_file(&blocked).expect("removed");
    let recording = world.reaches(id, RecordingStatus::Available).await;
    assert_eq!(recording.tracks[0].file.duration_ms, 2_000);
    world.until("an empty spool", async || (world.spooled() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_ends_the_track_that_needs_it_and_says_so() {
    let mut world = World::new().await;
    world.spool_bytes_max = 60_000;
    let life = world.start(1);
    let id = world.ask("full").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.publishes(2).await;
    // The second has ended, and is in the spool whole, when the first fills it.
    room.speaks(2, murmur(0..50)).await;
    room.say(LinkFrame::TrackEnded { track: LinkTrackId(2), at: at_ms(1_000) }).await;
    world
        .until("the short track", async || {
            (!world.recording(id).await.tracks.is_empty()).then_some(())
        })
        .await;
    room.speaks(1, murmur(0..2_000)).await;
    world.spools(55_000).await;
    assert!(world.spooled() <= 60_000, "{}", world.spooled());
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;

    let of = |id: u32| recording.tracks.iter().find(|track| track.sid == sid(id)).expect("a track");
    assert_eq!((of(2).file.duration_ms, of(2).file.gaps.len()), (1_000, 0));
    let full = of(1);
    let [gap] = full.file.gaps.as_slice() else { panic!("one gap: {:?}", full.file.gaps) };
    assert_eq!(gap.reason, "spool");
    assert!(
        gap.start_ms.abs_diff(full.file.duration_ms) <= 3,
        "{gap:?} after {}",
        full.file.duration_ms
    );
    assert!((39_000..42_000).contains(&(gap.start_ms + gap.duration_ms)), "{gap:?}");
    let unheard = life.metric("adda_recorder_gap_seconds_total{reason=\"spool\"}");
    assert!(
        (unheard * 1_000.0 - f64::from(u32::try_from(gap.duration_ms).expect("ms"))).abs() < 1.0
    );
    let bytes = world.object(&full.file.object).await;
    assert!(recorder_core::ogg::last_page(&bytes).expect("a page").is_final);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_told_of_and_a_track_goes_on_once_others_made_room() {
    let mut world = World::new().await;
    world.spool_bytes_max = 60_000;
    let _life = world.start(1);
    let large = world.ask("large").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..600)).await;
    world.spools(590 * 65).await;
    let small = world.ask("small").await;
    let other = world.hears().await;
    other.publishes(2).await;
    other.speaks(2, murmur(0..400)).await;
    let trouble = async || {
        let told = world.recording(small).await.progress;
        told.trouble.filter(|why| why.contains("is full")).map(|_| told.tracks)
    };
    let tracks = world.until("somebody who says that it is full", trouble).await;
    assert_eq!((tracks.len(), tracks[0].sid, tracks[0].began), (1, sid(2), at_ms(0)));
    assert!((3_000..8_000).contains(&tracks[0].duration_ms), "{tracks:?}");
    let is_told =
        |reasons: Vec<String>| reasons.iter().any(|one| one.contains("spool: it is full"));
    world.until("its reason", async || is_told(world.health.said()).then_some(())).await;
    assert!(!world.health.is_ready(), "it does nothing else");

    world.stop(large).await;
    world.reaches(large, RecordingStatus::Available).await;
    let well = async || {
        let told = world.recording(small).await.progress;
        (told.trouble.is_none() && world.health.reasons().is_empty()).then_some(())
    };
    world.until("room", well).await;
    let before = world.spooled();
    other.speaks(2, murmur(500..600)).await;
    world.spools(before + 90 * 65).await;
    world.stop(small).await;
    let recording = world.reaches(small, RecordingStatus::Available).await;
    let track = &recording.tracks[0].file;
    assert_eq!(track.duration_ms, 12_000);
    let [gap] = track.gaps.as_slice() else { panic!("one gap: {:?}", track.gaps) };
    assert_eq!((gap.start_ms + gap.duration_ms, gap.reason.as_str()), (10_000, "spool"));
    assert!(gap.start_ms >= 3_000, "{gap:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_keeps_nothing_but_recordings_away_from_a_process_with_other_roles() {
    let mut world = World::new().await;
    (world.spool_bytes_max, world.health) = (10_000, Health::new(vec![Role::Sfu, Role::Recorder]));
    world.health.started();
    let _life = world.start(1);
    world.ask("full").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..600)).await;
    let is_told = || world.health.said().iter().any(|one| one.contains("spool: it is full"));
    world.until("the reason", async || is_told().then_some(())).await;
    assert!(world.health.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_nobody_hinted_at_is_found_by_looking() {
    let mut world = World::new().await;
    let _life = world.start(1);
    // It has found nothing so far, and waits.
    let is_announced = async || (!world.registry.nodes().await.unwrap().is_empty()).then_some(());
    world.until("a recorder", is_announced).await;
    let id = world.ask_silently("silent").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..100)).await;
    world.spools(90 * 65).await;
    world.stop(id).await;
    world.reaches(id, RecordingStatus::Available).await;
}
