//! The contract on the registry of one process.

#[cfg(test)]
#[path = "../contract/hints.rs"]
mod hints;
#[cfg(test)]
#[path = "../contract/nodes.rs"]
mod nodes;
#[cfg(test)]
mod pool;
#[cfg(test)]
#[path = "../contract/rooms.rs"]
mod rooms;
