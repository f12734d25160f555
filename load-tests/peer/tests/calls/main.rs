//! Calls through the built executable in which every honest voice is a peer on the crate `webrtc`.
//!
//! `cargo build --release -p adda` first, or name the executable in `ADDA_BIN`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

mod defects;
mod hostile;
mod independent_peers;
mod server;
mod talk;
