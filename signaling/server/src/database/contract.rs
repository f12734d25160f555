//! What every store must do, whatever it is made of.

use super::*;

struct TestStore {
    database: Database,
    dir: tempfile::TempDir,
}

impl TestStore {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        Self { database, dir }
    }

    async fn reopen(self) -> Self {
        self.database.close().await;
        let database = open(&self.dir).await;
        Self { database, dir: self.dir }
    }

    async fn granted(&self, name: &str, above: u64) -> Epoch {
        match self.database.claim(&room(name), &node("a"), Epoch(above)).await.unwrap() {
            Claim::Granted(epoch) => epoch,
            Claim::Held { epoch, .. } => panic!("held under {epoch}"),
        }
    }
}

async fn open(dir: &tempfile::TempDir) -> Database {
    Database::open(&DataDir::open(dir.path()).unwrap()).await.unwrap()
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

#[tokio::test]
async fn of_many_who_claim_a_room_at_once_one_is_granted_it() {
    let store = TestStore::new().await;
    let claims = (0..16).map(|n| {
        let database = store.database.clone();
        tokio::spawn(async move {
            database.claim(&room("demo"), &node(&format!("n{n}")), Epoch(0)).await.unwrap()
        })
    });
    let mut granted = Vec::new();
    let mut held = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.unwrap() {
            Claim::Granted(epoch) => granted.push(epoch),
            Claim::Held { epoch, .. } => held.push(epoch),
        }
    }
    assert_eq!(granted.len(), 1);
    assert_eq!(held, vec![granted[0]; 15]);
}

#[tokio::test]
async fn a_claim_over_a_dead_epoch_is_granted_a_higher_one() {
    let store = TestStore::new().await;
    let first = store.granted("demo", 0).await;
    let second = store.granted("demo", first.0).await;
    assert!(second > first);

    let late = store.database.claim(&room("demo"), &node("b"), first).await.unwrap();
    assert_eq!(late, Claim::Held { node: node("a"), epoch: second });
}

#[tokio::test]
async fn no_epoch_is_granted_twice_not_even_after_a_release_or_a_restart() {
    let store = TestStore::new().await;
    let first = store.granted("demo", 0).await;
    let other = store.granted("other", 0).await;
    store.database.release(&room("demo"), first).await.unwrap();
    let second = store.granted("demo", 0).await;
    assert!(first < other && other < second);

    let store = store.reopen().await;
    store.database.release(&room("demo"), second).await.unwrap();
    assert!(store.granted("demo", 0).await > second);
}

#[tokio::test]
async fn an_epoch_is_above_what_a_node_has_seen_even_if_the_store_has_not() {
    let store = TestStore::new().await;
    assert!(store.granted("demo", 4_000).await > Epoch(4_000));
}

#[tokio::test]
async fn a_lower_epoch_changes_nothing() {
    let store = TestStore::new().await;
    let old = store.granted("demo", 0).await;
    let new = store.granted("demo", old.0).await;
    store.database.save(&room("demo"), new, b"settings").await.unwrap();

    store.database.save(&room("demo"), old, b"stale").await.unwrap();
    store.database.forget(&room("demo"), old).await.unwrap();
    store.database.release(&room("demo"), old).await.unwrap();

    assert_eq!(store.database.settings(&room("demo")).await.unwrap().unwrap(), b"settings");
}

#[tokio::test]
async fn a_restart_finds_what_was_saved_and_nothing_else() {
    let store = TestStore::new().await;
    let saved = store.granted("*?[a-z] 'saved\"", 0).await;
    let forgotten = store.granted("forgotten", 0).await;
    store.granted("joined", 0).await;
    store.database.save(&room("*?[a-z] 'saved\""), saved, b"\0settings").await.unwrap();
    store.database.save(&room("forgotten"), forgotten, b"x").await.unwrap();
    store.database.forget(&room("forgotten"), forgotten).await.unwrap();

    let store = store.reopen().await;
    let found = store.database.reclaim(&node("a")).await.unwrap();

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].room, room("*?[a-z] 'saved\""));
    assert_eq!(found[0].settings, b"\0settings");
    assert!(found[0].epoch > forgotten, "its earlier life is over");
    assert_eq!(store.database.reclaim(&node("b")).await.unwrap(), [], "it is not theirs");
    let free = store.database.claim(&room("joined"), &node("b"), Epoch(0)).await.unwrap();
    assert!(matches!(free, Claim::Granted(_)), "{free:?}");
}

#[tokio::test]
async fn a_room_claimed_again_keeps_its_settings() {
    let store = TestStore::new().await;
    let epoch = store.granted("demo", 0).await;
    store.database.save(&room("demo"), epoch, b"settings").await.unwrap();

    store.granted("demo", epoch.0).await;
    assert_eq!(store.database.settings(&room("demo")).await.unwrap().unwrap(), b"settings");
}
