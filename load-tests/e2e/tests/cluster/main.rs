//! Two of each role around real servers, and everything that can break between them.
//!
//! Whoever talks does it in numbered packets: that nothing was lost is told by the receivers'
//! record, which shares no code with the server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what fails here fails the test that called it"
)]

mod note;
mod record;
mod small_disk;
mod story;

/// The name by which all of it is left out where a server can't be had.
mod in_a_cluster {
    mod calls;
    mod database_gone;
    mod objects_gone;
    mod operators;
    mod recorder_killed;
    mod recorder_without_room;
    mod recording_without_store;
    mod redis_gone;
    mod sfu_ended;
    mod signaling_killed;
}
