//! Calls over several nodes of each role.

use std::collections::BTreeSet;

use e2e::{client::Passage, cluster::Cluster, kind::Kind};

use crate::story::{LATE, TWO_OF_EACH, pair};

#[test]
fn people_who_come_through_different_nodes_are_in_one_room_on_one_sfu() {
    let cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("room");
    assert_eq!(talk.media[0], talk.media[1]);
    let [ann, bob] = pair(&cluster, Kind::ChromiumV1, "browsers");
    let passage = Passage::of(&bob, &ann);
    talk.wait_until_heard();
    passage.assert_unbroken(&bob, &ann);
    talk.finish().assert_whole(LATE);
}

#[test]
fn rooms_are_spread_over_both_sfus() {
    let cluster = Cluster::start(TWO_OF_EACH);
    let rooms: Vec<String> = (1..=4).map(|number| format!("room-{number}")).collect();
    let talks: Vec<_> = rooms.iter().map(|room| cluster.talk(room)).collect();
    let used: BTreeSet<usize> = talks.iter().map(|talk| cluster.sfu_at(talk.media[0])).collect();
    assert_eq!(used, BTreeSet::from([0, 1]));
    for talk in talks {
        talk.finish().assert_whole(LATE);
    }
}
