//! The server API, as SDKs of other servers use it.

use prost::Message as _;
use proto::{
    control::{Command, Event, Operation, OperationError, Reply},
    grants::VideoGrant,
    livekit::{
        CreateRoomRequest, ListRoomsRequest, ListRoomsResponse, ParticipantInfo, Room, TrackInfo,
    },
};
use serde_json::{Value, json};
use std::net::SocketAddr;

use crate::{
    http::{Answer, send},
    node::{Node, room_token, server_token},
};

const DENIED: &str = r#"{"code":"unauthenticated","msg":"permissions denied"}"#;

fn creator() -> String {
    server_token(VideoGrant { room_create: true, room_list: true, ..VideoGrant::default() })
}

fn admin_of(room: &str) -> String {
    let room = room.to_owned();
    server_token(VideoGrant { room, room_admin: true, ..VideoGrant::default() })
}

async fn call(address: SocketAddr, token: &str, method: &str, body: &Value) -> Answer {
    call_raw(address, token, method, "application/json", body.to_string().as_bytes()).await
}

async fn call_raw(
    address: SocketAddr,
    token: &str,
    method: &str,
    kind: &str,
    body: &[u8],
) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/twirp/livekit.RoomService/{method}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
    send(address, "POST", &path, &headers, body).await
}

/// Calls a method and lets the SFU answer its operation.
async fn call_answered(
    node: &mut Node,
    token: &str,
    method: &str,
    body: Value,
    result: Result<Reply, OperationError>,
) -> (Answer, Operation) {
    let (address, token, method) = (node.address, token.to_owned(), method.to_owned());
    let calling = tokio::spawn(async move { call(address, &token, &method, &body).await });
    let (_, _, request, operation) = node.sfu.operation().await;
    node.sfu.reply(request, result).await;
    (calling.await.unwrap(), operation)
}

fn room(name: &str) -> Room {
    let (sid, name) = ("RM_1".to_owned(), name.to_owned());
    Room { sid, name, creation_time_ms: 1_795_504_067_797, ..Room::default() }
}

#[tokio::test]
async fn each_method_wants_its_own_grant() {
    let node = Node::start().await;
    let joiner = room_token("j1", "ada");
    let cases = [
        ("CreateRoom", json!({"name": "x"})),
        ("DeleteRoom", json!({"room": "j1"})),
        ("ListRooms", json!({})),
        ("ListParticipants", json!({"room": "j1"})),
        ("GetParticipant", json!({"room": "j1", "identity": "ada"})),
        ("RemoveParticipant", json!({"room": "j1", "identity": "ada"})),
        ("MutePublishedTrack", json!({"room": "j1", "identity": "ada"})),
        ("UpdateParticipant", json!({"room": "j1", "identity": "ada"})),
        ("UpdateSubscriptions", json!({"room": "j1", "identity": "ada"})),
        ("SendData", json!({"room": "j1"})),
        ("UpdateRoomMetadata", json!({"room": "j1"})),
    ];
    for (method, body) in cases {
        for token in [&joiner, &admin_of("other")] {
            let answer = call(node.address, token, method, &body).await;
            assert_eq!((answer.status, answer.text().as_str()), (401, DENIED), "{method}");
        }
        let path = format!("/twirp/livekit.RoomService/{method}");
        let headers = [("Content-Type", "application/json")];
        let answer = send(node.address, "POST", &path, &headers, b"{}").await;
        assert_eq!((answer.status, answer.text().as_str()), (401, DENIED), "{method}");
    }
}

#[tokio::test]
async fn w9_a_room_of_others_looks_the_same_whether_it_exists_or_not() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("exists", "ada").await;
    for method in ["ListParticipants", "RemoveParticipant", "UpdateRoomMetadata", "SendData"] {
        let mut answers = Vec::new();
        for room in ["exists", "unknown"] {
            let body = json!({"room": room, "identity": "ada"});
            let answer = call(node.address, &admin_of("mine"), method, &body).await;
            let mut headers = answer.headers.clone();
            headers.remove("date");
            answers.push((answer.status, headers, answer.body));
        }
        assert_eq!(answers[0], answers[1], "{method}");
    }
}

#[tokio::test]
async fn a_room_is_created_and_written_in_snake_case_with_defaults() {
    let mut node = Node::start().await;
    let body = json!({"name": "j1", "emptyTimeout": 30, "max_participants": 10, "unknown": 1});
    let reply = Ok(Reply::Room(Box::new(room("j1"))));
    let (answer, operation) = call_answered(&mut node, &creator(), "CreateRoom", body, reply).await;
    let Operation::Create(request) = operation else { panic!("{operation:?}") };
    assert_eq!((request.empty_timeout, request.max_participants), (30, 10));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let json = answer.json();
    assert_eq!(json["creation_time_ms"], "1795504067797");
    assert_eq!(json["num_participants"], 0);
    assert_eq!(json["version"], Value::Null);
}

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let mut node = Node::start().await;
    let address = node.address;
    let calling = tokio::spawn(async move {
        let body = ListRoomsRequest { names: vec!["j1".to_owned()] }.encode_to_vec();
        call_raw(address, &creator(), "ListRooms", "application/protobuf", &body).await
    });
    let Command::ListRooms { request, names } = node.sfu.next().await else { panic!() };
    assert_eq!(names, ["j1"]);
    node.sfu.send(Event::Rooms { request, rooms: vec![room("j1")] }).await;

    let answer = calling.await.unwrap();
    assert_eq!(answer.header("content-type"), "application/protobuf");
    let rooms = ListRoomsResponse::decode(answer.body.as_slice()).unwrap().rooms;
    assert_eq!(rooms, [room("j1")]);
}

#[tokio::test]
async fn what_nobody_knows_is_answered_without_asking_anybody() {
    let mut node = Node::start().await;
    let (admin, identity) = (admin_of("nope"), json!({"room": "nope", "identity": "zed"}));
    let no_participant =
        r#"{"code":"not_found","msg":"twirp error unknown: participant does not exist"}"#;
    let no_room =
        r#"{"code":"not_found","msg":"twirp error unknown: requested room does not exist"}"#;
    for (token, method, status, text) in [
        (&admin, "ListParticipants", 200, r#"{"participants":[]}"#),
        (&admin, "GetParticipant", 404, no_participant),
        (&admin, "RemoveParticipant", 404, no_participant),
        (&admin, "UpdateRoomMetadata", 404, no_room),
        (&creator(), "DeleteRoom", 404, no_room),
    ] {
        let answer = call(node.address, token, method, &identity).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{method}");
    }
    assert!(node.sfu.commands.try_recv().is_err());
}

#[tokio::test]
async fn the_owners_refusals_have_the_codes_that_sdks_know() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("j1", "alice").await;
    let admin = admin_of("j1");
    let track = json!({"room": "j1", "identity": "alice", "track_sid": "TR_x"});

    let refused = Err(OperationError::RemoteUnmute);
    let (answer, _) =
        call_answered(&mut node, &admin, "MutePublishedTrack", track.clone(), refused).await;
    assert_eq!(answer.status, 412);
    let expected =
        r#"{"code":"failed_precondition","msg":"twirp error unknown: remote unmute not enabled"}"#;
    assert_eq!(answer.text(), expected);

    let unknown = Err(OperationError::NoSuchTrack);
    let (answer, _) =
        call_answered(&mut node, &admin, "MutePublishedTrack", track.clone(), unknown).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"track":null}"#));

    let muted = TrackInfo { sid: "TR_x".to_owned(), muted: true, ..TrackInfo::default() };
    let done = Ok(Reply::Track(Some(Box::new(muted))));
    let (answer, _) = call_answered(&mut node, &admin, "MutePublishedTrack", track, done).await;
    assert_eq!(answer.json()["track"]["muted"], true);

    let body = json!({"room": "j1", "data": "aGk=", "kind": "LOSSY", "topic": "t"});
    let (answer, operation) =
        call_answered(&mut node, &admin, "SendData", body, Ok(Reply::Done)).await;
    let Operation::SendData(request) = operation else { panic!("{operation:?}") };
    assert_eq!((request.data.as_slice(), request.topic()), (b"hi".as_slice(), "t"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));

    let alice = ParticipantInfo { identity: "alice".to_owned(), ..ParticipantInfo::default() };
    let body = json!({"room": "j1", "identity": "alice", "permission": {"can_publish": false}});
    let reply = Ok(Reply::Participant(Box::new(alice)));
    let (answer, _) = call_answered(&mut node, &admin, "UpdateParticipant", body, reply).await;
    assert_eq!(answer.json()["identity"], "alice");
}

#[tokio::test]
async fn what_is_no_call_gets_twirps_own_errors() {
    let node = Node::start().await;
    let address = node.address;
    let answer = call(address, &creator(), "Nope", &json!({})).await;
    assert_eq!(answer.status, 404);
    let path = "/twirp/livekit.RoomService/Nope";
    let expected = json!({
        "code": "bad_route",
        "msg": format!("no handler for path {path:?}"),
        "meta": {"twirp_invalid_route": format!("POST {path}")},
    });
    assert_eq!(answer.json(), expected);

    let answer = call_raw(address, &creator(), "ListRooms", "text/plain", b"{}").await;
    assert_eq!(answer.json()["msg"], "unexpected Content-Type: \"text/plain\"");
    let answer = send(address, "GET", "/twirp/livekit.RoomService/ListRooms", &[], b"").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["msg"], "unsupported method \"GET\" (only POST is allowed)");

    let answer = call_raw(address, &creator(), "ListRooms", "application/json", b"{").await;
    let expected = r#"{"code":"malformed","msg":"the json request could not be decoded"}"#;
    assert_eq!((answer.status, answer.text().as_str()), (400, expected));
    let answer = call_raw(address, "abc", "ListRooms", "application/json", b"{}").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, "invalid authorization token"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let node = Node::start().await;
    let metadata = "x".repeat(300 * 1024);
    let body = CreateRoomRequest { name: "j1".to_owned(), metadata, ..Default::default() };
    let body = body.encode_to_vec();
    let answer =
        call_raw(node.address, &creator(), "CreateRoom", "application/protobuf", &body).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed")));
}

#[tokio::test]
async fn a_room_must_have_a_name() {
    let node = Node::start().await;
    for body in [json!({}), json!({"name": "a\r\nb"}), json!({"name": "x".repeat(257)})] {
        let answer = call(node.address, &creator(), "CreateRoom", &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_argument")));
    }
}

#[tokio::test]
async fn an_owner_that_does_not_answer_is_unavailable_for_now() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("j1", "alice").await;
    tokio::time::pause();
    let answer =
        call(node.address, &admin_of("j1"), "ListParticipants", &json!({"room": "j1"})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("unavailable")));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_page_of_any_origin_may_call() {
    let node = Node::start().await;
    let headers = [
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    let path = "/twirp/livekit.RoomService/ListRooms";
    let answer = send(node.address, "OPTIONS", path, &headers, b"").await;
    assert!((200..300).contains(&answer.status));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
}
