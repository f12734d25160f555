//! The contract, first part: what servers do with objects.

use storage_objects::{Head, Key, PutError, Sha256};

use crate::client::{Subject, key};

pub(crate) async fn what_is_put_is_there_whole_and_in_parts(store: &Subject) {
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let name = "rec/a/1/tr_x/0.ogg";
    store.put(name, &content).await.unwrap();
    assert_eq!(store.read(name).await.as_deref(), Some(&content[..]));
    let head = store.objects.head(&key(name)).await.unwrap();
    assert_eq!(head, Some(Head { bytes: 1_200_000 }));

    for range in [0..=0, 70_000..=200_001, 1_199_999..=1_199_999, 1_199_990..=9_999_999] {
        let (first, last) = (*range.start(), (*range.end()).min(1_199_999));
        let mut part = store.objects.get(&key(name), Some(range)).await.unwrap().unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = part.stream.next().await {
            read.extend_from_slice(&chunk.unwrap());
        }
        let span = usize::try_from(first).unwrap()..=usize::try_from(last).unwrap();
        assert!(read == content[span], "{first} to {last}: {} bytes", read.len());
        assert_eq!(part.bytes, 1_200_000, "the length of the whole");
    }
}

pub(crate) async fn a_key_keeps_its_first_content(store: &Subject) {
    store.put("notes/a", b"first").await.unwrap();
    store.put("notes/a", b"first").await.expect("the same again is a success");
    let taken = store.put("notes/a", b"other").await.unwrap_err();
    assert!(matches!(taken, PutError::Taken) && !taken.is_unavailable(), "{taken:?}");
    assert_eq!(store.read("notes/a").await.as_deref(), Some(&b"first"[..]));
}

pub(crate) async fn content_that_is_not_what_it_claims_leaves_nothing(store: &Subject) {
    let refused = store.put_claiming("notes/a", b"this", Sha256::of(b"that")).await.unwrap_err();
    assert!(matches!(refused, PutError::Mismatch), "{refused:?}");
    assert_eq!(store.read("notes/a").await, None);
    assert_eq!(store.keys("").await, [""; 0]);
    let missing = std::path::Path::new("/nonexistent/file");
    let refused = store.objects.put_file(&key("a"), missing, "a/b", Sha256::of(b"")).await;
    assert!(matches!(refused, Err(PutError::Source(_))), "{refused:?}");
}

pub(crate) async fn what_is_deleted_is_gone(store: &Subject) {
    for content in [b"first", b"other"] {
        store.put("notes/a", content).await.unwrap();
        store.objects.delete(&key("notes/a")).await.unwrap();
        store.objects.delete(&key("notes/a")).await.expect("once more is a success");
        assert_eq!(store.read("notes/a").await, None);
        assert_eq!(store.keys("notes/").await, [""; 0]);
    }
}

pub(crate) async fn a_listing_is_in_order_and_goes_on_after_a_key(store: &Subject) {
    for name in ["notes/b", "rec/1/b.ogg", "notes/a", "notes-a", "notes/a.b", "rec/1/a.ogg"] {
        store.put(name, name.as_bytes()).await.unwrap();
    }
    assert_eq!(store.keys("notes/").await, ["notes/a", "notes/a.b", "notes/b"]);
    assert_eq!(store.keys("notes").await, ["notes-a", "notes/a", "notes/a.b", "notes/b"]);
    assert_eq!(store.keys("rec/1").await, ["rec/1/a.ogg", "rec/1/b.ogg"]);
    assert_eq!(store.keys("x").await, [""; 0]);
    let rest = store.objects.list("notes/", Some(&key("notes/a"))).await.unwrap();
    assert_eq!(rest.iter().map(Key::as_str).collect::<Vec<_>>(), ["notes/a.b", "notes/b"]);
}

pub(crate) async fn what_is_not_there_is_not_an_error(store: &Subject) {
    store.put("notes/a", b"x").await.unwrap();
    for name in ["notes/b", "none/at/all", "notes"] {
        assert_eq!(store.objects.head(&key(name)).await.unwrap(), None, "{name}");
        assert_eq!(store.read(name).await, None, "{name}");
        store.objects.delete(&key(name)).await.unwrap();
    }
    assert_eq!(store.keys("").await, ["notes/a"]);
}

pub(crate) async fn an_empty_object_is_an_object(store: &Subject) {
    store.put("notes/a", b"").await.unwrap();
    assert_eq!(store.objects.head(&key("notes/a")).await.unwrap(), Some(Head { bytes: 0 }));
    assert_eq!(store.read("notes/a").await.as_deref(), Some(&b""[..]));
}
