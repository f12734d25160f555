//! What holds of voice notes, whatever the store is made of.

use proto::{ids::RoomName, link::UnixMicros};
use storage_database::{
    Database, NewNote, Note, NoteCompletion, NoteCreation, NoteId, NoteMeta, NoteStatus,
};

use crate::store::TestStore;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

fn at(seconds: u64) -> UnixMicros {
    UnixMicros(NOW.0 + seconds * 1_000_000)
}

fn id(n: u64) -> NoteId {
    NoteId::new(at(n), n.into())
}

fn room() -> RoomName {
    "demo".parse().unwrap()
}

/// A note that may be uploaded for a hundred seconds.
fn new(n: u64) -> NewNote {
    NewNote {
        id: id(n),
        room: room(),
        from: "ada".parse().unwrap(),
        from_name: "Ada আদা".to_owned(),
        content_type: "audio/webm; codecs='opus'".to_owned(),
        bytes: 12_345,
        sha256: [7; 32],
        object: format!("notes/{n}"),
        idempotency_key: None,
        request_digest: [1; 32],
        created_at: at(0),
        expires: at(100),
    }
}

fn keyed(n: u64, key: &str) -> NewNote {
    NewNote { idempotency_key: Some(key.to_owned()), ..new(n) }
}

fn meta() -> NoteMeta {
    NoteMeta {
        content_type: "audio/webm".to_owned(),
        duration_ms: 4_200,
        codec: "opus".to_owned(),
        waveform: vec![0, 255, 7],
        at: at(3),
    }
}

async fn created(database: &Database, n: u64) {
    assert_eq!(database.create_note(&new(n)).await.unwrap(), NoteCreation::Created);
}

async fn completed(database: &Database, n: u64) -> Note {
    match database.complete_note(id(n), &meta()).await.unwrap() {
        NoteCompletion::Completed(note) => *note,
        other @ (NoteCompletion::Already(_) | NoteCompletion::Gone) => panic!("{other:?}"),
    }
}

async fn listed(database: &Database, after: u64) -> Vec<NoteId> {
    let notes = database.notes_of(&room(), after, 50).await.unwrap();
    notes.iter().map(|note| note.id).collect()
}

#[tokio::test]
async fn a_note_is_found_as_it_was_created_and_not_yet_listed() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    let store = store.reopen().await;
    let note = store.database.note(id(1)).await.unwrap().unwrap();
    assert_eq!((note.status, note.ready), (NoteStatus::Uploading, None));
    assert_eq!((note.room, note.from.as_str()), (room(), "ada"));
    assert_eq!(note.from_name, "Ada আদা");
    assert_eq!((note.bytes, note.sha256, note.object.as_str()), (12_345, [7; 32], "notes/1"));
    assert_eq!(note.content_type, "audio/webm; codecs='opus'");
    assert_eq!((note.created_at, note.expires), (at(0), at(100)));
    assert_eq!(listed(&store.database, 0).await, []);
    assert_eq!(store.database.note(id(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_request_made_again_is_the_same_note_and_another_under_its_key_is_refused() {
    let store = TestStore::new().await;
    let database = &store.database;
    assert_eq!(database.create_note(&keyed(1, "k")).await.unwrap(), NoteCreation::Created);
    let again = database.create_note(&keyed(2, "k")).await.unwrap();
    let NoteCreation::Same(same) = again else { panic!("{again:?}") };
    assert_eq!(same.id, id(1));
    let other = NewNote { request_digest: [2; 32], ..keyed(3, "k") };
    assert_eq!(database.create_note(&other).await.unwrap(), NoteCreation::KeyReused);

    let by_another = NewNote { from: "bob".parse().unwrap(), ..keyed(4, "k") };
    assert_eq!(database.create_note(&by_another).await.unwrap(), NoteCreation::Created);
    let elsewhere = NewNote { room: "other".parse().unwrap(), ..keyed(5, "k") };
    assert_eq!(database.create_note(&elsewhere).await.unwrap(), NoteCreation::Created);
    created(database, 6).await;
    created(database, 7).await;
}

#[tokio::test]
async fn a_request_made_many_times_at_once_creates_one_note() {
    let store = TestStore::new().await;
    let creating = (0..16).map(|n| {
        let database = store.database.clone();
        tokio::spawn(async move { database.create_note(&keyed(n, "k")).await.unwrap() })
    });
    let (mut created, mut same) = (0, Vec::new());
    for creation in creating.collect::<Vec<_>>() {
        match creation.await.unwrap() {
            NoteCreation::Created => created += 1,
            NoteCreation::Same(note) => same.push(note.id),
            other @ (NoteCreation::KeyReused | NoteCreation::TooManyUploads) => panic!("{other:?}"),
        }
    }
    same.dedup();
    assert_eq!((created, same.len()), (1, 1));
}

#[tokio::test]
async fn one_person_uploads_a_bounded_number_of_notes_at_once() {
    let store = TestStore::new().await;
    for n in 0..100 {
        created(&store.database, n).await;
    }
    let refused = store.database.create_note(&new(100)).await.unwrap();
    assert_eq!(refused, NoteCreation::TooManyUploads);
    completed(&store.database, 7).await;
    created(&store.database, 100).await;
}

#[tokio::test]
async fn a_note_is_completed_once_and_stays_as_it_was_then() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    let note = completed(&store.database, 1).await;
    let ready = note.ready.clone().unwrap();
    assert_eq!((note.status, note.content_type.as_str()), (NoteStatus::Ready, "audio/webm"));
    assert_eq!((ready.seq, ready.at, ready.duration_ms), (1, at(3), 4_200));
    assert_eq!((ready.codec.as_str(), ready.waveform), ("opus", vec![0, 255, 7]));

    let other = NoteMeta { duration_ms: 1, ..meta() };
    let again = store.database.complete_note(id(1), &other).await.unwrap();
    assert_eq!(again, NoteCompletion::Already(Box::new(note.clone())));
    let store = store.reopen().await;
    assert_eq!(store.database.note(id(1)).await.unwrap(), Some(note));
    assert_eq!(store.database.complete_note(id(9), &meta()).await.unwrap(), NoteCompletion::Gone);
}

#[tokio::test]
async fn a_note_completed_many_times_at_once_takes_one_place() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    created(&store.database, 2).await;
    let completing = (0..16).map(|_| {
        let database = store.database.clone();
        tokio::spawn(async move { database.complete_note(id(1), &meta()).await.unwrap() })
    });
    let mut completed_times = 0;
    for completion in completing.collect::<Vec<_>>() {
        completed_times +=
            u32::from(matches!(completion.await.unwrap(), NoteCompletion::Completed(_)));
    }
    assert_eq!(completed_times, 1);
    assert_eq!(completed(&store.database, 2).await.ready.unwrap().seq, 2);
}

#[tokio::test]
async fn the_history_is_in_the_order_in_which_notes_became_ready() {
    let store = TestStore::new().await;
    for n in 1..=3 {
        created(&store.database, n).await;
    }
    let second = completed(&store.database, 2).await.ready.unwrap().seq;
    assert_eq!(listed(&store.database, 0).await, [id(2)]);
    // It was begun first and took longer: whoever has seen the other must not miss it.
    completed(&store.database, 3).await;
    completed(&store.database, 1).await;
    assert_eq!(listed(&store.database, second).await, [id(3), id(1)]);
    assert_eq!(listed(&store.database, u64::MAX).await, []);
    assert_eq!(store.database.notes_of(&room(), 0, 2).await.unwrap().len(), 2);
    assert_eq!(store.database.notes_of(&"other".parse().unwrap(), 0, 2).await.unwrap(), []);
}

#[tokio::test]
async fn whoever_reads_on_while_notes_become_ready_misses_none() {
    let store = TestStore::new().await;
    for n in 0..32 {
        created(&store.database, n).await;
    }
    let completing: Vec<_> = (0..32)
        .map(|n| {
            let database = store.database.clone();
            tokio::spawn(async move { completed(&database, n).await })
        })
        .collect();
    let mut places = Vec::new();
    while places.len() < 32 {
        let after = places.last().copied().unwrap_or_default();
        // Asked first: one that ends behind the look is found by the next.
        let all_are_done = completing.iter().all(tokio::task::JoinHandle::is_finished);
        let notes = store.database.notes_of(&room(), after, 50).await.unwrap();
        assert!(!notes.is_empty() || !all_are_done || places.len() == 32, "{places:?}");
        places.extend(notes.iter().map(|note| note.ready.as_ref().unwrap().seq));
    }
    assert_eq!(places, (1..=32).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deleted_note_is_gone_for_everybody_and_is_not_completed() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    created(&store.database, 2).await;
    completed(&store.database, 1).await;
    assert!(store.database.delete_note(id(1)).await.unwrap());
    assert!(store.database.delete_note(id(2)).await.unwrap());
    assert!(!store.database.delete_note(id(1)).await.unwrap());
    assert!(!store.database.delete_note(id(9)).await.unwrap());
    assert_eq!(listed(&store.database, 0).await, []);
    let deleted = store.database.note(id(1)).await.unwrap().unwrap();
    assert_eq!(deleted.status, NoteStatus::Deleted);
    assert_eq!(store.database.complete_note(id(2), &meta()).await.unwrap(), NoteCompletion::Gone);
}

#[tokio::test]
async fn an_upload_that_expired_is_swept_unless_it_was_completed() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    created(&store.database, 2).await;
    assert_eq!(store.database.expired_uploads(at(100), 10).await.unwrap(), []);
    let expired = store.database.expired_uploads(at(101), 10).await.unwrap();
    assert_eq!(expired.len(), 2);
    assert_eq!(store.database.expired_uploads(at(101), 1).await.unwrap().len(), 1);

    completed(&store.database, 2).await;
    assert!(!store.database.expire_note(id(1), at(99)).await.unwrap());
    assert!(store.database.expire_note(id(1), at(101)).await.unwrap());
    assert!(!store.database.expire_note(id(2), at(101)).await.unwrap(), "it was completed");
    assert_eq!(listed(&store.database, 0).await, [id(2)]);
}

#[tokio::test]
async fn an_object_is_deleted_at_once_and_again_when_no_upload_can_come_any_more() {
    let store = TestStore::new().await;
    let database = &store.database;
    database.create_note(&keyed(1, "k")).await.unwrap();
    assert_eq!(database.deleted_objects(at(1), 10).await.unwrap(), []);
    database.delete_note(id(1)).await.unwrap();
    let due = database.deleted_objects(at(1), 10).await.unwrap();
    assert_eq!(due[0].object, "notes/1");
    database.object_deleted(id(1), at(1)).await.unwrap();
    assert_eq!(database.deleted_objects(at(100), 10).await.unwrap(), []);

    // An upload that began before the deletion may have ended after it.
    let store = store.reopen().await;
    let database = &store.database;
    assert_eq!(database.deleted_objects(at(101), 10).await.unwrap().len(), 1);
    database.object_deleted(id(1), at(101)).await.unwrap();
    assert_eq!(database.deleted_objects(at(999), 10).await.unwrap(), []);
    assert_eq!(database.note(id(1)).await.unwrap(), None, "nothing is left");
    assert_eq!(database.create_note(&keyed(2, "k")).await.unwrap(), NoteCreation::Created);
}

#[tokio::test]
async fn what_was_not_deleted_is_never_swept() {
    let store = TestStore::new().await;
    created(&store.database, 1).await;
    completed(&store.database, 1).await;
    store.database.object_deleted(id(1), at(999)).await.unwrap();
    assert_eq!(listed(&store.database, 0).await, [id(1)]);
}
