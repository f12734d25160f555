//! When somebody should hear somebody, as far as the plan goes.

use std::time::Duration;

use super::GRACE;
use crate::{Act, PersonId, Plan, Step, clock::Time, plan::Standing};

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
    let theirs = plan.steps.iter().filter(|step| step.who == listener || step.who == talker);
    let steps: Vec<&Step> = theirs.filter(|step| counts(step.act)).collect();
    let (mut hearing, mut talking) = (Standing::default(), Standing::default());
    let mut spans = Vec::new();
    let mut from: Option<Time> = None;
    for step in &steps {
        if step.who == listener {
            hearing.apply(step.act);
        }
        if step.who == talker {
            talking.apply(step.act);
        }
        let hears = hearing.hears(listener, &talking, talker);
        // Whoever enters anew begins anew, even where they were.
        let begins = matches!(step.act, Act::Enter(_));
        if let Some(start) = from.filter(|_| begins || !hears) {
            let (ready, silent) = (settled(&steps, start), settled(&steps, step.at));
            spans.push(Span { listener, talker, from: start, ready, until: step.at, silent });
            from = None;
        }
        if hears {
            from.get_or_insert(step.at);
        }
    }
    if let Some(start) = from {
        let (ready, until) = (settled(&steps, start), plan.length);
        spans.push(Span { listener, talker, from: start, ready, until, silent: until });
    }
    spans
}

/// When something done at `at` has taken effect: not before both have a socket, and long enough.
fn settled(steps: &[&Step], at: Time) -> Time {
    let mut away = Duration::ZERO;
    let mut settled = at + GRACE;
    for step in steps {
        if let Act::Drop { down } = step.act
            && step.at <= settled
        {
            away = away.max(step.at + down);
            if away > at {
                settled = settled.max(away + GRACE);
            }
        }
    }
    settled
}
