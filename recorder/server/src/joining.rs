//! Puts the files that several recorders have of one track together.
//!
//! Any recorder may do it, for all of it lies in the store: mostly the one that brought the last
//! piece, and whoever looks for what waits when that one died. Two that do it at once do no harm.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use proto::ids::{Epoch, TrackSid};
use recorder_core::{
    Gap, GapReason, Summary,
    ogg::Channels,
    whole::{self, Piece},
};
use service::{clock::unix_micros, random};
use storage_database::{Pieces, RecordingId, TrackFile};
use storage_objects::{Key, Sha256, StoreError};
use tokio::{io::AsyncWriteExt as _, task::spawn_blocking, time::sleep};
use tracing::{error, info, warn};

use crate::{
    Shared,
    limits::JOIN_TRIES,
    rows::{self, Answer},
    spool::{Packets, SAMPLES_PER_MS, hex},
    uploads::{self, Pause},
};

/// Beneath the spool: files of which the store has the originals.
const FOLDER: &str = ".joining";

/// Why it isn't done.
#[derive(Debug, thiserror::Error)]
enum JoinError {
    #[error("the object store failed")]
    Store(#[from] StoreError),
    #[error("the disk failed")]
    Disk(#[from] io::Error),
    #[error("the database failed")]
    Database(Answer),
    #[error("an object of ours isn't in the store: {0}")]
    Missing(String),
    #[error("its key can't be made")]
    Key,
}

/// A file that holds everything.
struct Joined {
    path: PathBuf,
    bytes: u64,
    sum: Sha256,
    summary: Summary,
}

/// Removes what an earlier life left half done.
pub(crate) fn clear(spool: &Path) -> io::Result<()> {
    match fs::remove_dir_all(spool.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes one file of all that there is of a track. What can't be done now is done later: the
/// database says that it waits.
pub(crate) async fn join(shared: &Shared, id: RecordingId, sid: TrackSid) {
    let mut pause = Pause::default();
    for _ in 0..JOIN_TRIES {
        match join_once(shared, id, sid).await {
            Ok(true) => return,
            // Somebody else was faster, and there may be more to do.
            Ok(false) => {}
            Err(error) => warn!(track = %sid, %error, "a track isn't put together yet"),
        }
        if shared.shutdown.is_requested() {
            return;
        }
        sleep(pause.next()).await;
    }
}

/// Says whether nothing waits any more.
async fn join_once(shared: &Shared, id: RecordingId, sid: TrackSid) -> Result<bool, JoinError> {
    let database = &shared.parts.database;
    let pieces = database.pieces_of(id, sid).await.map_err(failed)?;
    let Some(pieces) = pieces else { return Ok(true) };
    let random = random::bits().map_err(|_| JoinError::Key)?;
    let folder = shared.config.spool.join(FOLDER).join(format!("{random:032x}"));
    tokio::fs::create_dir_all(&folder).await?;
    let joined = join_in(shared, id, &pieces, &folder, random).await;
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
        warn!(%error, "files that were put together could not be removed");
    }
    joined
}

async fn join_in(
    shared: &Shared,
    id: RecordingId,
    pieces: &Pieces,
    folder: &Path,
    random: u128,
) -> Result<bool, JoinError> {
    // Whoever was granted the job last has the last word where two were heard.
    let mut files: Vec<TrackFile> = pieces.waiting.clone();
    files.push(pieces.whole.file.clone());
    files.sort_by_key(|file| std::cmp::Reverse(file.epoch));
    let mut paths = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let path = folder.join(format!("{number}.ogg"));
        fetch(shared, &file.object, &path).await?;
        paths.push(path);
    }
    let (sources, path) = (files.clone(), folder.join("whole.ogg"));
    let joined = spawn_blocking(move || write(sources, paths, path)).await;
    let joined = joined.map_err(io::Error::other)??;

    let name = format!("rec/{id}/whole/{}-{random:032x}.ogg", hex(pieces.whole.sid));
    let key: Key = name.parse().map_err(|_| JoinError::Key)?;
    let database = &shared.parts.database;
    database.add_unused_object(key.as_str(), unix_micros()).await.map_err(failed)?;
    if uploads::put(shared, &key, &joined.path, joined.sum).await.is_err() {
        return Err(JoinError::Key);
    }
    let file = TrackFile {
        epoch: files.first().map_or(Epoch(0), |file| file.epoch),
        began: files.iter().map(|file| file.began).min().unwrap_or_default(),
        duration_ms: joined.summary.samples / SAMPLES_PER_MS,
        bytes: joined.bytes,
        sha256: joined.sum.to_bytes(),
        object: key.as_str().to_owned(),
        gaps: rows::gaps_of(&joined.summary.gaps),
    };
    let done = database.put_together(id, pieces, &file, unix_micros()).await.map_err(failed)?;
    if done {
        info!(recording = %id, track = %pieces.whole.sid, pieces = files.len(), "a track was put together");
    }
    // What came meanwhile waits.
    Ok(done && database.pieces_of(id, pieces.whole.sid).await.map_err(failed)?.is_none())
}

async fn fetch(shared: &Shared, object: &str, to: &Path) -> Result<(), JoinError> {
    let key = object.parse().map_err(|_| JoinError::Key)?;
    let Some(mut found) = shared.parts.objects.get(&key, None).await? else {
        error!(object, "an object of a recording isn't in the store");
        return Err(JoinError::Missing(object.to_owned()));
    };
    let mut file = tokio::fs::File::create(to).await?;
    while let Some(chunk) = found.stream.next().await {
        file.write_all(&chunk?).await?;
    }
    Ok(file.flush().await?)
}

/// Writes one file of all of them.
fn write(files: Vec<TrackFile>, paths: Vec<PathBuf>, path: PathBuf) -> io::Result<Joined> {
    let mut pieces = Vec::new();
    let (mut serial, mut channels) = (0, Channels::Mono);
    for (file, path) in files.into_iter().zip(paths) {
        let packets = Packets::open(BufReader::new(File::open(path)?))?;
        serial = packets.serial();
        if packets.channels() == Channels::Stereo {
            channels = Channels::Stereo;
        }
        pieces.push(piece(file, packets));
    }
    let mut out = BufWriter::new(File::create(&path)?);
    let summary = whole::join(pieces, (serial, channels), |page| out.write_all(&page))?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    let sum = uploads::sum(&path)?;
    Ok(Joined { path, bytes, sum, summary })
}

fn piece<I: Iterator<Item = io::Result<Bytes>>>(file: TrackFile, packets: I) -> Piece<I> {
    let gaps = file.gaps.iter().map(|gap| Gap {
        start: gap.start_ms.saturating_mul(SAMPLES_PER_MS),
        samples: gap.duration_ms.saturating_mul(SAMPLES_PER_MS),
        reason: GapReason::named(&gap.reason).unwrap_or(GapReason::Recorder),
    });
    let samples = file.duration_ms.saturating_mul(SAMPLES_PER_MS);
    Piece { began: file.began, samples, gaps: gaps.collect(), packets }
}

fn failed(error: storage_database::DatabaseError) -> JoinError {
    JoinError::Database(rows::answer(Err(error)))
}
