//! What happens to rooms when nodes come, go and are cut off.

use std::time::Duration;

use proto::{
    ids::Epoch,
    pool::{NodeState, Owner, Role},
};
use signaling_core::{Decision, Input, PATIENCE, Unavailable};

use crate::world::{World, held, owner, record};

fn claim(owner: &Owner, above: u64) -> Decision {
    Decision::Claim { owner: owner.clone(), above: Epoch(above) }
}

#[test]
fn a_new_room_goes_to_the_lighter_of_two_nodes() {
    let (busy, idle) = (owner("busy", 1), owner("idle", 1));
    let mut world = World::of(&[&busy, &idle]);
    world.listed[0].load = 0.5;
    world.list();
    for dice in [0, 1, 1 << 32, u64::MAX] {
        assert_eq!(world.pool.decide(None, world.now, dice, world.now), claim(&idle, 0));
    }
}

#[test]
fn joins_in_flight_count_before_any_heartbeat_shows_them() {
    let (one, other) = (owner("one", 1), owner("other", 1));
    let mut world = World::of(&[&one, &other]);
    let Decision::Claim { owner: first, .. } = world.decide(None) else { panic!() };
    world.input(Input::JoinAssigned(first.clone()));
    let Decision::Claim { owner: second, .. } = world.decide(None) else { panic!() };
    assert_ne!(first, second);
}

#[test]
fn joins_in_flight_fade_as_heartbeats_take_over() {
    let (one, other) = (owner("one", 1), owner("other", 1));
    let mut world = World::of(&[&one, &other]);
    world.listed[1].participants = 50;
    (0..100).for_each(|_| world.input(Input::JoinAssigned(one.clone())));
    world.list();
    assert_eq!(world.decide(None), claim(&other, 0));
    world.pass(Duration::from_secs(20));
    assert_eq!(world.decide(None), claim(&one, 0));
}

#[test]
fn a_room_stays_with_a_linked_holder_whatever_the_registry_says() {
    let holder = owner("sfu", 1);
    let mut world = World::of(&[&holder, &owner("spare", 1)]);
    world.listed.clear();
    world.pass(Duration::from_secs(60));
    assert_eq!(world.decide(Some(&held(&holder, 7))), Decision::Use(holder.clone()));
    world.input(Input::RegistryLost);
    assert_eq!(world.decide(Some(&held(&holder, 7))), Decision::Use(holder));
}

#[test]
fn a_draining_node_keeps_its_rooms_and_gets_no_others() {
    let (draining, ready) = (owner("a", 1), owner("b", 1));
    let mut world = World::of(&[&draining, &ready]);
    world.listed[0].state = NodeState::Draining;
    world.list();
    assert_eq!(world.decide(None), claim(&ready, 0));
    assert_eq!(world.decide(Some(&held(&draining, 3))), Decision::Use(draining));
}

#[test]
fn a_node_without_a_heartbeat_gets_rooms_only_when_no_other_has_one() {
    let (silent, beating) = (owner("a", 1), owner("b", 1));
    let mut world = World::of(&[&silent, &beating]);
    world.unlist(&silent);
    world.list();
    for dice in [0, 1, 1 << 32, u64::MAX] {
        let decision = world.pool.decide(None, world.now, dice, world.now);
        assert_eq!(decision, claim(&beating, 0));
    }
    world.kill(&beating);
    assert_eq!(world.decide(None), claim(&silent, 0));
}

#[test]
fn a_killed_node_is_gone_once_its_heartbeat_has_run_out() {
    let (dead, spare) = (owner("dead", 1), owner("spare", 1));
    let mut world = World::of(&[&dead, &spare]);
    let placement = held(&dead, 4);
    world.kill(&dead);
    world.pass(Duration::from_millis(1900));
    assert!(matches!(world.decide(Some(&placement)), Decision::Wait { .. }), "it is still listed");
    world.unlist(&dead);
    world.pass(Duration::from_millis(600));
    assert_eq!(world.decide(Some(&placement)), claim(&spare, 4));
}

#[test]
fn a_flushed_registry_takes_no_room_from_a_node_that_lost_its_link_for_a_moment() {
    let (holder, spare) = (owner("sfu", 1), owner("spare", 1));
    let mut world = World::of(&[&holder, &spare]);
    let records = std::mem::take(&mut world.listed);
    world.kill(&holder);
    world.list();
    world.now += Duration::from_millis(500);
    assert!(matches!(world.decide(Some(&held(&holder, 4))), Decision::Wait { .. }));
    world.listed = records;
    world.list();
    world.now += Duration::from_millis(500);
    assert!(matches!(world.decide(Some(&held(&holder, 4))), Decision::Wait { .. }));
}

#[test]
fn a_node_that_was_started_again_holds_nothing_of_before() {
    let (before, after) = (owner("sfu", 9), owner("sfu", 2));
    let mut world = World::of(&[&before]);
    world.kill(&before);
    world.pass(Duration::from_millis(500));
    world.listed.push(record(&after));
    world.list();
    world.input(Input::LinkUp(after.clone()));
    assert_eq!(world.decide(Some(&held(&before, 4))), claim(&after, 4), "its record still lives");
    let stranger = owner("sfu", 77);
    assert_eq!(world.decide(Some(&held(&stranger, 2))), claim(&after, 2));
}

#[test]
fn without_a_registry_the_link_alone_tells() {
    let (dead, spare) = (owner("dead", 1), owner("spare", 1));
    let mut world = World::of(&[&dead, &spare]);
    world.input(Input::RegistryLost);
    world.kill(&dead);
    world.now += Duration::from_millis(1900);
    world.kill(&dead);
    assert!(matches!(world.decide(Some(&held(&dead, 4))), Decision::Wait { .. }));
    world.now += Duration::from_millis(100);
    assert_eq!(world.decide(Some(&held(&dead, 4))), claim(&spare, 4));
}

#[test]
fn a_holder_nobody_has_heard_of_is_gone_after_a_heartbeats_life() {
    let mut world = World::of(&[&owner("spare", 1)]);
    let placement = held(&owner("stranger", 1), 6);
    let Decision::Wait { until } = world.decide(Some(&placement)) else { panic!() };
    assert_eq!(until, world.now + Duration::from_secs(2));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.decide(Some(&placement)), claim(&owner("spare", 1), 6));
}

#[test]
fn what_a_node_held_is_forgotten_only_on_the_registrys_word() {
    let (gone, cut_off) = (owner("gone", 1), owner("cut-off", 1));
    let mut world = World::of(&[&gone, &cut_off]);
    assert!(!world.pool.is_unheard_of(&gone, world.now), "it is linked");
    world.kill(&gone);
    world.unlist(&gone);
    world.kill(&cut_off);
    world.pass(Duration::from_secs(3));
    assert!(world.pool.is_unheard_of(&gone, world.now));
    assert!(!world.pool.is_unheard_of(&cut_off, world.now), "others may reach it");
    assert!(world.pool.is_unheard_of(&owner("stranger", 1), world.now));

    world.input(Input::RegistryLost);
    world.now += Duration::from_secs(3600);
    assert!(world.pool.is_gone(&gone, world.now));
    assert!(!world.pool.is_unheard_of(&gone, world.now), "nobody can tell");
    world.list();
    assert!(!world.pool.is_unheard_of(&owner("stranger", 1), world.now), "it may beat any moment");
}

#[test]
fn a_pool_without_a_recorder_is_told_so_once_every_node_could_have_been_heard_of() {
    let mut world = World::of(&[&owner("sfu", 1)]);
    let lacks = |world: &World| world.pool.lacks(Role::Recorder, world.now);
    assert!(!lacks(&world), "one may just not have been heard of");
    world.pass(Duration::from_secs(2));
    assert!(lacks(&world));
    world.input(Input::RegistryLost);
    assert!(!lacks(&world), "nobody can tell");
    world.pass(Duration::from_secs(3));
    assert!(lacks(&world));

    let mut recorder = record(&owner("recorder", 1));
    recorder.roles = vec![Role::Recorder];
    recorder.state = NodeState::Unready;
    world.listed.push(recorder);
    world.list();
    assert!(lacks(&world), "it takes no work");
    world.listed[1].state = NodeState::Ready;
    world.list();
    assert!(!lacks(&world));

    world.input(Input::RegistryLost);
    world.now += Duration::from_secs(60);
    assert!(!lacks(&world), "what was known stays known");
    world.listed.pop();
    world.list();
    assert!(!lacks(&world), "it may beat any moment");
    world.pass(Duration::from_secs(2));
    assert!(lacks(&world));
}

#[test]
fn a_holder_that_beats_but_is_not_reached_keeps_its_room() {
    let holder = owner("far", 1);
    let mut world = World::of(&[&holder, &owner("spare", 1)]);
    world.kill(&holder);
    world.pass(Duration::from_secs(60));
    let asked = world.now;
    world.now += PATIENCE;
    let decision = world.pool.decide(Some(&held(&holder, 4)), asked, 0, world.now);
    let Decision::Unavailable { reason, retry_after } = decision else { panic!("{decision:?}") };
    assert_eq!(reason, Unavailable::HolderUnreachable);
    assert!(retry_after > Duration::ZERO);
}

#[test]
fn an_empty_pool_is_waited_for_and_then_named() {
    let mut world = World::new();
    let asked = world.now;
    assert_eq!(world.decide(None), Decision::Wait { until: asked + PATIENCE });
    world.now += PATIENCE;
    let decision = world.pool.decide(None, asked, 0, world.now);
    assert!(matches!(decision, Decision::Unavailable { reason: Unavailable::NoNode, .. }));
}

#[test]
fn links_are_wanted_to_sfu_nodes_that_live_and_to_nobody_else() {
    let (sfu, gone) = (owner("a", 1), owner("b", 1));
    let mut world = World::of(&[&sfu]);
    let mut recorder = record(&owner("r", 1));
    recorder.roles = vec![proto::pool::Role::Recorder];
    world.listed.extend([recorder, record(&gone)]);
    world.list();
    world.unlist(&gone);
    world.list();
    let wanted: Vec<_> = world.pool.linkable().collect();
    assert_eq!(wanted, [(&sfu, "a:7879")]);
}
