//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Most rooms of a shard. An empty room costs about 2 kB.
pub(crate) const ROOMS_MAX: usize = 20_000;
/// Most rooms whose epoch is remembered after their end.
pub(crate) const ENDED_ROOMS_MAX: usize = 10_000;
/// Most participants of a room, whatever its creator allows: what one core can send to.
pub(crate) const PARTICIPANTS_MAX: usize = 5_000;
/// Most links of a room: its recorder and that one's successor, and a few relays.
pub(crate) const LINKS_PER_ROOM_MAX: usize = 16;
/// Most links of a shard: a recorder for every tenth room.
pub(crate) const LINKS_MAX: usize = 2_000;
/// Most peer connections of a shard.
pub(crate) const TRANSPORTS_MAX: usize = 40_000;
/// Most tracks that one participant publishes or has asked to publish.
pub(crate) const TRACKS_PER_PARTICIPANT_MAX: usize = 8;
/// Most sections in which one participant listens; the description parser takes 64 in all.
pub(crate) const LISTENING_SECTIONS_MAX: usize = 48;
/// Most ids a client gives us in one list: subscriptions, permissions, destinations.
pub(crate) const LIST_MAX: usize = 1_000;

/// Longest name a participant shows, in bytes. LiveKit's.
pub(crate) const DISPLAY_NAME_BYTES_MAX: usize = 256;
/// Longest metadata of a participant or a room, in bytes. LiveKit's.
pub(crate) const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a participant's attributes, keys and values together. LiveKit's.
pub(crate) const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// Longest track name, client id or stream name, in bytes.
pub(crate) const TRACK_TEXT_BYTES_MAX: usize = 256;
/// Most features an audio track claims.
pub(crate) const AUDIO_FEATURES_MAX: usize = 16;

/// Largest data message taken from a client: what we announce as `a=max-message-size`.
pub(crate) const DATA_BYTES_MAX: usize = 65_535;
/// Most reliable messages kept for a receiver whose channel is still opening: half a second of
/// the burstiest senders (a file in chunks, a call's first attributes), since a lost packet delays
/// the opening by as much. They share their bytes with the other receivers'.
pub(crate) const DATA_WAITING_MAX: usize = 512;
/// Most bytes of them: one message of the largest size, or many small ones.
pub(crate) const DATA_WAITING_BYTES_MAX: usize = 64 * 1_024;

/// Signal requests a client may send at once; a resume with many tracks is the largest burst.
pub(crate) const SIGNAL_BURST_MAX: u32 = 200;
/// Bytes told to everybody that cost as much as one request: 3 changes of 64 KiB at once.
pub(crate) const SIGNAL_BYTES_PER_COST: usize = 1_024;
/// Time that buys one more. 50 requests a second are more than any SDK sends.
pub(crate) const SIGNAL_REFILL: Duration = Duration::from_millis(20);

/// Time to connect media after joining, then the join has failed. LiveKit's.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
/// Time a participant stays without a WebSocket while its media is alive. SDKs give up after
/// about 60 s.
pub(crate) const SIGNAL_ABSENT_MAX: Duration = Duration::from_secs(120);
/// Time for a client whose media has gone to say that it is leaving.
pub(crate) const MEDIA_LOST_GRACE: Duration = Duration::from_secs(3);
/// Silence of a connection that gets reports, after which its path is in doubt.
pub(crate) const PATH_SILENCE_MAX: Duration = Duration::from_millis(2_500);
/// A client may hold its token this long before it is given a fresh one. LiveKit's.
pub(crate) const TOKEN_REFRESH_INTERVAL: Duration = Duration::from_secs(300);
/// How long a room waits for its first participant, in seconds. LiveKit's.
pub(crate) const EMPTY_TIMEOUT_SECS: u32 = 300;
/// How long a room outlives its last participant, in seconds. LiveKit's.
pub(crate) const DEPARTURE_TIMEOUT_SECS: u32 = 20;

/// What clients are told: how often to ping, and when to think us dead.
pub(crate) const PING_INTERVAL_SECS: i32 = 5;
pub(crate) const PING_TIMEOUT_SECS: i32 = 15;

/// Grid on which room counts and connection quality are looked at.
pub(crate) const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// Grid on which speakers are looked at: a ring lights up within 120 ms on average.
pub(crate) const SPEAKERS_INTERVAL: Duration = Duration::from_millis(150);
/// Most speakers named as active at once: more rings than anybody looks at.
pub(crate) const SPEAKERS_MAX: usize = 16;
/// Silence of a connection that should be heard from, after which it counts as lost. LiveKit
/// takes 12.5 s.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(12);

/// Time between two reports on a connection (RFC 3550 §6.2 allows a fixed minimum).
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Most sender reports in one compound packet, so that it stays below 1,200 bytes.
pub(crate) const REPORTS_PER_PACKET_MAX: usize = 10;

/// Largest step forward in sequence numbers that listeners are shown. Beyond it the gap is
/// closed, so that no listener's rollover count can be led astray.
pub(crate) const SEQUENCE_JUMP_MAX: u64 = 3_000;

/// How long the echo caller holds what it heard.
pub(crate) const ECHO_DELAY: Duration = Duration::from_millis(1_500);
/// Most packets it holds: the delay's worth of 20 ms packets, twice.
pub(crate) const ECHO_PACKETS_MAX: usize = 150;
/// Largest payload it keeps. Opus stays below 1,276 bytes a frame.
pub(crate) const ECHO_PAYLOAD_BYTES_MAX: usize = 1_300;
