//! Who is connected, whose each session is, and who waits for which answer.

use std::collections::BTreeMap;

use proto::{
    control::{Event, RequestId},
    ids::SessionId,
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};
use tracing::{debug, info, warn};

use super::{ConnectionId, Message, Newcomer, Session, inbound::COUNTER_BITS, lists::Lists};
use crate::{
    limits::{CONNECTIONS_MAX, REQUESTS_MAX, SESSIONS_MAX},
    stats::RouterStats,
};

/// Ids of connections fit beside the counter in a request's id.
const CONNECTION_ID_MASK: u32 = (1 << (u64::BITS - COUNTER_BITS)) - 1;

/// The router's state.
pub(super) struct Tables {
    connections: BTreeMap<ConnectionId, Seat>,
    sessions: BTreeMap<SessionId, ConnectionId>,
    lists: Lists,
    last_id: u32,
    stats: watch::Sender<RouterStats>,
}

/// A connection as the tables know it.
struct Seat {
    outbox: mpsc::Sender<Event>,
    ended: oneshot::Sender<Vec<Session>>,
    sessions: BTreeMap<SessionId, Session>,
    /// By the node's id, what the asker calls it.
    requests: BTreeMap<RequestId, RequestId>,
}

impl Tables {
    pub(super) fn new(shards: usize, stats: watch::Sender<RouterStats>) -> Self {
        Self {
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lists: Lists::new(shards),
            last_id: 0,
            stats,
        }
    }

    pub(super) fn on_message(&mut self, message: Message) {
        match message {
            Message::Connect(newcomer) => self.on_connect(newcomer),
            Message::Join { connection, session } => self.on_join(connection, session),
            Message::Left(session) => self.forget(session),
            Message::Ask { connection, request, original } => {
                self.on_ask(connection, request, original);
            }
            Message::End(connection) => self.end(connection),
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Signal { session, .. }
            | Event::RefreshToken { session, .. }
            | Event::Reached { session, .. } => self.tell_session(session, event),
            Event::Close { session } | Event::StaleEpoch { session: Some(session), .. } => {
                self.tell_session(session, event);
                self.forget(session);
            }
            Event::Reply { request, result } => {
                self.tell_asker(request, |request| Event::Reply { request, result });
            }
            Event::Rooms { request, rooms } => {
                if let Some(rooms) = self.lists.add(request, rooms) {
                    self.tell_asker(request, |request| Event::Rooms { request, rooms });
                }
            }
            Event::StaleEpoch { room, session: None, request: Some(request), current } => {
                self.tell_asker(request, |request| Event::StaleEpoch {
                    room,
                    session: None,
                    request: Some(request),
                    current,
                });
            }
            Event::StaleEpoch { session: None, request: None, .. } | Event::Happened(_) => {
                self.tell_all(&event);
            }
        }
    }

    fn on_connect(&mut self, newcomer: Newcomer) {
        if self.connections.len() >= CONNECTIONS_MAX {
            return warn!("connection was refused: there are too many");
        }
        let Newcomer { events: outbox, ended, id } = newcomer;
        let connection = self.next_id();
        if id.send(connection).is_ok() {
            let (sessions, requests) = (BTreeMap::new(), BTreeMap::new());
            self.connections.insert(connection, Seat { outbox, ended, sessions, requests });
            self.stats.send_modify(|stats| stats.connections += 1);
            info!(connection = connection.0, "signaling connected");
        }
    }

    /// Returns an id that no connection has. There are far more ids than connections.
    fn next_id(&mut self) -> ConnectionId {
        loop {
            self.last_id = self.last_id.wrapping_add(1) & CONNECTION_ID_MASK;
            let id = ConnectionId(self.last_id);
            if !self.connections.contains_key(&id) {
                return id;
            }
        }
    }

    fn on_join(&mut self, connection: ConnectionId, session: Session) {
        let Some(seat) = self.connections.get_mut(&connection) else { return };
        // Ids are random and never repeat, so one that is taken belongs to somebody else.
        if self.sessions.len() >= SESSIONS_MAX || self.sessions.contains_key(&session.id) {
            let event = Event::Close { session: session.id };
            warn!("session was refused: its id is taken, or there are too many");
            return self.deliver(connection, event);
        }
        self.sessions.insert(session.id, connection);
        seat.sessions.insert(session.id, session);
    }

    fn on_ask(&mut self, connection: ConnectionId, request: RequestId, original: RequestId) {
        let Some(seat) = self.connections.get_mut(&connection) else { return };
        if seat.requests.len() >= REQUESTS_MAX {
            seat.requests.pop_first();
        }
        seat.requests.insert(request, original);
    }

    /// Takes a session that is over, or whose WebSocket is, out of the tables.
    fn forget(&mut self, session: SessionId) {
        let Some(connection) = self.sessions.remove(&session) else { return };
        if let Some(seat) = self.connections.get_mut(&connection) {
            seat.sessions.remove(&session);
        }
    }

    fn tell_session(&mut self, session: SessionId, event: Event) {
        match self.sessions.get(&session) {
            Some(connection) => self.deliver(*connection, event),
            None => debug!(?session, "event came for a session that has ended"),
        }
    }

    fn tell_asker(&mut self, request: RequestId, event: impl FnOnce(RequestId) -> Event) {
        let id = u32::try_from(request.0 >> COUNTER_BITS).map(ConnectionId);
        let seat = id.ok().and_then(|id| Some((id, self.connections.get_mut(&id)?)));
        let asked = seat.and_then(|(id, seat)| Some((id, seat.requests.remove(&request)?)));
        match asked {
            Some((connection, original)) => self.deliver(connection, event(original)),
            None => debug!(?request, "answer came for a request that nobody waits for"),
        }
    }

    fn tell_all(&mut self, event: &Event) {
        let connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in connections {
            self.deliver(connection, event.clone());
        }
    }

    /// Queues `event`, or ends the connection whose queue is full. Never waits.
    fn deliver(&mut self, connection: ConnectionId, event: Event) {
        let Some(seat) = self.connections.get(&connection) else { return };
        match seat.outbox.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                warn!(connection = connection.0, "signaling fell too far behind, and is cut off");
                self.stats.send_modify(|stats| stats.cut_off += 1);
                self.end(connection);
            }
            Err(TrySendError::Closed(_)) => self.end(connection),
        }
    }

    fn end(&mut self, connection: ConnectionId) {
        let Some(seat) = self.connections.remove(&connection) else { return };
        self.stats.send_modify(|stats| stats.connections -= 1);
        for session in seat.sessions.keys() {
            self.sessions.remove(session);
        }
        let left: Vec<Session> = seat.sessions.into_values().collect();
        info!(connection = connection.0, sessions = left.len(), "signaling disconnected");
        // Its task waits for this, unless the node is ending.
        _ = seat.ended.send(left);
    }
}
