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

mod config;
mod limits;
mod listen;
pub mod tls;

use std::sync::Arc;

use anyhow::Context as _;
use service::{health::Health, metrics::Registry, shutdown::Shutdown};

pub use config::{Config, Dev, Https, Listeners, SfuLink};

/// A signaling node whose database is open and whose metrics are registered.
#[derive(Debug)]
pub struct Signaling {
    config: Config,
}

impl Signaling {
    /// Opens the database. What can go wrong at the start goes wrong here, before any port.
    pub async fn open(config: Config, _registry: &mut Registry) -> anyhow::Result<Self> {
        Ok(Self { config })
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
        let router = service::http::routes(health, Arc::new(registry));
        let connections = listen::start(listeners, &router, &shutdown);
        shutdown.requested().await;
        drop((connections, self.config));
        link.commands.send(proto::control::Command::Shutdown).await.context("the SFU is gone")
    }
}
