//! What a signaling node is told when it starts.

use std::{path::PathBuf, sync::Arc};

use proto::{control, pool::Owner};
use proto_cluster::Token;
use service::token::Keys;
use storage_database::Database;
use storage_objects::Objects;
use storage_registry::Registry;
use tokio::{net::TcpListener, sync::mpsc};

/// How one signaling node behaves.
#[derive(Debug)]
pub struct Config {
    /// API keys that sign tokens.
    pub keys: Keys,
    /// Who owns which room.
    pub database: Database,
    /// Where voice notes and recordings are kept.
    pub objects: Objects,
    /// A folder for copies of uploads while they are read, which is there.
    pub scratch: PathBuf,
    /// Which nodes there are.
    pub registry: Registry,
    /// What opens the cluster ports of SFU nodes. `None` in a pool of one process.
    pub token: Option<Token>,
    /// The doors that only `adda dev` opens. `None` in production.
    pub dev: Option<Dev>,
}

/// The doors that only `adda dev` opens: tokens for whoever asks from this machine or network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dev {
    /// Asked from this machine alone.
    Loopback,
    /// Asked from the local network (`--lan`).
    Lan,
}

/// Sockets that the caller has bound, so that a taken port is the caller's to report.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Plain HTTP.
    pub http: Vec<TcpListener>,
    /// HTTPS, for a microphone on a phone.
    pub https: Option<Https>,
}

/// HTTPS sockets and the certificate they show.
#[derive(Debug)]
pub struct Https {
    /// The sockets.
    pub listeners: Vec<TcpListener>,
    /// From [`crate::tls`].
    pub tls: Arc<rustls::ServerConfig>,
}

/// The way to the SFU in this process. The other ends are the SFU's.
#[derive(Debug)]
pub struct LocalSfu {
    /// Which life of which node it is.
    pub owner: Owner,
    /// Commands; a full channel refuses new work and slows clients down.
    pub commands: mpsc::Sender<control::Command>,
    /// Events; read without ever waiting for a client.
    pub events: mpsc::Receiver<control::Event>,
    /// What it is told when this process stops, while clients can still hear it.
    pub farewell: control::Command,
}
