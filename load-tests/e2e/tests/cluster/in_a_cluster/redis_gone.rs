//! Redis dies, or forgets everything: calls, joins and new rooms go on, and it mends by itself.

use e2e::{cluster::Cluster, wait};

use crate::story::{LATE, TWO_OF_EACH, outage};

#[test]
fn calls_joins_and_new_rooms_go_on_while_redis_is_gone() {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("known");
    cluster.servers.redis.process.kill();
    for node in &cluster.signaling {
        node.poll("/metrics", |page| page.body.contains("adda_redis_up 0"));
        assert!(node.is_ready(), "{} would take no calls", node.id);
    }
    wait(outage());
    let joined = cluster.speaker(cluster.signaling[1].address(), "known", "late");
    let new = cluster.talk("new");
    assert_eq!(new.media[0], new.media[1]);
    let late = e2e::talk::Talk::of(vec![joined]);
    assert_eq!(cluster.sfu_at(late.media[0]), cluster.sfu_at(talk.media[0]));

    cluster.servers.redis.start_again();
    for node in &cluster.signaling {
        node.poll("/metrics", |page| page.body.contains("adda_redis_up 1"));
    }
    let healed = cluster.talk("healed");
    assert_eq!(healed.media[0], healed.media[1]);
    for talk in [talk, new, healed] {
        talk.finish().assert_whole(LATE);
    }
    drop(late);
}

#[test]
fn a_redis_that_forgets_everything_learns_it_again_from_the_nodes() {
    let cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("known");
    let keys = |cluster: &Cluster| cluster.servers.redis.command("DBSIZE");
    let before = keys(&cluster);
    cluster.servers.redis.flush_all();
    let late = cluster.talk("known-later");
    assert_eq!(late.media[0], late.media[1]);
    let again = e2e::talk::Talk::of(vec![cluster.speaker(
        cluster.signaling[1].address(),
        "known",
        "again",
    )]);
    assert_eq!(cluster.sfu_at(again.media[0]), cluster.sfu_at(talk.media[0]));
    let deadline = e2e::now() + e2e::PATIENCE;
    while keys(&cluster) < before {
        assert!(e2e::now() < deadline, "the registry knows less than before");
        wait(LATE);
    }
    talk.finish().assert_whole(LATE);
    late.finish().assert_whole(LATE);
}
