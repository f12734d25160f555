//! Stopping, and what operators see of a node.

use std::time::Duration;

use proto::{
    control::{Command, Event},
    livekit::{LeaveRequest, signal_response},
};
use serde_json::json;
use service::clock;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{http::get, node::Node};

#[tokio::test]
async fn everybody_is_told_why_and_nobody_is_waited_for() {
    let mut node = Node::start().await;
    let (mut polite, joined) = node.join("demo", "polite").await;
    let (mut forgotten, _) = node.join("demo", "forgotten").await;
    let started = clock::now();

    node.trigger.pull();
    assert!(matches!(node.sfu.next().await, Command::Shutdown));
    let session = joined.session();
    let leave =
        signal_response::Message::Leave(LeaveRequest { reason: 3, ..LeaveRequest::default() });
    node.sfu.say(session, leave.clone()).await;
    node.sfu.send(Event::Close { session }).await;

    assert_eq!(polite.response().await, leave);
    assert_eq!(polite.close_code().await, CloseCode::Away);
    assert_eq!(forgotten.close_code().await, CloseCode::Away);
    node.serving.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_idle_node_stops_at_once() {
    let node = Node::start().await;
    let started = clock::now();
    node.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn insisting_ends_the_wait() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ada").await;
    let started = clock::now();
    node.trigger.pull();
    node.trigger.pull();
    node.serving.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_database_that_fails_keeps_nobody_from_the_rooms_that_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(dir.path()).await;
    node.add_recorder().await;
    let (_client, _) = node.join("known", "ada").await;
    let file = format!("sqlite:{}", dir.path().join("adda.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
    sqlx::query("DROP TABLE rooms").execute(&pool).await.unwrap();

    let (_client, joined) = node.join("known", "bob").await;
    assert_eq!(joined.room.as_str(), "known");
    let refused = node.try_join("unknown", "ada").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    let ready = get(node.address, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], json!(["database: rooms can't be claimed"]));
}

#[tokio::test]
async fn health_is_seen_from_outside() {
    let node = Node::start().await;
    node.add_recorder().await;
    let healthy = get(node.address, "/healthz").await;
    assert_eq!((healthy.status, healthy.json()), (200, json!({"status": "ok"})));
    let ready = get(node.address, "/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true, "reasons": []})));
    assert_eq!(get(node.address, "/startupz").await.status, 200);
    let metrics = get(node.address, "/metrics").await;
    assert!(metrics.text().contains("adda_ws_connections 0"), "{}", metrics.text());
    assert!(metrics.text().ends_with("# EOF\n"));
}
