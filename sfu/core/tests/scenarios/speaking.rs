//! Who is talking, as clients are told.

use std::time::Duration;

use proto::livekit::{SpeakerInfo, signal_response::Message};

use crate::{client::Client, world::World};

fn talk(world: &mut World, client: &mut Client, level: u8, millis: u64) {
    for _ in 0..millis / 20 {
        let packet = client.packet(level);
        world.forward(client.upstream(world), &packet);
        world.advance(Duration::from_millis(20));
    }
}

fn changes(world: &mut World, client: &mut Client) -> Vec<SpeakerInfo> {
    client.follow(world);
    let changes = client.take(|message| match message {
        Message::SpeakersChanged(changed) => Some(changed.speakers.clone()),
        _ => None,
    });
    changes.into_iter().flatten().collect()
}

fn call() -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let bob = Client::join(&mut world, "bob");
    (world, alice, bob)
}

#[test]
fn a_ring_lights_up_within_200_ms_and_goes_out_soon_after() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 20, 200);
    let lit = changes(&mut world, &mut bob);
    assert_eq!(lit[0].sid, alice.sid());
    assert!(lit[0].active && lit[0].level > 0.0);

    talk(&mut world, &mut alice, 127, 1_000);
    let out = changes(&mut world, &mut bob);
    assert!(!out.last().unwrap().active);
}

#[test]
fn a_steady_voice_is_told_once_and_silence_not_at_all() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 127, 1_000);
    assert!(changes(&mut world, &mut bob).is_empty());
    talk(&mut world, &mut alice, 20, 5_000);
    assert!(changes(&mut world, &mut bob).len() <= 2);
}

#[test]
fn a_muted_voice_goes_out() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 10, 400);
    alice.mute(&mut world, true);
    assert!(!changes(&mut world, &mut bob).last().unwrap().active, "at once");
    talk(&mut world, &mut alice, 0, 400);
    assert!(changes(&mut world, &mut bob).is_empty(), "and stays out");
    alice.mute(&mut world, false);
    talk(&mut world, &mut alice, 10, 200);
    assert!(changes(&mut world, &mut bob).last().unwrap().active);
}

#[test]
fn a_late_joiner_is_told_at_once_who_is_talking() {
    let (mut world, mut alice, _bob) = call();
    talk(&mut world, &mut alice, 20, 400);
    let mut carol = Client::join(&mut world, "carol");
    let told = changes(&mut world, &mut carol);
    assert_eq!(told[0].sid, alice.sid());
    assert!(told[0].active);
}

#[test]
fn whoever_leaves_talking_is_no_speaker_any_more() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 20, 400);
    alice.send(&mut world, proto::livekit::signal_request::Message::Leave(Default::default()));
    world.advance(Duration::from_millis(200));
    assert!(!changes(&mut world, &mut bob).last().unwrap().active);
}

#[test]
fn a_room_full_of_loud_claims_names_a_bounded_number() {
    let mut world = World::new();
    let mut bob = Client::join(&mut world, "bob");
    let mut liars: Vec<Client> =
        (0..30).map(|n| Client::join(&mut world, &format!("liar{n}"))).collect();
    for liar in &mut liars {
        liar.publish(&mut world);
    }
    for _ in 0..20 {
        for liar in &mut liars {
            let packet = liar.packet(0);
            world.forward(liar.upstream(&world), &packet);
        }
        world.advance(Duration::from_millis(20));
    }
    let active: std::collections::BTreeSet<String> = changes(&mut world, &mut bob)
        .into_iter()
        .filter(|speaker| speaker.active)
        .map(|speaker| speaker.sid)
        .collect();
    assert_eq!(active.len(), 16);
}

#[test]
fn a_silent_room_is_not_looked_at() {
    let (mut world, mut alice, _bob) = call();
    talk(&mut world, &mut alice, 20, 400);
    talk(&mut world, &mut alice, 127, 5_000);
    let sfu_core::Output::Idle(Some(next)) = world.shard.poll_output() else { panic!() };
    assert!(
        next > world.now + Duration::from_millis(200) || next <= world.now + Duration::from_secs(1)
    );
}
