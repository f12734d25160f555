//! Each oracle, shown a recording in which one thing is wrong.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::time::Duration;

use proto::ids::Epoch;
use sim::{
    Act, Fault, Heard, Joined, LinkEvent, PersonId, Plan, Recording, RoomId, Sent, Step, Told,
    oracle, play,
};

/// A story with several rooms in which somebody is heard to the end.
fn story() -> (Plan, Recording) {
    let stories = (0..100).map(|seed| {
        let plan = Plan::from_seed(seed);
        let recording = play(&plan, 1);
        (plan, recording)
    });
    let mut good = stories.filter(|(plan, recording)| {
        let end = plan.length - Duration::from_millis(100);
        plan.people.len() >= 4 && recording.heard.iter().any(|heard| heard.at > end)
    });
    good.next().unwrap()
}

/// The last pair that is heard to the end.
fn last_of(recording: &Recording) -> Heard {
    *recording.heard.last().unwrap()
}

fn complaints_of(plan: &Plan, recording: &Recording) -> Vec<String> {
    oracle::judge(plan, recording).iter().map(ToString::to_string).collect()
}

/// Asserts that breaking a good recording in one way is noticed, by the oracle that should.
fn assert_red(expected: &str, damage: impl FnOnce(&mut Recording)) {
    let (plan, mut recording) = story();
    assert_eq!(complaints_of(&plan, &recording), Vec::<String>::new());
    damage(&mut recording);
    let complaints = complaints_of(&plan, &recording);
    assert!(complaints.iter().any(|what| what.starts_with(expected)), "{complaints:?}");
}

#[test]
fn hearing_oneself_is_noticed() {
    assert_red("invariant: heard oneself", |recording| {
        let heard = last_of(recording);
        recording.heard.push(Heard { talker: heard.listener, ..heard });
    });
}

#[test]
fn hearing_another_room_is_noticed() {
    assert_red("invariant: heard another room", |recording| {
        let heard = last_of(recording);
        recording.heard.push(Heard { talker_room: RoomId(heard.room.0 + 1), ..heard });
    });
}

#[test]
fn a_voice_under_another_name_is_noticed() {
    assert_red("invariant: took one person for another", |recording| {
        let heard = last_of(recording);
        recording.heard.push(Heard { taken_for: Some(PersonId(99)), ..heard });
    });
}

#[test]
fn hearing_somebody_before_they_speak_is_noticed() {
    assert_red("invariant: heard somebody whom one shouldn't", |recording| {
        let heard = last_of(recording);
        recording.heard.insert(0, Heard { at: Duration::ZERO, ..heard });
    });
}

#[test]
fn a_packet_to_a_closed_connection_is_noticed() {
    assert_red("invariant: sent to a closed connection", |recording| {
        recording.sent.last_mut().unwrap().open = false;
    });
}

#[test]
fn an_index_used_twice_is_noticed() {
    assert_red("invariant: encrypted twice under one index", |recording| {
        let sent = *recording.sent.last().unwrap();
        recording.sent.push(Sent { count: sent.count + 1, ..sent });
    });
}

#[test]
fn an_index_that_steps_back_is_noticed() {
    assert_red("invariant: indices out of order", |recording| {
        let sent = *recording.sent.last().unwrap();
        recording.sent.push(Sent { count: sent.count - 1, index: sent.index + 1, ..sent });
    });
}

#[test]
fn two_talkers_in_one_stream_are_noticed() {
    assert_red("invariant: two talkers in one stream", |recording| {
        let sent = *recording.sent.last().unwrap();
        recording.sent.push(Sent { talker: PersonId(99), index: sent.index + 1, ..sent });
    });
}

/// A story with an outage of that many seconds, by somebody whose place is beyond doubt.
fn story_with_outage(seconds: std::ops::Range<u64>) -> (Plan, Recording, Step) {
    let stories = (0..20).map(|seed| {
        let plan = Plan::with_outages(seed);
        let recording = play(&plan, 1);
        (plan, recording)
    });
    let mut found = stories.filter_map(|(plan, recording)| {
        let outage = plan.steps.iter().copied().find(|step| {
            let fits =
                matches!(step.act, Act::Vanish { down } if seconds.contains(&down.as_secs()));
            let rested = plan.steps.iter().all(|other| {
                other.who != step.who || other.at >= step.at || other.at + oracle::GRACE <= step.at
            });
            fits && rested
        })?;
        Some((plan, recording, outage))
    });
    found.next().unwrap()
}

#[test]
fn a_place_lost_by_a_short_outage_is_noticed() {
    let (plan, mut recording, outage) = story_with_outage(1..14);
    assert_eq!(complaints_of(&plan, &recording), Vec::<String>::new());
    let at = outage.at + Duration::from_secs(1);
    recording.joins.push(Joined { at, who: outage.who });
    let complaints = complaints_of(&plan, &recording);
    assert!(complaints.iter().any(|what| what.starts_with("outages: ")), "{complaints:?}");
}

#[test]
fn a_place_kept_through_a_long_outage_is_noticed() {
    let (plan, mut recording, outage) = story_with_outage(36..60);
    recording.joins.retain(|joined| joined.who != outage.who);
    let complaints = complaints_of(&plan, &recording);
    assert!(complaints.iter().any(|what| what.starts_with("outages: ")), "{complaints:?}");
}

/// A story in which somebody is let in again after a grant, and what may be complained of then.
fn assert_red_with_grants(expected: &str, damage: impl FnOnce(&mut Recording)) {
    let stories = (0..20).map(|seed| {
        let plan = Plan::with_grants(seed);
        let recording = play(&plan, 1);
        (plan, recording)
    });
    let mut lively = stories.filter(|(_, recording)| {
        let refused = recording.claims.iter().any(|claim| claim.refused);
        refused && recording.sent.iter().any(|copy| copy.epochs.1.0 > 1)
    });
    let (plan, mut recording) = lively.next().unwrap();
    assert_eq!(complaints_of(&plan, &recording), Vec::<String>::new());
    damage(&mut recording);
    let complaints = complaints_of(&plan, &recording);
    assert!(complaints.iter().any(|what| what.starts_with(expected)), "{complaints:?}");
}

#[test]
fn a_lower_epoch_that_is_taken_is_noticed() {
    assert_red_with_grants("epochs: took a lower epoch", |recording| {
        let refused = recording.claims.iter_mut().find(|claim| claim.refused).unwrap();
        refused.refused = false;
    });
}

#[test]
fn a_highest_epoch_that_is_refused_is_noticed() {
    assert_red_with_grants("epochs: refused the highest epoch", |recording| {
        recording.claims.last_mut().unwrap().refused = true;
    });
}

#[test]
fn a_copy_under_a_lower_epoch_is_noticed() {
    assert_red_with_grants("epochs: sent under a lower epoch", |recording| {
        let copy = recording.sent.iter_mut().rfind(|copy| copy.epochs.1.0 > 1).unwrap();
        copy.epochs = (Epoch(1), Epoch(1));
    });
}

#[test]
fn a_copy_between_epochs_is_noticed() {
    assert_red_with_grants("epochs: sent from one epoch into another", |recording| {
        let copy = recording.sent.iter_mut().rfind(|copy| copy.epochs.1.0 > 1).unwrap();
        copy.epochs.0 = Epoch(1);
    });
}

#[test]
fn an_old_owner_that_goes_on_is_noticed() {
    assert_red_with_grants("epochs: sent by the old owner", |recording| {
        let copy = recording.sent.iter_mut().rfind(|copy| copy.epochs.1.0 > 1).unwrap();
        // A node that nobody has told of the higher epoch.
        *copy = Sent { node: 9, epochs: (Epoch(1), Epoch(1)), ..*copy };
    });
}

#[test]
fn somebody_who_is_not_let_in_again_is_noticed() {
    assert_red_with_grants("epochs: PersonId", |recording| {
        recording.admitted.retain(|admitted| admitted.epoch == Epoch(1));
    });
}

#[test]
fn a_fault_is_noticed() {
    assert_red("invariant: thrown out", |recording| {
        let at = Duration::ZERO;
        recording.faults.push(Fault { at, who: Some(PersonId(0)), what: "thrown out" });
    });
}

#[test]
fn a_packet_that_a_link_missed_is_noticed() {
    assert_red("links: link", |recording| {
        let tapped = last_tapped(recording);
        recording.links.remove(tapped);
    });
}

#[test]
fn a_packet_that_a_link_got_twice_is_noticed() {
    assert_red("links: link", |recording| {
        let tapped = last_tapped(recording);
        recording.links.insert(tapped, recording.links[tapped]);
    });
}

#[test]
fn a_wrong_number_in_a_link_is_noticed() {
    assert_red("links: link", |recording| {
        let tapped = last_tapped(recording);
        let LinkEvent::Tapped { index, .. } = &mut recording.links[tapped] else { return };
        *index += 1;
    });
}

#[test]
fn a_voice_that_a_link_was_not_told_of_is_noticed() {
    assert_red("links: link", |recording| {
        let started =
            |event: &LinkEvent| matches!(event, LinkEvent::Told { what: Told::Started { .. }, .. });
        let first = recording.links.iter().position(started).unwrap();
        recording.links.remove(first);
    });
}

fn last_tapped(recording: &Recording) -> usize {
    let tapped = |event: &LinkEvent| matches!(event, LinkEvent::Tapped { .. });
    recording.links.iter().rposition(tapped).unwrap()
}

#[test]
fn a_message_that_somebody_missed_is_noticed() {
    assert_red("messages: PersonId", |recording| {
        let listener = last_of(recording).listener;
        recording.received.retain(|it| it.listener != listener);
    });
}

#[test]
fn a_message_that_came_twice_is_noticed() {
    assert_red("messages: a message after", |recording| {
        let last = *recording.received.last().unwrap();
        recording.received.push(last);
    });
}

#[test]
fn a_message_under_anothers_name_is_noticed() {
    assert_red("messages: took a message for another's", |recording| {
        recording.received.last_mut().unwrap().taken_for = Some(PersonId(99));
    });
}

#[test]
fn a_message_of_another_room_is_noticed() {
    assert_red("messages: got a message of another room", |recording| {
        let last = recording.received.last_mut().unwrap();
        last.room = RoomId(last.room.0 + 1);
    });
}

#[test]
fn somebody_missing_in_the_end_is_noticed() {
    assert_red("outcome: PersonId", |recording| {
        let last = last_of(recording);
        recording.heard.retain(|heard| {
            (heard.listener, heard.talker) != (last.listener, last.talker)
                || heard.at + Duration::from_secs(2) < last.at
        });
    });
}

#[test]
fn a_voice_without_a_name_is_noticed() {
    assert_red("outcome: PersonId", |recording| {
        let last = last_of(recording);
        for heard in &mut recording.heard {
            if (heard.listener, heard.talker) == (last.listener, last.talker) {
                heard.taken_for = None;
            }
        }
    });
}

#[test]
fn somebody_still_heard_in_the_end_is_noticed() {
    assert_red("outcome: PersonId", |recording| {
        let last = last_of(recording);
        recording.heard.push(Heard { talker: PersonId(99), taken_for: None, ..last });
    });
}

#[test]
fn an_interruption_is_noticed() {
    assert_red("liveness: PersonId", |recording| {
        let last = last_of(recording);
        let gap = last.at - Duration::from_millis(1_000)..last.at - Duration::from_millis(500);
        recording.heard.retain(|heard| {
            (heard.listener, heard.talker) != (last.listener, last.talker)
                || !gap.contains(&heard.at)
        });
    });
}

#[test]
fn shards_that_differ_are_noticed() {
    let (_, one) = story();
    let mut many = one.clone();
    assert!(oracle::differential(&one, &many).is_empty());
    let last = last_of(&one);
    many.heard.retain(|heard| heard.listener != last.listener);
    assert!(!oracle::differential(&one, &many).is_empty());
    assert!(!oracle::differential(&many, &one).is_empty());
}

#[test]
fn another_story_for_the_same_seed_is_noticed() {
    let (_, first) = story();
    assert!(oracle::deterministic(&first, &first).is_empty());
    let other = Recording { digest: first.digest ^ 1, ..first.clone() };
    assert!(!oracle::deterministic(&first, &other).is_empty());
    let mut other = first.clone();
    other.heard.pop();
    assert!(!oracle::deterministic(&first, &other).is_empty());
}
