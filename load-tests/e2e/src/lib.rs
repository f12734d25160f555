//! The built executable and real clients, for tests that drive both over real sockets.
//!
//! `cargo xtask setup` installs the clients. Everything runs in a network of the tests' own when
//! they may make one: Firefox needs an interface that isn't loopback, and no packet leaves it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

pub mod caller;
pub mod client;
pub mod cluster;
mod driver;
pub mod http;
pub mod kind;
pub mod nat;
mod network;
pub mod notes;
pub mod peer;
pub mod proxy;
pub mod recording;
pub mod relay;
pub mod server;
pub mod talk;
pub mod token;
pub mod tone;
pub mod weather;

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

/// How long anything may take to come true. Generous, since a build machine is slow and shared:
/// what a test waits for arrives much sooner, or never.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// What other machines would call this one in the tests' own network.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Enters the tests' own network. Every test calls this before it opens a socket.
pub fn enter_network() {
    network::enter();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' only clock: deadlines and how long it took"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass: for what must *not* happen meanwhile, and nothing else.
pub fn wait(span: Duration) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}
