//! Who does what when, decided by a seed before anything runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proto::{control::SignalPath, ids::Epoch};

use crate::{PersonId, Random, RoomId, clock::Time, network::Quality};

/// People act until here; what follows is for the dust to settle.
const ACTING: Duration = Duration::from_secs(18);
/// The last two seconds are what the outcome is judged by.
const SETTLING: Duration = Duration::from_secs(8);
/// The same for stories in which somebody's network is away for longer than consent lasts.
const ACTING_WITH_OUTAGES: Duration = Duration::from_secs(80);
/// The same for stories in which rooms are granted anew.
const ACTING_WITH_GRANTS: Duration = Duration::from_secs(36);
/// Consent of 30 seconds, what the last check before may add to it, and some more.
const LONG_OUTAGE: Duration = Duration::from_secs(40);
/// Every room begins on node 0 under this.
pub(crate) const FIRST_EPOCH: Epoch = Epoch(1);
/// Nodes of a story in which rooms are granted anew.
const NODES: u16 = 2;

/// A story: its people, and what they do in order.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub people: Vec<Persona>,
    pub steps: Vec<Step>,
    /// In order, at most one at a time.
    pub grants: Vec<Grant>,
    pub length: Duration,
}

/// A room is granted anew, under the next epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub at: Time,
    pub room: RoomId,
    /// Its owner from now on: another, or the same once more.
    pub node: u16,
    pub epoch: Epoch,
}

/// What somebody is like for the whole story.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    pub path: SignalPath,
    /// Payload type of Opus: 111, or 109 as Firefox has it.
    pub opus: u8,
    /// Payload type of RED, for those who speak it.
    pub red: Option<u8>,
    /// Answers repeat the offer's id. The Go and Rust SDKs always say 0.
    pub repeats_id: bool,
    /// Loses whole seconds before they reach the network: sequence numbers leap, and wrap.
    pub leaps: bool,
    pub(crate) signal: Quality,
    pub(crate) media: Quality,
}

/// One thing that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Time,
    pub who: PersonId,
    pub act: Act,
}

impl Step {
    fn entered(&self) -> Option<RoomId> {
        if let Act::Enter(room) = self.act { Some(room) } else { None }
    }
}

/// What people do. Each takes effect at once in their own client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Enters a room; whoever is in another leaves that first.
    Enter(RoomId),
    Leave,
    /// Turns the microphone on for the first time. Talks from then on.
    Publish,
    Mute,
    Unmute,
    /// Stops hearing somebody, or hears them again.
    Ignore(PersonId),
    Heed(PersonId),
    /// The WebSocket dies, media lives. The client notices and resumes after `down`.
    Drop {
        down: Duration,
    },
    /// The whole network dies, WebSocket and media, and is back with [`Self::Return`].
    Vanish {
        down: Duration,
    },
    Return,
}

/// Where somebody stands at one moment, as far as the plan goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub room: Option<RoomId>,
    pub publishes: bool,
    pub muted: bool,
    /// Without a network.
    pub away: bool,
    pub ignores: BTreeSet<PersonId>,
}

impl Standing {
    pub(crate) fn apply(&mut self, act: Act) {
        match act {
            Act::Enter(room) => *self = Self { room: Some(room), ..Self::default() },
            Act::Leave => *self = Self::default(),
            Act::Publish => self.publishes = true,
            Act::Mute => self.muted = true,
            Act::Unmute => self.muted = false,
            Act::Ignore(whom) => drop(self.ignores.insert(whom)),
            Act::Heed(whom) => drop(self.ignores.remove(&whom)),
            Act::Drop { .. } => {}
            Act::Vanish { .. } => self.away = true,
            Act::Return => self.away = false,
        }
    }

    pub(crate) fn hears(&self, me: PersonId, other: &Self, whom: PersonId) -> bool {
        let together = self.room.is_some() && self.room == other.room && me != whom;
        let reached = !self.away && !other.away;
        together && reached && other.publishes && !other.muted && !self.ignores.contains(&whom)
    }
}

impl Plan {
    /// Makes the story of that seed.
    pub fn from_seed(seed: u64) -> Self {
        Self::make(seed, ACTING, live)
    }

    /// Makes a longer story, in which people are without a network now and then.
    pub fn with_outages(seed: u64) -> Self {
        let mut plan = Self::make(seed, ACTING_WITH_OUTAGES, live_with_outages);
        // Leaps in the dark wrap a sequence number unseen, after which no SRTP finds its index.
        plan.people.iter_mut().for_each(|persona| persona.leaps = false);
        plan
    }

    /// Makes a story of two nodes, in which rooms are granted anew while people are in them.
    pub fn with_grants(seed: u64) -> Self {
        let mut plan = Self::make(seed, ACTING_WITH_GRANTS, live_with_grants);
        let rooms: BTreeSet<RoomId> = plan.steps.iter().filter_map(Step::entered).collect();
        let rooms: Vec<RoomId> = rooms.into_iter().collect();
        plan.grants = grants(&mut Random::named(seed, &[7]), &rooms);
        plan
    }

    fn make(seed: u64, acting: Duration, live: Live) -> Self {
        let mut random = Random::named(seed, &[0]);
        let rooms = random.between(1, 3);
        let people: Vec<Persona> =
            (0..random.between(2, 7)).map(|_| persona(&mut random)).collect();
        let mut steps = Vec::new();
        for (who, _) in (0..).zip(&people) {
            let count = u16::try_from(people.len()).unwrap_or(u16::MAX);
            let crowd = Crowd { people: count, rooms };
            live(&mut random, PersonId(who), crowd, &mut steps);
        }
        steps.sort_by_key(|step| (step.at, step.who));
        Self { seed, people, steps, grants: Vec::new(), length: acting + SETTLING }
    }

    /// How many nodes the story needs.
    pub(crate) fn nodes(&self) -> u16 {
        if self.grants.is_empty() { 1 } else { NODES }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PersonId> + use<> {
        (0..u16::try_from(self.people.len()).unwrap_or(u16::MAX)).map(PersonId)
    }
}

fn persona(random: &mut Random) -> Persona {
    let path =
        if random.happens(600) { SignalPath::OneConnection } else { SignalPath::TwoConnections };
    let firefox = random.happens(250);
    Persona {
        path,
        opus: if firefox { 109 } else { 111 },
        red: (!firefox && random.happens(700)).then_some(63),
        repeats_id: random.happens(600),
        leaps: random.happens(250),
        signal: Quality {
            latency: random.millis(1, 120),
            jitter: random.millis(0, 60),
            ..Quality::default()
        },
        media: Quality {
            latency: random.millis(1, 120),
            jitter: random.millis(0, 50),
            lost_per_mille: random.between(0, 80),
            doubled_per_mille: random.between(0, 20),
        },
    }
}

/// How many there are of what an act may name.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    people: u16,
    rooms: u64,
}

/// Writes down one person's steps.
type Live = fn(&mut Random, PersonId, Crowd, &mut Vec<Step>);

/// How long people act, and how long they rest in between.
#[derive(Clone, Copy)]
struct Pace {
    acting: Duration,
    rest: fn(&mut Random) -> Duration,
}

const BRISK: Pace = Pace {
    acting: ACTING,
    rest: |random| {
        if random.happens(300) { random.millis(0, 300) } else { random.millis(300, 4_000) }
    },
};

/// Most grants find people who have settled.
const EASY: Pace = Pace { acting: ACTING_WITH_GRANTS, rest: |random| random.millis(1_000, 14_000) };

fn live(random: &mut Random, who: PersonId, crowd: Crowd, steps: &mut Vec<Step>) {
    live_at(BRISK, random, who, crowd, steps);
}

fn live_with_grants(random: &mut Random, who: PersonId, crowd: Crowd, steps: &mut Vec<Step>) {
    live_at(EASY, random, who, crowd, steps);
}

/// One person's steps. What makes no sense where they stand is left out.
fn live_at(pace: Pace, random: &mut Random, who: PersonId, crowd: Crowd, steps: &mut Vec<Step>) {
    let mut standing = Standing::default();
    let mut at = random.millis(0, 2_500);
    while at < pace.acting {
        let act = next_act(random, &standing, crowd);
        if let Some(act) = act {
            standing.apply(act);
            steps.push(Step { at, who, act });
        }
        at += (pace.rest)(random);
    }
}

/// When rooms are granted anew, and to whom.
fn grants(random: &mut Random, rooms: &[RoomId]) -> Vec<Grant> {
    let mut grants = Vec::new();
    let mut epochs = BTreeMap::new();
    let mut at = random.millis(4_000, 9_000);
    while at < ACTING_WITH_GRANTS {
        let node = u16::try_from(random.below(NODES.into())).unwrap_or_default();
        if let Some(room) = random.pick(rooms).copied() {
            let epoch = epochs.entry(room).or_insert(FIRST_EPOCH);
            *epoch = Epoch(epoch.0 + 1);
            grants.push(Grant { at, room, node, epoch: *epoch });
        }
        at += random.millis(1_000, 12_000);
    }
    grants
}

/// One person's steps with long rests, and with networks that go away: for a moment, or for longer
/// than consent to send lasts.
fn live_with_outages(random: &mut Random, who: PersonId, crowd: Crowd, steps: &mut Vec<Step>) {
    let mut standing = Standing::default();
    let mut at = random.millis(0, 2_500);
    while at < ACTING_WITH_OUTAGES {
        let down = if random.happens(500) { random.millis(500, 15_000) } else { LONG_OUTAGE };
        let fits = standing.room.is_some() && at + down < ACTING_WITH_OUTAGES;
        if fits && random.happens(500) {
            steps.push(Step { at, who, act: Act::Vanish { down } });
            at += down;
            steps.push(Step { at, who, act: Act::Return });
        } else if let Some(act) = next_act(random, &standing, crowd) {
            standing.apply(act);
            steps.push(Step { at, who, act });
        }
        at += random.millis(5_000, 12_000);
    }
}

fn next_act(random: &mut Random, standing: &Standing, crowd: Crowd) -> Option<Act> {
    let Crowd { people, rooms } = crowd;
    let room = RoomId(u16::try_from(random.below(rooms)).unwrap_or_default());
    if standing.room.is_none() {
        return Some(Act::Enter(room));
    }
    if !standing.publishes && random.happens(600) {
        return Some(Act::Publish);
    }
    let other = PersonId(u16::try_from(random.below(people.into())).unwrap_or_default());
    match random.below(100) {
        0..25 => Some(Act::Drop { down: random.millis(100, 2_500) }),
        25..45 if standing.publishes => Some(if standing.muted { Act::Unmute } else { Act::Mute }),
        45..60 if standing.ignores.contains(&other) => Some(Act::Heed(other)),
        45..60 => Some(Act::Ignore(other)),
        60..70 => Some(Act::Leave),
        70..80 => Some(Act::Enter(room)),
        _ => None,
    }
}
