//! What participants say of themselves, and what is refused by name.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::{
    grants::VideoGrant,
    livekit::{
        AddTrackRequest, GetDataBlobRequest, Ping, PublishDataTrackRequest, RequestResponse,
        StoreDataBlobRequest, TrackType, UnpublishDataTrackRequest, UpdateLocalAudioTrack,
        UpdateParticipantMetadata,
        request_response::{Reason, Value},
        signal_request::Message as Request,
        signal_response::Message,
    },
};

use crate::{client::Client, world::World};

#[test]
fn a_raised_hand_is_seen_and_its_owner_is_answered() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let mut bob = Client::join(&mut world, "bob");
    let request = UpdateParticipantMetadata {
        attributes: BTreeMap::from([("hand".to_owned(), "up".to_owned())]),
        request_id: 7,
        ..Default::default()
    };
    alice.send(&mut world, Request::UpdateMetadata(request.clone()));

    let response = responses(&mut alice).remove(0);
    assert_eq!((response.request_id, response.reason()), (7, Reason::Ok));
    assert_eq!(response.value, Some(Value::UpdateMetadata(request)));
    bob.follow(&mut world);
    let told = bob.updates().pop().unwrap();
    assert_eq!(told.attributes["hand"], "up");
    assert_eq!(world.refreshed.last().unwrap().1.attributes["hand"], "up");
}

#[test]
fn versions_only_grow() {
    let mut world = World::new();
    let mut bob = Client::join(&mut world, "bob");
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    alice.mute(&mut world, true);
    alice.mute(&mut world, false);
    bob.follow(&mut world);
    let versions: Vec<u32> = bob
        .updates()
        .into_iter()
        .filter(|info| info.identity == "alice")
        .map(|info| info.version)
        .collect();
    assert_eq!(versions.len(), 4);
    assert!(versions.is_sorted_by(|earlier, later| earlier < later), "{versions:?}");
}

#[test]
fn who_may_not_change_itself_is_told_so() {
    let mut world = World::new();
    let mut alice = Client::new(
        &mut world,
        "alice",
        proto::control::SignalPath::OneConnection,
        crate::client::CHROMIUM,
    );
    let mut join = alice.join_request();
    join.grants.video = Some(VideoGrant::default());
    alice.enter(&mut world, join);
    let request = UpdateParticipantMetadata { request_id: 1, ..Default::default() };
    alice.send(&mut world, Request::UpdateMetadata(request));
    assert_eq!(responses(&mut alice)[0].reason(), Reason::NotAllowed);
}

#[test]
fn what_we_do_not_do_is_refused_by_name() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let camera = AddTrackRequest {
        cid: "camera".to_owned(),
        r#type: TrackType::Video.into(),
        ..Default::default()
    };
    alice.send(&mut world, Request::AddTrack(camera.clone()));
    alice.send(&mut world, Request::PublishDataTrackRequest(PublishDataTrackRequest {}));
    alice.send(&mut world, Request::UnpublishDataTrackRequest(UnpublishDataTrackRequest {}));
    alice.send(&mut world, Request::StoreDataBlobRequest(StoreDataBlobRequest {}));
    alice.send(&mut world, Request::GetDataBlobRequest(GetDataBlobRequest {}));
    let refused = responses(&mut alice);
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert!(refused.iter().all(|response| response.reason() == Reason::UnsupportedType));
    assert_eq!(refused[0].value, Some(Value::AddTrack(camera)));
    assert!(matches!(refused[1].value, Some(Value::PublishDataTrack(_))));
}

#[test]
fn both_pings_are_answered() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.log.clear();
    alice.send(&mut world, Request::Ping(5));
    alice.send(&mut world, Request::PingReq(Ping { timestamp: 6, rtt: 0 }));
    let [Message::Pong(_), Message::PongResp(pong)] = &alice.log[..] else { panic!() };
    assert_eq!(pong.last_ping_timestamp, 6);
}

#[test]
fn audio_features_are_passed_on() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let track_sid = alice.publish(&mut world);
    let mut bob = Client::join(&mut world, "bob");
    let update = UpdateLocalAudioTrack { track_sid, features: vec![4] };
    alice.send(&mut world, Request::UpdateAudioTrack(update));
    bob.follow(&mut world);
    assert_eq!(bob.updates().pop().unwrap().tracks[0].audio_features, [4]);
}

#[test]
fn a_hidden_participant_hears_and_is_not_seen() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    alice.updates();
    let mut ghost = Client::new(
        &mut world,
        "ghost",
        proto::control::SignalPath::OneConnection,
        crate::client::CHROMIUM,
    );
    let mut join = ghost.join_request();
    join.grants.video.as_mut().unwrap().hidden = true;
    join.publisher_offer = Some(ghost.next_offer());
    ghost.enter(&mut world, join);
    ghost.connect(&mut world);
    alice.follow(&mut world);
    assert!(alice.updates().iter().all(|info| info.identity != "ghost"));
    assert_eq!(alice.speak(&mut world).len(), 1);
    let bob = Client::join(&mut world, "bob");
    let others = &bob.joined.as_ref().unwrap().other_participants;
    assert!(others.iter().all(|other| other.identity != "ghost"));
}

#[test]
fn tokens_are_refreshed_before_they_age() {
    let mut world = World::new();
    let _alice = Client::join(&mut world, "alice");
    world.advance(Duration::from_secs(601));
    assert_eq!(world.refreshed.len(), 3);
}

#[test]
fn a_flood_of_requests_is_refused_and_counted() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.log.clear();
    for _ in 0..1_000 {
        alice.send(&mut world, Request::Ping(1));
    }
    assert!(alice.log.len() <= 200);
    assert!(world.stats().signals_refused >= 800);
    world.advance(Duration::from_secs(1));
    alice.log.clear();
    alice.send(&mut world, Request::Ping(1));
    assert_eq!(alice.log.len(), 1);
}

#[test]
fn what_is_told_to_everybody_costs_by_its_size() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let request = UpdateParticipantMetadata { metadata: "x".repeat(60_000), ..Default::default() };
    for _ in 0..20 {
        alice.send(&mut world, Request::UpdateMetadata(request.clone()));
    }
    assert!(alice.updates().len() <= 4);
    world.advance(Duration::from_secs(10));
    let huge = UpdateParticipantMetadata { metadata: "x".repeat(600_000), ..request };
    responses(&mut alice);
    alice.send(&mut world, Request::UpdateMetadata(huge));
    assert_eq!(responses(&mut alice)[0].reason(), Reason::LimitExceeded);
}

#[test]
fn tracks_of_one_participant_are_bounded() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let granted =
        (0..20).filter(|n| alice.ask_for_track(&mut world, &format!("cid{n}")).is_some()).count();
    assert_eq!(granted, 8);
    assert!(responses(&mut alice).iter().all(|it| it.reason() == Reason::LimitExceeded));
}

fn responses(client: &mut Client) -> Vec<RequestResponse> {
    client.take(|message| match message {
        Message::RequestResponse(response) => Some(response.clone()),
        _ => None,
    })
}
