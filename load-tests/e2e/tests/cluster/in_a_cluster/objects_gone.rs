//! The object store is gone, silent, slow or full: calls go on, whoever sends a note is
//! told when to come again, and nothing that was acknowledged is lost.

use e2e::{
    cluster::{Cluster, Servers, Shape},
    now,
    proxy::Proxy,
    wait,
};

use crate::{
    note::Note,
    small_disk::SmallDisk,
    story::{LATE, outage},
};

const NO_RECORDER: Shape = Shape { signaling: 1, sfu: 1, recorders: 0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    Paused,
}

fn calls_go_on_and_notes_are_to_be_sent_again(fault: Fault) {
    let mut cluster = Cluster::start(NO_RECORDER);
    let talk = cluster.talk("talk");
    let [kept, waiting] = [400, 500].map(|hz| Note::announce(&cluster, "room", hz));
    for note in [&kept, &waiting] {
        assert_eq!(note.upload(), Some(200));
    }
    let completed = kept.complete(&cluster, "room");
    assert_eq!(completed.status, 200, "{}", completed.body);

    match fault {
        Fault::Killed => cluster.servers.s3.process.kill(),
        Fault::Paused => cluster.servers.s3.process.pause(),
    }
    let refused = waiting.complete(&cluster, "room");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("Retry-After").is_some(), "{}", refused.head);
    cluster.signaling[0].expect_readiness(true, "objects: the object store");
    wait(outage());
    match fault {
        Fault::Killed => cluster.servers.s3.start_again(),
        Fault::Paused => cluster.servers.s3.process.resume(),
    }
    let completed = waiting.complete_soon(&cluster, "room");
    assert_eq!(completed.status, 200, "{}", completed.body);
    cluster.signaling[0].expect_nothing_of("objects");
    for note in [&kept, &waiting] {
        note.assert_kept(&cluster, "room");
    }
    talk.finish().assert_whole(LATE);
}

#[test]
fn a_store_that_is_killed_costs_no_note() {
    calls_go_on_and_notes_are_to_be_sent_again(Fault::Killed);
}

#[test]
fn a_store_that_is_silent_costs_no_note() {
    calls_go_on_and_notes_are_to_be_sent_again(Fault::Paused);
}

#[test]
fn a_store_that_is_slow_costs_time_and_nothing_else() {
    e2e::enter_network();
    let mut servers = Servers::start();
    servers.door = Some(Proxy::before(servers.s3.address()));
    let cluster = Cluster::around(servers, NO_RECORDER);
    let slowly = |is_slow: bool| match &cluster.servers.door {
        Some(door) if is_slow => door.slow_down(),
        Some(door) => door.hurry(),
        None => unreachable!("it was put there"),
    };
    let talk = cluster.talk("talk");
    slowly(true);
    cluster.signaling[0].expect_readiness(true, "objects: the object store takes longer");
    let note = Note::announce(&cluster, "room", 400);
    let started = now();
    assert_eq!(note.upload(), Some(200));
    assert!(now().duration_since(started) > LATE, "it was not slow");
    let completed = note.complete_soon(&cluster, "room");
    assert_eq!(completed.status, 200, "{}", completed.body);

    slowly(false);
    cluster.signaling[0].expect_nothing_of("objects");
    note.assert_kept(&cluster, "room");
    talk.finish().assert_whole(LATE);
}

#[test]
fn a_store_that_is_full_takes_notes_again_once_it_has_room() {
    e2e::enter_network();
    let disk = SmallDisk::mount();
    let cluster = disk.start_cluster(NO_RECORDER);
    let talk = cluster.talk("talk");
    let kept = Note::announce(&cluster, "room", 400);
    assert_eq!(kept.upload(), Some(200));
    assert_eq!(kept.complete(&cluster, "room").status, 200);

    let ballast = disk.fill();
    let waiting = Note::announce(&cluster, "room", 500);
    assert!(waiting.upload().is_none_or(|status| status >= 500), "a full store took a file");
    let refused = waiting.complete(&cluster, "room");
    assert_eq!(refused.status, 409, "acknowledged what is nowhere: {}", refused.body);

    std::fs::remove_file(ballast).expect("it was there");
    assert_eq!(waiting.upload(), Some(200));
    let completed = waiting.complete(&cluster, "room");
    assert_eq!(completed.status, 200, "{}", completed.body);
    for note in [&kept, &waiting] {
        note.assert_kept(&cluster, "room");
    }
    talk.finish().assert_whole(LATE);
}
