//! A recorder on a real database, object store and disk, hearing a room that the test is.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail the test")]

#[path = "recordings/deaths.rs"]
mod deaths;
#[path = "recordings/epochs.rs"]
mod epochs;
#[path = "recordings/faults.rs"]
mod faults;
#[path = "recordings/lives.rs"]
mod lives;
#[path = "recordings/log.rs"]
mod log;
#[path = "recordings/panics.rs"]
mod panics;
#[path = "recordings/pieces.rs"]
mod pieces;
#[path = "recordings/speakers.rs"]
mod speakers;
#[path = "recordings/world.rs"]
mod world;
