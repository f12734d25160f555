//! Records rooms: takes jobs from the database, hears rooms over links, writes one Ogg/Opus file
//! for each track to the spool, and brings finished files to the object store.
//!
//! A recording in progress needs nothing but its link and its disk. The database and the object
//! store may be gone for as long as the spool has room; a process that was killed goes on where
//! its files end. Knows nothing of clients.
//!
//! # Invariants
//!
//! - A track's row is written after its object is stored, and says so only then.
//! - A spool folder is removed after everything in it is stored and written down.
//! - Whatever is written to the database carries the epoch of the claim. Sound that was written
//!   down under another is added to it, never lost and never in its place.
//! - A panic ends one recording's task, which is begun again, and nobody else's.

mod claims;
mod config;
mod joining;
mod limits;
mod metrics;
mod panics;
mod room;
mod rooms;
mod rows;
mod session;
mod spool;
mod sweep;
mod uploads;

use std::{fs, io};

use proto::{
    link::{LinkFrame, LinkRequest},
    pool::{NodeRecord, Owner},
};
use service::{health::Health, metrics::Registry as MetricsRegistry, shutdown::Shutdown};
use storage_database::Database;
use storage_objects::Objects;
use storage_registry::Registry;
use tokio::{sync::mpsc, task::JoinHandle};

pub use config::Config;
use metrics::Metrics;
use spool::Usage;

/// Asks for a room's voice at the node that owns it. Dropping the receiver of `frames` closes the
/// link.
#[derive(Debug)]
pub struct OpenLink {
    pub node: NodeRecord,
    pub request: LinkRequest,
    pub frames: mpsc::Sender<LinkFrame>,
}

/// What a recorder works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub database: Database,
    pub objects: Objects,
    pub registry: Registry,
    /// Where it says that it can't take more.
    pub health: Health,
    /// Whoever composes the process connects these.
    pub links: mpsc::Sender<OpenLink>,
}

/// A running recorder.
#[derive(Debug)]
pub struct Recorder {
    claims: JoinHandle<()>,
}

/// What every recording of the process shares.
#[derive(Clone, Debug)]
struct Shared {
    owner: Owner,
    config: Config,
    parts: Parts,
    usage: Usage,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Recorder {
    /// Opens the spool and starts taking jobs. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the spool's folder can't be made or read.
    pub fn start(
        config: Config,
        parts: Parts,
        registry: &mut MetricsRegistry,
        shutdown: Shutdown,
    ) -> io::Result<Self> {
        fs::create_dir_all(&config.spool)?;
        let usage = Usage::new(config.spool_bytes_max);
        joining::clear(&config.spool)?;
        for folder in fs::read_dir(&config.spool)? {
            let path = folder?.path();
            if path.is_dir() {
                usage.count(spool::folder_bytes(&path)?);
            }
        }
        let metrics = Metrics::new(usage.clone());
        metrics.register(registry);
        let owner = config.owner.clone();
        let shared = Shared { owner, config, parts, usage, metrics, shutdown };
        Ok(Self { claims: tokio::spawn(claims::run(shared)) })
    }

    /// Resolves once everything is on the disk after shutdown was asked for.
    pub async fn stopped(self) {
        // A recorder that panicked has stopped, too; the log has said so.
        let _ = self.claims.await;
    }
}
