//! The signaling node: HTTP, WebSockets, tokens, and which SFU node owns which room.
//!
//! Clients connect here first. Signaling checks their tokens, claims an owner for their room,
//! and relays what they say to that owner; it holds nothing that reconnecting clients can't
//! rebuild. It knows no media: SDP passes through it as text.
//!
//! # How the executable composes it
//!
//! ```no_run
//! # async fn compose(data_dir: std::sync::Arc<service::data_dir::DataDir>) -> anyhow::Result<()> {
//! use signaling_server::{Config, Dev, Listeners, SfuLink, Signaling};
//!
//! let (_trigger, shutdown) = service::shutdown::Shutdown::on_signals()?;
//! let health = service::health::Health::new();
//! let mut registry = service::metrics::registry("0.1.0");
//! // Other roles register their collectors here, too.
//! let config = Config {
//!     node: "node-1".parse()?,
//!     data_dir,
//!     keys: service::token::Keys::new([("devkey", "secret")]),
//!     dev: Some(Dev::Loopback),
//! };
//! let signaling = Signaling::open(config, &mut registry).await?;
//! let http = vec![tokio::net::TcpListener::bind("127.0.0.1:7880").await?];
//! let listeners = Listeners { http, https: None };
//!
//! let (commands, _to_sfu) = tokio::sync::mpsc::channel(4096);
//! let (_from_sfu, events) = tokio::sync::mpsc::channel(4096);
//! let link = SfuLink { commands, events };
//! health.started();
//! signaling.serve(listeners, link, health, registry, shutdown).await
//! # }
//! ```

mod access;
mod app;
mod config;
mod dev;
mod echo;
mod events;
mod hub;
mod keeper;
mod limits;
mod listen;
mod metrics;
mod owners;
mod pages;
mod problem;
mod restore;
mod router;
mod rtc;
pub mod tls;
mod twirp;

use std::sync::Arc;

use anyhow::Context as _;
use proto::pool::{BootId, Owner};
use service::{health::Health, metrics::Registry, random, shutdown::Shutdown};
use storage_database::Database;
use tokio::time::timeout;
use tracing::debug;

use self::{
    app::App,
    hub::{Cut, Dispatcher, Hub},
    keeper::Keeper,
    limits::{CUT_TIME, FAREWELL_TIME},
    metrics::Metrics,
    owners::Owners,
};
pub use config::{Config, Dev, Https, Listeners, SfuLink};

/// Beneath the data directory.
const DATABASE_FILE: &str = "adda.sqlite";

/// A signaling node whose database is open and whose metrics are registered.
#[derive(Debug)]
pub struct Signaling {
    config: Config,
    database: Database,
    metrics: Metrics,
}

impl Signaling {
    /// Opens the database. What can go wrong at the start goes wrong here, before any port.
    pub async fn open(config: Config, registry: &mut Registry) -> anyhow::Result<Self> {
        let file = config.data_dir.path().join(DATABASE_FILE);
        let database = Database::sqlite(&file)
            .await
            .with_context(|| format!("opening the database {}", file.display()))?;
        database.register(registry);
        let metrics = Metrics::register(registry);
        Ok(Self { config, database, metrics })
    }

    /// Serves until `shutdown`, then tells the SFU and every client, and returns within two
    /// seconds. `registry` is complete by now and is what `/metrics` shows.
    pub async fn serve(
        self,
        listeners: Listeners,
        link: SfuLink,
        health: Health,
        registry: Registry,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let Self { config, database, metrics } = self;
        let (keeper, keeping) = Keeper::start(database.clone());
        let (hub, dispatcher) =
            Dispatcher::new(link, keeper.clone(), metrics.clone(), health.clone());
        let dispatching = tokio::spawn(dispatcher.run());
        let boot = BootId::from_random(u64::from_be_bytes(random::bytes()?));
        let owners = Owners {
            hub: hub.clone(),
            database: database.clone(),
            owner: Owner { node: config.node, boot },
            health: health.clone(),
        };
        restore::rooms(&owners).await?;

        let (keys, dev) = (config.keys, config.dev);
        let app = App { keys, owners, keeper, metrics, dev, shutdown: shutdown.clone() };
        let router = router::build(Arc::new(app), health.clone(), Arc::new(registry));
        let mut connections = listen::start(listeners, router, &shutdown);

        shutdown.requested().await;
        health.unready("process", "stopping");
        farewell(&hub, &shutdown).await;
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(CUT_TIME, ended).await.is_err() {
            debug!("connections were cut");
        }
        drop((connections, hub));
        finish(dispatching, keeping, &database).await;
        Ok(())
    }
}

/// Has the SFU tell every client why, and ends what is left after a while.
async fn farewell(hub: &Hub, shutdown: &Shutdown) {
    let last_words = async {
        if hub.stop().await.is_err() {
            debug!("SFU was gone before us");
        }
        hub.emptied().await;
    };
    tokio::select! {
        () = last_words => {}
        () = tokio::time::sleep(FAREWELL_TIME) => {}
        () = shutdown.immediate() => {}
    }
    hub.cut_all(Cut::Stopping).await;
    if timeout(CUT_TIME, hub.emptied()).await.is_err() {
        debug!("sessions were cut");
    }
}

/// Lets the tasks that own state end, and closes the database behind them.
async fn finish(
    dispatching: tokio::task::JoinHandle<()>,
    keeping: tokio::task::JoinHandle<()>,
    database: &Database,
) {
    // Sessions that would not end still hold a way to them: their time is up.
    for mut task in [dispatching, keeping] {
        if timeout(CUT_TIME, &mut task).await.is_err() {
            task.abort();
        }
    }
    database.close().await;
}
