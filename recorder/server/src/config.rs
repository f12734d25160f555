//! How one recorder behaves.

use std::path::PathBuf;

use proto::pool::{NodeRecord, Owner};

/// How one recorder behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who claims recordings.
    pub owner: Owner,
    /// What to announce in the registry; `None` where the process announces itself.
    pub announce: Option<NodeRecord>,
    /// Where recordings wait until they are stored. Survives restarts; no two processes share it.
    pub spool: PathBuf,
    /// Most bytes of it. An hour of one voice takes about 15 MB.
    pub spool_bytes_max: u64,
}
