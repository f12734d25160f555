//! Every bound of this crate, with its reason.

/// Most packets of a track that wait for an earlier one: 200 ms of the shortest frames (2.5 ms),
/// with some to spare.
pub(crate) const WAITING_PACKETS_MAX: usize = 100;
/// How long a packet waits for an earlier one, in microseconds. RTP that is later than this was
/// lost to every listener, too.
pub(crate) const WAITING_MICROS_MAX: u64 = 200_000;
/// Largest payload taken: no datagram of an SFU is larger.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 2_048;
/// An index this far below the expected one isn't late, but a count that began again.
pub(crate) const INDEX_STEP_BACK_MAX: u64 = 3_000;

/// Tracks of one recording that are written at once. A link carries the streams that were chosen.
pub(crate) const TRACKS_MAX: usize = 512;
/// How long a track that a new link doesn't name may still be named, in microseconds. Those that
/// live are named at once.
pub(crate) const RECLAIM_MICROS_MAX: u64 = 5_000_000;
/// Gaps listed of one track: hours of a bad network. What exceeds it is counted, not listed.
pub(crate) const GAPS_MAX: usize = 10_000;
/// Steps that one packet may cause: itself and every recovered one, each with a hole before it.
pub(crate) const STEPS_MAX: usize = 64;

/// How far RTP time may be from the time of arrival, in samples: 2 s. Longer detours of packets
/// aren't voice any more.
pub(crate) const DETOUR_SAMPLES_MAX: i64 = 2 * 48_000;
/// And this fraction of the track's time on top, since clocks differ: 200 ppm.
pub(crate) const CLOCK_SKEW_DIVISOR: i64 = 5_000;
/// How long packets come later than that before arrival is believed, in microseconds: a burst
/// after a stall has caught up by then.
pub(crate) const BEHIND_MICROS_MAX: u64 = 1_000_000;

/// Longest hole between two packets, in samples: 30 days. A clock that says more is wrong.
pub(crate) const HOLE_SAMPLES_MAX: u64 = 30 * 24 * 3_600 * 48_000;
/// Mutes of a track that are remembered until the next packet comes.
pub(crate) const MUTES_MAX: usize = 16;

/// Samples of voice after which a page is complete: 100 ms, all that a crash may cost.
pub(crate) const PAGE_SAMPLES: u64 = 4_800;
/// The same where nothing but silence is written: one second (RFC 7845 §6 advises no more).
pub(crate) const SILENT_PAGE_SAMPLES: u64 = 48_000;
/// Segments of a page (RFC 3533 §6).
pub(crate) const SEGMENTS_MAX: usize = 255;
