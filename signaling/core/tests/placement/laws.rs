//! What holds for every history of a pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use arbtest::{arbitrary, arbtest};
use proto::pool::Owner;
use signaling_core::{Decision, Input, PATIENCE};

use crate::world::{World, held, owner, record};

/// A history of what happens to a few nodes, and the truth beside it.
struct History {
    world: World,
    links: BTreeMap<Owner, bool>,
    /// Lives that have ended: they never beat or link again.
    ended: BTreeSet<Owner>,
}

impl History {
    fn new() -> Self {
        Self { world: World::new(), links: BTreeMap::new(), ended: BTreeSet::new() }
    }

    fn step(&mut self, u: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<()> {
        let life = owner(["a", "b", "c"][u.int_in_range(0..=2)?], u.int_in_range(1..=3)?);
        match u.int_in_range(0..=6)? {
            0 if !self.ended.contains(&life) && !self.is_listed(&life) => {
                // A later life of a node ends the earlier ones.
                let earlier = |other: &Owner| other.node == life.node && *other != life;
                self.ended.extend(self.links.keys().filter(|other| earlier(other)).cloned());
                self.links.insert(life.clone(), self.links.get(&life) == Some(&true));
                self.world.listed.push(record(&life));
            }
            1 => self.world.unlist(&life),
            2 if self.links.contains_key(&life) && !self.ended.contains(&life) => {
                self.links.insert(life.clone(), true);
                self.world.input(Input::LinkUp(life));
            }
            3 => self.cut(life),
            4 => self.world.input(Input::RegistryLost),
            5 => self.world.input(Input::JoinAssigned(life)),
            _ => self.world.pass(Duration::from_millis(u.int_in_range(0..=3000)?)),
        }
        let ended: Vec<Owner> = self.ended.iter().cloned().collect();
        ended.into_iter().for_each(|life| self.cut(life));
        Ok(())
    }

    fn cut(&mut self, life: Owner) {
        if self.links.get(&life) == Some(&true) {
            self.links.insert(life.clone(), false);
            self.world.input(Input::LinkDown(life));
        }
    }

    fn is_listed(&self, life: &Owner) -> bool {
        self.world.listed.iter().any(|record| record.owner == *life)
    }

    fn is_linked(&self, life: &Owner) -> bool {
        self.links.get(life) == Some(&true)
    }
}

#[test]
fn a_room_is_never_taken_from_a_linked_node_and_never_given_to_an_unlinked_one() {
    arbtest(|u| {
        let mut history = History::new();
        for _ in 0..u.int_in_range(0..=80)? {
            history.step(u)?;
            let stranger = owner("a", 4);
            let lives: Vec<&Owner> = history.links.keys().chain([&stranger]).collect();
            let placement = held(u.choose(&lives)?, 5);
            let placement = u.ratio(7, 8)?.then_some(&placement);
            let now = history.world.now;
            match history.world.pool.decide(placement, now, u.arbitrary()?, now) {
                Decision::Use(used) => {
                    assert_eq!(Some(&used), placement.map(|it| &it.owner));
                    assert!(history.is_linked(&used));
                }
                Decision::Claim { owner, above } => {
                    assert!(history.is_linked(&owner));
                    assert_eq!(above, placement.map(|it| it.epoch).unwrap_or_default());
                    assert!(placement.is_none_or(|it| !history.is_linked(&it.owner)));
                }
                Decision::Wait { until } => assert!(until > now && until <= now + PATIENCE),
                Decision::Unavailable { .. } => panic!("nobody has waited yet"),
            }
        }
        Ok(())
    })
    .budget_ms(1_000);
}

#[test]
fn everybody_who_waits_has_an_answer_in_time() {
    arbtest(|u| {
        let mut history = History::new();
        for _ in 0..u.int_in_range(0..=40)? {
            history.step(u)?;
        }
        let placement = held(&owner("a", u.int_in_range(1..=3)?), 5);
        let placement = u.arbitrary::<bool>()?.then_some(&placement);
        let asked = history.world.now;
        history.world.now += PATIENCE;
        let decision = history.world.pool.decide(placement, asked, 0, history.world.now);
        assert!(!matches!(decision, Decision::Wait { .. }), "{decision:?}");
        Ok(())
    });
}

#[test]
fn the_rooms_of_an_ended_life_find_another_node_in_time() {
    arbtest(|u| {
        let mut history = History::new();
        for _ in 0..u.int_in_range(0..=40)? {
            history.step(u)?;
        }
        let dead = owner("a", 1);
        history.cut(dead.clone());
        history.world.pass(Duration::from_millis(u.int_in_range(0..=2000)?));
        history.world.unlist(&dead);
        let spare = owner("z", 1);
        history.world.listed.push(record(&spare));
        history.world.list();
        history.world.input(Input::LinkUp(spare));
        history.world.pass(PATIENCE);
        let decision = history.world.decide(Some(&held(&dead, 5)));
        assert!(matches!(decision, Decision::Claim { .. }), "{decision:?}");
        Ok(())
    });
}
