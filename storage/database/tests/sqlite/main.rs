//! The contract on SQLite, and what concerns SQLite alone.

#[cfg(test)]
mod faults;
#[cfg(test)]
#[path = "../contract/notes.rs"]
mod notes;
#[cfg(test)]
#[path = "../contract/pieces.rs"]
mod pieces;
#[cfg(test)]
#[path = "../contract/recordings.rs"]
mod recordings;
#[cfg(test)]
#[path = "../contract/revocations.rs"]
mod revocations;
#[cfg(test)]
#[path = "../contract/rooms.rs"]
mod rooms;
#[cfg(test)]
mod store;
