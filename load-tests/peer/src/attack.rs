//! What sets off the two defects of the crates below `webrtc`.
//!
//! Written against the wire, not against those crates, so that it does to our server what it does
//! to them.

mod association;
mod forward_tsn;
mod fragments;

pub use association::Association;
pub use forward_tsn::{Forger, SKIP_MAX, acknowledged_tsn};
pub use fragments::{FRAGMENTS, hello_datagrams};
