//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Longest key. Ours are below 120 bytes; S3 takes 1,024, file systems 255 a segment.
pub const KEY_BYTES_MAX: usize = 200;

/// Keys of one listing. S3 gives as many at once.
pub const LISTED_MAX: usize = 1_000;

/// How long a signed URL may be good. Whoever was thrown out of a room has it no longer.
pub const SIGNED_LIFE_MAX: Duration = Duration::from_secs(300);

/// Bytes of a file that are read at once. Memory of one transfer, twice over.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// Uploads that the file system takes at once. Each has a file open and a chunk in memory; one
/// more is told to come back.
pub(crate) const RECEIVING_MAX: usize = 256;

/// Folders below one another in a key. A listing goes as deep, and no deeper.
pub(crate) const DEPTH_MAX: usize = 8;

/// For a TCP and TLS connection to the object store.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(3);

/// For one try of a call that moves no file, from its start to the answer's head.
pub(crate) const TRY_TIME: Duration = Duration::from_secs(4);

/// For such a call with all its tries. Whoever waits for it over HTTP still gets an answer.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(10);

/// Tries of one call; the store's own advice for `503 SlowDown` is to try again.
pub(crate) const TRIES: u32 = 3;

/// The slowest upload of a file that is waited for. Less is an outage.
pub(crate) const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 128 * 1024;

/// How long a stream may stand still before it counts as broken.
pub(crate) const STALL_TIME: Duration = Duration::from_secs(20);

/// How long browsers may remember what a bucket allows to pages.
pub(crate) const CORS_AGE: Duration = Duration::from_secs(24 * 3600);

/// What a refused client is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Between two looks at a store that is well, and at one that is not. Each costs a request that
/// moves nothing.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(5);
pub(crate) const LOOK_INTERVAL_DOWN: Duration = Duration::from_secs(1);

/// For the answer to a look. A store that needs longer makes people wait, and its operator should
/// know.
pub(crate) const LOOK_TIME: Duration = Duration::from_secs(2);
