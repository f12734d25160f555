//! A recorder that dies between any two steps of putting a track together: whoever comes next ends
//! what it began, nothing is lost or doubled, and nothing in the store is forgotten.
//!
//! It is held up before the step by something in its way, and killed there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use proto::link::UnixMicros;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use storage_database::{Recording, RecordingId};
use tokio::task::{LocalSet, spawn_local};
use tracing::Dispatch;

use crate::{
    log,
    pieces::{OTHER, assert_whole, emptied, finished, killed, taken_over},
    world::{Life, World, copy},
};

/// What holds a recorder up.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// A file where the store would make this folder of the recording.
    File(&'static str),
    /// This folder of the recording isn't in the store.
    Absence(&'static str),
    /// The database refuses what a trigger is called upon by.
    Refusal(&'static str),
}

/// Whether what follows is in the dead recorder's spool, or in the store for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heir {
    Itself,
    Anybody,
}

#[derive(Clone, Copy, Debug)]
struct Death {
    before: &'static str,
    obstacle: Obstacle,
    /// What it says once it is held up.
    words: &'static str,
    heir: Heir,
}

/// What the database's error says.
const REFUSED: &str = "the test is in the way";
const UNSTORED: &str = "a track isn't stored yet; it is tried again";
const ABSENT: &str = "an object of a recording isn't in the store";

/// In the order of the steps.
const DEATHS: [Death; 10] = [
    Death {
        before: "its piece is stored",
        obstacle: Obstacle::File("1"),
        words: UNSTORED,
        heir: Heir::Itself,
    },
    Death {
        before: "the file that is there becomes a piece",
        obstacle: Obstacle::Refusal("INSERT ON recording_pieces WHEN NEW.waits = 0"),
        words: REFUSED,
        heir: Heir::Itself,
    },
    Death {
        before: "its piece has a row",
        obstacle: Obstacle::Refusal("INSERT ON recording_pieces WHEN NEW.waits = 1"),
        words: REFUSED,
        heir: Heir::Itself,
    },
    Death {
        before: "all pieces are fetched",
        obstacle: Obstacle::Absence("2"),
        words: ABSENT,
        heir: Heir::Anybody,
    },
    Death {
        before: "the new key is written down as unused",
        obstacle: Obstacle::Refusal("INSERT ON unused_objects"),
        words: REFUSED,
        heir: Heir::Anybody,
    },
    Death {
        before: "the new file is stored",
        obstacle: Obstacle::File("whole"),
        words: UNSTORED,
        heir: Heir::Anybody,
    },
    Death {
        before: "the new key is used",
        obstacle: Obstacle::Refusal("DELETE ON unused_objects"),
        words: REFUSED,
        heir: Heir::Anybody,
    },
    Death {
        before: "the row points to the new file",
        obstacle: Obstacle::Refusal("UPDATE OF object ON recording_tracks"),
        words: REFUSED,
        heir: Heir::Anybody,
    },
    Death {
        before: "the piece waits no more",
        obstacle: Obstacle::Refusal("UPDATE OF waits ON recording_pieces"),
        words: REFUSED,
        heir: Heir::Anybody,
    },
    Death {
        before: "what went into the new file is unused",
        obstacle: Obstacle::Refusal(
            "INSERT ON unused_objects WHEN NEW.object NOT LIKE '%/whole/%'",
        ),
        words: REFUSED,
        heir: Heir::Anybody,
    },
];

impl Obstacle {
    async fn put(self, world: &World, id: RecordingId) {
        let folder = stored(world, id);
        match self {
            Self::File(name) => {
                fs::create_dir_all(&folder).expect("a folder");
                fs::write(folder.join(name), b"in the way").expect("written");
            }
            Self::Absence(name) => {
                fs::rename(folder.join(name), world.folder.path().join("absent")).expect("moved");
            }
            Self::Refusal(of) => {
                let trigger = format!(
                    "CREATE TRIGGER refusal BEFORE {of} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
                );
                change(world, &trigger).await;
            }
        }
    }

    async fn remove(self, world: &World, id: RecordingId) {
        let folder = stored(world, id);
        match self {
            Self::File(name) => fs::remove_file(folder.join(name)).expect("removed"),
            Self::Absence(name) => {
                fs::rename(world.folder.path().join("absent"), folder.join(name)).expect("moved");
            }
            Self::Refusal(_) => change(world, "DROP TRIGGER refusal").await,
        }
    }
}

/// Where the store has what it has of a recording.
fn stored(world: &World, id: RecordingId) -> PathBuf {
    world.folder.path().join(format!("objects/objects/rec/{id}"))
}

async fn connection(world: &World) -> SqliteConnection {
    let path = world.folder.path().join("adda.db");
    let url = format!("sqlite:{}", path.display());
    SqliteConnection::connect(&url).await.expect("a database")
}

async fn change(world: &World, statement: &str) {
    let statement = sqlx::query(AssertSqlSafe(statement.to_owned()));
    statement.execute(&mut connection(world).await).await.expect("it is done");
}

/// The first column, which is text.
async fn texts(world: &World, statement: &'static str) -> BTreeSet<String> {
    let rows = sqlx::query(statement).fetch_all(&mut connection(world).await).await;
    rows.expect("an answer").iter().map(|row| row.get(0)).collect()
}

/// The keys of all that the store has of a recording.
fn keys(world: &World, id: RecordingId) -> BTreeSet<String> {
    let root = world.folder.path().join("objects/objects");
    let mut found = BTreeSet::new();
    gather(&stored(world, id), &root, &mut found);
    found
}

fn gather(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => gather(&path, root, found),
            false => {
                let key = path.strip_prefix(root).expect("it lies within");
                found.insert(key.display().to_string());
            }
        }
    }
}

fn used(recording: &Recording) -> BTreeSet<String> {
    recording.tracks.iter().map(|track| track.file.object.clone()).collect()
}

/// A dead recorder has most of a track, and another the rest, which is available.
async fn two_pieces() -> (World, RecordingId) {
    let mut world = World::new().await;
    let id = killed(&mut world).await;
    let (other, _room) = taken_over(&mut world, id).await;
    finished(&world, id).await;
    emptied(&world, &world.spool_of(OTHER).join(id.to_string())).await;
    other.kill();
    (world, id)
}

/// A life that says `words`, by which time it is over.
async fn dies_at(world: &mut World, words: &'static str) {
    let is_there = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_there);
    world.log = log::whenever(words, move || seen.store(true, Ordering::Relaxed));
    let life = world.start(2);
    world.until(words, async || is_there.load(Ordering::Relaxed).then_some(())).await;
    life.kill();
    world.log = Dispatch::none();
}

async fn expect_one_file(world: &World) {
    world
        .until("one file", async || {
            let waiting = world.database.tracks_in_pieces(9).await.expect("a database");
            waiting.is_empty().then_some(())
        })
        .await;
}

/// As after an hour, in which nobody was sent to what is unused.
async fn grows_old(world: &World) -> Life {
    change(world, "UPDATE unused_objects SET since = 0").await;
    world.start_other("recorder-4", 1)
}

async fn expect_tidiness(world: &World, recording: &Recording) {
    let unused = async || texts(world, "SELECT object FROM unused_objects").await;
    world.until("a tidy store", async || unused().await.is_empty().then_some(())).await;
    assert_eq!(keys(world, recording.id), used(recording));
    assert_whole(world, recording).await;
}

async fn outlives(mut world: World, id: RecordingId, death: Death) {
    death.obstacle.put(&world, id).await;
    dies_at(&mut world, death.words).await;
    death.obstacle.remove(&world, id).await;
    // As `kill -9` leaves it.
    let half_done = world.spool().join(".joining/half-done");
    fs::create_dir_all(&half_done).expect("a folder");
    fs::write(half_done.join("0.ogg"), b"OggS").expect("written");

    if death.heir == Heir::Anybody {
        let _heir = world.start_other("recorder-3", 1);
        expect_one_file(&world).await;
        let recording = world.recording(id).await;
        let both = &recording.tracks.first().expect("its track").file;
        assert_eq!((both.duration_ms, both.gaps.len()), (14_000, 1), "before it came back");
    }
    let again = world.start(3);
    emptied(&world, &world.spool().join(id.to_string())).await;
    expect_one_file(&world).await;
    again.kill();
    assert!(!half_done.exists());
    let recording = world.recording(id).await;
    assert_whole(&world, &recording).await;
    let unused = texts(&world, "SELECT object FROM unused_objects").await;
    let unaccounted = &(&keys(&world, id) - &used(&recording)) - &unused;
    assert!(unaccounted.is_empty(), "nobody knows that they are unused: {unaccounted:?}");
    let _later = grows_old(&world).await;
    expect_tidiness(&world, &recording).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_dies_before_any_step_of_putting_a_track_together_is_done_without() {
    let (world, id) = two_pieces().await;
    let all = async {
        let mut deaths = BTreeMap::new();
        for death in DEATHS {
            let outlived = spawn_local(outlives(world.again().await, id, death));
            deaths.insert(death.before, outlived);
        }
        let mut fatal = Vec::new();
        for (before, outlived) in deaths {
            if outlived.await.is_err() {
                fatal.push(before);
            }
        }
        assert!(fatal.is_empty(), "not done without one that died before {fatal:?}");
    };
    LocalSet::new().run_until(all).await;
}

/// A track that was put together, and a copy of what its recorder had in its spool by then.
async fn one_file() -> (World, Recording, PathBuf) {
    let (mut world, id) = two_pieces().await;
    let (folder, kept) = (world.spool().join(id.to_string()), world.folder.path().join("kept"));
    let obstacle = Obstacle::File("whole");
    obstacle.put(&world, id).await;
    dies_at(&mut world, UNSTORED).await;
    obstacle.remove(&world, id).await;
    copy(&folder, &kept);
    let life = world.start(3);
    emptied(&world, &folder).await;
    expect_one_file(&world).await;
    life.kill();
    let recording = world.recording(id).await;
    assert!(!(&keys(&world, id) - &used(&recording)).is_empty(), "something is unused");
    (world, recording, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_dies_before_it_removed_its_spool_changes_nothing_however_late() {
    let (world, recording, kept) = one_file().await;
    let later = grows_old(&world).await;
    expect_tidiness(&world, &recording).await;
    later.kill();

    let folder = world.spool().join(recording.id.to_string());
    copy(&kept, &folder);
    let _again = world.start(4);
    emptied(&world, &folder).await;
    assert_eq!(world.recording(recording.id).await, recording);
    assert_eq!(keys(&world, recording.id), used(&recording));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_dies_before_it_removed_what_it_doomed_is_done_without() {
    let (world, recording, _) = one_file().await;
    let doomed = world.database.doomed_objects(UnixMicros(u64::MAX >> 2)).await;
    assert!(!doomed.expect("a database").is_empty());

    let _again = world.start(4);
    expect_tidiness(&world, &recording).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_dies_before_it_forgot_what_it_removed_is_done_without() {
    let (world, recording, _) = one_file().await;
    let refusal = Obstacle::Refusal("DELETE ON unused_objects WHEN OLD.doomed = 1");
    refusal.put(&world, recording.id).await;
    let life = grows_old(&world).await;
    let is_gone = async || (keys(&world, recording.id) == used(&recording)).then_some(());
    world.until("only what is used", is_gone).await;
    life.kill();
    refusal.remove(&world, recording.id).await;
    let doomed = texts(&world, "SELECT object FROM unused_objects WHERE doomed = 1").await;
    assert!(!doomed.is_empty(), "it was forgotten before it was gone");

    let _again = world.start(4);
    expect_tidiness(&world, &recording).await;
}
