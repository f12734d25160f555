//! Peer connections over a network of our own that loses, delays and reorders.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that is wrong may panic"
)]

mod allocations;
mod channels;
mod connecting;
mod hostile;
mod ice;
mod media;
mod network;
mod raw_client;
