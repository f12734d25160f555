//! The echo caller.

use std::time::Duration;

use proto::{
    control::{OperationError, What},
    livekit::{DisconnectReason, LeaveRequest, signal_request::Message as Request},
};

use crate::{client::Client, world::World};

#[test]
fn ada_greets_whoever_called_her_within_three_seconds() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    world.call_echo().unwrap();
    alice.follow(&mut world);
    let ada = alice.updates().into_iter().rfind(|info| info.identity == "echo-ada").unwrap();
    assert_eq!(ada.name, "Ada");
    assert_eq!(alice.remote.keys().collect::<Vec<_>>(), [&ada.tracks[0].sid]);

    let called = world.now;
    world.advance(Duration::from_secs(3));
    assert_eq!(world.voice.len(), 25, "the whole clip");
    let (first, to, payload) = &world.voice[0];
    assert!(*first - called < Duration::from_millis(500));
    assert_eq!(to[0].to, alice.downstream(&world));
    assert_eq!(payload[..], [0; 40]);
    for pair in world.voice.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, Duration::from_millis(20));
        let (earlier, later) = (pair[0].1[0], pair[1].1[0]);
        assert_eq!(later.sequence, earlier.sequence.wrapping_add(1));
        assert_eq!(later.timestamp.wrapping_sub(earlier.timestamp), 960);
    }
}

#[test]
fn she_sends_back_what_she_heard_a_moment_later() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    world.call_echo().unwrap();
    alice.follow(&mut world);
    world.advance(Duration::from_secs(3));
    world.voice.clear();

    let ssrc = alice.track().ssrc;
    let spoken = world.now;
    for n in 0..50_u8 {
        let packet = alice.packet_of(ssrc, 111, 20, &[n; 50]);
        world.forward(alice.upstream(&world), &packet);
        world.advance(Duration::from_millis(20));
    }
    world.advance(Duration::from_secs(2));
    assert_eq!(world.voice.len(), 50);
    for (n, (at, _, payload)) in world.voice.iter().enumerate() {
        assert_eq!(payload[..], [u8::try_from(n).unwrap(); 50]);
        let delay = *at - (spoken + Duration::from_millis(20) * u32::try_from(n).unwrap());
        assert_eq!(delay, Duration::from_millis(1_500));
    }
}

#[test]
fn she_holds_no_more_than_a_bounded_number_of_packets() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    world.call_echo().unwrap();
    alice.follow(&mut world);
    world.advance(Duration::from_secs(3));
    world.voice.clear();
    for _ in 0..1_000 {
        alice.speak(&mut world);
    }
    world.advance(Duration::from_secs(3));
    assert_eq!(world.voice.len(), 150);
}

#[test]
fn there_is_one_of_her_and_she_leaves_with_the_last() {
    let mut world = World::new();
    assert_eq!(world.call_echo().unwrap_err(), OperationError::NoSuchRoom);
    let mut alice = Client::join(&mut world, "alice");
    world.call_echo().unwrap();
    world.call_echo().unwrap();
    assert_eq!(world.stats().participants, 2);

    alice.send(&mut world, Request::Leave(LeaveRequest::default()));
    assert_eq!(world.stats().participants, 0);
    let left = world.whats().into_iter().filter(|what| {
        matches!(what, What::ParticipantLeft { reason: DisconnectReason::ClientInitiated, .. })
    });
    assert_eq!(left.count(), 2);
    world.advance(Duration::from_secs(20));
    assert!(world.list_rooms().is_empty());
}

#[test]
fn a_newcomer_finds_her_and_hears_her() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    world.call_echo().unwrap();
    alice.follow(&mut world);
    world.advance(Duration::from_secs(3));
    let bob = Client::join(&mut world, "bob");
    let others = &bob.joined.as_ref().unwrap().other_participants;
    assert!(others.iter().any(|other| other.identity == "echo-ada"));
    world.voice.clear();
    alice.speak(&mut world);
    world.advance(Duration::from_secs(2));
    assert_eq!(world.voice[0].1.len(), 2);
}
