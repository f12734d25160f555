//! An SFU that is killed, or stopped for good: its callers go on at the other, by their SDK's own
//! reconnect, and nobody elsewhere notices.

use std::time::Duration;

use e2e::{cluster::Cluster, kind::Kind, now};

use crate::story::{LATE, TWO_OF_EACH, expect_to_hear_each_other, pair, talk_elsewhere};

/// From the death of a node to its callers' being on another.
const BACK_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Stopped,
}

fn callers_go_on_at_the_other_sfu(kind: Kind, end: End) {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let mut callers = pair(&cluster, kind, "room");
    let ended = cluster.sfu_of_room("room");
    let elsewhere = talk_elsewhere(&cluster, ended);
    let epoch = |cluster: &Cluster| epoch_of(cluster, "room");
    let first = epoch(&cluster);

    match end {
        End::Killed => cluster.sfu[ended].process.kill(),
        End::Stopped => cluster.sfu[ended].process.terminate(),
    }
    let started = now();
    for caller in &mut callers {
        caller.expect_that("reconnected", |_| true);
    }
    let took = now().duration_since(started);
    expect_to_hear_each_other(&callers);
    report(&format!("{kind:?}, {end:?}: back after {took:.1?}"));
    assert!(end == End::Stopped || took < BACK_WITHIN, "{kind:?} took {took:?}");
    assert_eq!(cluster.sfu_of_room("room"), 1 - ended);
    assert!(epoch(&cluster) > first, "the room has moved under the same epoch");
    elsewhere.finish().assert_whole(LATE);

    // The old owner comes back and takes nothing from the new one.
    if end == End::Stopped {
        assert!(cluster.sfu[ended].process.ended().success());
    }
    let second = epoch(&cluster);
    cluster.sfu[ended].start_again();
    expect_to_hear_each_other(&callers);
    assert_eq!((epoch(&cluster), cluster.sfu_of_room("room")), (second, 1 - ended));
}

fn epoch_of(cluster: &Cluster, room: &str) -> u64 {
    let statement = format!("SELECT epoch FROM rooms WHERE name = '{room}'");
    cluster.servers.postgres.query(&statement).parse().expect("an epoch")
}

#[test]
fn go_clients_of_a_killed_sfu_are_on_another_within_five_seconds() {
    callers_go_on_at_the_other_sfu(Kind::Go, End::Killed);
}

#[test]
fn chromium_clients_of_a_killed_sfu_are_on_another_within_five_seconds() {
    callers_go_on_at_the_other_sfu(Kind::ChromiumV1, End::Killed);
}

#[test]
fn chromium_clients_of_a_stopped_sfu_go_to_the_other() {
    callers_go_on_at_the_other_sfu(Kind::ChromiumV1, End::Stopped);
}

/// Shown with the test's result, whatever comes of it.
fn report(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "measured: {text}");
}
