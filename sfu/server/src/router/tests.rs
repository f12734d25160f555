//! The router with its shards' ends in the test's hands.

use std::time::Duration;

use prometheus_client::registry::Registry;
use proto::{
    control::{Command, Event, Join, RequestId, RoomAction, RoomCommand, SignalPath},
    grants::Grants,
    ids::{Epoch, SessionId},
    livekit,
};
use tokio::{sync::mpsc, time::timeout};

use super::{Connection, Control};
use crate::{
    limits::{EVENTS_MAX, MAILBOX_MAX, OUTBOX_MAX, REQUESTS_MAX},
    mailbox::{Mailbox, Mailboxes, Waker},
    metrics::register_control,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a shard holds of its channels.
struct Shard {
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
}

fn start() -> (Control, Shard) {
    let (mailbox, commands) = mpsc::channel(MAILBOX_MAX);
    let (events, shard_events) = mpsc::channel(EVENTS_MAX);
    let mailboxes = Mailboxes::new(vec![Mailbox::new(mailbox, Waker::new().unwrap())]);
    (Control::start(mailboxes, shard_events), Shard { commands, events })
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

fn in_room(action: RoomAction) -> Command {
    let room = "demo".parse().unwrap();
    Command::Room(Box::new(RoomCommand { room, epoch: Epoch(3), action }))
}

fn join(session: u128) -> Command {
    in_room(RoomAction::Join(Box::new(Join {
        session: SessionId(session),
        identity: "alice".parse().unwrap(),
        grants: Grants::default(),
        client: livekit::ClientInfo::default(),
        user_agent: String::new(),
        protocol: SignalPath::OneConnection,
        auto_subscribe: true,
        resume: None,
        publisher_offer: None,
        add_tracks: Vec::new(),
        sync_state: None,
    })))
}

fn shown(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

fn left(session: u128) -> Command {
    in_room(RoomAction::Disconnected { session: SessionId(session) })
}

fn signal(session: u128) -> Event {
    let response = Box::new(livekit::SignalResponse::default());
    Event::Signal { session: SessionId(session), response }
}

fn close(session: u128) -> Event {
    Event::Close { session: SessionId(session) }
}

impl Shard {
    async fn command(&mut self) -> Option<Command> {
        soon(self.commands.recv()).await
    }

    async fn say(&self, event: Event) {
        soon(self.events.send(event)).await.unwrap();
    }

    /// Lets a session in by way of `connection`.
    async fn admit(&mut self, connection: &Connection, session: u128) {
        connection.commands.send(join(session)).await.unwrap();
        assert_eq!(self.command().await, Some(join(session)));
    }
}

#[tokio::test]
async fn a_session_hears_by_the_connection_it_came_by() {
    let (control, mut shard) = start();
    let (mut one, mut other) = (control.connect(), control.connect());
    shard.admit(&one, 1).await;
    shard.admit(&other, 2).await;
    for event in [signal(1), signal(2), close(1), close(2)] {
        shard.say(event).await;
    }
    // A session that is over hears no more.
    shard.say(signal(1)).await;
    shard
        .say(Event::StaleEpoch {
            room: "demo".parse().unwrap(),
            session: None,
            request: None,
            current: Epoch(4),
        })
        .await;
    for (connection, session) in [(&mut one, 1), (&mut other, 2)] {
        assert_eq!(soon(connection.events.recv()).await, Some(signal(session)));
        assert_eq!(soon(connection.events.recv()).await, Some(close(session)));
        let last = soon(connection.events.recv()).await;
        assert!(matches!(last, Some(Event::StaleEpoch { .. })), "{last:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_disconnects_its_sessions_and_no_others() {
    let (control, mut shard) = start();
    let (one, mut other) = (control.connect(), control.connect());
    for session in [1, 3, 5] {
        shard.admit(&one, session).await;
    }
    shard.admit(&other, 2).await;
    // One has left by itself, one was sent away: both are no longer the connection's.
    one.commands.send(left(3)).await.unwrap();
    assert_eq!(shard.command().await, Some(left(3)));
    shard.say(close(5)).await;
    shard.say(signal(2)).await;
    assert_eq!(soon(other.events.recv()).await, Some(signal(2)));

    drop(one);
    assert_eq!(shard.command().await, Some(left(1)));
    drop((other, control));
    assert_eq!(shard.command().await, Some(left(2)));
    assert_eq!(shard.command().await, None);
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_stalls_nobody() {
    let (control, mut shard) = start();
    let (mut stuck, mut well) = (control.connect(), control.connect());
    let mut registry = Registry::with_prefix("adda");
    register_control(&mut registry, &control);
    shard.admit(&stuck, 1).await;
    shard.admit(&well, 2).await;
    for _ in 0..OUTBOX_MAX {
        shard.say(signal(1)).await;
    }
    shard.say(signal(2)).await;
    assert_eq!(soon(well.events.recv()).await, Some(signal(2)));
    assert!(!stuck.commands.is_closed());
    let numbers = shown(&registry);
    assert!(numbers.contains("adda_signaling_connections 2\n"), "{numbers}");
    assert!(numbers.contains("adda_signaling_connections_cut_total 0\n"), "{numbers}");

    shard.say(signal(1)).await;
    assert_eq!(shard.command().await, Some(left(1)));
    soon(stuck.commands.closed()).await;
    let numbers = shown(&registry);
    assert!(numbers.contains("adda_signaling_connections 1\n"), "{numbers}");
    assert!(numbers.contains("adda_signaling_connections_cut_total 1\n"), "{numbers}");
    for _ in 0..OUTBOX_MAX {
        assert_eq!(soon(stuck.events.recv()).await, Some(signal(1)));
    }
    assert_eq!(soon(stuck.events.recv()).await, None);
    shard.say(signal(2)).await;
    assert_eq!(soon(well.events.recv()).await, Some(signal(2)));
}

#[tokio::test]
async fn equal_request_ids_of_two_askers_are_told_apart() {
    let (control, mut shard) = start();
    let mut askers = [control.connect(), control.connect()];
    let echo = || in_room(RoomAction::CallEcho { request: RequestId(7) });
    let mut asked = Vec::new();
    for asker in &askers {
        asker.commands.send(echo()).await.unwrap();
        let Some(Command::Room(command)) = shard.command().await else { panic!("no command") };
        let RoomAction::CallEcho { request } = command.action else { panic!("{command:?}") };
        asked.push(request);
    }
    assert_ne!(asked[0], asked[1]);
    let rooms = |request| Event::Rooms { request, rooms: Vec::new() };
    for request in asked.iter().rev() {
        shard.say(rooms(*request)).await;
        // A second answer has no asker.
        shard.say(rooms(*request)).await;
    }
    for asker in &mut askers {
        assert_eq!(soon(asker.events.recv()).await, Some(rooms(RequestId(7))));
        assert!(asker.events.try_recv().is_err());
    }
}

#[tokio::test]
async fn requests_that_are_never_answered_are_forgotten_by_and_by() {
    let (control, mut shard) = start();
    let mut asker = control.connect();
    let mut first = None;
    for number in 0..=u64::try_from(REQUESTS_MAX).unwrap() {
        let names = Vec::new();
        let list = Command::ListRooms { request: RequestId(number), names };
        asker.commands.send(list).await.unwrap();
        let asked = shard.command().await;
        let Some(Command::ListRooms { request, .. }) = asked else { panic!("{asked:?}") };
        first.get_or_insert(request);
        if number == u64::try_from(REQUESTS_MAX).unwrap() {
            for request in [first.unwrap(), request] {
                shard.say(Event::Rooms { request, rooms: Vec::new() }).await;
            }
        }
    }
    let last = RequestId(REQUESTS_MAX.try_into().unwrap());
    let answered = Event::Rooms { request: last, rooms: Vec::new() };
    assert_eq!(soon(asker.events.recv()).await, Some(answered));
}
