//! Whether data messages reach those who are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Complaint,
    spans::{Span, spans},
};
use crate::{Act, Plan, Received, Recording, Step};

/// Time that a message may be on its way.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Everybody who is settled in a room gets what is said in it: once, in order, under its sender's
/// name, and nothing else. Lost sockets interrupt no messages.
pub fn messages(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let mut complaints: Vec<Complaint> =
        recording.received.iter().filter_map(received_wrongly).collect();
    complaints.extend(out_of_order(&recording.received));
    let received: BTreeSet<_> =
        recording.received.iter().map(|it| (it.listener, it.said.talker, it.said.count)).collect();
    for span in spans(&everybody_talks(plan)) {
        let Span { listener, talker, ready, until, .. } = span;
        let due = recording.said.iter().filter(|said| {
            said.talker == talker && said.at >= ready && said.at + UNDER_WAY <= until
        });
        let missed = due.filter(|said| !received.contains(&(listener, talker, said.count)));
        complaints.extend(missed.map(|said| complaint(format!("{listener:?} missed {said:?}"))));
    }
    complaints
}

fn received_wrongly(received: &Received) -> Option<Complaint> {
    let what = if received.listener == received.said.talker {
        "got one's own message"
    } else if received.room != received.said.room {
        "got a message of another room"
    } else if received.taken_for != Some(received.said.talker) {
        "took a message for another's"
    } else {
        return None;
    };
    Some(complaint(format!("{what}: {received:?}")))
}

fn out_of_order(received: &[Received]) -> Vec<Complaint> {
    let mut latest = BTreeMap::new();
    let mut complaints = Vec::new();
    for message in received {
        let Received { listener, life, said, .. } = *message;
        let before = latest.insert((listener, life, said.talker), said.count);
        if before.is_some_and(|before| before >= said.count) {
            complaints.push(complaint(format!("a message after {before:?}: {message:?}")));
        }
    }
    complaints
}

/// The same comings and goings, in which all are to be heard all the time.
fn everybody_talks(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let steps = plan.steps.iter().flat_map(|step| match step.act {
        Act::Enter(_) => vec![*step, Step { act: Act::Publish, ..*step }],
        Act::Leave | Act::Drop { .. } | Act::Vanish { .. } | Act::Return => vec![*step],
        Act::Publish | Act::Mute | Act::Unmute | Act::Ignore(_) | Act::Heed(_) => Vec::new(),
    });
    plan.steps = steps.collect();
    plan
}

fn complaint(what: String) -> Complaint {
    Complaint { oracle: "messages", what }
}
