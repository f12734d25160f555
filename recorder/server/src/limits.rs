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
/// Between two tries to learn whether a folder in the spool is needed.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
