//! The signaling node: HTTP, WebSockets, tokens, and which SFU node owns which room.
//!
//! Clients connect here first. Signaling checks their tokens, claims an owner for their room,
//! and relays what they say to that owner; it holds nothing that reconnecting clients can't
//! rebuild. It knows no media: SDP passes through it as text.

mod access;
mod admin;
mod api;
mod app;
mod bearer;
mod config;
mod dev;
mod echo;
mod events;
mod hub;
mod idempotency;
mod keeper;
mod limits;
mod listen;
mod metrics;
mod notes;
mod openapi;
mod orphans;
mod owners;
mod pages;
mod pool;
mod problem;
mod recordings;
mod restore;
mod revocations;
mod router;
mod rtc;
pub mod tls;
mod twirp;

use std::sync::Arc;

use proto::control::Command;
use service::{health::Health, metrics::Registry, shutdown::Shutdown};
use storage_database::Database;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tracing::{debug, warn};

use self::{
    app::App,
    hub::{Cut, Dispatcher, Hub, LinkId},
    keeper::Keeper,
    limits::{CUT_TIME, FAREWELL_TIME},
    metrics::Metrics,
    notes::Notes,
    owners::Owners,
    pool::Watch,
};
pub use config::{Config, Dev, Https, Listeners, LocalSfu};

/// A signaling node whose metrics are registered.
#[derive(Debug)]
pub struct Signaling {
    config: Config,
    metrics: Metrics,
    notes: Notes,
}

impl Signaling {
    /// Prepares the node; nothing runs yet.
    pub fn new(config: Config, registry: &mut Registry) -> Self {
        let metrics = Metrics::register(registry);
        let (objects, database) = (config.objects.clone(), config.database.clone());
        let notes = Notes::new(objects, database, &config.scratch, registry);
        Self { config, metrics, notes }
    }

    /// Serves until `shutdown`, then tells every client, and returns within two seconds.
    /// `registry` is complete by now and is what `/metrics` shows.
    pub async fn serve(
        self,
        listeners: Listeners,
        local: Option<LocalSfu>,
        health: Health,
        registry: Registry,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let Self { config, metrics, notes } = self;
        let Config { keys, database, registry: nodes, objects, token, dev, .. } = config;
        restore::pending(&health);
        let (keeper, keeping) = Keeper::start(database.clone(), nodes.clone());
        let (hub, links, mut dispatcher) =
            Dispatcher::new(keeper.clone(), metrics.clone(), health.clone());
        let own = local.as_ref().map(|local| local.owner.clone());
        let mut farewells = None;
        if let Some(LocalSfu { owner, commands, events, farewell }) = local {
            if let Err(error) = database.release_earlier(&owner).await {
                warn!(%error, "rooms of an earlier life were not released");
            }
            let link = LinkId::new();
            dispatcher.link_up(link, owner, commands.clone());
            tokio::spawn(hub::carry(link, events, links.clone()));
            farewells = Some((commands, farewell));
        }
        let dispatching = tokio::spawn(dispatcher.run());
        let owners = Owners {
            hub: hub.clone(),
            database: database.clone(),
            registry: nodes.clone(),
            health: health.clone(),
        };
        let mut watching = JoinSet::new();
        let (watch, comings) = Watch::new(hub.clone(), nodes, links, token, own);
        watching.spawn(watch.run());
        watching.spawn(restore::run(owners.clone(), comings));
        watching.spawn(orphans::run(hub.clone(), database.clone()));
        watching.spawn(revocations::forget(database.clone()));

        let sweeping = tokio::spawn(notes::sweep(notes.clone(), shutdown.clone()));
        let stopping = shutdown.clone();
        let app = App { keys, owners, keeper, objects, metrics, notes, dev, shutdown: stopping };
        let router = router::build(Arc::new(app), health.clone(), Arc::new(registry));
        let mut connections = listen::start(listeners, router, &shutdown);

        shutdown.requested().await;
        health.unready("process", "stopping");
        watching.shutdown().await;
        farewell(&hub, farewells, &shutdown).await;
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(CUT_TIME, ended).await.is_err() {
            debug!("connections were cut");
        }
        drop((connections, hub));
        finish([dispatching, keeping, sweeping], &database).await;
        Ok(())
    }
}

/// Has the SFU of this process, if it has one, tell every client why, and ends what is left after
/// a while. Whoever is on other nodes only loses a socket, and resumes through another.
async fn farewell(hub: &Hub, local: Option<(mpsc::Sender<Command>, Command)>, shutdown: &Shutdown) {
    hub.stop().await;
    if let Some((commands, farewell)) = local {
        let last_words = async {
            if commands.send(farewell).await.is_err() {
                debug!("SFU was gone before us");
            }
            hub.emptied().await;
        };
        tokio::select! {
            () = last_words => {}
            () = tokio::time::sleep(FAREWELL_TIME) => {}
            () = shutdown.immediate() => {}
        }
    }
    hub.cut_all(Cut::Stopping).await;
    if timeout(CUT_TIME, hub.emptied()).await.is_err() {
        debug!("sessions were cut");
    }
}

/// Lets the tasks that own state end, and closes the database behind them.
async fn finish(tasks: [tokio::task::JoinHandle<()>; 3], database: &Database) {
    // Sessions that would not end still hold a way to them: their time is up.
    for mut task in tasks {
        if timeout(CUT_TIME, &mut task).await.is_err() {
            task.abort();
        }
    }
    database.close().await;
}

/// Serves only what operators look at, for a process without this role, until `shutdown`.
pub async fn serve_status(
    listeners: Listeners,
    health: Health,
    registry: Registry,
    shutdown: Shutdown,
) {
    let router = service::http::routes(health, Arc::new(registry));
    let mut connections = listen::start(listeners, router, &shutdown);
    shutdown.requested().await;
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(CUT_TIME, ended).await.is_err() {
        debug!("connections were cut");
    }
}
