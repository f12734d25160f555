//! What holds of hints, whatever the registry is made of.

use std::time::Duration;

use storage_registry::{Hint, Registry, RegistryError};
use tokio::{sync::mpsc, time::timeout};

use crate::pool::TestRegistry;

const PATIENCE: Duration = Duration::from_secs(20);

/// Says `payload` until the listener hears it, since nobody knows when a subscription is in effect.
pub(crate) async fn hear(
    registry: &Registry,
    topic: &str,
    payload: &[u8],
    listener: &mut mpsc::Receiver<Hint>,
) {
    let heard = async {
        loop {
            registry.hint(topic, payload).await.unwrap();
            let wait = timeout(Duration::from_millis(5), listener.recv());
            match wait.await.map(|hint| hint.expect("the registry is there")) {
                Ok(Hint::Said(said)) if said == payload => return,
                Ok(Hint::Said(_) | Hint::Lost) | Err(_) => {}
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("the hint is heard");
}

#[tokio::test]
async fn a_hint_reaches_all_who_listen_to_its_topic_and_nobody_else() {
    let test = TestRegistry::new().await;
    let another = test.another().await;
    let mut one = test.registry.hints("recordings");
    let mut two = another.hints("recordings");
    let mut other = another.hints("other");
    hear(&test.registry, "recordings", b"warm up", &mut one).await;
    hear(&another, "recordings", b"warm up", &mut two).await;
    hear(&test.registry, "other", b"warm up", &mut other).await;

    test.registry.hint("recordings", b"\0\xff one").await.unwrap();
    test.registry.hint("other", b"the end").await.unwrap();
    for listener in [&mut one, &mut two] {
        until(listener, b"\0\xff one").await;
    }
    let said = until(&mut other, b"the end").await;
    assert!(!said.contains(&Hint::Said(b"\0\xff one".to_vec())), "{said:?}");
}

/// Reads up to `payload` and returns what came before it.
async fn until(listener: &mut mpsc::Receiver<Hint>, payload: &[u8]) -> Vec<Hint> {
    let mut before = Vec::new();
    loop {
        let hint = timeout(PATIENCE, listener.recv()).await.expect("it comes").unwrap();
        if hint == Hint::Said(payload.to_vec()) {
            return before;
        }
        before.push(hint);
    }
}

#[tokio::test]
async fn a_listener_that_does_not_read_keeps_nobody_from_hearing() {
    let test = TestRegistry::new().await;
    let _deaf = test.registry.hints("busy");
    let mut listener = test.registry.hints("busy");
    hear(&test.registry, "busy", b"warm up", &mut listener).await;
    for _ in 0..1_000 {
        test.registry.hint("busy", b"noise").await.unwrap();
        while listener.try_recv().is_ok() {}
    }
    hear(&test.registry, "busy", b"the end", &mut listener).await;
}

#[tokio::test]
async fn a_hint_is_bounded() {
    let test = TestRegistry::new().await;
    let error = test.registry.hint("recordings", &[0; 64 * 1024 + 1]).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLong) && !error.is_unavailable(), "{error:?}");
}

#[tokio::test]
async fn listeners_are_bounded_and_those_who_left_make_room() {
    let test = TestRegistry::new().await;
    let mut staying = test.registry.hints("staying");
    for n in 0..300 {
        let topic = format!("passing by {n}");
        let mut listener = test.registry.hints(&topic);
        hear(&test.registry, &topic, b"hello", &mut listener).await;
    }
    hear(&test.registry, "staying", b"hello", &mut staying).await;
    let mut many: Vec<_> = (0..300).map(|_| test.registry.hints("staying")).collect();
    let mut last = many.pop().unwrap();
    assert_eq!(timeout(PATIENCE, last.recv()).await, Ok(None), "one too many");
}
