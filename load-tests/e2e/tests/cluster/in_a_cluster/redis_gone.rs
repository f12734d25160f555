//! Redis dies, or forgets everything: calls, joins and new rooms go on, and it mends by itself.

use std::time::Duration;

use e2e::{cluster::Cluster, now, server::adda, talk::Talk, wait};
use serde_json::{Value, json};

use crate::story::{LATE, TWO_OF_EACH, long_outage};

/// Between two looks at what goes on while Redis is gone.
const ROUND: Duration = Duration::from_secs(10);
const REASON: &str = "registry: Redis can't be reached";

#[test]
fn calls_joins_and_new_rooms_go_on_for_the_minute_that_redis_is_gone() {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("known");
    cluster.servers.redis.process.kill();
    let back = now() + long_outage();
    for node in cluster.signaling.iter().chain(&cluster.sfu) {
        node.poll("/metrics", |page| page.body.contains("adda_redis_up 0"));
        node.expect_readiness(true, REASON);
    }
    assert!(told_to_operators(&cluster).iter().all(|said| said.contains(REASON)));
    let mut late = None;
    for round in 0.. {
        let new = cluster.talk(&format!("new-{round}"));
        assert_eq!(new.media[0], new.media[1]);
        new.finish().assert_whole(LATE);
        let through = cluster.signaling[1].address();
        let joined = Talk::of(vec![cluster.speaker(through, "known", &format!("late-{round}"))]);
        assert_eq!(cluster.sfu_at(joined.media[0]), cluster.sfu_at(talk.media[0]));
        late = Some(joined);
        if now() + ROUND > back {
            break;
        }
        wait(ROUND);
    }
    wait(back.saturating_duration_since(now()));

    cluster.servers.redis.start_again();
    for node in cluster.signaling.iter().chain(&cluster.sfu) {
        node.poll("/metrics", |page| page.body.contains("adda_redis_up 1"));
        node.expect_nothing_of("registry");
    }
    assert!(told_to_operators(&cluster).iter().all(|said| !said.contains("registry:")));
    let healed = cluster.talk("healed");
    assert_eq!(healed.media[0], healed.media[1]);
    for talk in [talk, healed] {
        talk.finish().assert_whole(LATE);
    }
    drop(late);
}

/// What the API and the command line say of the pool.
fn told_to_operators(cluster: &Cluster) -> [String; 2] {
    let token = cluster.token("", "operator").grant("roomAdmin", json!(true));
    let api = cluster.api_as(&token.sign(), "GET", "/admin/v1/pool", &[], &Value::Null);
    assert_eq!(api.status, 200, "{}", api.body);
    let command = adda(&["node", "ls", "--url", &cluster.url()]).output().expect("it runs");
    assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
    let printed = String::from_utf8_lossy(&command.stdout).into_owned();
    assert!(printed.contains("sfu-1") && printed.contains("sfu-2"), "{printed}");
    [api.json()["reasons"].to_string(), printed]
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
    let again = Talk::of(vec![cluster.speaker(cluster.signaling[1].address(), "known", "again")]);
    assert_eq!(cluster.sfu_at(again.media[0]), cluster.sfu_at(talk.media[0]));
    let deadline = now() + e2e::PATIENCE;
    while keys(&cluster) < before {
        assert!(now() < deadline, "the registry knows less than before");
        wait(LATE);
    }
    talk.finish().assert_whole(LATE);
    late.finish().assert_whole(LATE);
}
