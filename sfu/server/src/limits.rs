//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Shards one node may have: more than any machine has cores worth feeding.
pub(crate) const SHARDS_MAX: usize = 256;

/// Commands waiting for one shard. Full makes signaling wait, which refuses new sessions.
pub(crate) const MAILBOX_MAX: usize = 4096;

/// Events of all shards waiting for the router.
pub(crate) const EVENTS_MAX: usize = 8192;

/// Signaling nodes connected at once: those of a large pool, each while it reconnects, too.
pub(crate) const CONNECTIONS_MAX: usize = 1024;

/// Commands of one connection waiting for their way to a shard. Full makes its sender wait.
pub(crate) const COMMANDS_MAX: usize = 1024;

/// Events waiting for one connection: what a shard says when 64 people enter a room of a thousand
/// in one lap. One more ends the connection, since what it missed can't be told later.
pub(crate) const OUTBOX_MAX: usize = 65_536;

/// Signaling nodes of other processes waiting to be let in. One more is told to come again.
pub(crate) const CALLS_MAX: usize = 64;

/// Sessions of all connections: more than a node has ports and memory for.
pub(crate) const SESSIONS_MAX: usize = 262_144;

/// Unanswered requests of one connection. Askers give up after seconds.
pub(crate) const REQUESTS_MAX: usize = 16_384;

/// What connections tell the router, waiting. Full makes their commands wait.
pub(crate) const ROUTER_MESSAGES_MAX: usize = 1024;

/// Events a shard holds back while that channel is full, so that media never waits for it.
pub(crate) const EVENTS_BACKLOG_MAX: usize = 65_536;

/// Commands one lap of the loop takes, so that a storm of joins can't starve the sockets.
pub(crate) const COMMANDS_A_LAP_MAX: usize = 64;

/// How late a timer may come whose delay nobody hears: where somebody talks, a packet comes within
/// this time and wakes the thread, which would else do so a second time, with cold caches.
pub(crate) const TIMER_SLACK: Duration = Duration::from_millis(20);

/// Listeners waiting to be let in, in the node's channel and in each shard's.
pub(crate) const LINK_REQUESTS_MAX: usize = 256;

/// Listeners one lap lets in.
pub(crate) const LINK_REQUESTS_A_LAP_MAX: usize = 64;

/// How long packets for a recorder gather into one frame: a talker sends one in this time.
pub(crate) const LINK_GATHERING: Duration = Duration::from_millis(20);

/// Most packets of one frame, so that it fits a cluster message: 384 KB of the largest.
pub(crate) const LINK_PACKETS_A_FRAME_MAX: usize = 256;

/// Most packets that wait for one listener: ten seconds of 16 talkers.
pub(crate) const LINK_PACKETS_WAITING_MAX: usize = 8_192;

/// Most frames that wait for one listener: a room's worth of tracks, and what happens to them.
pub(crate) const LINK_FRAMES_WAITING_MAX: usize = 8_192;

/// How long a listener may take nothing: longer than a disk's hiccup.
pub(crate) const LINK_STALL_MAX: Duration = Duration::from_secs(5);

/// Bytes that the payloads of links are copied into at a time: a few hundred packets.
pub(crate) const LINK_ARENA_BYTES: usize = 64 * 1024;

/// Batches one lap reads from each socket before timers and commands get their turn.
pub(crate) const BATCHES_A_LAP_MAX: usize = 4;

/// Datagrams per system call.
pub(crate) const BATCH_DATAGRAMS: usize = 128;

/// Longest datagram read: an Ethernet MTU and some. Longer ones are cut by the kernel, then
/// dropped here; no client sends them (DTLS and SCTP stay below 1,280).
pub(crate) const DATAGRAM_BYTES_MAX: usize = 2048;

/// Bytes of packets a socket's send arena holds before it is flushed.
pub(crate) const ARENA_BYTES: usize = 256 * 1024;

/// Kernel buffers asked for, each way: half a second of a busy shard.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Peer addresses one transport may have mapped at a time: a few interfaces, twice.
pub(crate) const ADDRESSES_A_PEER_MAX: usize = 16;
