//! Whoever should be heard is heard without a break.

use std::time::Duration;

use super::{
    Complaint,
    spans::{Span, spans},
};
use crate::{Plan, Recording};

/// Longest silence of somebody who is talking. Twenty packets in a row, of which the worst way
/// loses one in six: that is no chance.
const GAP_MAX: Duration = Duration::from_millis(400);

/// Lost sockets, other people's comings and goings, and renegotiation interrupt nobody.
pub fn liveness(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let spans = spans(plan).into_iter().filter(|span| span.ready + GAP_MAX <= span.until);
    spans.filter_map(|span| longest_gap(&span, recording)).collect()
}

fn longest_gap(span: &Span, recording: &Recording) -> Option<Complaint> {
    let theirs = recording.heard.iter().filter(|heard| {
        heard.listener == span.listener
            && heard.talker == span.talker
            && heard.taken_for == Some(span.talker)
    });
    let inside = theirs.map(|heard| heard.at).filter(|at| (span.ready..span.until).contains(at));
    let (mut latest, mut gap, mut when) = (span.ready, Duration::ZERO, span.ready);
    for at in inside.chain([span.until]) {
        if at.saturating_sub(latest) > gap {
            (gap, when) = (at.saturating_sub(latest), latest);
        }
        latest = at;
    }
    (gap > GAP_MAX).then(|| Complaint {
        oracle: "liveness",
        what: format!(
            "{:?} didn't hear {:?} for {gap:?} from {when:?}",
            span.listener, span.talker
        ),
    })
}
