//! Turns what a link carries into one Ogg/Opus file for each track.
//!
//! A [`Recording`] takes the frames of a room's link and gives out pages, the gaps in them, and
//! how each track ended. Nothing is decoded. Every hole is filled with packets that hold its place
//! (RFC 7845 §4.1), so any player keeps time, and listed with its reason. Knows no clock, socket
//! or file: time is the clock of the room's owner, as the link tells it.
//!
//! # Invariants
//!
//! - A file's granules grow by exactly what its packets say they hold.
//! - A file never gets longer than the time in which its packets came, but for clocks that differ.
//! - What was written is never taken back: pages are final when they are given out.

mod gap;
mod limits;
pub mod ogg;
pub mod opus;
mod recording;
mod stats;
mod timeline;
mod track;
mod waiting;
pub mod whole;

pub use gap::{Gap, GapReason, Gaps};
pub use recording::{Output, Recording};
pub use stats::Stats;
pub use track::{Begun, Resumed, Summary, Track, TrackOutput};
