//! Losing the WebSocket, coming back, and failing to.

use std::time::Duration;

use proto::{
    control::{ConnectionFailure, Join, Resume, RoomAction, SignalPath, What},
    livekit::{
        self, DisconnectReason, SimulateScenario, SyncState, leave_request::Action, signal_request,
        signal_response::Message, simulate_scenario,
    },
};
use sfu_core::{TransportAction, TransportEvent};

use crate::{client::Client, world::World};

fn call(path: SignalPath) -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join_as(&mut world, "alice", path, crate::client::CHROMIUM);
    alice.publish(&mut world);
    alice.connect(&mut world);
    let bob = Client::join_as(&mut world, "bob", path, crate::client::CHROMIUM);
    alice.follow(&mut world);
    (world, alice, bob)
}

const PATHS: [SignalPath; 2] = [SignalPath::OneConnection, SignalPath::TwoConnections];

#[test]
fn packets_flow_while_the_socket_is_gone_and_nobody_notices() {
    for path in PATHS {
        let (mut world, mut alice, mut bob) = call(path);
        bob.updates();
        world.disconnect(alice.session);
        for _ in 0..50 {
            world.advance(Duration::from_millis(700));
            assert_eq!(alice.speak(&mut world).len(), 1);
        }
        bob.follow(&mut world);
        assert!(bob.updates().is_empty());
    }
}

#[test]
fn a_resume_tells_what_was_missed_and_keeps_every_name() {
    for path in PATHS {
        let (mut world, mut alice, mut bob) = call(path);
        let (sid, track) = (alice.sid().to_owned(), alice.track().sid);
        world.disconnect(alice.session);
        let from_bob = bob.publish(&mut world);
        bob.connect(&mut world);
        alice.log.clear();
        alice.resume(&mut world);

        assert!(matches!(
            alice.log[..3],
            [Message::Reconnect(_), Message::Update(_), Message::RoomUpdate(_)]
        ));
        let update = alice.updates();
        assert_eq!(update[0].sid, sid);
        assert_eq!(update[0].tracks[0].sid, track);
        assert_eq!(update[1].tracks[0].sid, from_bob);
        assert_eq!(world.refreshed.last().unwrap().0, alice.session);
        let copies = bob.speak(&mut world);
        assert_eq!(alice.heard(&world, &copies), [from_bob]);
        assert_eq!(alice.speak(&mut world).len(), 1);
    }
}

#[test]
fn what_was_asked_on_the_lost_socket_is_asked_again() {
    let (mut world, mut alice, mut bob) = call(SignalPath::OneConnection);
    world.disconnect(alice.session);
    let from_bob = bob.publish(&mut world);
    alice.session = world.new_session();
    let resume = Some(Resume { participant: None, reason: 0 });
    let join = proto::control::Join { resume, ..alice.join_request() };
    alice.enter(&mut world, join);
    assert_eq!(alice.requirements(), [0]);
    assert!(alice.remote.contains_key(&from_bob));
}

#[test]
fn whoever_has_come_back_may_stay() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    world.disconnect(alice.session);
    world.advance(Duration::from_secs(10));
    alice.resume(&mut world);
    world.advance(Duration::from_secs(300));
    assert_eq!(world.stats().participants, 2);
}

#[test]
fn an_offer_with_new_credentials_restarts_ice_and_is_answered_with_new_ones() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    let before = alice.answer.as_ref().unwrap().peer().unwrap().ice;
    world.disconnect(alice.session);
    alice.resume(&mut world);

    let after = alice.answer.as_ref().unwrap().peer().unwrap().ice;
    assert_ne!(before.ufrag, after.ufrag);
    assert_eq!(alice.upstream(&world), id, "it is the same connection");
    let actions = &world.transports[&id];
    let [.., TransportAction::RestartIce { local }, TransportAction::SetRemote { ice, .. }] =
        &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(*local, after);
    assert_eq!(ice.as_ref().unwrap().ufrag, alice.ufrag);
}

#[test]
fn on_the_older_path_we_restart_the_subscriber_unasked() {
    let (mut world, mut alice, _bob) = call(SignalPath::TwoConnections);
    let id = alice.downstream(&world);
    world.disconnect(alice.session);
    alice.resume(&mut world);
    let restarts = world.transports[&id]
        .iter()
        .filter(|action| matches!(action, TransportAction::RestartIce { .. }));
    assert_eq!(restarts.count(), 1);
    assert_eq!(alice.downstream(&world), id);
}

#[test]
fn a_go_client_is_restarted_only_if_it_has_gone_silent() {
    for is_silent in [false, true] {
        let mut world = World::new();
        let mut go = Client::new(&mut world, "go", SignalPath::TwoConnections, crate::client::GO);
        go.sdk = proto::livekit::client_info::Sdk::Go;
        let join = go.join_request();
        go.enter(&mut world, join);
        go.publish(&mut world);
        go.connect(&mut world);
        let id = go.downstream(&world);
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        world.rtcp(id, &report);
        world.disconnect(go.session);
        go.resume(&mut world);
        for _ in 0..6 {
            world.advance(Duration::from_millis(500));
            if !is_silent {
                world.rtcp(id, &report);
            }
        }
        let restarts = world.transports[&id]
            .iter()
            .filter(|action| matches!(action, TransportAction::RestartIce { .. }));
        assert_eq!(restarts.count(), usize::from(is_silent));
    }
}

#[test]
fn a_resume_of_nobody_we_know_starts_over() {
    let mut world = World::new();
    let _bob = Client::join(&mut world, "bob");
    let mut alice =
        Client::new(&mut world, "alice", SignalPath::OneConnection, crate::client::CHROMIUM);
    for participant in [None, "PA_1111111111111111111111".parse().ok()] {
        alice.session = world.new_session();
        let join = proto::control::Join {
            resume: Some(Resume { participant, reason: 0 }),
            ..alice.join_request()
        };
        alice.enter(&mut world, join);
        let leave = alice.leaves().remove(0);
        assert_eq!(leave.reason(), DisconnectReason::StateMismatch);
        assert_eq!(leave.action(), Action::Reconnect);
        assert!(world.closed.contains(&alice.session));
    }
}

#[test]
fn nobody_resumes_as_somebody_else() {
    let (mut world, alice, mut bob) = call(SignalPath::OneConnection);
    let participant = alice.sid().parse().ok();
    bob.session = world.new_session();
    let join = proto::control::Join {
        resume: Some(Resume { participant, reason: 0 }),
        ..bob.join_request()
    };
    world.act(RoomAction::Join(Box::new(join)));
    bob.follow(&mut world);
    assert_eq!(bob.leaves().len(), 1);
    assert!(!world.closed.contains(&alice.session));
}

#[test]
fn a_socket_that_does_not_come_back_ends_the_participation_in_the_end() {
    let (mut world, alice, mut bob) = call(SignalPath::OneConnection);
    world.disconnect(alice.session);
    world.advance(Duration::from_secs(119));
    bob.follow(&mut world);
    assert!(bob.updates().iter().all(|info| info.disconnect_reason == 0));
    world.advance(Duration::from_secs(1));
    bob.follow(&mut world);
    let gone = bob.updates().pop().unwrap();
    assert_eq!(gone.disconnect_reason(), DisconnectReason::SignalClose);
}

#[test]
fn lost_media_without_a_socket_is_a_timeout() {
    let (mut world, alice, mut bob) = call(SignalPath::OneConnection);
    world.disconnect(alice.session);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    bob.follow(&mut world);
    let gone = bob.updates().pop().unwrap();
    assert_eq!(gone.disconnect_reason(), DisconnectReason::ConnectionTimeout);
    assert_eq!(world.transports[&id].last(), Some(&TransportAction::Close));
    let seconds = world.whats().into_iter().rev().find_map(|what| match what {
        What::ParticipantLeft { session_seconds, .. } => Some(*session_seconds),
        _ => None,
    });
    assert_eq!(seconds, Some(0));
}

/// The order in which a browser tab that closes is seen to go.
#[test]
fn lost_media_and_then_a_lost_socket_is_a_timeout_at_once() {
    let (mut world, alice, mut bob) = call(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    world.disconnect(alice.session);
    bob.follow(&mut world);
    let gone = bob.updates().pop().unwrap();
    assert_eq!(gone.disconnect_reason(), DisconnectReason::ConnectionTimeout);
}

#[test]
fn a_leave_counts_though_media_went_first() {
    let (mut world, mut alice, mut bob) = call(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    world.advance(Duration::from_secs(1));
    alice.send(&mut world, signal_request::Message::Leave(Default::default()));
    assert_eq!(alice.leaves()[0].reason(), DisconnectReason::ClientInitiated);
    bob.follow(&mut world);
    let gone = bob.updates().pop().unwrap();
    assert_eq!(gone.disconnect_reason(), DisconnectReason::ClientInitiated);
    assert!(!world.whats().iter().any(|what| matches!(what, What::ConnectionFailed { .. })));
}

#[test]
fn nothing_is_sent_on_a_connection_that_failed() {
    let (mut world, alice, mut bob) = call(SignalPath::OneConnection);
    bob.publish(&mut world);
    let mut alice = alice;
    alice.follow(&mut world);
    assert_eq!(bob.speak(&mut world).len(), 1);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    assert!(bob.speak(&mut world).is_empty());
}

#[test]
fn what_has_failed_for_good_is_not_resumed() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    alice.session = world.new_session();
    let resume = Some(Resume { participant: None, reason: 0 });
    let join = proto::control::Join { resume, ..alice.join_request() };
    alice.enter(&mut world, join);
    assert_eq!(alice.leaves()[0].action(), Action::Reconnect);
}

#[test]
fn lost_media_with_a_socket_starts_over() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    world.transport(id, TransportEvent::Failed(ConnectionFailure::ConsentExpired));
    world.advance(Duration::from_secs(3));
    alice.follow(&mut world);
    let leave = alice.leaves().remove(0);
    assert_eq!(leave.reason(), DisconnectReason::ConnectionTimeout);
    assert_eq!(leave.action(), Action::Reconnect);
}

#[test]
fn a_second_socket_of_the_same_session_replaces_the_first() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    let first = alice.session;
    alice.resume(&mut world);
    assert!(world.closed.contains(&first));
    assert_eq!(alice.speak(&mut world).len(), 1);
}

#[test]
fn a_test_can_have_its_resume_cut() {
    let (mut world, mut alice, _bob) = call(SignalPath::OneConnection);
    let scenario = simulate_scenario::Value::DisconnectSignalOnResumeNoMessages(true);
    let scenario = SimulateScenario { value: Some(scenario) };
    alice.send(&mut world, signal_request::Message::Simulate(scenario));
    world.disconnect(alice.session);
    alice.log.clear();
    alice.session = world.new_session();
    let resume = Some(Resume { participant: None, reason: 0 });
    let join = proto::control::Join { resume, ..alice.join_request() };
    alice.enter(&mut world, join);
    assert!(alice.log.is_empty());
    assert!(world.closed.contains(&alice.session));

    alice.resume(&mut world);
    assert!(matches!(alice.log[0], Message::Reconnect(_)));
}

#[test]
fn wishes_inside_a_join_request_count_as_those_said_after_it() {
    for path in PATHS {
        let (mut world, mut alice, mut bob) = call(path);
        let unwanted = livekit::UpdateSubscription {
            track_sids: vec![alice.track().sid],
            subscribe: false,
            ..Default::default()
        };
        let state = SyncState { subscription: Some(unwanted), ..SyncState::default() };
        assert_eq!(alice.speak(&mut world).len(), 1);

        world.disconnect(bob.session);
        bob.session = world.new_session();
        let participant = bob.sid().parse().ok();
        let resume = Some(Resume { participant, reason: 1 });
        let sync_state = Some(Box::new(state.clone()));
        let join = Join { resume, sync_state, ..bob.join_request() };
        bob.enter(&mut world, join);
        assert!(alice.speak(&mut world).is_empty(), "bob had enough of alice");

        let mut carol = Client::new(&mut world, "carol", path, crate::client::CHROMIUM);
        let offer = (path == SignalPath::OneConnection).then(|| carol.next_offer());
        let sync_state = Some(Box::new(state));
        let join = Join { publisher_offer: offer, sync_state, ..carol.join_request() };
        carol.enter(&mut world, join);
        carol.connect(&mut world);
        assert!(alice.speak(&mut world).is_empty(), "carol never wanted to hear alice");
    }
}
