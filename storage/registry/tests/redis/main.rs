//! The contract on a Redis server that the tests start, and what concerns Redis alone.

#[cfg(test)]
#[path = "../contract/hints.rs"]
mod hints;
#[cfg(test)]
#[path = "../contract/nodes.rs"]
mod nodes;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pool;
#[cfg(test)]
#[path = "../contract/rooms.rs"]
mod rooms;
