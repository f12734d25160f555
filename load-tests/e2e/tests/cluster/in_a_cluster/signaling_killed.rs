//! A signaling node that is killed takes no packet with it: its callers go on by the other.

use e2e::{
    client::{Client, Passage},
    cluster::Cluster,
    kind::Kind,
};

use crate::story::{ANN_HZ, LATE, TWO_OF_EACH, pair};

#[test]
fn raw_peers_lose_no_packet_and_come_back_through_the_other_node() {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("room");
    cluster.signaling[0].process.kill();
    talk.wait_until_resumed(&[0]);
    // It is a session like any other: who comes new is heard and hears.
    let later = cluster.talk_through("later", [cluster.address(); 2]);
    talk.wait_until_heard();
    let record = talk.finish();
    record.assert_whole(LATE);
    assert_eq!(record.resumed, [1, 0]);
    later.finish().assert_whole(LATE);
}

/// Each node is killed in turn, so that whoever was where, everybody has lost theirs once.
fn sdks_lose_no_packet_and_come_back_through_the_other_node(kind: Kind) {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let mut callers = pair(&cluster, kind, "room");
    let sids = callers.each_ref().map(|caller| caller.sid.clone());
    let [ann, bob] = &callers;
    let (to_bob, to_ann) = (Passage::of(ann, bob), Passage::of(bob, ann));
    let mut back = [false, false];
    for node in 0..2 {
        cluster.signaling[node].process.kill();
        for (caller, back) in callers.iter_mut().zip(&mut back) {
            // Who was on the other node has nothing to tell.
            if node == 1 && !*back || caller.lost_its_signal() {
                caller.expect_that("reconnected", |_| true);
                *back = true;
            }
        }
        cluster.signaling[node].start_again();
    }
    let [ann, bob] = &callers;
    to_bob.assert_unbroken(ann, bob);
    to_ann.assert_unbroken(bob, ann);
    assert_eq!(bob.other("ann")["sid"], sids[0].as_str());
    assert_eq!(ann.other("bob")["sid"], sids[1].as_str());
    let token = cluster.token("room", "eve").sign();
    let eve = Client::join_at(kind, &cluster.url(), "eve", &token);
    eve.expect_tone("ann", ANN_HZ);
}

#[test]
fn go_clients_lose_no_packet_and_come_back_through_the_other_node() {
    sdks_lose_no_packet_and_come_back_through_the_other_node(Kind::Go);
}

#[test]
fn chromium_clients_lose_no_packet_and_come_back_through_the_other_node() {
    sdks_lose_no_packet_and_come_back_through_the_other_node(Kind::ChromiumV1);
}
