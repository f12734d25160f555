//! Who was removed, or whose room was deleted, has no more of `/v1` by an earlier token.

use std::net::SocketAddr;

use proto::{
    control::{Event, Operation, OperationError, Reply},
    grants::VideoGrant,
    livekit::signal_response,
};
use serde_json::{Value, json};
use service::clock;
use storage_database::Revoked;

use crate::{
    http::{Answer, send},
    node::{Client, Node, room_token, server_token},
    tokens::forge,
};

const NOTES: &str = "/v1/voice-notes?room=demo";
const NO_NOTE: &str = "/v1/voice-notes/01938f3c-0000-7000-8000-000000000000";

fn seconds() -> u64 {
    clock::unix_time().as_secs()
}

/// A token with what `times` says of when it was issued.
fn token(identity: &str, times: &Value) -> String {
    let mut claims = json!({
        "iss": "devkey", "exp": seconds() + 3600,
        "video": { "room": "demo", "roomJoin": true },
    });
    if !identity.is_empty() {
        claims["sub"] = json!(identity);
    }
    for (name, value) in times.as_object().unwrap() {
        claims[name] = value.clone();
    }
    forge(&json!({ "alg": "HS256" }), &claims.to_string(), "secret")
}

fn admin() -> String {
    server_token(VideoGrant { room: "demo".to_owned(), room_admin: true, ..VideoGrant::default() })
}

async fn ask(address: SocketAddr, method: &str, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "key"),
    ];
    send(address, method, path, &headers, if method == "POST" { b"{}" } else { b"" }).await
}

async fn list(node: &Node, token: &str) -> u16 {
    ask(node.address, "GET", NOTES, token).await.status
}

async fn call(address: SocketAddr, method: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = format!("/twirp/livekit.RoomService/{method}");
    send(address, "POST", &path, &headers, body.to_string().as_bytes()).await
}

/// Removes ann, whose room answers with `result`.
async fn remove(
    node: &mut Node,
    issued_before: u64,
    result: Result<Reply, OperationError>,
) -> Answer {
    let address = node.address;
    let body = json!({ "room": "demo", "identity": "ann", "revoke_token_ts": issued_before });
    let calling =
        tokio::spawn(async move { call(address, "RemoveParticipant", &admin(), &body).await });
    let (_, _, request, operation) = node.sfu.operation().await;
    assert!(matches!(&operation, Operation::Remove { identity } if identity == "ann"));
    node.sfu.reply(request, result).await;
    calling.await.unwrap()
}

async fn delete(node: &mut Node) -> Answer {
    let address = node.address;
    let creator = server_token(VideoGrant { room_create: true, ..VideoGrant::default() });
    let body = json!({ "room": "demo" });
    let calling = tokio::spawn(async move { call(address, "DeleteRoom", &creator, &body).await });
    let (_, _, request, operation) = node.sfu.operation().await;
    assert!(matches!(operation, Operation::Delete));
    node.sfu.reply(request, Ok(Reply::Done)).await;
    calling.await.unwrap()
}

fn assert_revoked(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert!(answer.text().contains("revoked"), "{what}: {}", answer.text());
}

#[tokio::test]
async fn who_was_removed_has_nothing_of_v1_by_an_earlier_token() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    let ann = room_token("demo", "ann");
    assert_eq!(list(&node, &ann).await, 200);
    let before = seconds();
    assert_eq!(remove(&mut node, 0, Ok(Reply::Done)).await.status, 200);

    let content = format!("{NO_NOTE}/content");
    let complete = format!("{NO_NOTE}/complete");
    for (method, path) in [
        ("GET", NOTES),
        ("POST", "/v1/voice-notes"),
        ("GET", NO_NOTE),
        ("DELETE", NO_NOTE),
        ("GET", &content),
        ("POST", &complete),
        ("GET", "/v1/rooms/demo/recordings"),
        ("POST", "/v1/rooms/demo/recordings"),
        ("GET", "/v1/recordings/01938f3c-0000-7000-8000-000000000000"),
        ("POST", "/v1/recordings/01938f3c-0000-7000-8000-000000000000/stop"),
        ("GET", "/v1/recordings/01938f3c-0000-7000-8000-000000000000/tracks/TR_x/content"),
        ("POST", "/v1/rooms/demo/echo"),
    ] {
        assert_revoked(&ask(node.address, method, path, &ann).await, path);
    }
    assert_eq!(list(&node, &room_token("demo", "bob")).await, 200, "somebody else");
    let elsewhere = room_token("another", "ann");
    let other = ask(node.address, "GET", "/v1/voice-notes?room=another", &elsewhere).await;
    assert_eq!(other.status, 200, "another room");
    // A clock that is a minute ahead of ours signed this one, by its own account, just now.
    let early = token("ann", &json!({ "nbf": before + 59 }));
    assert_eq!(list(&node, &early).await, 401);
    node.stop().await;
}

#[tokio::test]
async fn only_a_token_issued_later_is_good_again() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    let end = seconds();
    assert_eq!(remove(&mut node, end, Ok(Reply::Done)).await.status, 200);
    for (times, status) in [
        (json!({ "nbf": end }), 200),
        (json!({ "iat": end }), 200),
        (json!({ "nbf": end, "iat": end }), 200),
        (json!({ "nbf": end - 1 }), 401),
        (json!({ "iat": end - 1 }), 401),
        // Issued before for later, and the other way about.
        (json!({ "nbf": end, "iat": end - 1 }), 401),
        (json!({ "nbf": end - 1, "iat": end }), 401),
        // Nobody knows how old it is.
        (json!({}), 401),
    ] {
        assert_eq!(list(&node, &token("ann", &times)).await, status, "{times}");
        assert_eq!(list(&node, &token("bob", &times)).await, 200, "{times}");
    }
    // An earlier end takes nothing back.
    assert_eq!(remove(&mut node, end - 100, Ok(Reply::Done)).await.status, 200);
    assert_eq!(list(&node, &token("ann", &json!({ "nbf": end - 1 }))).await, 401);
    node.stop().await;
}

#[tokio::test]
async fn who_has_left_or_never_came_can_be_removed_too() {
    let mut node = Node::start().await;
    let bob = json!({ "room": "demo", "identity": "bob" });
    let unknown = call(node.address, "RemoveParticipant", &admin(), &bob).await;
    assert_eq!(unknown.status, 404, "there is no such room");
    assert_eq!(list(&node, &room_token("demo", "bob")).await, 401);
    let (_client, _) = node.join("demo", "cid").await;
    let gone = remove(&mut node, 0, Err(OperationError::NoSuchParticipant)).await;
    assert_eq!(gone.status, 404);
    assert_eq!(list(&node, &room_token("demo", "ann")).await, 401);
    assert_eq!(list(&node, &room_token("demo", "cid")).await, 200);
    node.stop().await;
}

#[tokio::test]
async fn a_deleted_room_takes_v1_from_everybody_but_servers() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    let bob = room_token("demo", "bob");
    let nameless = token("", &json!({ "nbf": seconds() }));
    assert_eq!(list(&node, &nameless).await, 200);
    assert_eq!(delete(&mut node).await.status, 200);

    let own = token("ann", &json!({ "nbf": seconds() - 10 }));
    for (token, who) in [(&own, "who was there"), (&bob, "who wasn't"), (&nameless, "nobody")] {
        assert_revoked(&ask(node.address, "GET", NOTES, token).await, who);
    }
    // The next second's token is good: the room may begin again at once.
    assert_eq!(list(&node, &token("ann", &json!({ "nbf": seconds() + 1 }))).await, 200);
    assert_eq!(list(&node, &admin()).await, 200, "the application's own");
    let operator = server_token(VideoGrant { room_admin: true, ..VideoGrant::default() });
    let recordings = ask(node.address, "GET", "/v1/rooms/demo/recordings", &operator).await;
    assert_eq!(recordings.status, 200, "the operator's");
    node.stop().await;
}

#[tokio::test]
async fn a_room_that_nobody_knows_is_not_deleted_and_revokes_nothing() {
    let node = Node::start().await;
    let creator = server_token(VideoGrant { room_create: true, ..VideoGrant::default() });
    let answer = call(node.address, "DeleteRoom", &creator, &json!({ "room": "demo" })).await;
    assert_eq!(answer.status, 404);
    assert_eq!(list(&node, &room_token("demo", "ann")).await, 200);
    node.stop().await;
}

#[tokio::test]
async fn who_comes_back_by_a_revoked_token_gets_none_that_is_better() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    assert_eq!(remove(&mut node, seconds(), Ok(Reply::Done)).await.status, 200);

    // As with a LiveKit server, the token still opens the room itself.
    let old = token("ann", &json!({ "nbf": seconds() - 100 }));
    let path = format!("/rtc?access_token={old}");
    let mut client = Client::connect(node.address, &path).await;
    let joined = node.sfu.accept().await;
    assert!(matches!(client.response().await, signal_response::Message::Join(_)));
    let (session, grants) = (joined.session(), Box::new(joined.join.grants.clone()));
    node.sfu.send(Event::RefreshToken { session, grants }).await;
    let message = client.response().await;
    let signal_response::Message::RefreshToken(fresh) = message else { panic!("{message:?}") };

    assert_revoked(&ask(node.address, "GET", NOTES, &fresh).await, "the refreshed token");
    node.stop().await;
}

#[tokio::test]
async fn without_a_database_the_call_ends_and_its_caller_is_told_to_try_again() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    node.database.close().await;

    let removed = remove(&mut node, 0, Ok(Reply::Done)).await;
    let deleted = delete(&mut node).await;
    for answer in [removed, deleted] {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json()["code"], "unavailable");
        assert!(answer.text().contains("try again"), "{}", answer.text());
    }
    let ann = ask(node.address, "GET", NOTES, &room_token("demo", "ann")).await;
    assert_eq!((ann.status, ann.header("retry-after")), (503, "1"), "nobody knows");
    // This needs the database for nothing else.
    let echo = ask(node.address, "POST", "/v1/rooms/demo/echo", &room_token("demo", "bob")).await;
    assert_eq!(echo.status, 503);
    assert!(node.sfu.commands.try_recv().is_err(), "it was let in");
    node.stop().await;
}

#[tokio::test]
async fn a_time_that_is_no_time_is_refused_before_anything_happens() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ann").await;
    for bad in [seconds() * 1_000, seconds() + 25 * 3600] {
        let body = json!({ "room": "demo", "identity": "ann", "revoke_token_ts": bad });
        let answer = call(node.address, "RemoveParticipant", &admin(), &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_argument")));
    }
    assert!(node.sfu.commands.try_recv().is_err());
    let (room, ann) = ("demo".parse().unwrap(), "ann".parse().unwrap());
    assert_eq!(node.database.revoked(&room, Revoked::One(&ann)).await.unwrap(), None);
    node.stop().await;
}
