//! When somebody should hear somebody, as far as the plan goes.

use std::time::Duration;

use super::GRACE;
use crate::{Act, PersonId, Plan, RoomId, Step, clock::Time, plan::Standing, world::UNHEARD_MAX};

/// A time in which `listener` should hear `talker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub listener: PersonId,
    pub talker: PersonId,
    /// When what they did made it so, and when that must have taken effect.
    pub from: Time,
    pub ready: Time,
    /// When what they did ended it, and when nothing of it may be left.
    pub until: Time,
    pub silent: Time,
}

/// Every span of a plan.
pub(super) fn spans(plan: &Plan) -> Vec<Span> {
    every_pair(plan, |_| true)
}

/// Every span there would be if nobody ignored anybody.
pub(super) fn spans_before_ignoring(plan: &Plan) -> Vec<Span> {
    every_pair(plan, |act| !matches!(act, Act::Ignore(_)))
}

fn every_pair(plan: &Plan, counts: impl Fn(Act) -> bool + Copy) -> Vec<Span> {
    let pairs = plan.ids().flat_map(|listener| plan.ids().map(move |talker| (listener, talker)));
    pairs.flat_map(|(listener, talker)| spans_of(plan, listener, talker, counts)).collect()
}

fn spans_of(
    plan: &Plan,
    listener: PersonId,
    talker: PersonId,
    counts: impl Fn(Act) -> bool,
) -> Vec<Span> {
    let moments =
        moments(plan, |step| (step.who == listener || step.who == talker) && counts(step.act));
    let (mut hearing, mut talking) = (Standing::default(), Standing::default());
    let mut spans = Vec::new();
    let mut from: Option<(Time, RoomId)> = None;
    for (at, what) in &moments {
        if let Moment::Step(step) = what {
            if step.who == listener {
                hearing.apply(step.act);
            }
            if step.who == talker {
                talking.apply(step.act);
            }
        }
        let hears = hearing.hears(listener, &talking, talker);
        if let Some((start, room)) = from.filter(|(_, room)| !hears || what.begins_anew(*room)) {
            let (ready, silent) = (settled(&moments, room, start), settled(&moments, room, *at));
            spans.push(Span { listener, talker, from: start, ready, until: *at, silent });
            from = None;
        }
        if let Some(room) = hearing.room.filter(|_| hears) {
            from.get_or_insert((*at, room));
        }
    }
    if let Some((start, room)) = from {
        let (ready, until) = (settled(&moments, room, start), plan.length);
        spans.push(Span { listener, talker, from: start, ready, until, silent: until });
    }
    spans
}

/// What has to do with a pair.
#[derive(Clone, Copy, Debug)]
enum Moment<'p> {
    Step(&'p Step),
    /// A room is granted anew.
    Grant(RoomId),
}

impl Moment<'_> {
    /// Whoever enters anew begins anew, even where they were; and so do all in a room that is
    /// granted anew.
    fn begins_anew(self, room: RoomId) -> bool {
        match self {
            Self::Step(step) => matches!(step.act, Act::Enter(_)),
            Self::Grant(granted) => granted == room,
        }
    }

    /// How long somebody in that room may be without a socket.
    fn down(self, room: RoomId) -> Duration {
        match self {
            Self::Step(Step { act: Act::Drop { down }, .. }) => *down,
            Self::Grant(granted) if granted == room => UNHEARD_MAX,
            Self::Step(_) | Self::Grant(_) => Duration::ZERO,
        }
    }
}

fn moments(plan: &Plan, counts: impl Fn(&Step) -> bool) -> Vec<(Time, Moment<'_>)> {
    let steps = plan.steps.iter().filter(|step| counts(step));
    let steps = steps.map(|step| (step.at, Moment::Step(step)));
    let grants = plan.grants.iter().map(|grant| (grant.at, Moment::Grant(grant.room)));
    let mut moments: Vec<_> = steps.chain(grants).collect();
    moments.sort_by_key(|(at, _)| *at);
    moments
}

/// When something done at `at` has taken effect: not before both have a socket that leads to the
/// room's owner, and long enough.
fn settled(moments: &[(Time, Moment<'_>)], room: RoomId, at: Time) -> Time {
    let mut away = Duration::ZERO;
    let mut settled = at + GRACE;
    for (when, what) in moments {
        let down = what.down(room);
        if !down.is_zero() && *when <= settled {
            away = away.max(*when + down);
            if away > at {
                settled = settled.max(away + GRACE);
            }
        }
    }
    settled
}
