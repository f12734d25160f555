//! Every bound of this crate, with its reason.

use std::time::Duration;

/// For one call to Redis. Callers go on without it, so they must know soon.
pub(crate) const CALL_TIME: Duration = Duration::from_millis(500);

/// For a connection to be made, handshake and subscriptions included.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(1);

/// Between two signs of life: a Redis that hangs is noticed within this and [`CALL_TIME`].
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Between two attempts to connect. Each costs a refused connection.
pub(crate) const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// Nodes in a pool. Each record has a few hundred bytes, and everybody reads all of them.
pub(crate) const NODES_MAX: usize = 1_000;

/// A placement that nobody set again. Then the database is asked once.
pub(crate) const ROOM_TIME: Duration = Duration::from_secs(3600);

/// Rooms placed in one process; as many as it may hold.
pub(crate) const ROOMS_MAX: usize = 100_000;

/// A hint is a name and perhaps a number. What is longer belongs in the database.
pub(crate) const HINT_BYTES_MAX: usize = 64 * 1024;

/// Hints that may wait for one listener; then they are lost to it.
pub(crate) const HINTS_MAX: usize = 256;

/// Hints that may wait to be told apart by topic.
pub(crate) const PUSHES_MAX: usize = 1024;

/// Listeners in one process: a handful of tasks.
pub(crate) const LISTENERS_MAX: usize = 256;

/// Listeners that may wait for their subscription.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 64;
