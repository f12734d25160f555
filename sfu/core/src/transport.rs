//! Names of peer connections, shared with the shell that holds the sockets.

/// One peer connection. `index` is small and used again; `generation` tells its lives apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportId {
    pub index: u32,
    pub generation: u32,
}
