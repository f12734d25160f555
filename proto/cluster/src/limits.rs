//! Every bound of this crate, with its reason.

use std::time::Duration;

/// The release of the protocol that is spoken here.
pub(crate) const VERSION: u32 = 1;
/// The oldest release that is understood.
pub(crate) const VERSION_MIN: u32 = 1;

/// How long a connection is silent before the peer is asked whether it lives.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(500);
/// How long the answer may take. With the interval: a dead peer is noticed within 2 s.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may take to open, to the peer's first word. A node that takes longer
/// can't serve a client, who gives up after 5 s.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(2);
/// How long a connection may stay without a call that was let in.
pub(crate) const ADMISSION_TIME: Duration = Duration::from_secs(2);
/// How long to wait before accepting again when the system has no descriptor to give.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long calls may take to end once the server is told to stop.
pub(crate) const STOP_TIME: Duration = Duration::from_secs(2);

/// Connections to one server: a few for each node of a large pool, and one for each link.
pub(crate) const CONNECTIONS_MAX: usize = 4096;
/// Calls on one connection. Our client makes one.
pub(crate) const STREAMS_MAX: u32 = 16;
/// Longest list of headers. Ours has a token and a path.
pub(crate) const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Longest command. A join that repeats two session descriptions has 150 kB.
pub(crate) const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// Longest event. The roster of a full room with everybody's metadata stays below this.
pub(crate) const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest frame of a link: a thousand packets.
pub(crate) const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Commands that wait to be written. Full makes the sender wait.
pub(crate) const COMMANDS_MAX: usize = 1024;
/// Events that wait to be taken by their reader. Full makes the node hold them.
pub(crate) const EVENTS_MAX: usize = 1024;
/// Frames that wait for their reader, or to be written.
pub(crate) const FRAMES_MAX: usize = 256;

/// Bytes the peer may send of one call before its reader has taken them.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// The same for all calls of a connection.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// Shortest cluster token: it opens every room, so it isn't to be guessed.
pub(crate) const TOKEN_BYTES_MIN: usize = 16;
/// Longest, so that it fits a header.
pub(crate) const TOKEN_BYTES_MAX: usize = 1024;
