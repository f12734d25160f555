//! How every role of the executable starts, logs, reports and stops.
//!
//! Roles must not differ here: one way to read the clock, to verify a token, to say "not ready,
//! because", to name a metric, to be told to stop. Knows nothing of rooms or calls.

pub mod clock;
pub mod data_dir;
pub mod digest;
pub mod health;
pub mod http;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod random;
pub mod shutdown;
pub mod token;
