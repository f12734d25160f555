//! What holds of rooms and their epochs, whatever the store is made of.

use proto::{
    ids::{Epoch, RoomName},
    pool::{BootId, Owner, Placement},
};
use storage_database::{Claim, Database};

use crate::store::TestStore;

async fn granted(database: &Database, name: &str, above: u64) -> Epoch {
    match database.claim(&room(name), &owner("a", 1), Epoch(above)).await.unwrap() {
        Claim::Granted(epoch) => epoch,
        Claim::Held(held) => panic!("{held:?}"),
    }
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn owner(node: &str, boot: u64) -> Owner {
    Owner { node: node.parse().unwrap(), boot: BootId::from_random(boot) }
}

#[tokio::test]
async fn of_many_who_claim_a_room_at_once_one_is_granted_it() {
    let store = TestStore::new().await;
    let claims = (0..16).map(|n| {
        let database = store.database.clone();
        let owner = owner(&format!("n{n}"), n);
        tokio::spawn(async move { database.claim(&room("demo"), &owner, Epoch(0)).await.unwrap() })
    });
    let mut granted = Vec::new();
    let mut held = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.unwrap() {
            Claim::Granted(epoch) => granted.push(epoch),
            Claim::Held(placement) => held.push(placement.epoch),
        }
    }
    assert_eq!(granted.len(), 1);
    assert_eq!(held, vec![granted[0]; 15]);
}

#[tokio::test]
async fn of_many_who_claim_over_one_dead_epoch_at_once_one_is_granted_it() {
    let store = TestStore::new().await;
    let dead = granted(&store.database, "demo", 0).await;
    let claims = (0..16).map(|n| {
        let database = store.database.clone();
        let owner = owner(&format!("n{n}"), n);
        tokio::spawn(async move { database.claim(&room("demo"), &owner, dead).await.unwrap() })
    });
    let mut granted = 0;
    for claim in claims.collect::<Vec<_>>() {
        granted += u32::from(matches!(claim.await.unwrap(), Claim::Granted(_)));
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn rooms_claimed_at_once_get_different_epochs() {
    let store = TestStore::new().await;
    let claims = (0..16).map(|n| {
        let database = store.database.clone();
        tokio::spawn(async move { granted(&database, &format!("room {n}"), 0).await })
    });
    let mut epochs = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        epochs.push(claim.await.unwrap());
    }
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 16);
}

#[tokio::test]
async fn a_claim_over_a_dead_epoch_is_granted_a_higher_one() {
    let store = TestStore::new().await;
    let first = granted(&store.database, "demo", 0).await;
    let second = granted(&store.database, "demo", first.0).await;
    assert!(second > first);

    let late = store.database.claim(&room("demo"), &owner("b", 2), first).await.unwrap();
    let held = Placement { owner: owner("a", 1), epoch: second };
    assert_eq!(late, Claim::Held(held.clone()));
    assert_eq!(store.database.placement(&room("demo")).await.unwrap(), Some(held));
    assert_eq!(store.database.placement(&room("another")).await.unwrap(), None);
}

#[tokio::test]
async fn no_epoch_is_granted_twice_not_even_after_a_release_or_a_restart() {
    let store = TestStore::new().await;
    let first = granted(&store.database, "demo", 0).await;
    let other = granted(&store.database, "other", 0).await;
    store.database.release(&room("demo"), first).await.unwrap();
    let second = granted(&store.database, "demo", 0).await;
    assert!(first < other && other < second);

    let store = store.reopen().await;
    store.database.release(&room("demo"), second).await.unwrap();
    assert!(granted(&store.database, "demo", 0).await > second);
}

#[tokio::test]
async fn an_epoch_is_above_what_a_node_has_seen_even_if_the_store_has_not() {
    let store = TestStore::new().await;
    assert!(granted(&store.database, "demo", 4_000).await > Epoch(4_000));
}

#[tokio::test]
async fn a_lower_epoch_changes_nothing() {
    let store = TestStore::new().await;
    let old = granted(&store.database, "demo", 0).await;
    let new = granted(&store.database, "demo", old.0).await;
    store.database.save(&room("demo"), new, b"settings").await.unwrap();

    store.database.save(&room("demo"), old, b"stale").await.unwrap();
    store.database.forget(&room("demo"), old).await.unwrap();
    store.database.release(&room("demo"), old).await.unwrap();

    assert_eq!(store.database.settings(&room("demo")).await.unwrap().unwrap(), b"settings");
}

#[tokio::test]
async fn a_restart_finds_what_was_saved_and_nothing_else() {
    let store = TestStore::new().await;
    let saved = granted(&store.database, "*?[a-z] 'saved\"", 0).await;
    let forgotten = granted(&store.database, "forgotten", 0).await;
    granted(&store.database, "joined", 0).await;
    store.database.save(&room("*?[a-z] 'saved\""), saved, b"\0settings").await.unwrap();
    store.database.save(&room("forgotten"), forgotten, b"x").await.unwrap();
    store.database.forget(&room("forgotten"), forgotten).await.unwrap();

    let store = store.reopen().await;
    let found = store.database.saved_rooms(10).await.unwrap();

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].room, room("*?[a-z] 'saved\""));
    assert_eq!(found[0].settings, b"\0settings");
    assert_eq!(found[0].placement, Placement { owner: owner("a", 1), epoch: saved });
}

#[tokio::test]
async fn saved_rooms_come_in_the_order_of_their_bytes_and_bounded() {
    let store = TestStore::new().await;
    for name in ["b", "a", "Z", "আ"] {
        let epoch = granted(&store.database, name, 0).await;
        store.database.save(&room(name), epoch, b"settings").await.unwrap();
    }
    let found = store.database.saved_rooms(3).await.unwrap();
    let names: Vec<&str> = found.iter().map(|saved| saved.room.as_str()).collect();
    assert_eq!(names, ["Z", "a", "b"]);
}

#[tokio::test]
async fn what_an_earlier_life_merely_held_is_released_and_what_it_saved_is_claimed_over() {
    let store = TestStore::new().await;
    granted(&store.database, "joined", 0).await;
    let old = granted(&store.database, "saved", 0).await;
    store.database.save(&room("saved"), old, b"settings").await.unwrap();
    let other = store.database.claim(&room("theirs"), &owner("b", 7), Epoch(0)).await.unwrap();
    let again = owner("a", 2);
    let new = store.database.claim(&room("new"), &again, Epoch(0)).await.unwrap();

    store.database.release_earlier(&again).await.unwrap();

    assert_eq!(store.database.placement(&room("joined")).await.unwrap(), None);
    assert!(matches!((other, new), (Claim::Granted(_), Claim::Granted(_))));
    assert!(store.database.placement(&room("theirs")).await.unwrap().is_some());
    assert!(store.database.placement(&room("new")).await.unwrap().is_some());
    assert!(store.database.settings(&room("saved")).await.unwrap().is_some());
    let claim = store.database.claim(&room("saved"), &again, old).await.unwrap();
    let Claim::Granted(epoch) = claim else { panic!("{claim:?}") };
    assert!(epoch > old, "its earlier life is over");
    let placement = store.database.placement(&room("saved")).await.unwrap().unwrap();
    assert_eq!(placement, Placement { owner: again, epoch });
}

#[tokio::test]
async fn what_a_node_that_never_came_back_merely_held_is_released_and_nothing_else() {
    let store = TestStore::new().await;
    let gone = granted(&store.database, "joined", 0).await;
    let saved = granted(&store.database, "saved", 0).await;
    store.database.save(&room("saved"), saved, b"settings").await.unwrap();
    let living = owner("b", 7);
    let theirs = store.database.claim(&room("theirs"), &living, Epoch(0)).await.unwrap();
    assert!(matches!(theirs, Claim::Granted(_)));
    assert_eq!(store.database.holders().await.unwrap(), [owner("a", 1), living.clone()]);

    assert_eq!(store.database.release_orphans(&owner("a", 1)).await.unwrap(), 1);

    assert_eq!(store.database.holders().await.unwrap(), [living]);
    assert_eq!(store.database.placement(&room("joined")).await.unwrap(), None);
    assert!(store.database.placement(&room("theirs")).await.unwrap().is_some());
    assert!(store.database.settings(&room("saved")).await.unwrap().is_some());
    let again = granted(&store.database, "joined", 0).await;
    assert!(again > gone && again > saved, "an epoch was granted again");
    assert_eq!(store.database.release_orphans(&owner("a", 2)).await.unwrap(), 0, "another life");
}

#[tokio::test]
async fn orphans_are_released_in_parts() {
    let store = TestStore::new().await;
    for number in 0..205 {
        granted(&store.database, &format!("room {number}"), 0).await;
    }
    let released = [
        store.database.release_orphans(&owner("a", 1)).await.unwrap(),
        store.database.release_orphans(&owner("a", 1)).await.unwrap(),
        store.database.release_orphans(&owner("a", 1)).await.unwrap(),
    ];
    assert_eq!(released, [200, 5, 0]);
}

#[tokio::test]
async fn a_claim_over_an_orphan_outlives_its_release() {
    let store = TestStore::new().await;
    for round in 0..40 {
        let name = room(&format!("room {round}"));
        let old = granted(&store.database, name.as_str(), 0).await;
        let living = owner("b", 7);
        let (database, gone) = (store.database.clone(), owner("a", 1));
        let releasing = tokio::spawn(async move { database.release_orphans(&gone).await.unwrap() });
        let claim = store.database.claim(&name, &living, old).await.unwrap();
        releasing.await.unwrap();
        let Claim::Granted(epoch) = claim else { panic!("{claim:?}") };
        let placement = store.database.placement(&name).await.unwrap();
        assert_eq!(placement, Some(Placement { owner: living, epoch }));
    }
}

#[tokio::test]
async fn a_room_claimed_again_keeps_its_settings() {
    let store = TestStore::new().await;
    let epoch = granted(&store.database, "demo", 0).await;
    store.database.save(&room("demo"), epoch, b"settings").await.unwrap();

    granted(&store.database, "demo", epoch.0).await;
    assert_eq!(store.database.settings(&room("demo")).await.unwrap().unwrap(), b"settings");
}

#[tokio::test]
async fn what_was_granted_is_there_for_everybody_who_opens_the_store() {
    let store = TestStore::new().await;
    let epoch = granted(&store.database, "demo", 0).await;
    let store = store.reopen().await;
    let placement = store.database.placement(&room("demo")).await.unwrap().unwrap();
    assert_eq!(placement.epoch, epoch);
}
