//! What happens on a signal connection.

use std::time::Duration;

use proto::{
    control::{Event, MediaStage, RoomAction, SignalPath},
    grants::Grants,
    ids::{Epoch, ParticipantSid},
    livekit::{
        ClientInfo, ConnectionSettings, JoinRequest, LeaveRequest, MuteTrackRequest, Ping,
        ReconnectResponse, SessionDescription, SpeakersChanged, client_info::Sdk,
        leave_request::Action, signal_request, signal_response,
    },
};
use serde_json::{Value, json};
use service::clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

use crate::{
    http::get,
    node::{Client, Node, PATIENCE, keys, room_token, wrap},
};

fn mute(sid: &str) -> signal_request::Message {
    signal_request::Message::Mute(MuteTrackRequest { sid: sid.to_owned(), muted: true })
}

fn speakers() -> signal_response::Message {
    signal_response::Message::SpeakersChanged(SpeakersChanged::default())
}

/// Asserts that the next thing the owner hears is that this client is gone.
async fn assert_disconnected(node: &mut Node) {
    let (_, _, action) = node.sfu.next_action().await;
    assert!(matches!(action, RoomAction::Disconnected { .. }), "{action:?}");
}

#[tokio::test]
async fn frames_reach_the_owner_and_its_answers_the_client() {
    let mut node = Node::start().await;
    let (mut client, joined) = node.join("demo", "ada").await;
    assert_eq!(joined.room.as_str(), "demo");
    assert_eq!(joined.join.identity.as_str(), "ada");
    assert_eq!(joined.join.protocol, SignalPath::TwoConnections);
    assert!(joined.epoch > Epoch(0));

    client.send(mute("TR_1")).await;
    let (room, epoch, action) = node.sfu.next_action().await;
    assert_eq!((room, epoch), (joined.room.clone(), joined.epoch));
    let RoomAction::Signal { session, request } = action else { panic!("{action:?}") };
    assert_eq!((session, request.message), (joined.session(), Some(mute("TR_1"))));

    node.sfu.say(session, speakers()).await;
    assert_eq!(client.response().await, speakers());
}

#[tokio::test]
async fn a_join_request_carries_the_offer_and_who_resumes() {
    let mut node = Node::start().await;
    let sid = ParticipantSid::from_random(7);
    let offer =
        SessionDescription { sdp: "v=0".to_owned(), id: 1, ..SessionDescription::default() };
    let request = JoinRequest {
        client_info: Some(ClientInfo {
            sdk: Sdk::Js.into(),
            protocol: 17,
            ..ClientInfo::default()
        }),
        connection_settings: Some(ConnectionSettings::default()),
        publisher_offer: Some(offer.clone()),
        reconnect: true,
        participant_sid: sid.to_string(),
        ..JoinRequest::default()
    };
    let token = room_token("demo", "ada");
    let path = format!("/rtc/v1?access_token={token}&join_request={}", wrap(&request));
    let mut client = Client::connect(node.address, &path).await;

    let join = node.sfu.accept().await.join;
    assert_eq!(join.protocol, SignalPath::OneConnection);
    assert_eq!(join.publisher_offer, Some(offer));
    assert_eq!(join.resume.unwrap().participant, Some(sid));
    assert_eq!((join.client.sdk(), join.client.protocol), (Sdk::Js, 17));
    assert!(!join.auto_subscribe);
    assert!(matches!(client.response().await, signal_response::Message::Join(_)));
}

#[tokio::test]
async fn two_joins_at_once_reach_one_epoch() {
    let mut node = Node::start().await;
    let path = |who| format!("/rtc?access_token={}", room_token("demo", who));
    let (ada, bob) = (path("ada"), path("bob"));
    let (_ada, _bob) =
        tokio::join!(Client::connect(node.address, &ada), Client::connect(node.address, &bob));
    let (first, second) = (node.sfu.accept().await, node.sfu.accept().await);
    assert_eq!(first.epoch, second.epoch);
    assert_ne!(first.session(), second.session());
}

#[tokio::test]
async fn whoever_writes_text_is_answered_in_text() {
    let mut node = Node::start().await;
    let (mut client, joined) = node.join("demo", "ada").await;
    let text = r#"{"mute":{"sid":"TR_1","muted":true,"later":{"x":1}}}"#;
    client.send_raw(Message::text(text)).await;
    let (_, _, action) = node.sfu.next_action().await;
    let RoomAction::Signal { request, .. } = action else { panic!("{action:?}") };
    assert_eq!(request.message, Some(mute("TR_1")));

    let leave = LeaveRequest { reason: 5, ..LeaveRequest::default() };
    node.sfu.say(joined.session(), signal_response::Message::Leave(leave)).await;
    assert_eq!(json_of(&client.message().await), json!({"leave": {"reason": "ROOM_DELETED"}}));
}

#[tokio::test]
async fn whoever_asks_for_text_gets_it_from_the_first_message() {
    let mut node = Node::start().await;
    let path = format!("/rtc?access_token={}&json=1", room_token("demo", "ada"));
    let mut client = Client::connect(node.address, &path).await;
    node.sfu.accept().await;
    let first = json_of(&client.message().await);
    assert_eq!(first["join"]["participant"]["identity"], "ada");
}

fn json_of(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("expected text, not {message:?}") };
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn pings_are_answered_without_asking_the_owner() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;

    client.send(signal_request::Message::Ping(1)).await;
    assert!(matches!(client.response().await, signal_response::Message::Pong(_)));

    client.send(signal_request::Message::PingReq(Ping { timestamp: 77, rtt: 3 })).await;
    assert!(matches!(client.response().await, signal_response::Message::Pong(_)));
    let message = client.response().await;
    let signal_response::Message::PongResp(pong) = message else { panic!("{message:?}") };
    assert_eq!(pong.last_ping_timestamp, 77);
    assert!(node.sfu.commands.try_recv().is_err());
}

#[tokio::test]
async fn what_a_later_schema_adds_is_skipped() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    client.send_raw(Message::binary(Vec::new())).await;
    // Field 1000, a message of two bytes.
    client.send_raw(Message::binary(vec![0xc2, 0x3e, 0x02, 0x08, 0x01])).await;
    client.send_raw(Message::text(r#"{"fromTheFuture":{"a":[1]}}"#)).await;
    client.send_raw(Message::text(r#"{"ping":"1"}"#)).await;
    assert!(json_of(&client.message().await)["pong"].is_string());
    assert!(node.sfu.commands.try_recv().is_err());
}

#[tokio::test]
async fn an_undecodable_frame_ends_the_session_with_a_reason() {
    let mut node = Node::start().await;
    for bad in [Message::binary(vec![0x0a, 0xff]), Message::text("{"), Message::text("[1]")] {
        let (mut client, _) = node.join("demo", "ada").await;
        client.send_raw(bad).await;
        assert_eq!(client.close_code().await, CloseCode::Invalid);
        assert_disconnected(&mut node).await;
    }
}

#[tokio::test]
async fn w5_a_frame_that_claims_to_be_huge_is_refused_by_its_header() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    // Binary, final, masked; 64-bit length 2^63 - 1; a mask. Not one byte of it follows.
    let mut header = vec![0x82, 0xff];
    header.extend(i64::MAX.to_be_bytes());
    header.extend([1, 2, 3, 4]);
    client.socket.get_mut().write_all(&header).await.unwrap();
    assert_eq!(client.close_code().await, CloseCode::Size);
    assert_disconnected(&mut node).await;
}

#[tokio::test]
async fn w5_a_message_that_is_too_large_is_refused_though_more_of_it_arrives() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    client.send_raw(Message::binary(vec![0; 400 * 1024])).await;
    assert_eq!(client.close_code().await, CloseCode::Size);
    // An end, not a reset: some systems throw away what they received when a reset follows.
    let end = client.socket.get_mut().read(&mut [0; 16]).await;
    assert_eq!(end.expect("the connection was reset"), 0);
    assert_disconnected(&mut node).await;
}

#[tokio::test]
async fn w5_ten_thousand_fragments_count_as_one_message() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    client.send_raw(fragment(OpCode::Data(Data::Binary), false)).await;
    for _ in 0..10_000 {
        let more = fragment(OpCode::Data(Data::Continue), false);
        // The server may have refused by now.
        if futures_util::SinkExt::send(&mut client.socket, more).await.is_err() {
            break;
        }
    }
    assert_eq!(client.close_code().await, CloseCode::Size);
    assert_disconnected(&mut node).await;
}

fn fragment(opcode: OpCode, is_final: bool) -> Message {
    Message::Frame(Frame::message(vec![0; 64], opcode, is_final))
}

#[tokio::test]
async fn a_flood_ends_the_session() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    for _ in 0..2_000 {
        let ping = proto::livekit::SignalRequest { message: None };
        let frame = Message::binary(prost::Message::encode_to_vec(&ping));
        if futures_util::SinkExt::feed(&mut client.socket, frame).await.is_err() {
            break;
        }
    }
    _ = futures_util::SinkExt::flush(&mut client.socket).await;
    assert_eq!(client.close_code().await, CloseCode::Policy);
    assert_disconnected(&mut node).await;
}

#[tokio::test]
async fn w6_a_client_that_does_not_read_is_dropped_and_the_others_are_not() {
    let mut node = Node::start().await;
    let (mut slow, slow_joined) = node.join("demo", "slow").await;
    let (mut quick, quick_joined) = node.join("demo", "quick").await;

    let sdp = "x".repeat(32 * 1024);
    let large = SessionDescription { sdp, ..SessionDescription::default() };
    let large = signal_response::Message::Offer(large);
    loop {
        node.sfu.say(slow_joined.session(), large.clone()).await;
        node.sfu.say(quick_joined.session(), speakers()).await;
        assert_eq!(quick.response().await, speakers());
        if let Ok(command) = node.sfu.commands.try_recv() {
            let text = format!("{command:?}");
            assert!(text.contains("Disconnected"), "{text}");
            assert!(text.contains(&format!("{:?}", slow_joined.session())), "{text}");
            break;
        }
    }
    assert_eq!(slow.close_code().await, CloseCode::Again);
}

#[tokio::test]
async fn a_refreshed_token_keeps_the_expiry_and_has_the_new_grants() {
    let mut node = Node::start().await;
    let (mut client, joined) = node.join("demo", "ada").await;
    let mut grants: Grants = joined.join.grants.clone();
    grants.metadata = "changed".to_owned();
    let session = joined.session();
    node.sfu.send(Event::RefreshToken { session, grants: Box::new(grants.clone()) }).await;

    let message = client.response().await;
    let signal_response::Message::RefreshToken(token) = message else { panic!("{message:?}") };
    let claims = keys().verify(&token, clock::unix_time()).unwrap();
    assert_eq!(claims.grants, grants);
    let left = Duration::from_secs(claims.expires) - clock::unix_time();
    assert!(left > Duration::from_secs(3500) && left <= Duration::from_secs(3600), "{left:?}");
}

#[tokio::test]
async fn the_owner_hears_of_a_lost_socket_once() {
    let mut node = Node::start().await;
    let (client, joined) = node.join("demo", "ada").await;
    drop(client);
    let (_, _, action) = node.sfu.next_action().await;
    let RoomAction::Disconnected { session } = action else { panic!("{action:?}") };
    assert_eq!(session, joined.session());
}

#[tokio::test]
async fn a_session_that_the_owner_ends_is_flushed_and_closed() {
    let mut node = Node::start().await;
    let (mut client, joined) = node.join("demo", "ada").await;
    let session = joined.session();
    let leave = signal_response::Message::Leave(LeaveRequest::default());
    node.sfu.say(session, leave.clone()).await;
    node.sfu.send(Event::Close { session }).await;
    node.sfu.say(session, speakers()).await;

    assert_eq!(client.response().await, leave);
    assert_eq!(client.close_code().await, CloseCode::Normal);
    drop(client);
    // The next command is another client's: the owner is not told what it said itself.
    let (_, joined) = node.join("demo", "bob").await;
    assert_eq!(joined.join.identity.as_str(), "bob");
}

#[tokio::test]
async fn a_session_under_a_stale_epoch_is_sent_to_the_right_owner() {
    let mut node = Node::start().await;
    let (mut client, joined) = node.join("demo", "ada").await;
    let current = Epoch(joined.epoch.0 + 10);
    let room = joined.room.clone();
    let session = Some(joined.session());
    node.sfu.send(Event::StaleEpoch { room, session, request: None, current }).await;
    assert_eq!(leave_action(client.response().await), Action::Reconnect);
    assert_eq!(client.close_code().await, CloseCode::Again);
    assert_disconnected(&mut node).await;

    let (_client, again) = node.join("demo", "ada").await;
    assert_eq!(again.epoch, current);
}

fn leave_action(message: signal_response::Message) -> Action {
    let signal_response::Message::Leave(leave) = message else { panic!("{message:?}") };
    leave.action()
}

#[tokio::test]
async fn a_lost_link_ends_the_sessions_and_readiness() {
    let mut node = Node::start().await;
    let (mut client, _) = node.join("demo", "ada").await;
    let (events, _) = tokio::sync::mpsc::channel(1);
    drop(std::mem::replace(&mut node.sfu.events, events));
    // Its media may go on: whoever can resumes.
    assert_eq!(leave_action(client.response().await), Action::Resume);
    assert_eq!(client.close_code().await, CloseCode::Again);
    let ready = get(node.address, "/readyz").await;
    assert_eq!(ready.status, 503);
    let reasons = ready.json()["reasons"].to_string();
    assert!(reasons.contains("sfu: no SFU node is linked"), "{reasons}");
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_closed() {
    let mut node = Node::start().await;
    let (client, _) = node.join("demo", "ada").await;
    // From here on nothing takes time, and nobody answers pings: bytes are read, frames aren't.
    let mut stream: TcpStream = client.socket.into_inner();
    tokio::time::pause();
    let mut bytes: Vec<u8> = Vec::new();
    let mut pings = 0;
    // 1008, as a close frame carries it.
    while !bytes.windows(2).any(|pair| pair == b"\x03\xf0") {
        let mut chunk = [0; 64];
        let read = tokio::time::timeout(PATIENCE * 60, stream.read(&mut chunk)).await;
        let count = read.expect("neither ping nor close").unwrap();
        assert_ne!(count, 0, "closed without a reason");
        bytes.extend(&chunk[..count]);
        pings += usize::from(chunk.starts_with(b"\x89\x00"));
        assert!(pings < 10, "pinged for ever");
    }
    assert_eq!(pings, 3);
}

#[tokio::test]
async fn sockets_are_counted() {
    let mut node = Node::start().await;
    let (_client, _) = node.join("demo", "ada").await;
    let metrics = get(node.address, "/metrics").await.text();
    assert!(metrics.contains("\nadda_ws_connections 1\n"), "{metrics}");
    assert!(
        metrics.contains("adda_join_duration_seconds_count{stage=\"validate\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("adda_join_duration_seconds_count{stage=\"signal\"} 1"), "{metrics}");
}

#[tokio::test]
async fn how_far_media_came_is_measured_of_those_who_join_anew() {
    let mut node = Node::start().await;
    let (mut ada, joined) = node.join("demo", "ada").await;
    let token = room_token("demo", "bob");
    let path = format!("/rtc?access_token={token}&reconnect=1&sid=PA_bob");
    let mut bob = Client::connect(node.address, &path).await;
    let (_, _, action) = node.sfu.next_action().await;
    let RoomAction::Join(resumed) = action else { panic!("{action:?}") };
    let reconnect = signal_response::Message::Reconnect(ReconnectResponse::default());
    node.sfu.say(resumed.session, reconnect).await;

    for stage in [MediaStage::Ice, MediaStage::Dtls, MediaStage::FirstPacket] {
        for session in [joined.session(), resumed.session] {
            node.sfu.send(Event::Reached { session, stage }).await;
        }
    }
    for (client, session) in [(&mut ada, joined.session()), (&mut bob, resumed.session)] {
        node.sfu.say(session, speakers()).await;
        while client.response().await != speakers() {}
    }
    let metrics = get(node.address, "/metrics").await.text();
    for stage in ["ice", "dtls", "first_packet"] {
        let line = format!("adda_join_duration_seconds_count{{stage=\"{stage}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}
