//! The same story twice: alike where it must be.

use std::collections::BTreeMap;

use super::Complaint;
use crate::{PersonId, Recording, RoomId};

/// Packets by which two plays may differ: ids are random, so lists come in other orders, and a
/// frame sooner or later is other packets lost.
const TOLERATED: u32 = 50;

/// However many shards there are, the same people hear the same voices, about as often.
pub fn differential(one: &Recording, many: &Recording) -> Vec<Complaint> {
    let (one, many) = (counts_of(one), counts_of(many));
    let pairs = one.keys().chain(many.keys().filter(|pair| !one.contains_key(pair)));
    let count = |counts: &Counts, pair| counts.get(pair).copied().unwrap_or_default();
    let different = pairs.filter(|pair| count(&one, pair).abs_diff(count(&many, pair)) > TOLERATED);
    let complaints = different.map(|pair| {
        let (listener, talker, room) = pair;
        let (one, many) = (count(&one, pair), count(&many, pair));
        Complaint {
            oracle: "differential",
            what: format!(
                "{listener:?} heard {talker:?} in {room:?} {one} times with one shard, {many} with several"
            ),
        }
    });
    complaints.collect()
}

type Counts = BTreeMap<(PersonId, PersonId, RoomId), u32>;

fn counts_of(recording: &Recording) -> Counts {
    let mut counts = Counts::new();
    for heard in &recording.heard {
        *counts.entry((heard.listener, heard.talker, heard.room)).or_default() += 1;
    }
    counts
}

/// The same seed is the same story, to the last byte of every output.
pub fn deterministic(first: &Recording, second: &Recording) -> Vec<Complaint> {
    let what = if first.digest != second.digest {
        "other outputs for the same seed"
    } else if first != second {
        "another recording for the same seed"
    } else {
        return Vec::new();
    };
    vec![Complaint { oracle: "deterministic", what: what.to_owned() }]
}
