//! What lies in the spool and nobody works on, and what is to be tidied up in the store.
//!
//! A folder is left behind by a node that died and whose recording another took over. Its sound is
//! brought to the store all the same, and added to what the other recorded.

use std::{fs, io, path::PathBuf};

use proto::{ids::Epoch, link::UnixMicros};
use service::clock::unix_micros;
use storage_database::RecordingId;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{debug, info, warn};

use crate::{
    Shared, joining,
    limits::{JOINED_AT_ONCE_MAX, SWEEP_INTERVAL, UNUSED_KEPT},
    rows::{self, Bringer},
    spool::{FinishedTrack, Spool},
    uploads::{self, Stored},
};

/// Looks after the store: puts together what waits, removes what is unused. Runs until it is
/// dropped.
pub(crate) async fn tidy(shared: Shared) {
    loop {
        let waiting = shared.parts.database.tracks_in_pieces(JOINED_AT_ONCE_MAX).await;
        for (id, sid) in waiting.unwrap_or_default() {
            joining::join(&shared, id, sid).await;
        }
        remove_unused(&shared).await;
        sleep(SWEEP_INTERVAL).await;
    }
}

async fn remove_unused(shared: &Shared) {
    let kept = u64::try_from(UNUSED_KEPT.as_micros()).unwrap_or(u64::MAX);
    let before = UnixMicros(unix_micros().0.saturating_sub(kept));
    let doomed = shared.parts.database.doomed_objects(before).await.unwrap_or_default();
    for object in doomed {
        let Ok(key) = object.parse() else { continue };
        if let Err(error) = shared.parts.objects.delete(&key).await {
            return debug!(%error, "an object that is unused could not be removed");
        }
        // Told again next time, if this isn't heard.
        let _ = shared.parts.database.forget_object(&object).await;
    }
}

/// The folders in the spool.
pub(crate) async fn folders(shared: &Shared) -> Vec<(RecordingId, PathBuf)> {
    let path = shared.config.spool.clone();
    let listed = spawn_blocking(move || list(path)).await.map_err(io::Error::other).flatten();
    listed.unwrap_or_else(|error| {
        warn!(%error, "the spool can't be read");
        Vec::new()
    })
}

fn list(spool: PathBuf) -> io::Result<Vec<(RecordingId, PathBuf)>> {
    let mut folders = Vec::new();
    for folder in fs::read_dir(spool)? {
        let path = folder?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.parse() {
            Ok(id) => folders.push((id, path)),
            Err(_) if name.starts_with('.') => {}
            Err(_) => debug!(path = %path.display(), "something else lies in the spool"),
        }
    }
    Ok(folders)
}

/// Brings a folder's sound to the store, unless that is for a session to do.
pub(crate) async fn bring(shared: &Shared, id: RecordingId, folder: PathBuf) {
    if rows::bringer(shared, id).await != Some(Bringer::Leftovers) {
        return;
    }
    let (path, usage) = (folder.clone(), shared.usage.clone());
    let sealed = spawn_blocking(move || -> io::Result<Vec<FinishedTrack>> {
        let (mut spool, mut earlier) = Spool::open(&path, Epoch(0), usage)?;
        spool.seal_earlier(&mut earlier)?;
        Ok(earlier.finished)
    });
    let tracks = match sealed.await.map_err(io::Error::other).flatten() {
        Ok(tracks) => tracks,
        Err(error) => return warn!(recording = %id, %error, "leftovers can't be read"),
    };
    info!(recording = %id, tracks = tracks.len(), "leftovers of a recording are brought");
    for track in &tracks {
        let stored = tokio::select! {
            stored = uploads::store(shared, id, track) => stored,
            () = shared.shutdown.requested() => return,
        };
        if stored != Stored::All {
            return;
        }
    }
    uploads::remove(folder, shared).await;
}
