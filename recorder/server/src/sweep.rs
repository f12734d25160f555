//! Folders that an earlier life left in the spool after their recording was available.
//!
//! What is not in the recording's row stays, whoever made that row: it is somebody's voice.

use std::{fs, io, path::PathBuf};

use storage_database::RecordingId;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use crate::{
    Shared,
    limits::SWEEP_INTERVAL,
    rows,
    spool::{self, Spool, Usage},
};

/// Looks at every folder there is, once, for as long as the database doesn't answer.
pub(crate) async fn run(shared: Shared) {
    let path = shared.config.spool.clone();
    let listed = spawn_blocking(move || folders(path)).await.map_err(io::Error::other).flatten();
    let mut folders = match listed {
        Ok(folders) => folders,
        Err(error) => return warn!(%error, "the spool can't be read"),
    };
    while !folders.is_empty() {
        let mut unknown = Vec::new();
        for (id, folder) in folders {
            match is_available(&shared, id, folder.clone()).await {
                Some(true) => {
                    let usage = shared.usage.clone();
                    let removing = spawn_blocking(move || spool::remove(&folder, &usage));
                    if removing.await.is_ok_and(|removed| removed.is_ok()) {
                        info!(recording = %id, "a stored recording left the spool");
                    }
                }
                Some(false) => {}
                None => unknown.push((id, folder)),
            }
        }
        folders = unknown;
        sleep(SWEEP_INTERVAL).await;
    }
}

/// Whether all of a folder is stored; `None` while nobody knows.
async fn is_available(shared: &Shared, id: RecordingId, folder: PathBuf) -> Option<bool> {
    // Only a recording that is over may be touched.
    if !rows::is_available(shared, id, &[]).await? {
        return Some(false);
    }
    let opened = spawn_blocking(move || Spool::open(&folder, Usage::new(u64::MAX))).await;
    let Ok(Ok((_, earlier))) = opened else { return Some(false) };
    if !earlier.open.is_empty() {
        return Some(false);
    }
    rows::is_available(shared, id, &earlier.finished).await
}

fn folders(spool: PathBuf) -> io::Result<Vec<(RecordingId, PathBuf)>> {
    let mut folders = Vec::new();
    for folder in fs::read_dir(spool)? {
        let path = folder?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.parse() {
            Ok(id) => folders.push((id, path)),
            Err(_) => warn!(path = %path.display(), "something else lies in the spool"),
        }
    }
    Ok(folders)
}
