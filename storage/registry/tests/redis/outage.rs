//! What the registry does while Redis is gone, hangs or forgot, and afterwards.

use std::time::Duration;

use parts::Redis;
use proto::{
    ids::Epoch,
    pool::{BootId, NodeRecord, Owner, Placement, Role},
};
use service::clock;
use storage_registry::{Hint, Registry, RegistryError};
use tokio::time::timeout;

use crate::{
    hints::hear,
    pool::{PATIENCE, TestRegistry, connect},
};

const TTL: Duration = Duration::from_secs(60);

fn node() -> NodeRecord {
    let owner = Owner { node: "a".parse().unwrap(), boot: BootId::from_random(1) };
    NodeRecord::starting(owner, vec![Role::Sfu])
}

fn placement(epoch: u64) -> Placement {
    Placement { owner: node().owner, epoch: Epoch(epoch) }
}

/// Waits until the registry knows that Redis doesn't answer.
async fn down(registry: &Registry) {
    let waiting = async {
        while registry.is_up() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it is noticed");
}

#[tokio::test]
async fn while_redis_is_gone_calls_fail_at_once_and_afterwards_everything_is_as_before() {
    let mut test = TestRegistry::new().await;
    let mut listener = test.registry.hints("recordings");
    hear(&test.registry, "recordings", b"before", &mut listener).await;
    test.registry.announce(&node(), TTL).await.unwrap();

    test.redis.process.kill();
    down(&test.registry).await;
    let started = clock::now();
    for _ in 0..100 {
        let error = test.registry.nodes().await.unwrap_err();
        assert!(matches!(error, RegistryError::Down) && error.is_unavailable(), "{error:?}");
        assert!(test.registry.announce(&node(), TTL).await.is_err());
        assert!(test.registry.hint("recordings", b"into the void").await.is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    test.redis.start_again();
    timeout(PATIENCE, test.registry.up()).await.expect("it is up again");
    assert_eq!(test.registry.nodes().await.unwrap(), [], "it forgot everything");
    test.registry.announce(&node(), TTL).await.unwrap();
    assert_eq!(test.registry.nodes().await.unwrap(), [node()]);
    let told = async { while listener.recv().await != Some(Hint::Lost) {} };
    timeout(PATIENCE, told).await.expect("it is told what it may have missed");
    hear(&test.registry, "recordings", b"after", &mut listener).await;
}

#[tokio::test]
async fn a_redis_that_hangs_keeps_nobody_waiting() {
    let test = TestRegistry::new().await;
    test.redis.process.pause();
    let started = clock::now();
    let error = test.registry.room(&"demo".parse().unwrap()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    down(&test.registry).await;
    assert!(matches!(test.registry.nodes().await, Err(RegistryError::Down)));

    test.redis.process.resume();
    timeout(PATIENCE, test.registry.up()).await.expect("it is up again");
    test.registry.nodes().await.unwrap();
}

#[tokio::test]
async fn what_redis_forgot_is_there_again_once_it_is_said_again() {
    let test = TestRegistry::new().await;
    let room = "demo".parse().unwrap();
    test.registry.announce(&node(), TTL).await.unwrap();
    test.registry.set_room(&room, &placement(7)).await.unwrap();

    test.redis.flush_all();
    assert_eq!(test.registry.nodes().await.unwrap(), []);
    assert_eq!(test.registry.room(&room).await.unwrap(), None);
    test.registry.announce(&node(), TTL).await.unwrap();
    assert!(test.registry.set_room(&room, &placement(7)).await.unwrap());
    assert_eq!(test.registry.nodes().await.unwrap(), [node()]);
    assert_eq!(test.registry.room(&room).await.unwrap(), Some(placement(7)));
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_as_good_as_gone() {
    let test = TestRegistry::new().await;
    assert!(test.redis.command("REPLICAOF 127.0.0.1 1").is_some());
    down(&test.registry).await;
    assert!(test.redis.command("REPLICAOF NO ONE").is_some());
    timeout(PATIENCE, test.registry.up()).await.expect("it is up again");
    test.registry.announce(&node(), TTL).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_comes_later_than_the_registry_is_found() {
    let mut redis = Redis::start();
    redis.process.kill();
    let registry = Registry::redis(&redis.url()).unwrap();
    let mut listener = registry.hints("recordings");
    assert!(!registry.is_up());
    assert!(matches!(registry.nodes().await, Err(RegistryError::Down)));
    redis.start_again();
    timeout(PATIENCE, registry.up()).await.expect("it is up");
    hear(&registry, "recordings", b"hello", &mut listener).await;
}

#[tokio::test]
async fn nothing_stays_in_redis_for_ever() {
    let test = TestRegistry::new().await;
    test.registry.announce(&node(), Duration::from_millis(100)).await.unwrap();
    test.registry.set_room(&"demo".parse().unwrap(), &placement(7)).await.unwrap();
    let life = test.redis.command("PTTL adda:room:demo").unwrap();
    let life: i64 = life.trim_start_matches(':').trim().parse().unwrap();
    assert!((1..=3_600_000).contains(&life), "{life}");

    let emptied = async { while !test.registry.nodes().await.unwrap().is_empty() {} };
    timeout(PATIENCE, emptied).await.expect("it expires");
    assert_eq!(test.redis.command("EXISTS {adda:nodes}").as_deref(), Some(":0\r\n"));
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_without_repeating_its_password() {
    let error = Registry::redis("http://adda:hunter2@redis/").unwrap_err();
    assert!(matches!(error, RegistryError::Url) && !error.is_unavailable());
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn metrics_say_whether_redis_is_up() {
    let redis = Redis::start();
    let registry = connect(&redis).await;
    let mut metrics = service::metrics::registry("0.0.0");
    registry.register(&mut metrics);
    registry.nodes().await.unwrap();
    let text = encode(&metrics);
    assert!(text.contains("\nadda_redis_up 1\n"), "{text}");
    assert!(text.contains("\nadda_redis_calls_total{outcome=\"ok\"} 1\n"), "{text}");
    drop(redis);
    down(&registry).await;
    let text = encode(&metrics);
    assert!(text.contains("\nadda_redis_up 0\n"), "{text}");
}

fn encode(metrics: &service::metrics::Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, metrics).unwrap();
    text
}
