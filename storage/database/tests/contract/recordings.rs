//! What holds of recordings, whatever the store is made of.

use proto::{
    ids::{Epoch, ParticipantSid, RoomName, TrackSid},
    link::UnixMicros,
    pool::{BootId, Owner},
};
use storage_database::{
    Database, Gap, Kept, NewRecording, Progress, Recording, RecordingCreation, RecordingId,
    RecordingJob, RecordingStatus, Renewal, TrackFile, TrackProgress, TrackRow,
};

use crate::store::TestStore;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

fn at(seconds: u64) -> UnixMicros {
    UnixMicros(NOW.0 + seconds * 1_000_000)
}

fn id(n: u64) -> RecordingId {
    RecordingId::new(at(n), n.into())
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn recorder(node: &str, boot: u64) -> Owner {
    Owner { node: node.parse().unwrap(), boot: BootId::from_random(boot) }
}

fn new(n: u64, name: &str) -> NewRecording {
    let requested_by = "আদা".parse().unwrap();
    NewRecording { id: id(n), room: room(name), requested_by, consent: true, at: at(n) }
}

/// A track of the first epoch that began 1.5 s after noon.
fn track(n: u128) -> TrackRow {
    TrackRow {
        sid: TrackSid::from_random(n),
        participant: ParticipantSid::from_random(n),
        identity: "ada".parse().unwrap(),
        name: "Ada 'L'".to_owned(),
        file: TrackFile {
            epoch: Epoch(1),
            began: UnixMicros(NOW.0 + 1_500_000),
            duration_ms: 60_000,
            bytes: 200_000,
            sha256: [7; 32],
            object: "recordings/1/TR_1.ogg".to_owned(),
            gaps: vec![Gap { start_ms: 5, duration_ms: 20, reason: "loss".to_owned() }],
        },
    }
}

async fn keep(database: &Database, n: u64, track: &TrackRow) -> Kept {
    database.keep_track(id(n), track).await.unwrap()
}

async fn created(database: &Database, n: u64, name: &str) {
    let creation = database.create_recording(&new(n, name)).await.unwrap();
    assert_eq!(creation, RecordingCreation::Created);
}

/// Claims for a lease of ten seconds.
async fn claimed(database: &Database, recorder: &Owner, seconds: u64) -> Option<RecordingJob> {
    database.claim_recording(recorder, at(seconds), at(seconds + 10)).await.unwrap()
}

async fn recording(database: &Database, n: u64) -> Recording {
    database.recording(id(n)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_recording_is_found_as_it_was_asked_for_after_a_restart_too() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    let store = store.reopen().await;
    let found = recording(&store.database, 1).await;
    assert_eq!((found.room, found.requested_by.as_str()), (room("demo"), "আদা"));
    assert_eq!((found.status, found.consent), (RecordingStatus::Recording, true));
    assert_eq!((found.created_at, found.started_at), (at(1), None));
    assert_eq!((found.recorder, found.epoch), (None, Epoch(0)));
    assert_eq!(store.database.recording(id(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_room_is_recorded_once_at_a_time() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    created(&store.database, 2, "other").await;
    let again = store.database.create_recording(&new(3, "demo")).await.unwrap();
    let RecordingCreation::Running(running) = again else { panic!("{again:?}") };
    assert_eq!(running.id, id(1));

    store.database.request_stop(id(1), at(5)).await.unwrap();
    created(&store.database, 4, "demo").await;
}

#[tokio::test]
async fn of_many_who_ask_for_a_recording_at_once_one_creates_it() {
    let store = TestStore::new().await;
    let asking = (0..16).map(|n| {
        let database = store.database.clone();
        tokio::spawn(async move { database.create_recording(&new(n, "demo")).await.unwrap() })
    });
    let mut created = 0;
    for asked in asking.collect::<Vec<_>>() {
        created += u32::from(asked.await.unwrap() == RecordingCreation::Created);
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn of_many_recorders_one_gets_the_job() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    let claims = (0..16).map(|n| {
        let database = store.database.clone();
        tokio::spawn(async move { claimed(&database, &recorder(&format!("r{n}"), n), 0).await })
    });
    let mut jobs = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        jobs.extend(claim.await.unwrap());
    }
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].id, id(1));
    assert!(jobs[0].epoch > Epoch(0));
    assert_eq!(jobs[0].previous, None);
}

#[tokio::test]
async fn a_job_is_free_again_once_its_lease_is_over_and_has_a_higher_epoch() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    let (a, b) = (recorder("a", 1), recorder("b", 1));
    let first = claimed(&store.database, &a, 0).await.unwrap();
    assert_eq!(claimed(&store.database, &b, 9).await, None);
    let renewed = store.database.renew_recording(id(1), first.epoch, at(20), None).await.unwrap();
    assert_eq!(renewed, Renewal::Held { stop_requested: false });
    assert_eq!(claimed(&store.database, &b, 19).await, None);

    let second = claimed(&store.database, &b, 21).await.unwrap();
    assert!(second.epoch > first.epoch);
    assert_eq!(second.previous, Some(a));
    let late = store.database.renew_recording(id(1), first.epoch, at(40), None).await.unwrap();
    assert_eq!(late, Renewal::Lost);
}

#[tokio::test]
async fn a_recorder_does_not_wait_for_an_earlier_life_and_takes_its_own_first() {
    let store = TestStore::new().await;
    created(&store.database, 1, "free").await;
    created(&store.database, 2, "mine").await;
    let other = claimed(&store.database, &recorder("b", 1), 0).await.unwrap();
    let mine = claimed(&store.database, &recorder("a", 1), 0).await.unwrap();
    assert_eq!((other.id, mine.id), (id(1), id(2)));
    store.database.release_recording(id(1), other.epoch).await.unwrap();

    let again = claimed(&store.database, &recorder("a", 2), 1).await.unwrap();
    assert_eq!((again.id, again.previous), (id(2), Some(recorder("a", 1))));
    assert_eq!(claimed(&store.database, &recorder("a", 2), 1).await.unwrap().id, id(1));
    assert_eq!(claimed(&store.database, &recorder("a", 2), 1).await, None, "it has both");
}

#[tokio::test]
async fn a_lower_epoch_writes_nothing() {
    let store = TestStore::new().await;
    let database = &store.database;
    created(database, 1, "demo").await;
    let old = claimed(database, &recorder("a", 1), 0).await.unwrap().epoch;
    let new = claimed(database, &recorder("a", 2), 0).await.unwrap().epoch;
    let before = recording(database, 1).await;

    let (from, to) = (RecordingStatus::Recording, RecordingStatus::Finalizing);
    assert!(!database.set_started(id(1), old, at(1)).await.unwrap());
    assert!(!database.set_ended(id(1), old, at(1)).await.unwrap());
    assert!(!database.set_status(id(1), old, from, to).await.unwrap());
    assert!(!database.fail_recording(id(1), old, "stale").await.unwrap());
    database.release_recording(id(1), old).await.unwrap();
    assert_eq!(recording(database, 1).await, before);

    assert!(database.set_status(id(1), new, from, to).await.unwrap());
}

#[tokio::test]
async fn a_status_only_moves_on_and_only_from_where_it_is() {
    use RecordingStatus::{Available, Failed, Finalizing, Recording};
    let store = TestStore::new().await;
    let database = &store.database;
    created(database, 1, "demo").await;
    let epoch = claimed(database, &recorder("a", 1), 0).await.unwrap().epoch;

    assert!(!database.set_status(id(1), epoch, Finalizing, Available).await.unwrap());
    assert!(!database.set_status(id(1), epoch, Recording, Available).await.unwrap());
    assert!(database.set_status(id(1), epoch, Recording, Finalizing).await.unwrap());
    assert!(!database.set_status(id(1), epoch, Recording, Finalizing).await.unwrap());
    assert!(database.set_status(id(1), epoch, Finalizing, Available).await.unwrap());
    for (from, to) in [(Available, Recording), (Available, Failed), (Failed, Recording)] {
        assert!(!database.set_status(id(1), epoch, from, to).await.unwrap());
    }
    assert_eq!(recording(database, 1).await.status, Available);
    assert_eq!(claimed(database, &recorder("b", 1), 60).await, None, "it is done");
}

#[tokio::test]
async fn what_is_over_is_changed_by_nobody_not_even_under_its_epoch() {
    use RecordingStatus::{Available, Finalizing, Recording};
    let store = TestStore::new().await;
    let database = &store.database;
    let (recorder, epoch) = (recorder("a", 1), Epoch(1));
    for n in [1, 2] {
        created(database, n, &format!("room {n}")).await;
        assert_eq!(claimed(database, &recorder, 0).await.unwrap().id, id(n));
    }
    for (from, to) in [(Recording, Finalizing), (Finalizing, Available)] {
        assert!(database.set_status(id(1), epoch, from, to).await.unwrap());
    }
    assert!(database.fail_recording(id(2), epoch, "the disk is full").await.unwrap());

    let late = Progress { trouble: Some("late".to_owned()), ..Progress::default() };
    for n in [1, 2] {
        let before = recording(database, n).await;
        for progress in [None, Some(&late)] {
            let renewed = database.renew_recording(id(n), epoch, at(40), progress).await.unwrap();
            assert_eq!(renewed, Renewal::Lost);
        }
        assert!(!database.set_started(id(n), epoch, at(5)).await.unwrap());
        assert!(!database.set_ended(id(n), epoch, at(6)).await.unwrap());
        assert!(!database.fail_recording(id(n), epoch, "late").await.unwrap());
        let stopped = database.request_stop(id(n), at(7)).await.unwrap().unwrap();
        assert_eq!(stopped, before);
        assert_eq!(recording(database, n).await, before);
    }
}

#[tokio::test]
async fn a_recording_that_failed_says_why_and_is_left_alone() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    let epoch = claimed(&store.database, &recorder("a", 1), 0).await.unwrap().epoch;
    assert!(store.database.fail_recording(id(1), epoch, "the disk is full").await.unwrap());
    let failed = recording(&store.database, 1).await;
    assert_eq!(failed.status, RecordingStatus::Failed);
    assert_eq!(failed.failure.as_deref(), Some("the disk is full"));
    assert_eq!(claimed(&store.database, &recorder("b", 1), 60).await, None);
}

#[tokio::test]
async fn a_stop_reaches_whoever_works_on_it_and_whoever_comes_next() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    let job = claimed(&store.database, &recorder("a", 1), 0).await.unwrap();
    assert!(!job.stop_requested);
    assert!(store.database.set_started(id(1), job.epoch, at(2)).await.unwrap());
    assert!(!store.database.set_started(id(1), job.epoch, at(3)).await.unwrap());

    let stopped = store.database.request_stop(id(1), at(5)).await.unwrap().unwrap();
    assert_eq!(stopped.stop_requested_at, Some(at(5)));
    let again = store.database.request_stop(id(1), at(6)).await.unwrap().unwrap();
    assert_eq!(again.stop_requested_at, Some(at(5)));
    assert_eq!(store.database.request_stop(id(9), at(6)).await.unwrap(), None);

    let renewed = store.database.renew_recording(id(1), job.epoch, at(20), None).await.unwrap();
    assert_eq!(renewed, Renewal::Held { stop_requested: true });
    let next = claimed(&store.database, &recorder("b", 1), 30).await.unwrap();
    assert!(next.stop_requested);
    assert_eq!(next.started_at, Some(at(2)));
    assert!(store.database.set_ended(id(1), next.epoch, at(31)).await.unwrap());
    assert_eq!(recording(&store.database, 1).await.ended_at, Some(at(31)));
}

#[tokio::test]
async fn a_track_is_one_row_and_the_last_word_on_it_counts() {
    let store = TestStore::new().await;
    created(&store.database, 1, "demo").await;
    claimed(&store.database, &recorder("a", 1), 0).await.unwrap();
    let mut later = track(2);
    later.file.began = at(9);
    assert_eq!(keep(&store.database, 1, &later).await, Kept::Whole);
    assert_eq!(keep(&store.database, 1, &track(1)).await, Kept::Whole);
    let mut longer = track(1);
    longer.file = TrackFile { duration_ms: 70_000, gaps: Vec::new(), ..longer.file };
    assert_eq!(keep(&store.database, 1, &longer).await, Kept::Whole);

    let store = store.reopen().await;
    assert_eq!(recording(&store.database, 1).await.tracks, [longer, later]);
}

#[tokio::test]
async fn what_a_recorder_writes_is_seen_until_it_is_stored() {
    let store = TestStore::new().await;
    let database = &store.database;
    created(database, 1, "demo").await;
    let epoch = claimed(database, &recorder("a", 1), 0).await.unwrap().epoch;
    assert_eq!(recording(database, 1).await.progress, Progress::default());
    let track = TrackProgress {
        sid: TrackSid::from_random(1),
        participant: ParticipantSid::from_random(1),
        identity: "আদা".parse().unwrap(),
        name: "Ada \"L\"".to_owned(),
        began: at(2),
        duration_ms: 3_000,
        bytes: 9_000,
    };
    let progress = Progress { tracks: vec![track], trouble: Some("no room".to_owned()) };
    database.renew_recording(id(1), epoch, at(20), Some(&progress)).await.unwrap();
    database.renew_recording(id(1), epoch, at(21), None).await.unwrap();
    let late = database.renew_recording(id(1), Epoch(0), at(22), Some(&Progress::default())).await;
    assert_eq!(late.unwrap(), Renewal::Lost);
    assert_eq!(recording(database, 1).await.progress, progress);
    for (from, to) in [
        (RecordingStatus::Recording, RecordingStatus::Finalizing),
        (RecordingStatus::Finalizing, RecordingStatus::Available),
    ] {
        assert_eq!(recording(database, 1).await.progress, progress);
        assert!(database.set_status(id(1), epoch, from, to).await.unwrap());
    }
    assert_eq!(recording(database, 1).await.progress, Progress::default());
}

#[tokio::test]
async fn a_room_lists_its_recordings_by_pages_oldest_first_with_their_tracks() {
    let store = TestStore::new().await;
    let database = &store.database;
    created(database, 9, "other").await;
    let other = claimed(database, &recorder("a", 1), 0).await.unwrap();
    assert_eq!(keep(database, 9, &track(9)).await, Kept::Whole);
    assert_eq!(other.id, id(9));
    for n in [3, 1, 2] {
        created(database, n, "demo").await;
        let job = claimed(database, &recorder("a", 1), 0).await.unwrap();
        assert_eq!(keep(database, n, &track(n.into())).await, Kept::Whole);
        database.request_stop(job.id, at(50)).await.unwrap();
    }
    let first = database.recordings_of(&room("demo"), None, 2).await.unwrap();
    assert_eq!(first.iter().map(|one| one.id).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(first[0].tracks, [track(1)]);
    assert_eq!(first[1].tracks, [track(2)]);
    let second = database.recordings_of(&room("demo"), Some(id(2)), 2).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].tracks, [track(3)]);
    assert_eq!(database.recordings_of(&room("demo"), Some(id(3)), 2).await.unwrap(), []);
}
