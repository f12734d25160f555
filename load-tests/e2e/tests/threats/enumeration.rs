//! W9: a room that isn't yours looks like one that isn't there.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use e2e::{
    PATIENCE, http, now,
    peer::{Manner, Peer},
};
use proto::{
    ids::{ParticipantSid, RoomSid, TrackSid},
    livekit::signal_response,
};
use serde_json::json;

use crate::scene::{ROOM, Scene};

/// Refusals timed for each kind of room.
const SAMPLES: usize = 50_000;

/// A room that has no life, of a name as long as the live one's.
const NOWHERE: &str = "none";

/// The token of somebody who moderates a room of her own.
fn intruder(scene: &Scene) -> String {
    scene.server.token("hers", "eve").grant("roomAdmin", json!(true)).sign()
}

#[test]
fn w9_a_forbidden_room_is_refused_in_the_words_for_a_missing_one() {
    let scene = Scene::start();
    let bearer = format!("Bearer {}", intruder(&scene));
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let ask = |target: &str, body: &str| {
        let answer = http::request(scene.server.address(), "POST", target, &headers, body);
        let answer = answer.expect("an answer");
        let kept = |line: &&str| !line.to_ascii_lowercase().starts_with("date:");
        let head: Vec<String> = answer.head.lines().filter(kept).map(str::to_owned).collect();
        (answer.status, head, answer.body)
    };
    let methods = [
        "ListParticipants",
        "GetParticipant",
        "RemoveParticipant",
        "MutePublishedTrack",
        "UpdateParticipant",
        "UpdateSubscriptions",
        "SendData",
        "DeleteRoom",
        "UpdateRoomMetadata",
    ];
    for method in methods {
        let target = format!("/twirp/livekit.RoomService/{method}");
        let live = ask(&target, &json!({ "room": ROOM, "identity": "ann" }).to_string());
        let gone = ask(&target, &json!({ "room": NOWHERE, "identity": "ann" }).to_string());
        assert_eq!(live, gone, "{method}");
        assert!(matches!(live.0, 401 | 404 | 501), "{method}: {live:?}");
    }
    let mut live = ask(&format!("/v1/rooms/{ROOM}/echo"), "");
    let gone = ask(&format!("/v1/rooms/{NOWHERE}/echo"), "");
    // It repeats what was asked for, and nothing else tells them apart.
    live.2 = live.2.replace(&format!("/{ROOM}/"), &format!("/{NOWHERE}/"));
    assert_eq!(live, gone);
    assert!(matches!(live.0, 401 | 403), "{live:?}");
    scene.assert_unharmed();
}

#[test]
fn w9_a_forbidden_room_takes_no_longer_to_refuse_than_a_missing_one() {
    let scene = Scene::start();
    let token = intruder(&scene);
    let mut stream = TcpStream::connect(scene.server.address()).expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut time = |room: &str| {
        let body = json!({ "room": room }).to_string();
        let request = format!(
            "POST /twirp/livekit.RoomService/ListParticipants HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let started = now();
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).expect("an answer");
        assert!(answer[..length].starts_with(b"HTTP/1.1 401"));
        now().duration_since(started).as_secs_f64()
    };
    let mut samples: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut random = 1_u32;
    while samples.iter().any(|sample| sample.len() < SAMPLES) {
        // In an order that no rhythm of the machine follows.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let which = usize::from(random >> 31 == 1);
        samples[which].push(time([ROOM, NOWHERE][which]));
    }
    let t = welch(&samples[0], &samples[1]);
    assert!(t.abs() < 4.5, "the time tells a live room from a missing one: t = {t:.2}");
    scene.assert_unharmed();
}

#[test]
fn w9_ids_cannot_be_guessed() {
    let scene = Scene::start();
    let joined = |identity: &str, ssrc| {
        let peer = Peer::join(&scene.server, "hers", identity, Manner::with_ssrc(ssrc));
        let join = peer.signals.iter().find_map(|signal| match &signal.message {
            Some(signal_response::Message::Join(join)) => Some(join.clone()),
            _ => None,
        });
        let track = peer.signals.iter().find_map(|signal| match &signal.message {
            Some(signal_response::Message::TrackPublished(track)) => track.track.clone(),
            _ => None,
        });
        (join.expect("a join"), track.expect("a track"))
    };
    let (first, second) = (joined("eve", 0xe7e_0001), joined("zoe", 0x20e_0001));
    // Each of these types holds 128 bits, and reads nothing shorter.
    for (join, track) in [&first, &second] {
        let room = join.room.clone().unwrap_or_default().sid;
        let participant = join.participant.clone().unwrap_or_default().sid;
        assert!(room.is_empty() || room.parse::<RoomSid>().is_ok(), "{room}");
        assert!(participant.parse::<ParticipantSid>().is_ok(), "{participant}");
        assert!(track.sid.parse::<TrackSid>().is_ok(), "{}", track.sid);
    }
    let sids = [&first, &second].map(|(join, _)| join.participant.clone().unwrap_or_default().sid);
    let alike = sids[0].bytes().zip(sids[1].bytes()).skip(3).filter(|(a, b)| a == b).count();
    assert!(alike < 8, "{sids:?} resemble each other");
    assert_ne!(first.1.sid, second.1.sid);
    scene.assert_unharmed();
}

/// Welch's t of two samples, their slowest tenth left out: that is the machine's doing.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let moments = |sample: &[f64]| {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.truncate(sorted.len() * 9 / 10);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean_a, error_a), (mean_b, error_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}
