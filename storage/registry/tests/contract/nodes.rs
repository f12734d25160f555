//! What holds of the pool's nodes, whatever the registry is made of.

use std::time::Duration;

use proto::pool::{BootId, NodeRecord, NodeState, Owner, Role};
use storage_registry::Registry;

use crate::pool::TestRegistry;

const LONG: Duration = Duration::from_secs(60);

fn node(name: &str, boot: u64) -> NodeRecord {
    NodeRecord {
        owner: Owner { node: name.parse().unwrap(), boot: BootId::from_random(boot) },
        roles: vec![Role::Signaling, Role::Sfu],
        region: "bd-1".to_owned(),
        version: "0.1.0".to_owned(),
        state: NodeState::Ready,
        unready_roles: vec![Role::Signaling],
        cluster: "10.0.0.1:7879".to_owned(),
        rooms: 3,
        participants: 7,
        load: 0.25,
        reasons: vec!["objects: away".to_owned()],
    }
}

async fn names(registry: &Registry) -> Vec<String> {
    let nodes = registry.nodes().await.unwrap();
    nodes.iter().map(|node| format!("{}/{:?}", node.owner.node, node.owner.boot)).collect()
}

#[tokio::test]
async fn a_node_is_listed_as_it_announced_itself_last() {
    let test = TestRegistry::new().await;
    let mut record = node("আড্ডা *?[a-z]/1", 1);
    test.registry.announce(&record, LONG).await.unwrap();
    record.state = NodeState::Draining;
    record.load = 0.1;
    test.registry.announce(&record, LONG).await.unwrap();
    assert_eq!(test.another().await.nodes().await.unwrap(), [record]);
}

#[tokio::test]
async fn nodes_come_by_name() {
    let test = TestRegistry::new().await;
    for name in ["b", "c", "a"] {
        test.registry.announce(&node(name, 1), LONG).await.unwrap();
    }
    let found = test.registry.nodes().await.unwrap();
    let found: Vec<&str> = found.iter().map(|node| node.owner.node.as_str()).collect();
    assert_eq!(found, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_node_that_fell_silent_is_gone_when_its_time_is_over() {
    let test = TestRegistry::new().await;
    test.registry.announce(&node("silent", 1), Duration::from_millis(200)).await.unwrap();
    test.registry.announce(&node("lively", 1), Duration::from_millis(200)).await.unwrap();
    let started = service::clock::now();
    while names(&test.registry).await.iter().any(|name| name.starts_with("silent")) {
        assert!(started.elapsed() < Duration::from_secs(20), "it stays");
        test.registry.announce(&node("lively", 1), LONG).await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
    assert_eq!(names(&test.registry).await, ["lively/0000000000000001"]);
}

#[tokio::test]
async fn withdrawing_one_life_of_a_node_leaves_the_other() {
    let test = TestRegistry::new().await;
    let (old, new) = (node("a", 1), node("a", 2));
    test.registry.announce(&old, LONG).await.unwrap();
    test.registry.announce(&new, LONG).await.unwrap();
    assert_eq!(names(&test.registry).await, ["a/0000000000000001", "a/0000000000000002"]);

    test.registry.withdraw(&old.owner).await.unwrap();
    assert_eq!(names(&test.registry).await, ["a/0000000000000002"]);
    test.registry.withdraw(&old.owner).await.unwrap();
    assert_eq!(test.registry.nodes().await.unwrap(), [new]);
}

#[tokio::test]
async fn a_pool_is_bounded_and_those_who_are_in_it_stay() {
    let test = TestRegistry::new().await;
    for boot in 0..1_000 {
        test.registry.announce(&node("n", boot), LONG).await.unwrap();
    }
    let error = test.registry.announce(&node("n", 1_000), LONG).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    test.registry.announce(&node("n", 7), LONG).await.unwrap();
    assert_eq!(test.registry.nodes().await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn nodes_that_expired_make_room_for_others() {
    let test = TestRegistry::new().await;
    for boot in 0..1_000 {
        test.registry.announce(&node("n", boot), Duration::from_millis(1)).await.unwrap();
    }
    let started = service::clock::now();
    while test.registry.announce(&node("m", 1), LONG).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "the dead take all the room");
    }
}
