//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How long a join waits for the pool to become clear. The longest a dead holder stays in doubt
/// is a heartbeat's life and one listing; SDKs give a first message five seconds.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// What a caller is told to wait who found no node: about as long as a node takes to start.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A link that has been down for so long is no passing trouble of the network.
pub(crate) const LINK_SILENCE: Duration = Duration::from_secs(2);

/// A heartbeat that is missing for so long was not merely flushed: nodes renew it each half
/// second, whatever became of the one before.
pub(crate) const HEARTBEAT_ABSENCE: Duration = Duration::from_millis(600);

/// The same of a node that nothing was ever heard of: a heartbeat's whole life.
pub(crate) const STRANGER_ABSENCE: Duration = Duration::from_secs(2);

/// For how long a node that is gone is remembered, so that its rooms are known to be orphans.
pub(crate) const GONE_NODE_LIFE: Duration = Duration::from_secs(600);

/// Nodes remembered at once. The largest pool imagined has a tenth of it.
pub(crate) const NODES_MAX: usize = 1024;

/// Half of the joins that a node was given are taken to be in its own numbers after so long:
/// connected, and in a heartbeat that was read. After 20 s next to nothing is left.
pub(crate) const JOIN_HALF_LIFE: Duration = Duration::from_secs(3);

/// The least that a join in flight counts for, as a part of a node's load.
pub(crate) const JOIN_LOAD_MIN: f64 = 0.0005;

/// Nodes whose loads differ by less are equally busy. A load is the CPU time of half a second.
pub(crate) const LOAD_NOISE: f64 = 0.1;
