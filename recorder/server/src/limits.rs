//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Recordings of one process. Each is one task, one link and a few files.
pub(crate) const RECORDINGS_MAX: usize = 500;
/// Between two looks for work. A hint shortens it.
pub(crate) const CLAIM_INTERVAL: Duration = Duration::from_millis(500);
/// A recorder that hasn't renewed for this long is taken for dead. Long enough for its process to
/// be started again where the spool is; the earlier life's claim doesn't hinder it.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// Between two renewals, at which a recorder also learns that it is to stop.
pub(crate) const RENEW_INTERVAL: Duration = Duration::from_millis(500);
/// Between two heartbeats in the registry.
pub(crate) const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(500);
/// A heartbeat that is older is a node that is gone.
pub(crate) const ANNOUNCE_TTL: Duration = Duration::from_secs(2);

/// Frames of a link that wait for the disk: some seconds of a busy room. Then the room's owner
/// cuts the link.
pub(crate) const FRAMES_MAX: usize = 1_024;
/// Between two writes of what is complete: a page's length.
pub(crate) const WRITE_INTERVAL: Duration = Duration::from_millis(100);
/// Writes between two confirmations of the disk: 500 ms are lost at most when the power goes.
pub(crate) const WRITES_PER_SYNC: u32 = 4;
/// Outputs written at once. A silence of hours is filled piece by piece.
pub(crate) const WRITES_MAX: usize = 4_096;

/// Between two tries to find a room's owner and open a link.
pub(crate) const LINK_RETRY: Duration = Duration::from_millis(250);
/// How long a room that nobody owns may take to be somewhere again: callers reconnect within it.
pub(crate) const ROOM_ABSENT_MAX: Duration = Duration::from_secs(30);
/// How long a link that was asked for may take to say anything.
pub(crate) const LINK_ANSWER_MAX: Duration = Duration::from_secs(3);

/// Between two tries to upload, at first and at most.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(500);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(15);
/// Finished tracks that wait for their upload: all of a recording.
pub(crate) const UPLOADS_WAITING_MAX: usize = 4_096;
/// Longest line of a track's journal.
pub(crate) const JOURNAL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Between two looks for folders in the spool and pieces in the store that nobody works on.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Tries to put a track together before others get their turn.
pub(crate) const JOIN_TRIES: u32 = 5;
/// Tracks put together one after the other before another look around.
pub(crate) const JOINED_AT_ONCE_MAX: u32 = 100;
/// How long an object stays that nothing points to any more: whoever has a signed URL may still
/// be reading it, and whoever makes one takes less than this.
pub(crate) const UNUSED_KEPT: Duration = Duration::from_secs(3_600);
/// A spool that was full has room again once this fraction of it is free.
pub(crate) const SPOOL_ROOM_DIVISOR: u64 = 16;
/// Between two looks whether a full spool has room again.
pub(crate) const SPOOL_LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// What a look writes: as much as a few tracks need for their next pages.
pub(crate) const SPOOL_PROBE_BYTES: usize = 64 * 1024;
/// Between two words on how far a recording is. Each is one row that is written anyway.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_secs(3);
/// Panics of one recording's tasks, each soon after the one before, until it is given up. The first
/// is tried again at once, the others after a lease.
pub(crate) const PANICS_MAX: u32 = 5;
/// A task that ran for longer didn't fail at what the one before failed at.
pub(crate) const PANIC_MEMORY: Duration = Duration::from_secs(60);
