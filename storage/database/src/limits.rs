//! Every bound of this crate, with its reason.

use std::time::Duration;

/// For a whole call, whatever it waits for. Callers have people waiting.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(5);

/// For a connection to PostgreSQL: longer than its restart, short enough to answer "try again".
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Connections of one node to PostgreSQL. Its default allows 100 in all; claims queue on one row
/// anyhow.
pub(crate) const CONNECTIONS_MAX: u32 = 8;

/// For bringing the schema up to date, or for another node to have done it.
pub(crate) const MIGRATION_TIME: Duration = Duration::from_secs(60);

/// A transaction whose node fell silent gives its locks back, so that others can claim rooms.
pub(crate) const SILENT_TRANSACTION_TIME: Duration = Duration::from_secs(2);

/// Rows of one page of a listing.
pub(crate) const PAGE_MAX: u32 = 200;

/// Lives of nodes that hold rooms, as they are listed: twice as many as a pool has nodes.
pub(crate) const HOLDERS_MAX: u32 = 2_000;

/// Tracks of one recording: a hundred people who each come back a hundred times.
pub(crate) const TRACKS_MAX: u64 = 10_000;

/// Recorders' lives that one track's sound may come from. Each that dies makes the next begin.
pub(crate) const PIECES_MAX: u64 = 1_000;

/// Objects to remove that are listed at once.
pub(crate) const UNUSED_LISTED_MAX: u32 = 100;

/// Voice notes that one person may be uploading to a room at once. More is a script gone wrong.
pub(crate) const UPLOADS_MAX: u64 = 100;

/// Persons removed from one room who are remembered. A moderator who removes more than this within
/// the life of a token runs a script, and only forgets his own room's earliest.
pub(crate) const REVOKED_MAX: u64 = 1_000;

/// Between two looks at a database that could not be reached.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(1);
