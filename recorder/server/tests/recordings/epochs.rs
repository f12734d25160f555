//! A room that has had several lives: only the latest is listened to.

use proto::{
    ids::{Epoch, RoomName},
    link::LinkFrame,
    pool::Placement,
};
use storage_database::RecordingStatus;

use crate::world::{World, murmur, sid};

/// A registry that is back from long ago.
async fn forget(world: &World, room: &RoomName, current: Epoch, earlier: &Placement) {
    world.registry.remove_room(room, current).await.expect("it answers");
    assert!(world.registry.set_room(room, earlier).await.expect("it answers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_life_is_not_asked_for_whatever_the_registry_says() {
    let mut world = World::new().await;
    let id = world.ask("room").await;
    let name: RoomName = "room".parse().unwrap();
    let earlier = world.place(&name, Epoch(0)).await;
    let current = world.place(&name, earlier.epoch).await.epoch;
    let _life = world.start(1);
    let room = world.hears().await;
    room.publishes(1).await;
    room.speaks(1, murmur(0..100)).await;
    world.spools(90 * 65).await;

    forget(&world, &name, current, &earlier).await;
    drop(room);
    let (request, room) = world.asked().await;
    assert_eq!(request.epoch, current);
    room.opens(current).await;
    room.publishes(1).await;
    room.speaks(1, murmur(200..300)).await;
    world.spools(190 * 65).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    assert_eq!(recording.tracks[0].file.duration_ms, 6_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_life_that_answers_all_the_same_is_not_listened_to() {
    let mut world = World::new().await;
    let id = world.ask("room").await;
    let name: RoomName = "room".parse().unwrap();
    let earlier = world.place(&name, Epoch(0)).await.epoch;
    let current = world.place(&name, earlier).await.epoch;
    let _life = world.start(1);
    drop(world.hears().await);

    let (_, stale) = world.asked().await;
    stale.opens(earlier).await;
    // What it says meanwhile is lost on the recorder, or finds no listener any more.
    let _ = stale.frames.try_send(LinkFrame::Packets(Vec::new()));
    world.until("the end of the link", async || stale.is_left().then_some(())).await;
    let (_, room) = world.asked().await;
    room.opens(current).await;
    room.publishes(2).await;
    room.speaks(2, murmur(0..100)).await;
    world.spools(90 * 65).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    let tracks: Vec<_> = recording.tracks.iter().map(|track| track.sid).collect();
    assert_eq!(tracks, [sid(2)]);
}
