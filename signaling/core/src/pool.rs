//! The pool as one signaling node sees it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    ids::Epoch,
    pool::{NodeRecord, Owner, Placement, Role},
};

use crate::{
    limits::{
        GONE_NODE_LIFE, HEARTBEAT_ABSENCE, LINK_SILENCE, NODES_MAX, PATIENCE, RETRY_AFTER,
        STRANGER_ABSENCE,
    },
    node::{Link, Node},
};

/// Nodes, their links, and what follows for rooms.
#[derive(Debug)]
pub struct Pool {
    nodes: BTreeMap<Owner, Node>,
    registry: Registry,
    listings: u64,
}

/// News of the pool.
#[derive(Clone, Debug)]
pub enum Input {
    /// The registry answered with every node whose heartbeat lives.
    Listed(Vec<NodeRecord>),
    /// The registry can't be asked. What was known stays known.
    RegistryLost,
    LinkUp(Owner),
    /// The link ended, or can't be made.
    LinkDown(Owner),
    /// A join was sent on its way to this node.
    JoinAssigned(Owner),
}

/// What to do with a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its room is there.
    Use(Owner),
    /// Nobody alive holds its room: claim it for `owner`, every epoch up to `above` being over.
    Claim { owner: Owner, above: Epoch },
    /// Not clear yet. Ask again on news, at the latest then.
    Wait { until: Instant },
    /// It has waited long enough.
    Unavailable { reason: Unavailable, retry_after: Duration },
}

/// Why nothing can be done about a room. Each says what an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("no SFU node is linked: start one, or check cluster.advertise and cluster.token")]
    NoNode,
    #[error("every SFU node is draining or not ready: add one")]
    NoReadyNode,
    #[error("the room's SFU node can't be reached, and isn't known to be gone")]
    HolderUnreachable,
}

#[derive(Clone, Copy, Debug)]
enum Registry {
    /// Asked with success, without a failure since then.
    Answers {
        since: Instant,
    },
    Lost,
}

/// What is known of the node that holds a room.
enum Holder {
    Linked,
    Gone,
    /// Look again then.
    InDoubt(Option<Instant>),
}

impl Pool {
    #[expect(clippy::new_without_default, reason = "made on purpose, once a signaling node")]
    pub fn new() -> Self {
        Self { nodes: BTreeMap::new(), registry: Registry::Lost, listings: 0 }
    }

    pub fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Listed(records) => self.on_listed(records, now),
            Input::RegistryLost => self.registry = Registry::Lost,
            Input::LinkUp(owner) => self.with_node(owner, now, |node| node.link = Link::Up),
            Input::LinkDown(owner) => {
                self.with_node(owner, now, |node| match node.link {
                    Link::Up | Link::Untried => node.link = Link::Down { since: now },
                    Link::Down { .. } => {}
                });
            }
            Input::JoinAssigned(owner) => {
                self.with_node(owner, now, |node| node.join_assigned(now));
            }
        }
    }

    /// Says where a join of `asked` goes, given where its room is known to be. `dice` breaks ties
    /// between nodes, so that many signaling nodes with the same old news don't all choose one.
    pub fn decide(
        &self,
        placement: Option<&Placement>,
        asked: Instant,
        dice: u64,
        now: Instant,
    ) -> Decision {
        let deadline = asked + PATIENCE;
        let (reason, until) = match placement {
            None => match self.choose(dice, now) {
                Ok(owner) => return Decision::Claim { owner, above: Epoch::default() },
                Err(reason) => (reason, None),
            },
            Some(Placement { owner: holder, epoch }) => match self.holder(holder, now) {
                Holder::Linked => return Decision::Use(holder.clone()),
                Holder::Gone => match self.choose(dice, now) {
                    Ok(owner) => return Decision::Claim { owner, above: *epoch },
                    Err(reason) => (reason, None),
                },
                Holder::InDoubt(until) => (Unavailable::HolderUnreachable, until),
            },
        };
        if now >= deadline {
            return Decision::Unavailable { reason, retry_after: RETRY_AFTER };
        }
        Decision::Wait { until: until.map_or(deadline, |until| until.min(deadline)) }
    }

    /// Says whether `owner` is known to be gone, so that its rooms are nobody's.
    pub fn is_gone(&self, owner: &Owner, now: Instant) -> bool {
        matches!(self.holder(owner, now), Holder::Gone)
    }

    /// Says whether `owner` is gone as far as the registry can tell: an ended link alone, which
    /// only this signaling node may have lost, is not enough to forget what it held.
    pub fn is_unheard_of(&self, owner: &Owner, now: Instant) -> bool {
        let is_asked = matches!(self.registry, Registry::Answers { .. });
        let is_listed = self.nodes.get(owner).is_some_and(Node::is_listed);
        is_asked && !is_listed && self.is_gone(owner, now)
    }

    /// The nodes that there should be a link to, with the addresses of their cluster ports.
    pub fn linkable(&self) -> impl Iterator<Item = (&Owner, &str)> {
        self.nodes.iter().filter_map(|(owner, node)| {
            let record = node.record.as_ref()?;
            let wanted = node.is_listed() || node.link == Link::Up;
            let reachable = record.roles.contains(&Role::Sfu) && !record.cluster.is_empty();
            (wanted && reachable).then_some((owner, record.cluster.as_str()))
        })
    }

    /// Every node that is listed or linked, by its latest heartbeat.
    pub fn records(&self) -> impl Iterator<Item = &NodeRecord> {
        let alive = self.nodes.values().filter(|node| node.is_listed() || node.link == Link::Up);
        alive.filter_map(|node| node.record.as_ref())
    }

    /// Says whether no node that is ready does `role`. Not while the registry is away, nor before
    /// each node had the time to be heard of.
    pub fn lacks(&self, role: Role, now: Instant) -> bool {
        let Registry::Answers { since } = self.registry else { return false };
        let does = |node: &Node| {
            node.is_listed() && node.record.as_ref().is_some_and(|record| record.takes(role))
        };
        now >= since + STRANGER_ABSENCE && !self.nodes.values().any(does)
    }

    /// Says whether a new room would find a node.
    pub fn can_place(&self, now: Instant) -> Result<(), Unavailable> {
        self.choose(0, now).map(drop)
    }

    fn on_listed(&mut self, records: Vec<NodeRecord>, now: Instant) {
        self.registry = match self.registry {
            Registry::Answers { since } => Registry::Answers { since },
            Registry::Lost => Registry::Answers { since: now },
        };
        self.listings += 1;
        let listing = self.listings;
        let listed: Vec<Owner> = records.iter().map(|record| record.owner.clone()).collect();
        for record in records {
            self.with_node(record.owner.clone(), now, |node| {
                node.first_listed.get_or_insert(listing);
                node.absent = None;
                node.record = Some(record);
            });
        }
        self.nodes.retain(|owner, node| {
            if !listed.contains(owner) {
                node.absent.get_or_insert(now);
            }
            let absent = node.absent.map_or(Duration::ZERO, |since| now.duration_since(since));
            node.link == Link::Up || absent < GONE_NODE_LIFE
        });
    }

    fn with_node(&mut self, owner: Owner, now: Instant, change: impl FnOnce(&mut Node)) {
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(&owner) {
            change(self.nodes.entry(owner).or_insert_with(|| Node::new(now)));
        }
    }

    fn holder(&self, owner: &Owner, now: Instant) -> Holder {
        let node = self.nodes.get(owner);
        if node.is_some_and(|node| node.link == Link::Up) {
            return Holder::Linked;
        }
        match self.registry {
            Registry::Answers { .. } if self.lives_anew(owner, node) => Holder::Gone,
            Registry::Answers { since } => match node {
                None => gone_at(since + STRANGER_ABSENCE, now),
                Some(node) => match node.absent {
                    None => Holder::InDoubt(None),
                    // An answer after an outage starts the count again.
                    Some(absent) => gone_at(gone_for_good(node.link, absent.max(since)), now),
                },
            },
            // Nothing but the link is left to judge by.
            Registry::Lost => match node.map(|node| node.link) {
                Some(Link::Down { since }) => gone_at(since + LINK_SILENCE, now),
                Some(Link::Up | Link::Untried) | None => Holder::InDoubt(None),
            },
        }
    }

    /// Says whether the same node has been started again since.
    fn lives_anew(&self, owner: &Owner, node: Option<&Node>) -> bool {
        let listed = self.nodes.iter().filter(|(_, other)| other.is_listed());
        let mut later_lives =
            listed.filter(|(other, _)| other.node == owner.node && other.boot != owner.boot);
        match node.filter(|node| node.is_listed()) {
            // Both lives' heartbeats are there: the one that came later tells.
            Some(node) => later_lives.any(|(_, other)| other.first_listed > node.first_listed),
            None => later_lives.next().is_some(),
        }
    }

    /// The less loaded of two nodes drawn by `dice`.
    fn choose(&self, dice: u64, now: Instant) -> Result<Owner, Unavailable> {
        let linked: Vec<(&Owner, &Node)> =
            self.nodes.iter().filter(|(_, node)| node.link == Link::Up).collect();
        if linked.is_empty() {
            return Err(Unavailable::NoNode);
        }
        let ready = |only_listed: bool| -> Vec<(&Owner, &Node)> {
            let ready = linked.iter().copied().filter(|(_, node)| node.takes_rooms());
            ready.filter(|(_, node)| node.is_listed() || !only_listed).collect()
        };
        // A node without a heartbeat may be about to leave; it beats none at all.
        let mut candidates = ready(true);
        if candidates.is_empty() {
            candidates = ready(false);
        }
        let two = draw_two(dice, candidates.len()).ok_or(Unavailable::NoReadyNode)?;
        let drawn = two.into_iter().filter_map(|index| candidates.get(index));
        let lightest = drawn.min_by(|(_, one), (_, other)| one.compare_burden(other, now));
        lightest.map(|(owner, _)| (*owner).clone()).ok_or(Unavailable::NoReadyNode)
    }
}

/// When a node that isn't listed any more counts as gone.
fn gone_for_good(link: Link, absent: Instant) -> Instant {
    match link {
        // Link and heartbeat have both ended: whichever is clear first.
        Link::Down { since } => {
            (absent + HEARTBEAT_ABSENCE).min((since + LINK_SILENCE).max(absent))
        }
        Link::Up | Link::Untried => absent + STRANGER_ABSENCE,
    }
}

fn gone_at(at: Instant, now: Instant) -> Holder {
    if now >= at { Holder::Gone } else { Holder::InDoubt(Some(at)) }
}

/// Two different places among `count`, or the only one twice.
fn draw_two(dice: u64, count: usize) -> Option<[usize; 2]> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    let (high, low) = (dice >> 32, dice & 0xffff_ffff);
    let first = high % count;
    let second = if count == 1 { first } else { (first + 1 + low % (count - 1)) % count };
    Some([usize::try_from(first).ok()?, usize::try_from(second).ok()?])
}
