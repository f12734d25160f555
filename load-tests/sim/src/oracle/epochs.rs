//! One owner at a time: what becomes of a room that is granted anew.

use std::{collections::BTreeMap, time::Duration};

use proto::ids::Epoch;

use super::{Complaint, GRACE};
use crate::{
    Act, Claim, Grant, PersonId, Plan, Recording, RoomId, Sent, clock::Time, plan::Standing,
    world::UNHEARD_MAX,
};

/// Time after which everybody is with the new owner.
const WHOLE: Duration = UNHEARD_MAX.saturating_add(GRACE);

/// A node refuses what comes under a lower epoch than it knows of, and nothing else; from then on
/// it forwards nothing for those who came under the lower one. Whoever is in a room that is granted
/// anew is soon let in by its new owner, and then nothing goes through the old.
pub fn epochs(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let mut complaints = judged_wrongly(&recording.claims);
    complaints.extend(forwarded_wrongly(recording));
    let late = recording.sent.iter().filter(|copy| is_over(&plan.grants, copy));
    complaints.extend(late.map(|copy| complaint(format!("sent by the old owner: {copy:?}"))));
    complaints.extend(plan.grants.iter().flat_map(|grant| left_behind(plan, recording, grant)));
    complaints
}

fn judged_wrongly(claims: &[Claim]) -> Vec<Complaint> {
    let mut known = Known::default();
    let mut complaints = Vec::new();
    for claim in claims {
        let is_stale = claim.epoch < known.highest(claim.node, claim.room);
        if is_stale != claim.refused {
            let what = if is_stale { "took a lower epoch" } else { "refused the highest epoch" };
            complaints.push(complaint(format!("{what}: {claim:?}")));
        }
        known.see(claim);
    }
    complaints
}

fn forwarded_wrongly(recording: &Recording) -> Vec<Complaint> {
    let mut known = Known::default();
    let mut claims = recording.claims.iter().peekable();
    let mut complaints = Vec::new();
    for copy in &recording.sent {
        // What happened in the same microsecond may have come later.
        while let Some(claim) = claims.next_if(|claim| claim.at < copy.at) {
            known.see(claim);
        }
        let (talkers, listeners) = copy.epochs;
        if talkers != listeners {
            complaints.push(complaint(format!("sent from one epoch into another: {copy:?}")));
        } else if listeners < known.highest(copy.node, copy.room) {
            complaints.push(complaint(format!("sent under a lower epoch: {copy:?}")));
        }
    }
    complaints
}

/// The highest epoch that each node has been told of.
#[derive(Default)]
struct Known(BTreeMap<(u16, RoomId), Epoch>);

impl Known {
    fn highest(&self, node: u16, room: RoomId) -> Epoch {
        self.0.get(&(node, room)).copied().unwrap_or_default()
    }

    fn see(&mut self, claim: &Claim) {
        let highest = self.0.entry((claim.node, claim.room)).or_default();
        *highest = claim.epoch.max(*highest);
    }
}

fn is_over(grants: &[Grant], copy: &Sent) -> bool {
    let mut later = grants.iter().filter(|grant| grant.room == copy.room);
    later.any(|grant| copy.epochs.1 < grant.epoch && grant.at + WHOLE < copy.at)
}

/// Those who were in the room all the time and were not let in again.
fn left_behind(plan: &Plan, recording: &Recording, grant: &Grant) -> Vec<Complaint> {
    let whole = grant.at + WHOLE;
    let again = |later: &Grant| later.room == grant.room && (grant.at..whole).contains(&later.at);
    if plan.grants.iter().any(|later| later.epoch > grant.epoch && again(later)) {
        return Vec::new();
    }
    let there = plan.ids().filter(|who| is_settled(plan, *who, grant.room, grant.at, whole));
    let is_back = |who: &PersonId| {
        recording.admitted.iter().any(|admitted| {
            (admitted.who, admitted.room, admitted.epoch) == (*who, grant.room, grant.epoch)
                && (grant.at..whole).contains(&admitted.at)
        })
    };
    let behind = there.filter(|who| !is_back(who));
    let epoch = grant.epoch;
    behind.map(|who| complaint(format!("{who:?} is not back under {epoch:?}"))).collect()
}

/// Whether somebody has been in a room for a while before `from` and is until `until`, with a
/// socket all the time as far as the plan goes.
fn is_settled(plan: &Plan, who: PersonId, room: RoomId, from: Time, until: Time) -> bool {
    let moves = |act| matches!(act, Act::Enter(_) | Act::Leave | Act::Drop { .. });
    let theirs = plan.steps.iter().filter(|step| step.who == who && step.at < until);
    let mut standing = Standing::default();
    let mut is_quiet = true;
    for step in theirs.filter(|step| moves(step.act)) {
        standing.apply(step.act);
        is_quiet &= step.at + GRACE < from;
    }
    is_quiet && standing.room == Some(room)
}

fn complaint(what: String) -> Complaint {
    Complaint { oracle: "epochs", what }
}
