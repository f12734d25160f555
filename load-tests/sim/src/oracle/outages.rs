//! What an outage costs those who were without a network.

use std::time::Duration;

use super::{Complaint, GRACE};
use crate::{Act, Plan, Recording, Step, clock::Time};

/// Shorter ones are slept through: consent lasts for 30 seconds after a check, and the last may
/// have been lost with others before it.
const SURVIVED_MAX: Duration = Duration::from_secs(15);
/// Longer ones cost one's place: consent has expired.
const FATAL_MIN: Duration = Duration::from_secs(36);

/// A short outage costs nobody their place; a long one does, and they join anew once they can.
pub fn outages(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let outages = plan.steps.iter().filter_map(|step| {
        let Act::Vanish { down } = step.act else { return None };
        is_settled(plan, step).then_some((step, down))
    });
    outages.filter_map(|(step, down)| judge(recording, step, down)).collect()
}

/// Whether somebody had their place for sure: nothing happened to it for a while.
fn is_settled(plan: &Plan, outage: &Step) -> bool {
    let before = plan.steps.iter().filter(|step| step.who == outage.who && step.at < outage.at);
    let unsettles = |act| !matches!(act, Act::Mute | Act::Unmute | Act::Ignore(_) | Act::Heed(_));
    before.filter(|step| unsettles(step.act)).all(|step| step.at + GRACE <= outage.at)
}

fn judge(recording: &Recording, outage: &Step, down: Duration) -> Option<Complaint> {
    let back: Time = outage.at + down;
    let joins = recording.joins.iter().filter(|joined| {
        joined.who == outage.who && (outage.at..back + GRACE).contains(&joined.at)
    });
    let what = match joins.count() {
        1.. if down <= SURVIVED_MAX => "lost their place by",
        0 if down >= FATAL_MIN => "kept their place through",
        _ => return None,
    };
    Some(Complaint { oracle: "outages", what: format!("{:?} {what} {outage:?}", outage.who) })
}
