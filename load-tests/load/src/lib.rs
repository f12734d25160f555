//! Real callers by the thousand, and what they experienced.
//!
//! Each caller joins with a token over a WebSocket of its own, connects with ICE and DTLS, and
//! talks or listens in SRTP: whatever server speaks LiveKit's protocol can't tell it from an SDK.
//! Talkers write the time into their packets, so that one process can measure the way to its
//! listeners. A few threads carry everybody; no caller is ever moved between them.

mod caller;
mod clock;
mod ledger;
mod limits;
mod options;
mod process;
mod random;
mod report;
mod run;
mod token;
mod worker;

pub use options::{InvalidOptions, JoinOrder, Options, SignalPath};
pub use report::{Early, Joins, Percentiles, Report, ServerJoining, ServerUse, Window, Workload};
pub use run::{Phase, Progress, run};
