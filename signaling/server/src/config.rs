//! What a signaling node is told when it starts.

use std::sync::Arc;

use proto::{control, ids::NodeId};
use service::{data_dir::DataDir, token::Keys};
use tokio::{net::TcpListener, sync::mpsc};

/// How one signaling node behaves.
#[derive(Debug)]
pub struct Config {
    /// Which node of the pool this is: the owner its rooms are claimed for.
    pub node: NodeId,
    /// Where the database lies.
    pub data_dir: Arc<DataDir>,
    /// API keys that sign tokens.
    pub keys: Keys,
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

/// The way to the SFU nodes. The other ends are the SFU's.
#[derive(Debug)]
pub struct SfuLink {
    /// Commands; a full channel refuses new work and slows clients down.
    pub commands: mpsc::Sender<control::Command>,
    /// Events; read without ever waiting for a client.
    pub events: mpsc::Receiver<control::Event>,
}
