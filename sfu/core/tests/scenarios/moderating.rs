//! RoomService calls.

use proto::{
    control::{Operation, OperationError, Reply},
    livekit::{
        DisconnectReason, ParticipantPermission, UpdateParticipantRequest,
        UpdateSubscriptionsRequest, request_response, signal_response::Message,
    },
};

use crate::{client::Client, world::World};

fn call() -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let mut bob = Client::join(&mut world, "bob");
    bob.follow(&mut world);
    bob.updates();
    (world, alice, bob)
}

fn alice() -> String {
    "alice".to_owned()
}

#[test]
fn a_moderator_mutes_and_nobody_unmutes_another() {
    let (mut world, mut client, mut bob) = call();
    let track_sid = client.track().sid;
    let mute = |muted, track_sid: &str| Operation::MuteTrack {
        identity: alice(),
        track_sid: track_sid.to_owned(),
        muted,
    };
    let Ok(Reply::Track(Some(track))) = world.admin(mute(true, &track_sid)) else { panic!() };
    assert!(track.muted);
    assert!(client.speak(&mut world).is_empty());
    client.follow(&mut world);
    let told = client.take(|message| match message {
        Message::Mute(mute) => Some((mute.sid.clone(), mute.muted)),
        _ => None,
    });
    assert_eq!(told, [(track_sid.clone(), true)]);
    bob.follow(&mut world);
    assert!(bob.updates()[0].tracks[0].muted);

    assert_eq!(world.admin(mute(false, &track_sid)).unwrap_err(), OperationError::RemoteUnmute);
    client.mute(&mut world, false);
    assert_eq!(client.speak(&mut world).len(), 1);
    assert!(matches!(world.admin(mute(true, "TR_x")), Ok(Reply::Track(None))));
}

#[test]
fn a_right_that_is_taken_away_ends_the_track_and_can_be_given_back() {
    let (mut world, mut client, mut bob) = call();
    let track = client.track().sid;
    let update = |permission| {
        Operation::UpdateParticipant(UpdateParticipantRequest {
            identity: alice(),
            permission: Some(permission),
            ..Default::default()
        })
    };
    let listener = ParticipantPermission { can_subscribe: true, ..Default::default() };
    world.admin(update(listener.clone())).unwrap();
    assert!(client.speak(&mut world).is_empty());
    client.follow(&mut world);
    let unpublished = client.take(|message| match message {
        Message::TrackUnpublished(response) => Some(response.track_sid.clone()),
        _ => None,
    });
    assert_eq!(unpublished, [track]);
    let (session, grants) = world.refreshed.last().unwrap();
    assert_eq!(*session, client.session);
    assert_eq!(grants.video.as_ref().unwrap().can_publish, Some(false));
    bob.follow(&mut world);
    let told = bob.updates().pop().unwrap();
    assert!(told.tracks.is_empty());
    assert!(!told.permission.unwrap().can_publish);
    assert!(client.ask_for_track(&mut world, "again").is_none());
    assert_eq!(refusals(&mut client), [request_response::Reason::NotAllowed]);

    let speaker = ParticipantPermission { can_publish: true, ..listener };
    world.admin(update(speaker)).unwrap();
    assert!(client.ask_for_track(&mut world, "again").is_some());
}

#[test]
fn a_listener_whose_right_to_hear_ends_hears_nothing() {
    let (mut world, mut client, _bob) = call();
    let request = UpdateParticipantRequest {
        identity: "bob".to_owned(),
        permission: Some(ParticipantPermission::default()),
        ..Default::default()
    };
    world.admin(Operation::UpdateParticipant(request)).unwrap();
    assert!(client.speak(&mut world).is_empty());
}

#[test]
fn names_metadata_and_attributes_are_changed_for_all_to_see() {
    let (mut world, _alice, mut bob) = call();
    let request = UpdateParticipantRequest {
        identity: alice(),
        metadata: "new".to_owned(),
        name: "Al".to_owned(),
        attributes: [("k".to_owned(), "v".to_owned())].into(),
        ..Default::default()
    };
    let reply = world.admin(Operation::UpdateParticipant(request));
    let Ok(Reply::Participant(info)) = reply else { panic!() };
    bob.follow(&mut world);
    let told = bob.updates().pop().unwrap();
    assert_eq!(told, *info);
    assert_eq!((told.name.as_str(), told.metadata.as_str()), ("Al", "new"));
    assert_eq!(told.attributes["k"], "v");
}

#[test]
fn whoever_is_removed_learns_why_and_gets_no_packet_more() {
    let (mut world, mut client, mut bob) = call();
    world.admin(Operation::Remove { identity: "bob".to_owned() }).unwrap();
    assert!(client.speak(&mut world).is_empty());
    bob.follow(&mut world);
    assert_eq!(bob.leaves()[0].reason(), DisconnectReason::ParticipantRemoved);
}

#[test]
fn a_deleted_room_sends_everybody_away_and_is_gone() {
    let (mut world, mut client, mut bob) = call();
    world.admin(Operation::Delete).unwrap();
    for client in [&mut client, &mut bob] {
        client.follow(&mut world);
        assert_eq!(client.leaves()[0].reason(), DisconnectReason::RoomDeleted);
        assert!(client.updates().iter().all(|info| info.disconnect_reason == 0));
    }
    assert!(world.list_rooms().is_empty());
}

#[test]
fn what_is_not_there_is_named() {
    let mut world = World::new();
    let nobody = || Operation::GetParticipant { identity: "zed".to_owned() };
    assert_eq!(world.admin(nobody()).unwrap_err(), OperationError::NoSuchRoom);
    assert_eq!(world.admin(Operation::Delete).unwrap_err(), OperationError::NoSuchRoom);
    let listed = world.admin(Operation::ListParticipants);
    assert!(matches!(listed, Ok(Reply::Participants(list)) if list.is_empty()));
    let _alice = Client::join(&mut world, "alice");
    assert_eq!(world.admin(nobody()).unwrap_err(), OperationError::NoSuchParticipant);
}

#[test]
fn room_metadata_reaches_everybody() {
    let (mut world, mut client, _bob) = call();
    let metadata = "topic".to_owned();
    world.admin(Operation::UpdateMetadata { metadata }).unwrap();
    client.follow(&mut world);
    let told = client.take(|message| match message {
        Message::RoomUpdate(update) => Some(update.room.clone().unwrap().metadata),
        _ => None,
    });
    assert_eq!(told.last().unwrap(), "topic");
}

#[test]
fn a_moderator_chooses_what_somebody_hears() {
    let (mut world, mut client, mut bob) = call();
    let update = |subscribe| {
        Operation::UpdateSubscriptions(UpdateSubscriptionsRequest {
            identity: "bob".to_owned(),
            track_sids: vec![client.track().sid],
            subscribe,
            ..Default::default()
        })
    };
    let (off, on) = (update(false), update(true));
    world.admin(off).unwrap();
    bob.follow(&mut world);
    assert!(client.speak(&mut world).is_empty());
    world.admin(on).unwrap();
    bob.follow(&mut world);
    assert_eq!(client.speak(&mut world).len(), 1);
}

fn refusals(client: &mut Client) -> Vec<request_response::Reason> {
    client.take(|message| match message {
        Message::RequestResponse(response) => Some(response.reason()),
        _ => None,
    })
}
