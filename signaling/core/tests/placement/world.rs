//! A pool in virtual time, with nodes that announce themselves.

use std::time::{Duration, Instant};

use proto::{
    ids::Epoch,
    pool::{BootId, NodeRecord, NodeState, Owner, Placement, Role},
};
use signaling_core::{Decision, Input, Pool};

pub(crate) const LISTING: Duration = Duration::from_millis(500);

pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) now: Instant,
    /// What the registry would list.
    pub(crate) listed: Vec<NodeRecord>,
}

pub(crate) fn owner(node: &str, boot: u64) -> Owner {
    Owner { node: node.parse().unwrap(), boot: BootId::from_random(boot) }
}

pub(crate) fn record(owner: &Owner) -> NodeRecord {
    NodeRecord {
        state: NodeState::Ready,
        cluster: format!("{}:7879", owner.node),
        ..NodeRecord::starting(owner.clone(), vec![Role::Sfu])
    }
}

pub(crate) fn held(owner: &Owner, epoch: u64) -> Placement {
    Placement { owner: owner.clone(), epoch: Epoch(epoch) }
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant to count from; it is never compared to another reading"
    )]
    pub(crate) fn new() -> Self {
        Self { pool: Pool::new(), now: Instant::now(), listed: Vec::new() }
    }

    /// A pool of nodes that are listed and linked.
    pub(crate) fn of(owners: &[&Owner]) -> Self {
        let mut world = Self::new();
        world.listed = owners.iter().map(|owner| record(owner)).collect();
        world.list();
        owners.iter().for_each(|owner| world.input(Input::LinkUp((*owner).clone())));
        world
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.pool.handle_input(input, self.now);
    }

    pub(crate) fn list(&mut self) {
        self.input(Input::Listed(self.listed.clone()));
    }

    /// Lets time pass, the registry being asked all along.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now + LISTING <= end {
            self.now += LISTING;
            self.list();
        }
        self.now = end;
    }

    pub(crate) fn unlist(&mut self, owner: &Owner) {
        self.listed.retain(|record| record.owner != *owner);
    }

    pub(crate) fn kill(&mut self, owner: &Owner) {
        self.input(Input::LinkDown(owner.clone()));
    }

    pub(crate) fn decide(&self, placement: Option<&Placement>) -> Decision {
        self.pool.decide(placement, self.now, 0, self.now)
    }
}
