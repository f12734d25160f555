//! Many signaling nodes at one SFU node: whose each session is, and who asked what.
//!
//! One task owns the tables and never waits: a connection that doesn't take its events is ended,
//! and its sessions are disconnected, so that they resume through another. One task a connection
//! brings commands to the shards; it alone waits while a shard's mailbox is full.
//!
//! # Limits
//!
//! [`CONNECTIONS_MAX`] connections, [`SESSIONS_MAX`] sessions, [`OUTBOX_MAX`] events that wait for
//! one connection and [`REQUESTS_MAX`] requests of it. A request beyond that forgets the oldest,
//! whose asker has long given up.

mod inbound;
mod lists;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use proto::{
    control::{Command, Event, RequestId},
    ids::{Epoch, RoomName, SessionId},
};
use tokio::sync::{mpsc, oneshot, watch};

use self::{inbound::Inbound, tables::Tables};
#[cfg(doc)]
use crate::limits::{CONNECTIONS_MAX, REQUESTS_MAX, SESSIONS_MAX};
use crate::{
    limits::{COMMANDS_MAX, OUTBOX_MAX, ROUTER_MESSAGES_MAX},
    mailbox::Mailboxes,
    stats::RouterStats,
};

/// The way in for signaling. Cheap to clone. Once every clone and connection is gone, the node's
/// shards end.
#[derive(Clone, Debug)]
pub struct Control {
    mailboxes: Arc<Mailboxes>,
    messages: mpsc::Sender<Message>,
    stats: watch::Receiver<RouterStats>,
}

/// One signaling node's connection. It ends when either channel is dropped. It also ends when
/// its events aren't taken: then `events` ends after what waits, and `commands` refuses. Either
/// way its participants may resume through another, and audio goes on.
#[derive(Debug)]
pub struct Connection {
    pub commands: mpsc::Sender<Command>,
    pub events: mpsc::Receiver<Event>,
}

/// Where a connection comes from, which decides what it may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This process, whose end is the node's, too.
    Process,
    /// Another node, whose end is its own affair.
    Cluster,
}

/// Names one connection while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ConnectionId(u32);

/// What the tables' owner is told.
#[derive(Debug)]
enum Message {
    Connect(Newcomer),
    Join { connection: ConnectionId, session: Session },
    Left(SessionId),
    Ask { connection: ConnectionId, request: RequestId, original: RequestId },
    End(ConnectionId),
}

/// A connection that wants a place in the tables.
#[derive(Debug)]
struct Newcomer {
    events: mpsc::Sender<Event>,
    /// Hears that the connection has ended, and which sessions it left behind.
    ended: oneshot::Sender<Vec<Session>>,
    id: oneshot::Sender<ConnectionId>,
}

/// A session, and how its room's owner is told of it.
#[derive(Clone, Debug)]
struct Session {
    id: SessionId,
    room: RoomName,
    epoch: Epoch,
}

impl Control {
    /// Starts routing between `mailboxes` and connections yet to come. Needs a tokio runtime.
    pub(crate) fn start(mailboxes: Mailboxes, events: mpsc::Receiver<Event>) -> Self {
        let (messages, inbox) = mpsc::channel(ROUTER_MESSAGES_MAX);
        let (counted, stats) = watch::channel(RouterStats::default());
        let tables = Tables::new(mailboxes.len(), counted);
        tokio::spawn(route(inbox, events, tables));
        Self { mailboxes: Arc::new(mailboxes), messages, stats }
    }

    /// What the router has counted so far.
    pub(crate) fn stats(&self) -> watch::Receiver<RouterStats> {
        self.stats.clone()
    }

    /// Opens a connection for signaling in this process. Needs a tokio runtime.
    pub fn connect(&self) -> Connection {
        self.connect_from(Origin::Process)
    }

    pub(crate) fn connect_from(&self, origin: Origin) -> Connection {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (outbox, events) = mpsc::channel(OUTBOX_MAX);
        tokio::spawn(Inbound::new(self.clone(), origin).run(inbox, outbox));
        Connection { commands, events }
    }
}

/// Owns the tables until the shards, or all who could ask, are gone.
async fn route(
    mut messages: mpsc::Receiver<Message>,
    mut events: mpsc::Receiver<Event>,
    mut tables: Tables,
) {
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => tables.on_message(message),
                None => return,
            },
            event = events.recv() => {
                // What a command says of itself was queued before the shard could answer it.
                for _ in 0..ROUTER_MESSAGES_MAX {
                    let Ok(message) = messages.try_recv() else { break };
                    tables.on_message(message);
                }
                match event {
                    Some(event) => tables.on_event(event),
                    None => return,
                }
            }
        }
    }
}
