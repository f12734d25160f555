//! Packets: who gets them, how they are numbered, and whom nobody believes.

use std::time::Duration;

use proto::control::RoomAction;

use crate::{
    client::{Client, FIREFOX},
    world::World,
};

fn call() -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let bob = Client::join(&mut world, "bob");
    (world, alice, bob)
}

#[test]
fn numbers_go_on_through_two_wraps_without_a_hole() {
    let (mut world, mut alice, _bob) = call();
    alice.sequence = 65_500;
    let mut last = None;
    for _ in 0..140_000 {
        let copies = alice.speak(&mut world);
        let index = u64::from(copies[0].roc) << 16 | u64::from(copies[0].sequence);
        assert!(last.is_none_or(|last| index == last + 1));
        last = Some(index);
    }
}

#[test]
fn a_stream_starts_low_enough_for_a_receiver_to_count_its_wraps() {
    for seed in 0..20 {
        let mut world = World::with_seed(seed);
        let mut alice = Client::join(&mut world, "alice");
        alice.publish(&mut world);
        let _bob = Client::join(&mut world, "bob");
        let first = alice.speak(&mut world)[0];
        assert!(first.roc == 0 && first.sequence < 1 << 15, "{first:?}");
    }
}

#[test]
fn a_section_that_signals_its_stream_takes_no_other_that_names_it() {
    let (mut world, mut alice, _bob) = call();
    let mid = (alice.sections.len() - 1).to_string();
    let header = proto::rtp::NewHeader {
        marker: false,
        payload_type: 111,
        sequence: proto::rtp::SeqNo(7),
        timestamp: proto::rtp::RtpTime(7),
        ssrc: 424_242,
        extensions: &[(4, mid.as_bytes())],
    };
    let mut packet = vec![0; 64];
    let len = header.write(&mut packet).unwrap();
    packet.truncate(len);
    packet.extend([1; 60]);
    assert!(world.forward(alice.upstream(&world), &packet).is_empty());
    assert_eq!(world.stats().packets_unsignalled, 1);
    assert_eq!(alice.speak(&mut world).len(), 1);
}

#[test]
fn timestamps_keep_their_distances_and_levels_their_values() {
    let (mut world, mut alice, _bob) = call();
    let first = alice.speak(&mut world)[0];
    let second = alice.speak(&mut world)[0];
    assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 960);
    assert_eq!((first.level_extension, first.level), (1, 0x80 | 20));
    assert!(first.marker, "a stream starts with a marker");
    assert!(!second.marker);
}

#[test]
fn a_listener_gets_its_own_payload_types() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let _fox =
        Client::join_as(&mut world, "fox", proto::control::SignalPath::OneConnection, FIREFOX);
    assert_eq!(alice.speak(&mut world)[0].payload_type, 109);
}

#[test]
fn every_subscription_has_a_stream_number_of_its_own() {
    let (mut world, mut alice, mut bob) = call();
    let first = alice.speak(&mut world)[0].ssrc;
    let sid = alice.track().sid;
    subscribe(&mut bob, &mut world, &sid, false);
    assert!(alice.speak(&mut world).is_empty());
    subscribe(&mut bob, &mut world, &sid, true);
    let second = alice.speak(&mut world)[0].ssrc;
    assert_ne!(first, second);
}

#[test]
fn a_packet_is_not_forwarded_twice() {
    let (mut world, mut alice, _bob) = call();
    let packet = alice.packet(20);
    let from = alice.upstream(&world);
    assert_eq!(world.forward(from, &packet).len(), 1);
    assert!(world.forward(from, &packet).is_empty());
}

#[test]
fn mute_closes_the_gate_in_the_same_call_and_leaves_no_gap() {
    let (mut world, mut alice, _bob) = call();
    let before = alice.speak(&mut world)[0].sequence;
    alice.mute(&mut world, true);
    for _ in 0..100 {
        assert!(alice.speak(&mut world).is_empty());
    }
    assert_eq!(world.stats().packets_muted, 100);
    alice.mute(&mut world, false);
    let after = alice.speak(&mut world)[0];
    assert_eq!(after.sequence, before.wrapping_add(1));
    assert!(after.marker);
}

#[test]
fn a_stream_that_was_never_signalled_is_dropped_and_counted() {
    let (mut world, mut alice, _bob) = call();
    let stray = alice.packet_of(424_242, 111, 20, &[1; 60]);
    assert!(world.forward(alice.upstream(&world), &stray).is_empty());
    let wrong_type = alice.packet_of(alice.track().ssrc, 0, 20, &[1; 60]);
    assert!(world.forward(alice.upstream(&world), &wrong_type).is_empty());
    let stats = world.stats();
    assert_eq!((stats.packets_unsignalled, stats.packets_payload_type), (1, 1));
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let (mut world, mut alice, mut bob) = call();
    bob.publish_under(&mut world, 4_711);
    alice.follow(&mut world);
    let stolen = alice.track().ssrc;
    let forged = bob.packet_of(stolen, 111, 20, &[1; 60]);
    assert!(world.forward(bob.upstream(&world), &forged).is_empty());
    assert_eq!(world.stats().packets_unsignalled, 1);
    assert_eq!(alice.speak(&mut world).len(), 1, "the honest stream goes on");
}

#[test]
fn two_honest_clients_may_have_the_same_stream_number() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let from_alice = alice.publish_under(&mut world, 4_711);
    let mut bob = Client::join(&mut world, "bob");
    let from_bob = bob.publish_under(&mut world, 4_711);
    alice.follow(&mut world);
    let copies = alice.speak(&mut world);
    assert_eq!(bob.heard(&world, &copies), [from_alice]);
    let copies = bob.speak(&mut world);
    assert_eq!(alice.heard(&world, &copies), [from_bob]);
}

#[test]
fn nothing_crosses_rooms() {
    let (mut world, mut alice, _bob) = call();
    let mut eve = Client::new(
        &mut world,
        "eve",
        proto::control::SignalPath::OneConnection,
        crate::client::CHROMIUM,
    );
    let mut join = eve.join_request();
    join.publisher_offer = Some(eve.next_offer());
    world.act_in("other", RoomAction::Join(Box::new(join)));
    eve.follow(&mut world);
    eve.connect(&mut world);
    assert!(eve.remote.is_empty());

    assert_eq!(alice.speak(&mut world).len(), 1);
    let forged = eve.packet_of(alice.track().ssrc, 111, 20, &[1; 60]);
    assert!(world.forward(eve.upstream(&world), &forged).is_empty());
}

#[test]
fn a_section_without_ssrc_is_known_by_its_name_in_the_packet() {
    let mut world = World::new();
    let mut bob = Client::join(&mut world, "bob");
    let mut carol = Client::join(&mut world, "carol");
    let cid = "nameless";
    let sid = carol.ask_for_track(&mut world, cid).unwrap();
    carol.sections.push(crate::client::Own {
        kind: proto::sdp::Kind::Audio,
        direction: proto::sdp::Direction::SendOnly,
        track: Some(crate::client::OwnTrack { cid: cid.to_owned(), sid: sid.clone(), ssrc: 9 }),
    });
    let mut offer = carol.next_offer();
    let lines = offer.sdp.lines().filter(|line| !line.starts_with("a=ssrc:9 "));
    offer.sdp = lines.map(|line| format!("{line}\r\n")).collect();
    carol.send(&mut world, proto::livekit::signal_request::Message::Offer(offer));
    bob.follow(&mut world);

    let plain = carol.packet(20);
    let from = carol.upstream(&world);
    assert!(world.forward(from, &plain).is_empty(), "nothing tells where it belongs");
    let mid = (carol.sections.len() - 1).to_string();
    let named = proto::rtp::NewHeader {
        marker: false,
        payload_type: 111,
        sequence: proto::rtp::SeqNo(7),
        timestamp: proto::rtp::RtpTime(7),
        ssrc: 9,
        extensions: &[(4, mid.as_bytes())],
    };
    let mut packet = vec![0; 64];
    let len = named.write(&mut packet).unwrap();
    packet.truncate(len);
    packet.extend([1; 60]);
    let copies = world.forward(from, &packet);
    assert_eq!(bob.heard(&world, &copies), [sid]);
    // From then on the stream number is enough, and another one is not.
    let plain = carol.packet_of(9, 111, 20, &[1; 60]);
    assert!(!world.forward(from, &plain).is_empty());
    let other = carol.packet_of(10, 111, 20, &[1; 60]);
    assert!(world.forward(from, &other).is_empty());
}

#[test]
fn a_jump_in_a_publishers_numbers_does_not_lead_listeners_astray() {
    let (mut world, mut alice, _bob) = call();
    let before = alice.speak(&mut world)[0].sequence;
    alice.sequence = alice.sequence.wrapping_add(20_000);
    let after = alice.speak(&mut world)[0].sequence;
    assert_eq!(after, before.wrapping_add(1));
}

#[test]
fn the_same_seed_and_story_give_the_same_call() {
    let story = || {
        let (mut world, mut alice, bob) = call();
        world.advance(Duration::from_secs(7));
        let copies = alice.speak(&mut world);
        (format!("{copies:?}"), format!("{:?}", bob.log))
    };
    assert_eq!(story(), story());
}

fn subscribe(client: &mut Client, world: &mut World, track: &str, subscribe: bool) {
    let update = proto::livekit::UpdateSubscription {
        track_sids: vec![track.to_owned()],
        subscribe,
        ..Default::default()
    };
    client.send(world, proto::livekit::signal_request::Message::Subscription(update));
}
