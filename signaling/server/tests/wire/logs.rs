//! What a node writes down, and what it must not.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
};

use proto::{
    control::{ConnectionFailure, Event, Happening, What},
    livekit::{DisconnectReason, ParticipantInfo, Room, TrackInfo, signal_response},
};
use serde_json::Value;
use tracing_subscriber::{filter::LevelFilter, fmt, layer::SubscriberExt as _};

use crate::node::{Client, Node, room_token};

struct Pipe(Sender<Vec<u8>>);

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything this thread logs at INFO and above, as JSON lines.
fn capture() -> (tracing::subscriber::DefaultGuard, Receiver<Vec<u8>>) {
    let (sender, lines) = channel();
    let layer = fmt::layer().json().flatten_event(true).with_writer(move || Pipe(sender.clone()));
    let subscriber = tracing_subscriber::registry().with(layer).with(LevelFilter::INFO);
    (tracing::subscriber::set_default(subscriber), lines)
}

fn ada() -> Box<ParticipantInfo> {
    let (sid, identity) = ("PA_ada".to_owned(), "ada".to_owned());
    Box::new(ParticipantInfo { sid, identity, ..ParticipantInfo::default() })
}

#[tokio::test]
async fn each_event_is_a_line_with_ids_and_advice_and_no_secret() {
    let (_guard, written) = capture();
    let mut node = Node::start().await;
    let token = room_token("demo", "ada");
    let mut client = Client::connect(node.address, &format!("/rtc?access_token={token}")).await;
    let joined = node.sfu.accept().await;
    client.response().await;
    let track = Box::new(TrackInfo { sid: "TR_AM1".to_owned(), ..TrackInfo::default() });
    let cause = ConnectionFailure::NoStunReceived;
    let reason = DisconnectReason::ClientInitiated;
    for what in [
        What::RoomStarted,
        What::ParticipantJoined { participant: ada() },
        What::TrackPublished { participant: ada(), track: track.clone() },
        What::TrackUnpublished { participant: ada(), track },
        What::ConnectionFailed { participant: ada(), cause },
        What::ParticipantLeft { participant: ada(), reason, session_seconds: 7 },
        What::RoomFinished,
    ] {
        let (room, epoch) = (joined.room.clone(), joined.epoch);
        let info = Room { sid: "RM_1".to_owned(), ..Room::default() };
        let happening = Happening { room, epoch, info, what };
        node.sfu.send(Event::Happened(Box::new(happening))).await;
    }
    // Whatever comes back after them says that they were seen.
    node.sfu.say(joined.session(), signal_response::Message::Pong(1)).await;
    client.response().await;

    let text = String::from_utf8(written.try_iter().flatten().collect()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |event: &str| {
        let found = lines.iter().find(|line| line["event"] == event);
        found.unwrap_or_else(|| panic!("no {event} in {text}"))
    };
    for event in ["participant_joined", "track_published", "track_unpublished", "participant_left"]
    {
        let line = find(event);
        assert_eq!(
            (&line["room"], &line["participant"]),
            (&"demo".into(), &"ada".into()),
            "{line}"
        );
        assert_eq!(line["trace_id"], format!("{:?}", joined.session()), "{line}");
    }
    assert_eq!(find("participant_left")["reason"], "CLIENT_INITIATED");
    assert_eq!(find("connection_failed")["cause"], "no_stun_received");
    assert!(find("connection_failed")["advice"].as_str().unwrap().contains("media port"));
    assert_eq!(find("room_started")["room_sid"], "RM_1");
    find("room_finished");
    let signature = token.rsplit('.').next().unwrap();
    assert!(!text.contains(signature) && !text.contains("127.0.0.1"), "{text}");
}
