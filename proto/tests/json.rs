//! The JSON form, against frames recorded between LiveKit's own clients and server.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test"
)]

use arbtest::arbitrary;
use prost::{Message, Name};
use proto::{
    json::{FromJsonError, Style, from_json, to_json},
    limits::JSON_BYTES_MAX,
    livekit::{
        self, JoinRequest, SignalRequest, SignalResponse, WebhookEvent, signal_request,
        signal_response,
    },
};
use serde_json::{Value, json};

/// One frame a line: `{"is": message, "json": frame}`, secrets replaced, descriptions cut short.
const RECORDED: &str = include_str!("fixtures/frames.jsonl");

fn recorded() -> impl Iterator<Item = (String, Value)> {
    RECORDED.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        (entry["is"].as_str().unwrap().to_owned(), entry["json"].take())
    })
}

#[test]
fn every_recorded_frame_is_understood_and_written_alike() {
    let mut seen = 0;
    for (kind, frame) in recorded() {
        let written = match kind.as_str() {
            "SignalRequest" => again::<SignalRequest>(&frame, Style::Signal),
            "SignalResponse" => again::<SignalResponse>(&frame, Style::Signal),
            "JoinRequest" => again::<JoinRequest>(&frame, Style::Signal),
            "WebhookEvent" => again::<WebhookEvent>(&frame, Style::Signal),
            call => match twirp(call, &frame) {
                Some(written) => written,
                None => continue,
            },
        };
        assert_eq!(written, frame, "{kind}");
        seen += 1;
    }
    assert!(seen >= 100, "only {seen} frames were in the file");
}

/// What Twirp's server side wrote, written by us. Requests come in any spelling: those are read.
fn twirp(call: &str, frame: &Value) -> Option<Value> {
    match call {
        "twirp CreateRoom request" => read::<livekit::CreateRoomRequest>(frame),
        "twirp ListRooms request" => read::<livekit::ListRoomsRequest>(frame),
        "twirp MutePublishedTrack request" => read::<livekit::MuteRoomTrackRequest>(frame),
        "twirp SendData request" => read::<livekit::SendDataRequest>(frame),
        "twirp UpdateParticipant request" => read::<livekit::UpdateParticipantRequest>(frame),
        "twirp UpdateSubscriptions request" => read::<livekit::UpdateSubscriptionsRequest>(frame),
        "twirp CreateRoom response" | "twirp UpdateRoomMetadata response" => {
            return Some(again::<livekit::Room>(frame, Style::Twirp));
        }
        "twirp GetParticipant response" | "twirp UpdateParticipant response" => {
            return Some(again::<livekit::ParticipantInfo>(frame, Style::Twirp));
        }
        "twirp ListParticipants response" => {
            return Some(again::<livekit::ListParticipantsResponse>(frame, Style::Twirp));
        }
        "twirp ListRooms response" => {
            return Some(again::<livekit::ListRoomsResponse>(frame, Style::Twirp));
        }
        "twirp MutePublishedTrack response" => {
            return Some(again::<livekit::MuteRoomTrackResponse>(frame, Style::Twirp));
        }
        _ => {}
    }
    None
}

fn read<M: Message + Name + Default>(frame: &Value) {
    from_json::<M>(&frame.to_string()).unwrap_or_else(|error| panic!("{frame}: {error}"));
}

fn again<M: Message + Name + Default>(frame: &Value, style: Style) -> Value {
    let message: M =
        from_json(&frame.to_string()).unwrap_or_else(|error| panic!("{frame}: {error}"));
    serde_json::from_str(&to_json(&message, style)).unwrap()
}

#[test]
fn both_spellings_of_a_name_are_read() {
    let camel = from_json::<SignalRequest>(r#"{"addTrack":{"cid":"c","disableDtx":true}}"#);
    let snake = from_json::<SignalRequest>(r#"{"add_track":{"cid":"c","disable_dtx":true}}"#);
    let track = livekit::AddTrackRequest {
        cid: "c".into(),
        disable_dtx: true,
        ..livekit::AddTrackRequest::default()
    };
    let message = Some(signal_request::Message::AddTrack(track));
    assert_eq!(camel, Ok(SignalRequest { message }));
    assert_eq!(camel, snake);
}

#[test]
fn numbers_are_read_as_text_or_number_and_enums_by_name_or_number() {
    let text = r#"{"leave":{"reason":"CLIENT_INITIATED"}}"#;
    assert_eq!(from_json::<SignalRequest>(text), from_json(r#"{"leave":{"reason":1}}"#));
    assert_eq!(from_json::<SignalRequest>(r#"{"ping":"5"}"#), from_json(r#"{"ping":5}"#));
}

#[test]
fn what_a_later_schema_added_is_skipped() {
    let later = r#"{"mute":{"sid":"TR","mode":"LOUD","deep":{"x":[1,{"y":null}]}},"soon":{}}"#;
    assert_eq!(from_json::<SignalRequest>(later), from_json(r#"{"mute":{"sid":"TR"}}"#));
    let value = from_json::<SignalRequest>(r#"{"leave":{"reason":"TOO_LATE"}}"#);
    assert_eq!(value, from_json(r#"{"leave":{}}"#));
    assert_eq!(from_json::<SignalRequest>(r#"{"soon":{}}"#), Ok(SignalRequest { message: None }));
}

#[test]
fn an_enum_value_without_a_name_is_written_as_its_number() {
    let leave = livekit::LeaveRequest { reason: 99, ..livekit::LeaveRequest::default() };
    assert_eq!(to_json(&leave, Style::Signal), r#"{"reason":99}"#);
    assert_eq!(from_json::<livekit::LeaveRequest>(r#"{"reason":99}"#), Ok(leave));
}

#[test]
fn what_is_no_message_is_refused() {
    let refused = |text: &str| from_json::<SignalRequest>(text).unwrap_err();
    let syntax = |text: &str| matches!(refused(text), FromJsonError::Syntax { .. });
    let mismatch = |text: &str| matches!(refused(text), FromJsonError::Mismatch { .. });

    assert!(syntax(""));
    assert!(syntax(r#"{"ping":"#));
    assert!(syntax(r#"{"ping":1} trailing"#));
    assert!(mismatch("[]"));
    assert!(mismatch("null"));
    assert!(mismatch(r#"{"ping":"x"}"#));
    assert!(mismatch(r#"{"ping":9223372036854775808}"#));
    assert!(mismatch(r#"{"mute":{"sid":7}}"#));
    assert!(mismatch(r#"{"ping":1,"mute":{}}"#), "two of one choice");
    assert_eq!(refused(&" ".repeat(JSON_BYTES_MAX + 1)), FromJsonError::TooLong);
}

#[test]
fn deep_nesting_harms_nobody() {
    let depth = JSON_BYTES_MAX / 2 - 10;
    let nested = |name: &str, open: &str, close: &str| {
        let depth = depth / open.len();
        from_json::<SignalRequest>(&format!(
            r#"{{"{name}":{}{}}}"#,
            open.repeat(depth),
            close.repeat(depth)
        ))
    };
    assert!(nested("unknown", "[", "]").is_ok(), "skipped like any unknown field");
    assert!(matches!(nested("mute", "[", "]"), Err(FromJsonError::Mismatch { .. })));
    assert!(nested("mute", r#"{"x":"#, "}").is_err());
}

#[test]
fn any_text_is_read_or_refused() {
    arbtest::arbtest(|u| {
        let frames: Vec<_> = RECORDED.lines().collect();
        let mut text = (*u.choose(&frames)?).to_owned();
        for _ in 0..u.int_in_range(1..=8)? {
            let at = u.choose_index(text.len())?;
            let junk =
                *u.choose(&["\"", "{", "}", "[", "]", ":", ",", "null", "1e999", "\\u12"])?;
            if text.is_char_boundary(at) {
                text.insert_str(at, junk);
            }
        }
        let _ = from_json::<SignalRequest>(&text);
        let _ = from_json::<SignalResponse>(u.arbitrary()?);
        arbitrary::Result::Ok(())
    });
}

#[test]
fn defaults_are_left_out_or_present_as_the_style_says() {
    let track = livekit::TrackInfo { sid: "TR".into(), ..livekit::TrackInfo::default() };
    assert_eq!(to_json(&track, Style::Signal), r#"{"sid":"TR"}"#);

    let twirp: Value = serde_json::from_str(&to_json(&track, Style::Twirp)).unwrap();
    assert_eq!(twirp["type"], "AUDIO");
    assert_eq!(twirp["mime_type"], "");
    assert_eq!(twirp["codecs"], json!([]));
    assert_eq!(twirp["version"], Value::Null);

    let settings = livekit::ConnectionSettings::default();
    let twirp: Value = serde_json::from_str(&to_json(&settings, Style::Twirp)).unwrap();
    assert_eq!(twirp.get("subscriber_allow_pause"), None, "optional means absent, not null");
}

#[test]
fn a_level_is_written_in_as_few_digits_as_a_float_needs() {
    let speaker = livekit::SpeakerInfo { level: 0.1, ..livekit::SpeakerInfo::default() };
    assert_eq!(to_json(&speaker, Style::Signal), r#"{"level":0.1}"#);
    let speaker = livekit::SpeakerInfo { level: f32::NAN, ..speaker };
    assert_eq!(to_json(&speaker, Style::Signal), r#"{"level":"NaN"}"#);
}

#[test]
fn the_same_message_is_always_the_same_text() {
    let attributes = (0..50).map(|n| (format!("k{n}"), format!("v{n}"))).collect();
    let participant =
        livekit::ParticipantInfo { attributes, ..livekit::ParticipantInfo::default() };
    let update = livekit::ParticipantUpdate { participants: vec![participant] };
    let response = SignalResponse { message: Some(signal_response::Message::Update(update)) };
    let first = to_json(&response, Style::Signal);
    for _ in 0..20 {
        assert_eq!(to_json(&response, Style::Signal), first);
    }
}
