//! Every bound of the load driver, with its reason.

use std::time::Duration;

/// From the first byte of a WebSocket to connected media. Servers give up after 30 to 60 s.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Until everybody hears everybody after the last has joined.
pub(crate) const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two pings of a client, as SDKs send them.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Between two RTCP reports of a caller.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Units of the RTP clock in a millisecond, whatever Opus is sampled at (RFC 7587 §4.1).
pub(crate) const UNITS_PER_MS: u32 = 48;
/// The first so many callers are asked what they lost while the rest joined.
pub(crate) const EARLY_CALLERS: u64 = 100;
/// Opus at 48 kbit/s, the default of LiveKit's JavaScript SDK.
pub(crate) const PAYLOAD_BYTES: usize = 120;
/// A packet that needed longer is late: three packets of jitter buffer would have run dry.
pub(crate) const LATE_AFTER: Duration = Duration::from_millis(60);
/// Largest datagram read.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 2_048;
/// Datagrams read from one socket before others get their turn.
pub(crate) const DATAGRAMS_PER_TURN: usize = 64;
/// Different causes of failure that are told apart in a report.
pub(crate) const CAUSES_MAX: usize = 32;
/// Callers told to a thread that it has yet to start.
pub(crate) const ORDERS_QUEUED_MAX: usize = 64;
/// Sections one description may have: what proto reads.
pub(crate) const SECTIONS_MAX: u32 = 60;
