//! Every bound of this crate, with its reason.

/// Longest session description. A busy browser's is 20 kB; a `sync_state` repeats two of them.
pub const SDP_BYTES_MAX: usize = 64 * 1024;
/// Longest line of one. Browsers stay below 600 bytes; a full BUNDLE group takes 1,100.
pub const SDP_LINE_BYTES_MAX: usize = 2048;
/// Most m-lines: what a listener hears at once, and a few of its own.
pub const SDP_SECTIONS_MAX: usize = 64;
/// Most payload types of a section: all there are.
pub const SDP_FORMATS_MAX: usize = 128;
/// Most header extensions of a section. Browsers have 14 for video.
pub const SDP_EXTENSIONS_MAX: usize = 32;
/// Most SSRCs of a section. Simulcast video with retransmission and FEC has nine.
pub const SDP_SOURCES_MAX: usize = 16;
/// Most fingerprints at session level, or of a section.
pub const SDP_FINGERPRINTS_MAX: usize = 8;
/// Most candidates kept of a section; what follows is skipped, since checks come to us anyway.
pub const SDP_CANDIDATES_MAX: usize = 16;
/// Longest mid: what the one-byte header extension form can carry (RFC 8285 §4.2).
pub const MID_BYTES_MAX: usize = 16;
/// Longest ICE user fragment and password (RFC 8839 §5.4).
pub const ICE_CREDENTIAL_BYTES_MAX: usize = 256;

/// Redundant blocks in one RED payload. Browsers send one or two; RFC 2198 names no limit.
pub(crate) const RED_BLOCKS_MAX: usize = 8;
/// Longest JSON text. A `sync_state` takes 30 kB; data sent through the API is at most 64 kB.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// Longest data packet: what our `a=max-message-size` promises to take.
pub const DATA_PACKET_BYTES_MAX: usize = 65_535;
/// Most participants one data packet may name. More is for everybody.
pub const DESTINATIONS_MAX: usize = 256;
