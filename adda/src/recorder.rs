//! The role `recorder` of a process: its spool, and how it reaches the rooms it records.

use std::path::Path;

use anyhow::Context as _;
use proto::pool::Owner;
use proto_cluster::{Token, client};
use recorder_server::{Config, OpenLink, Parts, Recorder};
use service::{health::Health, metrics, shutdown::Shutdown};
use storage_database::Database;
use storage_objects::Objects;
use storage_registry::Registry;
use tokio::sync::mpsc;
use tracing::debug;

/// Links that may wait to be opened; each recording asks for one at a time.
const OPENING_MAX: usize = 64;

/// Beneath the data directory.
const SPOOL_FOLDER: &str = "spool";

const MIB: u64 = 1024 * 1024;

/// How a link to a room is opened from this process.
#[derive(Clone)]
pub(crate) struct Door {
    /// The media node in this process, if there is one.
    pub(crate) local: Option<(Owner, mpsc::Sender<sfu_server::OpenLink>)>,
    /// What opens the cluster ports of the others. `None` in a pool of one process.
    pub(crate) token: Option<Token>,
}

/// The stores that a recorder works with.
pub(crate) struct Stores {
    pub(crate) database: Database,
    pub(crate) objects: Objects,
    pub(crate) registry: Registry,
    pub(crate) health: Health,
}

/// Starts taking up recordings.
///
/// # Errors
///
/// When the spool's folder can't be had.
pub(crate) fn start(
    owner: Owner,
    (data_dir, spool_mib): (&Path, u64),
    stores: Stores,
    door: Door,
    registry: &mut metrics::Registry,
    shutdown: Shutdown,
) -> anyhow::Result<Recorder> {
    let (links, asked) = mpsc::channel(OPENING_MAX);
    tokio::spawn(open(asked, door));
    let spool = data_dir.join(SPOOL_FOLDER);
    let context = format!("the spool {} can't be used", spool.display());
    let spool_bytes_max = spool_mib.saturating_mul(MIB);
    let config = Config { owner, announce: None, spool, spool_bytes_max };
    let Stores { database, objects, registry: nodes, health } = stores;
    let parts = Parts { database, objects, registry: nodes, health, links };
    Recorder::start(config, parts, registry, shutdown).context(context)
}

/// Opens links, each in its own time. One that can't be opened is dropped, and asked for again.
async fn open(mut asked: mpsc::Receiver<OpenLink>, door: Door) {
    while let Some(OpenLink { node, request, frames }) = asked.recv().await {
        match &door.local {
            Some((owner, links)) if *owner == node.owner => {
                _ = links.send(sfu_server::OpenLink { request, frames }).await;
            }
            Some(_) | None => {
                let Some(token) = door.token.clone() else { continue };
                tokio::spawn(carry(OpenLink { node, request, frames }, token));
            }
        }
    }
}

/// Carries one link from another process. When frames aren't taken in time the node cuts it.
async fn carry(link: OpenLink, token: Token) {
    let OpenLink { node, request, frames } = link;
    let mut incoming = match client::open_link(&node.cluster, &token, request).await {
        Ok(incoming) => incoming,
        Err(error) => {
            debug!(sfu = node.owner.node.as_str(), %error, "link was not opened");
            return;
        }
    };
    loop {
        tokio::select! {
            frame = incoming.recv() => {
                let Some(frame) = frame else { return };
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
            () = frames.closed() => return,
        }
    }
}
