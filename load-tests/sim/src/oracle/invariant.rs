//! What must hold of every single packet.

use std::collections::BTreeMap;

use super::{
    Complaint,
    spans::{Span, spans, spans_before_ignoring},
};
use crate::{Heard, PersonId, Plan, Recording, Sent, clock::Time};

/// Never oneself, never another room, never somebody one shouldn't hear, never under another's
/// name; never twice under one index, never out of a talker's own order, never to a closed
/// connection.
pub fn invariant(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let explained: Vec<Explained> = spans(plan)
        .iter()
        .map(Explained::by_wish)
        .chain(spans_before_ignoring(plan).iter().map(Explained::by_surprise))
        .collect();
    let mut complaints: Vec<Complaint> = recording
        .faults
        .iter()
        .map(|fault| complaint(format!("{} ({:?}, {:?})", fault.what, fault.who, fault.at)))
        .collect();
    complaints.extend(recording.heard.iter().filter_map(|heard| heard_wrongly(heard, &explained)));
    complaints.extend(sent_wrongly(&recording.sent));
    complaints
}

fn complaint(what: String) -> Complaint {
    Complaint { oracle: "invariant", what }
}

fn heard_wrongly(heard: &Heard, explained: &[Explained]) -> Option<Complaint> {
    let what = if heard.listener == heard.talker {
        "heard oneself"
    } else if heard.room != heard.talker_room {
        "heard another room"
    } else if heard.taken_for.is_some_and(|person| person != heard.talker) {
        "took one person for another"
    } else if !explained.iter().any(|explained| explained.covers(heard)) {
        "heard somebody whom one shouldn't"
    } else {
        return None;
    };
    Some(complaint(format!("{what}: {heard:?}")))
}

/// When the plan explains that somebody hears somebody.
#[derive(Clone, Copy, Debug)]
struct Explained {
    listener: PersonId,
    talker: PersonId,
    from: Time,
    until: Time,
}

impl Explained {
    /// Afterwards there may be packets on their way, or the wish to be spared them.
    fn by_wish(span: &Span) -> Self {
        let Span { listener, talker, from, silent, .. } = *span;
        Self { listener, talker, from, until: silent }
    }

    /// Nobody can be ignored before they are there.
    fn by_surprise(span: &Span) -> Self {
        let Span { listener, talker, from, ready, .. } = *span;
        Self { listener, talker, from, until: ready }
    }

    fn covers(&self, heard: &Heard) -> bool {
        let pair = self.listener == heard.listener && self.talker == heard.talker;
        pair && (self.from..=self.until).contains(&heard.at)
    }
}

fn sent_wrongly(sent: &[Sent]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut streams: BTreeMap<_, BTreeMap<u64, &Sent>> = BTreeMap::new();
    for copy in sent {
        if !copy.open {
            complaints.push(complaint(format!("sent to a closed connection: {copy:?}")));
        }
        let stream = streams.entry((copy.to, copy.ssrc)).or_default();
        if stream.insert(copy.index, copy).is_some() {
            complaints.push(complaint(format!("encrypted twice under one index: {copy:?}")));
        }
    }
    for stream in streams.values() {
        let by_index = stream.values().zip(stream.values().skip(1));
        for (earlier, later) in by_index {
            if earlier.talker != later.talker {
                complaints.push(complaint(format!("two talkers in one stream: {later:?}")));
            } else if earlier.count >= later.count {
                complaints.push(complaint(format!("indices out of order: {later:?}")));
            }
        }
    }
    complaints
}
