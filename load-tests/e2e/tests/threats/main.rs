//! Attacks, each named after its row of the threat list, on the executable over real sockets.
//!
//! While one goes on, two honest callers talk through the same server, and lose nothing.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

mod amplification;
mod certificates;
mod demux;
mod descriptions;
mod enumeration;
mod frames;
mod injection;
mod latching;
mod object_keys;
mod process;
mod replay;
mod scene;
mod signed_urls;
mod stun;
mod tokens;
mod uploads;
mod witness;
