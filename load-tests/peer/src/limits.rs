//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Events that nobody has taken yet: two minutes of two speakers. A full queue would make the
/// stack drop sound, which a test would count as the server's loss.
pub(crate) const EVENTS_QUEUED_MAX: usize = 16_384;

/// Tracks that wait for the session to ask for them.
pub(crate) const PUBLICATIONS_QUEUED_MAX: usize = 8;

/// How long joining may take, the media path and its channels included. A shared machine is slow.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long publishing may take: two round trips.
pub(crate) const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
