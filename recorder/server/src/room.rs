//! Says when the spool has no room left, and finds out when it has again.

use std::{fs::File, io, io::Write as _, path::Path};

use proto::pool::Role;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use crate::{
    Shared,
    limits::{SPOOL_LOOK_INTERVAL, SPOOL_PROBE_BYTES},
};

/// What `/readyz` calls the spool.
const SPOOL: &str = "spool";

/// Beneath the spool: what is written to learn whether something can be.
const PROBE: &str = ".probe";

/// Runs until it is dropped.
pub(crate) async fn watch(shared: Shared) {
    let mut was_full = false;
    loop {
        if shared.usage.is_full() {
            let path = shared.config.spool.join(PROBE);
            let probed = spawn_blocking(move || probe(&path)).await;
            if probed.is_ok_and(|probed| probed.is_ok()) {
                shared.usage.has_room();
            }
        }
        let is_full = shared.usage.is_full();
        if is_full {
            let reason = "it is full, and what is said in recordings is lost: make room on its \
                 disk, or raise recorder.spool_mib";
            shared.parts.health.unready_for(Role::Recorder, SPOOL, reason);
        } else {
            shared.parts.health.ready(SPOOL);
        }
        match (was_full, is_full) {
            (false, true) => warn!("the spool is full: what is said is lost"),
            (true, false) => info!("the spool has room again"),
            (true, true) | (false, false) => {}
        }
        was_full = is_full;
        sleep(SPOOL_LOOK_INTERVAL).await;
    }
}

fn probe(path: &Path) -> io::Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(&[0; SPOOL_PROBE_BYTES])?;
        file.sync_all()
    });
    std::fs::remove_file(path)?;
    written
}
