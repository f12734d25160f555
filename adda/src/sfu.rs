//! The role `sfu` of a process: its media node, its cluster port, and how it takes its leave.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::Context as _;
use proto::{
    control::{Command, Event, RequestId},
    pool::Owner,
};
use proto_cluster::Token;
use service::metrics;
use sfu_server::{Connection, Node, OpenLink, Snapshot};
use signaling_server::LocalSfu;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, error};

use crate::{
    config::Config,
    network,
    process::{self, VERSION},
};

/// For clients to be told, and for calls of the cluster port to end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running media node.
pub(crate) struct Sfu {
    node: Node,
    /// Where clients send media.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) snapshots: Vec<watch::Receiver<Snapshot>>,
    port: Option<Port>,
}

/// The cluster port. Dropping `end` ends it.
struct Port {
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Sfu {
    /// Binds the media ports, and the cluster port where there is a pool.
    ///
    /// # Errors
    ///
    /// When a port is taken, or there is none left.
    pub(crate) fn start(
        config: &Config,
        owner: Owner,
        token: Option<&Token>,
        registry: &mut metrics::Registry,
    ) -> anyhow::Result<Self> {
        let mut node = Node::start(&sfu_server::Config {
            owner,
            region: config.node.region.clone(),
            version: VERSION,
            media: network::media(&config.media)?,
            first_port: media_port(config)?,
            shards: shards(config),
            ice_servers: Vec::new(),
        })?;
        let snapshots = std::mem::take(&mut node.snapshots);
        sfu_server::register(registry, snapshots.clone());
        sfu_server::register_control(registry, &node.control);
        let port = token.map(|token| open_port(config, &node, token.clone())).transpose()?;
        let addresses = node.addresses.clone();
        Ok(Self { node, addresses, snapshots, port })
    }

    /// The way to it for signaling in the same process.
    pub(crate) fn local(&self, farewell: Command) -> LocalSfu {
        let connection = self.node.connect();
        let (commands, events) = (connection.commands, connection.events);
        LocalSfu { owner: self.node.owner.clone(), commands, events, farewell }
    }

    /// The way to a room's voice for a recorder in the same process.
    pub(crate) fn links(&self) -> (Owner, mpsc::Sender<OpenLink>) {
        (self.node.owner.clone(), self.node.links.clone())
    }

    /// Has whoever is still here join again elsewhere, and closes the cluster port.
    pub(crate) async fn stop(self) {
        let Connection { commands, mut events } = self.node.connect();
        let told = async {
            _ = commands.send(Command::Evacuate).await;
            // Every shard answers this after it has done that.
            let (request, names) = (RequestId(0), Vec::new());
            _ = commands.send(Command::ListRooms { request, names }).await;
            while let Some(event) = events.recv().await {
                if matches!(event, Event::Rooms { .. }) {
                    return;
                }
            }
        };
        if timeout(LAST_WORDS, told).await.is_err() {
            debug!("not everybody was told to go elsewhere");
        }
        let Some(Port { end, serving }) = self.port else { return };
        drop(end);
        if timeout(LAST_WORDS, serving).await.is_err() {
            debug!("cluster port was cut");
        }
    }
}

fn open_port(config: &Config, node: &Node, token: Token) -> anyhow::Result<Port> {
    let address = network::cluster_listen(config)?;
    let listener = process::listen(address, "cluster.listen")?;
    let (end, ended) = oneshot::channel::<()>();
    // An error is a sender that was dropped, which is how the port is closed.
    let serving = node.serve_cluster(listener, token, async { _ = ended.await });
    let serving = tokio::spawn(async {
        if let Err(error) = serving.await {
            error!(error = format!("{:#}", anyhow::Error::from(error)), "cluster port failed");
        }
    });
    Ok(Port { end, serving })
}

/// The first media port: two above HTTP.
fn media_port(config: &Config) -> anyhow::Result<u16> {
    config.port.checked_add(2).with_context(|| {
        format!("port {} leaves no room for media above it: choose a lower --port", config.port)
    })
}

fn shards(config: &Config) -> usize {
    match config.shards {
        0 => thread::available_parallelism().map_or(1, usize::from),
        shards => shards,
    }
}
