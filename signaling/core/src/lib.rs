//! Which node of the pool takes a room, and whether the node that holds one is gone.
//!
//! A [`Pool`] is told what the registry lists and how the links to SFU nodes are; asked about a
//! room it answers with one [`Decision`]. Sans-IO: time and chance are arguments. It knows no
//! store and no socket, and grants nothing: an epoch comes from the database alone.
//!
//! # Invariants
//!
//! - A room whose holder is linked stays where it is, whatever the registry says.
//! - A room is taken from a holder only once that holder is known to be gone: never for load,
//!   and never for one missing piece of news.
//! - Nobody waits longer than [`PATIENCE`] for a decision.

mod limits;
mod node;
mod pool;

pub use crate::{
    limits::PATIENCE,
    pool::{Decision, Input, Pool, Unavailable},
};
