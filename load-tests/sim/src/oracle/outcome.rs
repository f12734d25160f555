//! Who ends up hearing whom.

use std::collections::BTreeSet;

use super::{Complaint, spans::spans};
use crate::{PersonId, Plan, Recording, clock::Time};

/// The end of the story, in which everything has settled.
const JUDGED: Time = Time::from_millis(1_500);

/// In the end everybody hears those they should, knows who they are, and hears nobody else.
pub fn outcome(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let start = plan.length.saturating_sub(JUDGED);
    let last = spans(plan).into_iter().filter(|span| span.until == plan.length);
    let expected: BTreeSet<Pair> = last.map(|span| (span.listener, span.talker)).collect();
    let late = recording.heard.iter().filter(|heard| heard.at >= start);
    let heard: BTreeSet<Pair> = late.clone().map(|heard| (heard.listener, heard.talker)).collect();
    let known: BTreeSet<Pair> =
        late.filter_map(|heard| Some((heard.listener, heard.taken_for?))).collect();

    let complain = |what: &str, pairs: BTreeSet<Pair>| {
        let texts = pairs.into_iter().map(|(listener, talker)| Complaint {
            oracle: "outcome",
            what: format!("{listener:?} {what} {talker:?} in the end"),
        });
        texts.collect::<Vec<_>>()
    };
    let mut complaints = complain("doesn't hear", &expected - &heard);
    complaints.extend(complain("hears without knowing it is", &(&expected & &heard) - &known));
    complaints.extend(complain("still hears", &heard - &expected));
    complaints
}

type Pair = (PersonId, PersonId);
