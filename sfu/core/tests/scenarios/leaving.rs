//! Going, being replaced, and the end of rooms.

use std::time::Duration;

use proto::{
    control::{Command, Operation, Reply, SignalPath, What},
    livekit::{
        CreateRoomRequest, DisconnectReason, LeaveRequest, SimulateScenario, leave_request::Action,
        participant_info, signal_request::Message as Request, signal_response::Message,
        simulate_scenario::Value,
    },
};
use sfu_core::TransportAction;

use crate::{
    client::{CHROMIUM, Client},
    world::World,
};

#[test]
fn a_leave_is_answered_and_told_to_others() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let mut bob = Client::join(&mut world, "bob");
    let id = alice.upstream(&world);
    alice.send(&mut world, Request::Leave(LeaveRequest::default()));

    assert_eq!(alice.leaves()[0].reason(), DisconnectReason::ClientInitiated);
    assert!(world.closed.contains(&alice.session));
    assert_eq!(world.transports[&id].last(), Some(&TransportAction::Close));
    bob.follow(&mut world);
    let gone = bob.updates().pop().unwrap();
    assert_eq!(gone.state(), participant_info::State::Disconnected);
    assert_eq!(gone.disconnect_reason(), DisconnectReason::ClientInitiated);
    assert!(gone.tracks.is_empty());
    assert!(bob.remote.is_empty());
    assert!(world.whats().iter().any(|what| matches!(what, What::TrackUnpublished { .. })));
}

#[test]
fn a_newcomer_of_the_same_identity_is_in_before_the_old_one_is_out() {
    let mut world = World::new();
    let mut first = Client::join(&mut world, "alice");
    let mut bob = Client::join(&mut world, "bob");
    let mut second = Client::new(&mut world, "alice", SignalPath::OneConnection, CHROMIUM);
    let mut join = second.join_request();
    join.publisher_offer = Some(second.next_offer());
    second.enter(&mut world, join);

    assert!(matches!(second.log[0], Message::Join(_)));
    let others = &second.joined.as_ref().unwrap().other_participants;
    assert!(others.iter().all(|other| other.identity == "bob"));
    first.follow(&mut world);
    assert_eq!(first.leaves()[0].reason(), DisconnectReason::DuplicateIdentity);
    assert!(second.updates().is_empty(), "it is told nothing of its own identity's end");

    second.connect(&mut world);
    bob.follow(&mut world);
    let told = bob.updates();
    let alice: Vec<_> = told.iter().filter(|info| info.identity == "alice").collect();
    assert_eq!(alice.last().unwrap().sid, second.sid());
    assert_eq!(alice.last().unwrap().state(), participant_info::State::Active);
}

#[test]
fn a_room_outlives_its_last_participant_for_a_while() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.send(&mut world, Request::Leave(LeaveRequest::default()));
    world.advance(Duration::from_secs(19));
    assert_eq!(world.list_rooms().len(), 1);
    world.advance(Duration::from_secs(1));
    assert!(world.list_rooms().is_empty());
    assert!(matches!(world.whats().last(), Some(What::RoomFinished)));
}

#[test]
fn a_room_that_is_entered_again_lives_on() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.send(&mut world, Request::Leave(LeaveRequest::default()));
    world.advance(Duration::from_secs(10));
    let _bob = Client::join(&mut world, "bob");
    world.advance(Duration::from_secs(30));
    assert_eq!(world.list_rooms().len(), 1);
}

#[test]
fn a_created_room_waits_as_long_as_it_was_told() {
    let mut world = World::new();
    let request =
        CreateRoomRequest { empty_timeout: 30, max_participants: 1, ..Default::default() };
    let Ok(Reply::Room(room)) = world.admin(Operation::Create(request)) else { panic!() };
    assert_eq!((room.empty_timeout, room.max_participants), (30, 1));
    world.advance(Duration::from_secs(29));
    assert_eq!(world.list_rooms().len(), 1);
    world.advance(Duration::from_secs(1));
    assert!(world.list_rooms().is_empty());
}

#[test]
fn a_full_room_turns_newcomers_away() {
    let mut world = World::new();
    let request = CreateRoomRequest { max_participants: 1, ..Default::default() };
    world.admin(Operation::Create(request)).unwrap();
    let _alice = Client::join(&mut world, "alice");
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let join = bob.join_request();
    bob.enter(&mut world, join);
    assert_eq!(bob.leaves()[0].reason(), DisconnectReason::JoinFailure);
    assert_eq!(world.stats().joins_refused, 1);
}

#[test]
fn a_shutdown_tells_everybody_why() {
    let mut world = World::new();
    let mut clients = [Client::join(&mut world, "alice"), Client::join_v0(&mut world, "bob")];
    world.command(Command::Shutdown);
    for client in &mut clients {
        client.follow(&mut world);
        assert_eq!(client.leaves()[0].reason(), DisconnectReason::ServerShutdown);
        assert!(world.closed.contains(&client.session));
    }
    assert!(world.transports.values().all(|it| it.last() == Some(&TransportAction::Close)));
    let mut late = Client::new(&mut world, "late", SignalPath::OneConnection, CHROMIUM);
    let join = late.join_request();
    late.enter(&mut world, join);
    assert_eq!(late.leaves().len(), 1);
}

#[test]
fn an_evacuation_sends_everybody_elsewhere_and_ends_no_room() {
    let mut world = World::new();
    let mut clients = [Client::join(&mut world, "alice"), Client::join_v0(&mut world, "bob")];
    world.command(Command::Evacuate);
    for client in &mut clients {
        client.follow(&mut world);
        let leave = &client.leaves()[0];
        assert_eq!(leave.reason(), DisconnectReason::ServerShutdown);
        assert_eq!(leave.action(), Action::Reconnect);
        assert!(world.closed.contains(&client.session));
    }
    assert!(world.transports.values().all(|it| it.last() == Some(&TransportAction::Close)));
    assert!(!world.whats().iter().any(|what| matches!(what, What::RoomFinished)));

    let mut late = Client::new(&mut world, "late", SignalPath::OneConnection, CHROMIUM);
    let join = late.join_request();
    late.enter(&mut world, join);
    assert_eq!(late.leaves()[0].action(), Action::Reconnect);
}

#[test]
fn a_test_can_ask_for_each_kind_of_end() {
    let ends = [
        (Value::ServerLeave(true), Some((DisconnectReason::ServerShutdown, Action::Disconnect))),
        (
            Value::LeaveRequestFullReconnect(true),
            Some((DisconnectReason::UnknownReason, Action::Reconnect)),
        ),
        (Value::NodeFailure(true), None),
    ];
    for (value, expected) in ends {
        let mut world = World::new();
        let mut alice = Client::join(&mut world, "alice");
        alice.send(&mut world, Request::Simulate(SimulateScenario { value: Some(value) }));
        let leave = alice.leaves().pop().map(|leave| (leave.reason(), leave.action()));
        assert_eq!(leave, expected);
        assert!(world.closed.contains(&alice.session));
    }
}
