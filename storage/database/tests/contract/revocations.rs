//! What holds of revoked tokens, whatever the store is made of.

use proto::{
    ids::{Identity, RoomName},
    link::UnixMicros,
};
use storage_database::{Database, Revoked};

use crate::store::TestStore;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn person(name: &str) -> Identity {
    name.parse().unwrap()
}

async fn revoke(database: &Database, name: &str, time: u64) {
    let whose = person(name);
    database.revoke(&room("demo"), Revoked::One(&whose), UnixMicros(time)).await.unwrap();
}

async fn revoked(database: &Database, name: &str) -> Option<u64> {
    let whose = person(name);
    let found = database.revoked(&room("demo"), Revoked::One(&whose)).await.unwrap();
    found.map(|time| time.0)
}

#[tokio::test]
async fn who_was_removed_is_known_to_everybody_and_after_a_restart() {
    let store = TestStore::new().await;
    assert_eq!(revoked(&store.database, "ann").await, None);
    revoke(&store.database, "ann", 7).await;

    let store = store.reopen().await;
    assert_eq!(revoked(&store.database, "ann").await, Some(7));
    assert_eq!(revoked(&store.database, "ANN").await, None);
    assert_eq!(revoked(&store.database, "bob").await, None);
    let (elsewhere, ann) = (room("another"), person("ann"));
    assert_eq!(store.database.revoked(&elsewhere, Revoked::One(&ann)).await.unwrap(), None);
    assert_eq!(store.database.revoked(&room("demo"), Revoked::Everybody).await.unwrap(), None);
}

#[tokio::test]
async fn a_revocation_is_never_taken_back_by_an_earlier_one() {
    let store = TestStore::new().await;
    for time in [7, 9, 8] {
        revoke(&store.database, "ann", time).await;
    }
    assert_eq!(revoked(&store.database, "ann").await, Some(9));
}

#[tokio::test]
async fn a_deleted_room_revokes_everybody_and_keeps_who_was_revoked_for_longer() {
    let store = TestStore::new().await;
    revoke(&store.database, "ann", 7).await;
    revoke(&store.database, "bob", 20).await;
    for time in [10, 9] {
        store.database.revoke(&room("demo"), Revoked::Everybody, UnixMicros(time)).await.unwrap();
    }
    assert_eq!(revoked(&store.database, "ann").await, Some(10));
    assert_eq!(revoked(&store.database, "bob").await, Some(20));
    assert_eq!(revoked(&store.database, "cid").await, Some(10), "who wasn't there, too");
    let forgotten = store.database.forget_revoked(UnixMicros(11)).await.unwrap();
    assert_eq!(forgotten, 1, "the room's row stood for ann's, too");
}

#[tokio::test]
async fn who_was_revoked_long_ago_is_forgotten_and_nobody_else() {
    let store = TestStore::new().await;
    revoke(&store.database, "ann", 7).await;
    revoke(&store.database, "bob", 8).await;
    assert_eq!(store.database.forget_revoked(UnixMicros(8)).await.unwrap(), 1);
    assert_eq!(revoked(&store.database, "ann").await, None);
    assert_eq!(revoked(&store.database, "bob").await, Some(8));
}

#[tokio::test]
async fn a_room_remembers_those_of_the_latest_times() {
    let store = TestStore::new().await;
    let before = store.database.clone();
    for number in 0..1_000 {
        revoke(&before, &format!("person {number}"), 100 + number).await;
    }
    let elsewhere = room("another");
    let first = person("person 0");
    store.database.revoke(&elsewhere, Revoked::One(&first), UnixMicros(1)).await.unwrap();
    assert_eq!(revoked(&store.database, "person 0").await, Some(100));

    // As old as the oldest: one of the two goes, and the other for the next.
    revoke(&store.database, "late", 100).await;
    let oldest = [revoked(&before, "person 0").await, revoked(&before, "late").await];
    assert!(oldest.contains(&None) && oldest.contains(&Some(100)), "{oldest:?}");
    revoke(&store.database, "later", 50_000).await;
    assert_eq!(revoked(&before, "person 0").await.or(revoked(&before, "late").await), None);
    assert_eq!(revoked(&store.database, "person 1").await, Some(101));
    assert_eq!(revoked(&store.database, "later").await, Some(50_000));
    let other = store.database.revoked(&elsewhere, Revoked::One(&first)).await.unwrap();
    assert_eq!(other, Some(UnixMicros(1)), "another room's");
    assert_eq!(store.database.forget_revoked(UnixMicros(100_000)).await.unwrap(), 1_001);
}
