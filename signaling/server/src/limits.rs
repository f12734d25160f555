//! Every bound of this crate, with its reason.

use std::time::Duration;

// HTTP.

/// Connections at once, WebSockets included. Each costs about 20 KiB idle.
pub(crate) const CONNECTIONS_MAX: usize = 50_000;

/// Request line and headers. `/rtc/v1` carries an SDP offer in its URL (2.5 kB recorded).
pub(crate) const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of one request; the largest browser sends about thirty.
pub(crate) const REQUEST_HEADERS_MAX: usize = 100;

/// From accepting a connection to the end of a request's headers.
pub(crate) const REQUEST_HEAD_TIME: Duration = Duration::from_secs(10);

/// From accepting a connection to the end of its TLS handshake.
pub(crate) const TLS_HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// Body of a RoomService call. `SendData` allows 15 KiB of payload, metadata may be longer.
pub(crate) const REQUEST_BODY_BYTES_MAX: usize = 256 * 1024;

/// For a whole request body to arrive.
pub(crate) const REQUEST_BODY_TIME: Duration = Duration::from_secs(10);

/// For a request from its head to its answer, upgrades not counted: body, database and SFU have
/// shorter times of their own.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a browser may remember what other origins are allowed.
pub(crate) const CORS_AGE: Duration = Duration::from_secs(24 * 3600);

// Joining.

/// A join request after unpacking. The largest recorded one has 18.5 kB.
pub(crate) const JOIN_REQUEST_BYTES_MAX: usize = 256 * 1024;

// WebSockets.

/// One message from a client. `sync_state` has two SDPs (28 kB recorded).
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What is read from a socket at once. The library's 128 KiB would be most of an idle session.
pub(crate) const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Bytes that may wait for a socket that doesn't drain, beside the queue.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Messages that may wait for one client. A join into a room of 1,000 brings a handful; a
/// client that is this far behind does better with a fresh start.
pub(crate) const OUTGOING_MESSAGES_MAX: usize = 256;

/// Between two WebSocket pings of ours.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Pings after which a client that sent nothing at all, not even a pong, is gone.
pub(crate) const UNANSWERED_PINGS_MAX: u32 = 3;

/// For one message to leave for a socket that doesn't drain.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(30);

/// For a close frame to get out and the client's to come back.
pub(crate) const CLOSE_TIME: Duration = Duration::from_secs(5);

/// What is read out and thrown away after our close frame. A client that says more isn't closing.
pub(crate) const LINGER_BYTES_MAX: u64 = 1024 * 1024;

/// Messages a client may send at once, and on average a second. Trickled candidates and a tool
/// that sends attributes on every key stroke stay far below.
pub(crate) const MESSAGES_BURST: u32 = 500;
pub(crate) const MESSAGES_PER_SECOND: u32 = 50;

/// Bytes a client may send at once, and on average a second.
pub(crate) const MESSAGE_BYTES_BURST: u32 = 2 * 1024 * 1024;
pub(crate) const MESSAGE_BYTES_PER_SECOND: u32 = 64 * 1024;

/// A token that replaces another lives at least this long.
pub(crate) const REFRESHED_TOKEN_LIFE_MIN: Duration = Duration::from_secs(600);

// Talking to the SFU.

/// Requests to the hub that may wait. It answers each in microseconds.
pub(crate) const HUB_MESSAGES_MAX: usize = 1024;

/// Events from all links that may wait. Links wait in turn, so that none is lost.
pub(crate) const HUB_EVENTS_MAX: usize = 4096;

/// RoomService calls in flight. One more is refused with `Retry-After`.
pub(crate) const REQUESTS_MAX: usize = 1024;

/// For the SFU to answer a request, and for a command to find room in the link.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(5);

/// What a refused caller is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Rooms known at once, live or about to be.
pub(crate) const ROOMS_MAX: usize = 100_000;

/// Between two looks for rooms that nobody holds any more.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// Looks that must find a room idle until it is given up: longer than a join takes that comes
/// through another signaling node.
pub(crate) const IDLE_SWEEPS_MAX: u32 = 2;

// The pool.

/// Between two listings of the registry's nodes.
pub(crate) const LISTING_INTERVAL: Duration = Duration::from_millis(500);

/// Between two attempts to link a node: first and longest. A node that was cut off for a moment
/// is back at once; one that is gone costs a handshake a second until its heartbeat has run out.
pub(crate) const REDIAL_MIN: Duration = Duration::from_millis(100);
pub(crate) const REDIAL_MAX: Duration = Duration::from_secs(1);

/// For the settings of a room to be read while somebody waits to join it.
pub(crate) const SETTINGS_TIME: Duration = Duration::from_secs(1);

/// Between two looks for saved rooms that nobody alive holds, when no node came or went.
pub(crate) const RESTORE_INTERVAL: Duration = Duration::from_secs(60);

/// The same while the holder of one is in doubt.
pub(crate) const RESTORE_DOUBT_INTERVAL: Duration = Duration::from_millis(500);

/// How long a process that starts waits for it: whoever holds a room may not come back, and calls
/// in other rooms shall begin.
pub(crate) const RESTORE_PATIENCE: Duration = Duration::from_secs(5);

/// Room records that may wait for the database. When it is behind, forgetting is what is skipped:
/// a room too many comes back after a restart, and ends again by its own timeout.
pub(crate) const RECORDS_MAX: usize = 4096;

/// Rooms brought back after a restart.
pub(crate) const RESTORED_ROOMS_MAX: u32 = 10_000;

/// Between two looks for rooms whose node never came back, and how long nothing may have been heard
/// of it until they are released. Each look reads the holders of rooms once.
pub(crate) const ORPHAN_LOOK_INTERVAL: Duration = Duration::from_secs(60);
pub(crate) const ORPHAN_AGE: Duration = Duration::from_secs(15 * 60);

// Revoked tokens.

/// How much younger than a removal a token must be to be good again, unless the caller says
/// otherwise: LiveKit's default, which covers two clocks that differ.
pub(crate) const REVOCATION_LEEWAY: Duration = Duration::from_secs(60);

/// How far ahead a caller may revoke. Farther is no time in seconds, or a ban without an end.
pub(crate) const REVOCATION_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a revocation is remembered. Nothing bounds a token's life but its issuer: this is
/// longer than tokens that are renewed once a year.
pub(crate) const REVOCATION_AGE: Duration = Duration::from_secs(400 * 24 * 3600);

/// Between two looks for revocations that are older.
pub(crate) const REVOCATION_LOOK_INTERVAL: Duration = Duration::from_secs(3600);

// Voice notes.

/// Largest file. One PUT that a phone gets through; 15 minutes of Opus have 3 MB.
pub(crate) const NOTE_BYTES_MAX: u64 = 25_000_000;

/// Longest note.
pub(crate) const NOTE_DURATION_MAX: Duration = Duration::from_secs(15 * 60);

/// Points of a waveform: as many as a list can show, and few enough to come with it.
pub(crate) const NOTE_POINTS_MAX: usize = 256;

/// From announcing a note to completing it. Whoever lost its network for longer begins again.
pub(crate) const NOTE_UPLOAD_LIFE: Duration = Duration::from_secs(3600);

/// How long after that an upload that began in time may still end.
pub(crate) const NOTE_UPLOAD_GRACE: Duration = Duration::from_secs(900);

/// Longest name of a sender that is kept with a note. More of it is cut off.
pub(crate) const NOTE_NAME_CHARS_MAX: usize = 256;

/// How long a signed URL is good.
pub(crate) const SIGNED_URL_LIFE: Duration = Duration::from_secs(300);

/// Uploads read at once. Each takes a file of up to 25 MB on disk and most of a core.
pub(crate) const NOTE_EXAMINATIONS_MAX: usize = 4;

/// For a turn at reading, and for reading. Together less than a request may take.
pub(crate) const NOTE_TURN_TIME: Duration = Duration::from_secs(6);
pub(crate) const NOTE_EXAMINATION_TIME: Duration = Duration::from_secs(12);

/// Notes of one page of a list, unless asked for more or fewer, and at most.
pub(crate) const NOTES_LISTED: u32 = 50;
pub(crate) const NOTES_LISTED_MAX: u32 = 200;

/// Longest name that a client may give a request, as other APIs have it.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Between two sweeps, and notes of one.
pub(crate) const NOTE_SWEEP_INTERVAL: Duration = Duration::from_secs(30);
pub(crate) const NOTES_SWEPT: u32 = 100;

// Recordings.

/// Recordings on one page of a list, unless asked for more or fewer, and at most.
pub(crate) const RECORDINGS_LISTED: u32 = 50;
pub(crate) const RECORDINGS_LISTED_MAX: u32 = 100;

/// How long whoever asks for a recording waits for a recorder to be listed: two heartbeats and two
/// listings.
pub(crate) const RECORDER_WAIT: Duration = Duration::from_secs(2);

// Stopping.

/// For `leave` messages to reach their clients. All of stopping takes less than two seconds.
pub(crate) const FAREWELL_TIME: Duration = Duration::from_millis(1500);

/// For each part that is left then: sockets, connections, tasks.
pub(crate) const CUT_TIME: Duration = Duration::from_millis(100);

// Certificate of `--lan`.

/// Phones refuse certificates that live longer than 398 days.
pub(crate) const CERTIFICATE_LIFE: Duration = Duration::from_secs(397 * 24 * 3600);

/// Renewed when less than this is left.
pub(crate) const CERTIFICATE_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

// Dev.

/// Life of a token that `/dev/token` signs.
pub(crate) const DEV_TOKEN_LIFE: Duration = Duration::from_secs(6 * 3600);

/// Longest name on such a token; an identity is made of it.
pub(crate) const DEV_NAME_BYTES_MAX: usize = 64;
