//! What holds of tracks that more than one recorder has sound of, whatever the store is made of.

use proto::{
    ids::{Epoch, ParticipantSid, TrackSid},
    link::UnixMicros,
    pool::{BootId, Owner},
};
use storage_database::{
    Database, Gap, Kept, NewRecording, Pieces, RecordingId, RecordingStatus, TrackFile, TrackRow,
};

use crate::store::TestStore;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

fn at(seconds: u64) -> UnixMicros {
    UnixMicros(NOW.0 + seconds * 1_000_000)
}

fn id() -> RecordingId {
    RecordingId::new(NOW, 1)
}

fn sid() -> TrackSid {
    TrackSid::from_random(1)
}

/// A store with a recording that `lives` recorders have claimed, one after the other.
async fn claimed(lives: u64) -> TestStore {
    let store = TestStore::new().await;
    let (room, requested_by) = ("demo".parse().unwrap(), "ada".parse().unwrap());
    let new = NewRecording { id: id(), room, requested_by, consent: true, at: NOW };
    store.database.create_recording(&new).await.unwrap();
    for life in 0..lives {
        let node = format!("recorder-{life}").parse().unwrap();
        let owner = Owner { node, boot: BootId::from_random(life) };
        let (now, until) = (at(life * 20), at(life * 20 + 10));
        let job = store.database.claim_recording(&owner, now, until).await.unwrap();
        assert_eq!(job.unwrap().epoch, Epoch(life + 1));
    }
    store
}

/// What the recorder of that epoch has, from these seconds on.
fn piece(epoch: u64, seconds: u64) -> TrackRow {
    TrackRow {
        sid: sid(),
        participant: ParticipantSid::from_random(1),
        identity: "ada".parse().unwrap(),
        name: String::new(),
        file: file(epoch, seconds, &format!("rec/1/{epoch}.ogg")),
    }
}

fn file(epoch: u64, seconds: u64, object: &str) -> TrackFile {
    TrackFile {
        epoch: Epoch(epoch),
        began: at(seconds),
        duration_ms: 10_000 * epoch,
        bytes: 1_000 * epoch,
        sha256: [u8::try_from(epoch).unwrap(); 32],
        object: object.to_owned(),
        gaps: vec![Gap { start_ms: 5, duration_ms: 20, reason: "loss".to_owned() }],
    }
}

async fn keep(database: &Database, epoch: u64, seconds: u64) -> Kept {
    database.keep_track(id(), &piece(epoch, seconds)).await.unwrap()
}

async fn whole(database: &Database) -> TrackFile {
    let mut found = database.recording(id()).await.unwrap().unwrap();
    assert_eq!(found.tracks.len(), 1, "a track is one row");
    found.tracks.remove(0).file
}

async fn pieces(database: &Database) -> Option<Pieces> {
    database.pieces_of(id(), sid()).await.unwrap()
}

/// Has the track point to an object that was announced.
async fn put_together(database: &Database, from: &Pieces, object: &str) -> bool {
    database.add_unused_object(object, at(100)).await.unwrap();
    database.put_together(id(), from, &file(2, 1, object), at(100)).await.unwrap()
}

#[tokio::test]
async fn a_lower_epoch_takes_nothing_from_a_higher_one_and_is_kept_beside_it() {
    let store = claimed(2).await;
    assert_eq!(keep(&store.database, 2, 30).await, Kept::Whole);
    assert_eq!(keep(&store.database, 1, 1).await, Kept::Waits);
    assert_eq!(keep(&store.database, 1, 1).await, Kept::Waits, "said again");

    let store = store.reopen().await;
    assert_eq!(whole(&store.database).await, piece(2, 30).file);
    assert_eq!(store.database.tracks_in_pieces(9).await.unwrap(), [(id(), sid())]);
    let found = pieces(&store.database).await.unwrap();
    assert_eq!((found.whole, found.waiting), (piece(2, 30), vec![piece(1, 1).file]));
}

#[tokio::test]
async fn a_higher_epoch_takes_nothing_from_a_lower_one_either() {
    let store = claimed(2).await;
    assert_eq!(keep(&store.database, 1, 1).await, Kept::Whole);
    assert_eq!(keep(&store.database, 2, 30).await, Kept::Waits);
    assert_eq!(whole(&store.database).await, piece(1, 1).file);
}

#[tokio::test]
async fn a_piece_is_kept_after_its_recording_is_over_but_only_of_an_epoch_that_was_granted() {
    use RecordingStatus::{Available, Finalizing, Recording};
    let store = claimed(2).await;
    for (from, to) in [(Recording, Finalizing), (Finalizing, Available)] {
        assert!(store.database.set_status(id(), Epoch(2), from, to).await.unwrap());
    }
    assert_eq!(keep(&store.database, 3, 40).await, Kept::Refused);
    let other = RecordingId::new(NOW, 2);
    let refused = store.database.keep_track(other, &piece(1, 1)).await.unwrap();
    assert_eq!(refused, Kept::Refused);
    assert_eq!(keep(&store.database, 2, 30).await, Kept::Whole);
    assert_eq!(keep(&store.database, 1, 1).await, Kept::Waits);
}

#[tokio::test]
async fn what_was_heard_first_is_where_a_recording_starts() {
    let store = claimed(2).await;
    assert!(store.database.set_started(id(), Epoch(2), at(25)).await.unwrap());
    keep(&store.database, 2, 30).await;
    let started = async || store.database.recording(id()).await.unwrap().unwrap().started_at;
    assert_eq!(started().await, Some(at(25)));
    keep(&store.database, 1, 1).await;
    assert_eq!(started().await, Some(at(1)));
}

#[tokio::test]
async fn pieces_that_were_put_together_are_one_file_and_are_not_taken_in_again() {
    let store = claimed(3).await;
    keep(&store.database, 1, 1).await;
    keep(&store.database, 2, 30).await;
    let found = pieces(&store.database).await.unwrap();
    // One that comes meanwhile is not lost.
    keep(&store.database, 3, 60).await;
    assert!(put_together(&store.database, &found, "rec/1/whole.ogg").await);

    let store = store.reopen().await;
    assert_eq!(whole(&store.database).await, file(2, 1, "rec/1/whole.ogg"));
    assert_eq!(keep(&store.database, 1, 1).await, Kept::Whole);
    assert_eq!(keep(&store.database, 2, 30).await, Kept::Whole);
    for epoch in 1..=3 {
        assert!(store.database.has_piece(id(), sid(), Epoch(epoch)).await.unwrap());
    }
    assert!(!store.database.has_piece(id(), sid(), Epoch(4)).await.unwrap());
    let found = pieces(&store.database).await.unwrap();
    assert_eq!(found.waiting, [piece(3, 60).file]);
    assert!(put_together(&store.database, &found, "rec/1/more.ogg").await);
    assert_eq!(pieces(&store.database).await, None);
    assert_eq!(store.database.tracks_in_pieces(9).await.unwrap(), []);
}

#[tokio::test]
async fn of_two_who_put_a_track_together_one_does() {
    let store = claimed(2).await;
    keep(&store.database, 1, 1).await;
    keep(&store.database, 2, 30).await;
    let found = pieces(&store.database).await.unwrap();
    assert!(put_together(&store.database, &found, "rec/1/fast.ogg").await);
    assert!(!put_together(&store.database, &found, "rec/1/slow.ogg").await);
    assert_eq!(whole(&store.database).await.object, "rec/1/fast.ogg");
    let doomed = store.database.doomed_objects(at(101)).await.unwrap();
    assert_eq!(doomed, ["rec/1/1.ogg", "rec/1/2.ogg", "rec/1/slow.ogg"]);
}

#[tokio::test]
async fn what_is_unused_for_long_is_doomed_and_never_used_again() {
    let store = claimed(2).await;
    keep(&store.database, 1, 1).await;
    keep(&store.database, 2, 30).await;
    let found = pieces(&store.database).await.unwrap();
    let late = "rec/1/late.ogg";
    store.database.add_unused_object(late, at(100)).await.unwrap();
    assert_eq!(store.database.doomed_objects(at(100)).await.unwrap(), Vec::<String>::new());
    store.database.forget_object(late).await.unwrap();
    assert_eq!(store.database.doomed_objects(at(101)).await.unwrap(), [late], "it was not doomed");
    assert!(!put_together(&store.database, &found, late).await);
    assert!(pieces(&store.database).await.is_some(), "it is to be done yet");

    let store = store.reopen().await;
    assert_eq!(store.database.doomed_objects(at(0)).await.unwrap(), [late]);
    store.database.forget_object(late).await.unwrap();
    assert_eq!(store.database.doomed_objects(at(0)).await.unwrap(), Vec::<String>::new());
    let unknown = database_without_intent(&store.database, &found).await;
    assert!(!unknown, "an object that nobody announced");
}

async fn database_without_intent(database: &Database, from: &Pieces) -> bool {
    database.put_together(id(), from, &file(2, 1, "rec/1/new.ogg"), at(200)).await.unwrap()
}
