//! What a restart finds.

use std::path::Path;

use proto::{
    control::{Command, Event, Happening, Operation, Reply, What},
    grants::VideoGrant,
    ids::Epoch,
    livekit::Room,
};
use serde_json::{Value, json};
use signaling_server::Dev;

use crate::{
    http::send,
    node::{Node, server_token},
};

fn token() -> String {
    let video = VideoGrant {
        room_create: true,
        room_admin: true,
        room: "kept".to_owned(),
        ..VideoGrant::default()
    };
    server_token(video)
}

/// Calls a method, answers its operation with a room, and returns the epoch it was sent under.
async fn call(node: &mut Node, method: &str, body: Value) -> Epoch {
    let address = node.address;
    let path = format!("/twirp/livekit.RoomService/{method}");
    let calling = tokio::spawn(async move {
        let bearer = format!("Bearer {}", token());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        send(address, "POST", &path, &headers, body.to_string().as_bytes()).await
    });
    let (name, epoch, request, operation) = node.sfu.operation().await;
    let info = Room { name: name.to_string(), ..Room::default() };
    if let Operation::Create(_) = operation {
        happen(node, &info, epoch, What::RoomStarted).await;
    }
    node.sfu.reply(request, Ok(Reply::Room(Box::new(info)))).await;
    assert_eq!(calling.await.unwrap().status, 200);
    epoch
}

async fn happen(node: &Node, info: &Room, epoch: Epoch, what: What) {
    let room = info.name.parse().unwrap();
    let happening = Happening { room, epoch, info: info.clone(), what };
    node.sfu.send(Event::Happened(Box::new(happening))).await;
}

/// Restarts on `path` and returns what is created again before the node says that it is ready.
async fn restored(path: &Path, expected: usize) -> (Node, Vec<(String, Epoch, Operation)>) {
    let mut node = Node::launch(path, Some(Dev::Loopback)).await;
    let mut found = Vec::new();
    for _ in 0..expected {
        let (room, epoch, request, operation) = node.sfu.operation().await;
        let ready = crate::http::get(node.address, "/readyz").await;
        assert_eq!(ready.status, 503, "a room is missing");
        assert!(ready.text().contains("rooms: those of before"), "{}", ready.text());
        node.sfu.reply(request, Ok(Reply::Room(Box::default()))).await;
        found.push((room.to_string(), epoch, operation));
    }
    node.ready().await;
    assert!(node.sfu.commands.try_recv().is_err(), "nothing else is created");
    (node, found)
}

#[tokio::test]
async fn a_created_room_is_there_again_with_its_settings_under_a_higher_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    let epoch = call(&mut node, "CreateRoom", json!({"name": "kept", "max_participants": 7})).await;
    let metadata = json!({"room": "kept", "metadata": "later"});
    assert_eq!(call(&mut node, "UpdateRoomMetadata", metadata).await, epoch);
    let (client, _) = node.join("merely joined", "ada").await;
    drop(client);
    node.stop().await;

    let (_node, found) = restored(dir.path(), 1).await;
    let (name, again, operation) = &found[0];
    assert_eq!(name, "kept");
    assert!(*again > epoch, "its earlier life is over");
    let Operation::Create(settings) = operation else { panic!("{operation:?}") };
    assert_eq!((settings.max_participants, settings.metadata.as_str()), (7, "later"));
}

#[tokio::test]
async fn a_room_created_while_it_was_live_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    call(&mut node, "CreateRoom", json!({"name": "kept", "max_participants": 7})).await;
    call(&mut node, "CreateRoom", json!({"name": "kept", "max_participants": 9})).await;
    node.stop().await;

    let (_node, found) = restored(dir.path(), 1).await;
    let Operation::Create(settings) = &found[0].2 else { panic!() };
    assert_eq!(settings.max_participants, 7);
}

#[tokio::test]
async fn a_room_that_was_deleted_stays_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    call(&mut node, "CreateRoom", json!({"name": "kept"})).await;
    call(&mut node, "DeleteRoom", json!({"room": "kept"})).await;
    // No grace: what was acknowledged is on disk.
    node.serving.abort();
    _ = node.serving.await;

    restored(dir.path(), 0).await;
}

#[tokio::test]
async fn a_room_that_ended_by_itself_stays_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    let epoch = call(&mut node, "CreateRoom", json!({"name": "kept"})).await;
    let info = Room { name: "kept".to_owned(), ..Room::default() };
    happen(&node, &info, epoch, What::RoomFinished).await;
    node.stop().await;

    restored(dir.path(), 0).await;
}

#[tokio::test]
async fn a_room_that_ends_because_the_node_stops_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    let epoch = call(&mut node, "CreateRoom", json!({"name": "kept"})).await;
    // Somebody is there, so that stopping takes a moment.
    let (_client, joined) = node.join("kept", "ada").await;
    node.trigger.pull();
    assert!(matches!(node.sfu.next().await, Command::Shutdown));
    let info = Room { name: "kept".to_owned(), ..Room::default() };
    happen(&node, &info, epoch, What::RoomFinished).await;
    node.sfu.send(Event::Close { session: joined.session() }).await;
    node.serving.await.unwrap().unwrap();

    restored(dir.path(), 1).await;
}
