//! Real servers for tests: Redis, PostgreSQL, S3, nginx and whatever else is a program, each in a
//! folder and on a port of its own.
//!
//! Each can be killed as by `kill -9`, paused, and started again where it was, on the same port and
//! data. None outlives the test program, however that ends. A failed test keeps their logs and says
//! where. A server that this machine lacks fails the test, with the remedy.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

mod nginx;
mod port;
mod postgres;
mod process;
mod programs;
mod redis;
mod s3;

use std::time::{Duration, Instant};

pub use nginx::Nginx;
pub use port::{free_port, free_ports};
pub use postgres::Postgres;
pub use process::Process;
pub use redis::Redis;
pub use s3::S3;

/// How long any server may take to start or stop. Generous, since a build machine is slow and
/// shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' only clock: deadlines and how long it took"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
