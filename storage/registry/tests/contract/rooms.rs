//! What holds of the map of rooms, whatever the registry is made of.

use proto::{
    ids::{Epoch, RoomName},
    pool::{BootId, Owner, Placement},
};

use crate::pool::TestRegistry;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn on(node: &str, epoch: u64) -> Placement {
    let owner = Owner { node: node.parse().unwrap(), boot: BootId::from_random(u64::MAX) };
    Placement { owner, epoch: Epoch(epoch) }
}

#[tokio::test]
async fn a_room_is_found_where_it_was_placed() {
    let test = TestRegistry::new().await;
    let name = room("আড্ডা {*?[a-z]}:\"'");
    assert_eq!(test.registry.room(&name).await.unwrap(), None);
    assert!(test.registry.set_room(&name, &on("a", 7)).await.unwrap());
    assert_eq!(test.another().await.room(&name).await.unwrap(), Some(on("a", 7)));
    assert_eq!(test.registry.room(&room("other")).await.unwrap(), None);
}

#[tokio::test]
async fn only_a_higher_epoch_moves_a_room() {
    let test = TestRegistry::new().await;
    let name = room("demo");
    assert!(test.registry.set_room(&name, &on("a", 9)).await.unwrap());
    assert!(!test.registry.set_room(&name, &on("b", 8)).await.unwrap());
    assert_eq!(test.registry.room(&name).await.unwrap(), Some(on("a", 9)));
    // Written anew by whoever holds it.
    assert!(test.registry.set_room(&name, &on("a", 9)).await.unwrap());
    // 10 is more than 9, though not as text.
    assert!(test.registry.set_room(&name, &on("b", 10)).await.unwrap());
    assert_eq!(test.registry.room(&name).await.unwrap(), Some(on("b", 10)));
}

#[tokio::test]
async fn epochs_are_told_apart_to_the_last_bit() {
    let test = TestRegistry::new().await;
    let name = room("demo");
    assert!(test.registry.set_room(&name, &on("a", u64::MAX)).await.unwrap());
    assert!(!test.registry.set_room(&name, &on("b", u64::MAX - 1)).await.unwrap());
    assert_eq!(test.registry.room(&name).await.unwrap(), Some(on("a", u64::MAX)));
}

#[tokio::test]
async fn of_many_who_place_a_room_at_once_the_highest_epoch_stands() {
    let test = TestRegistry::new().await;
    let name = room("demo");
    let placing = (1..=32).map(|epoch| {
        let (registry, name) = (test.registry.clone(), name.clone());
        tokio::spawn(async move { registry.set_room(&name, &on("n", epoch)).await.unwrap() })
    });
    for placed in placing.collect::<Vec<_>>().into_iter().rev() {
        placed.await.unwrap();
    }
    assert_eq!(test.registry.room(&name).await.unwrap(), Some(on("n", 32)));
}

#[tokio::test]
async fn a_lower_epoch_removes_nothing() {
    let test = TestRegistry::new().await;
    let name = room("demo");
    test.registry.set_room(&name, &on("a", 9)).await.unwrap();
    test.registry.remove_room(&name, Epoch(8)).await.unwrap();
    assert_eq!(test.registry.room(&name).await.unwrap(), Some(on("a", 9)));
    test.registry.remove_room(&name, Epoch(9)).await.unwrap();
    assert_eq!(test.registry.room(&name).await.unwrap(), None);
    test.registry.remove_room(&name, Epoch(10)).await.unwrap();
}
