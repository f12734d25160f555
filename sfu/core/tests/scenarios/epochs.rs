//! One room, one owner: what a node believes of its right to a room.

use proto::{
    control::{Operation, OperationError, SignalPath, What},
    ids::Epoch,
    livekit::{DisconnectReason, leave_request::Action, signal_response::Message},
};

use crate::{
    client::{CHROMIUM, Client},
    world::World,
};

#[test]
fn a_lower_epoch_is_refused_and_nothing_is_done() {
    let mut world = World::new();
    world.epoch = Epoch(5);
    let mut alice = Client::join(&mut world, "alice");
    world.epoch = Epoch(4);
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let join = bob.join_request();
    bob.enter(&mut world, join);
    assert_eq!(world.stale, [Some(bob.session)]);
    assert!(bob.log.is_empty());
    alice.log.clear();
    alice.follow(&mut world);
    assert!(alice.log.is_empty());
}

#[test]
fn a_higher_epoch_ends_the_earlier_life_and_starts_another() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let before = alice.joined.as_ref().unwrap().room.as_ref().unwrap().sid.clone();
    world.epoch = Epoch(2);
    let bob = Client::join(&mut world, "bob");
    alice.follow(&mut world);
    let leave = alice.leaves().remove(0);
    assert_eq!(leave.reason(), DisconnectReason::StateMismatch);
    assert_eq!(leave.action(), Action::Reconnect);
    let after = &bob.joined.as_ref().unwrap().room.as_ref().unwrap().sid;
    assert_ne!(*after, before);
    assert!(world.whats().iter().any(|what| matches!(what, What::RoomFinished)));
}

#[test]
fn a_command_under_a_higher_epoch_that_founds_nothing_leaves_no_room() {
    let mut world = World::new();
    let _alice = Client::join(&mut world, "alice");
    world.epoch = Epoch(2);
    let refused = world.admin(Operation::GetParticipant { identity: "alice".to_owned() });
    assert_eq!(refused.unwrap_err(), OperationError::NoSuchRoom);
    assert!(world.list_rooms().is_empty());
}

#[test]
fn a_claim_from_before_does_not_revive_a_room_that_has_ended() {
    let mut world = World::new();
    world.epoch = Epoch(5);
    let _alice = Client::join(&mut world, "alice");
    world.admin(Operation::Delete).unwrap();
    world.epoch = Epoch(4);
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let join = bob.join_request();
    bob.enter(&mut world, join);
    assert_eq!(world.stale, [Some(bob.session)]);
    assert!(world.list_rooms().is_empty());
}

#[test]
fn a_claim_from_before_is_refused_after_a_higher_one_that_founded_nothing() {
    for is_there in [true, false] {
        let mut world = World::new();
        let _alice = is_there.then(|| Client::join(&mut world, "alice"));
        world.epoch = Epoch(2);
        let refused = world.admin(Operation::GetParticipant { identity: "alice".to_owned() });
        assert_eq!(refused.unwrap_err(), OperationError::NoSuchRoom);
        world.epoch = Epoch(1);
        let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
        let join = bob.join_request();
        bob.enter(&mut world, join);
        assert_eq!(world.stale, [Some(bob.session)]);
        assert!(world.list_rooms().is_empty());
    }
}

#[test]
fn what_happened_says_under_which_epoch() {
    let mut world = World::new();
    world.epoch = Epoch(9);
    let alice = Client::join(&mut world, "alice");
    assert!(matches!(alice.log[0], Message::Join(_)));
    assert!(!world.happened.is_empty());
    assert!(world.happened.iter().all(|happening| happening.epoch == Epoch(9)));
}
