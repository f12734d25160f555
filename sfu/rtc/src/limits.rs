//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Addresses of one peer whose checks passed. A phone with two networks and both IP versions
/// has four pairs with us; the one heard longest ago makes room.
pub(crate) const VERIFIED_ADDRESSES_MAX: usize = 8;
/// Silence after which consent to send has expired (RFC 7675 §5.1).
pub(crate) const CONSENT_LIFETIME: Duration = Duration::from_secs(30);
/// From birth to the first DTLS datagram. Covers an answer that travels by signaling.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A client's first wait for an answer to its check, doubled up to the last.
pub(crate) const CHECK_RETRY_FIRST: Duration = Duration::from_millis(50);
pub(crate) const CHECK_RETRY_LAST: Duration = Duration::from_millis(1_600);
/// Between two consent checks of a client that are answered (RFC 7675 §5.1).
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Checks a client remembers: answers to older ones come too late to matter.
pub(crate) const CHECKS_PENDING_MAX: usize = 8;

/// For the whole DTLS handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// First retransmission of a DTLS flight. Doubled six times it ends with the timeout above.
pub(crate) const HANDSHAKE_RETRY_FIRST: Duration = Duration::from_millis(150);
pub(crate) const HANDSHAKE_RETRIES: usize = 6;
/// Largest DTLS datagram that is looked at: what Ethernet carries.
pub(crate) const DTLS_DATAGRAM_BYTES_MAX: usize = 1_500;
/// Datagrams that wait for one that comes before them. A client's longest flight is five; each
/// costs the library up to 7 kB, so a handshake holds less than 64 KiB of its peer's making.
pub(crate) const DTLS_DATAGRAMS_QUEUED_MAX: usize = 8;
/// Our own datagrams: what passes every path of WebRTC's clients.
pub(crate) const DTLS_MTU_BYTES: usize = 1_150;

/// SSRCs of one peer that are decrypted. A client publishes one or two tracks of sound; each
/// SSRC costs 32 bytes and is only remembered once a packet with it was authentic.
pub(crate) const RECEIVE_SSRCS_MAX: usize = 64;

/// Largest data message, either way; what our SDP says in `a=max-message-size`.
pub const DATA_MESSAGE_BYTES_MAX: usize = 64 * 1_024;
/// Data waiting for a peer that doesn't keep up. More is refused.
pub(crate) const DATA_SEND_BUFFER_BYTES_MAX: usize = 256 * 1_024;
/// Data of a peer waiting for its missing parts: a few messages of the largest size.
pub(crate) const DATA_RECEIVE_BUFFER_BYTES_MAX: usize = 256 * 1_024;
/// SCTP packets, so that a DTLS record around one fits [`DTLS_MTU_BYTES`] (13 + 24 bytes more).
pub(crate) const SCTP_MTU_BYTES: usize = 1_100;
/// Streams of an association. Chromium numbers its channels below 1,024.
pub(crate) const SCTP_STREAMS_MAX: u16 = 1_024;
/// Longest wait between two tries of SCTP: a phone back from a tunnel goes on at once.
pub(crate) const SCTP_RETRY_LAST: Duration = Duration::from_secs(3);

/// Datagrams and events that wait to be polled. The shell drains after every input, which
/// yields far fewer; beyond this a datagram is dropped, as a network would.
pub(crate) const OUTBOX_MAX: usize = 1_024;
