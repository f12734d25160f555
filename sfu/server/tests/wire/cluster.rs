//! Signaling nodes and recorders of other processes, at one node's cluster port.

use std::{collections::BTreeSet, net::SocketAddr, ops::Range};

use proto::{
    control::{Command, Event, Operation, Reply, RequestId, Resume, RoomAction, What},
    ids::{Epoch, SessionId},
    link::{LinkClosed, LinkFrame, LinkPurpose, LinkRequest},
    livekit::{SignalRequest, signal_request, signal_response::Message},
};
use proto_cluster::{Token, client};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{
    caller::Caller,
    links::{hear, next},
    node::{Desk, Node, ROOM, owner, person},
};

const ALICE: SessionId = SessionId(1);
const BOB: SessionId = SessionId(2);
const ALICE_AGAIN: SessionId = SessionId(3);

/// A node and its cluster port.
struct Port {
    /// Kept running.
    _node: Node,
    address: SocketAddr,
    /// Its drop stops the port.
    _stop: oneshot::Sender<()>,
}

impl Port {
    async fn start() -> Self {
        let node = Node::start(2);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = node.inner.serve_cluster(listener, token(), async { _ = stopped.await });
        tokio::spawn(serving);
        Self { _node: node, address, _stop: stop }
    }

    async fn connect(&self) -> Desk {
        let control = client::control(&self.address.to_string(), &token()).await.unwrap();
        assert_eq!(control.owner, owner());
        Desk { commands: control.commands, events: control.events }
    }

    async fn open_link(&self) -> mpsc::Receiver<LinkFrame> {
        self.open_link_under(Epoch(1)).await
    }

    async fn open_link_under(&self, epoch: Epoch) -> mpsc::Receiver<LinkFrame> {
        let purpose = LinkPurpose::Recording;
        let request = LinkRequest { room: ROOM.parse().unwrap(), epoch, purpose };
        client::open_link(&self.address.to_string(), &token(), request).await.unwrap()
    }
}

fn token() -> Token {
    "0123456789abcdef".parse().unwrap()
}

#[tokio::test]
async fn a_call_outlives_the_signaling_node_by_which_it_came() {
    let port = Port::start().await;
    let (mut one, mut other) = (port.connect().await, port.connect().await);
    let mut alice = Caller::join_at(&mut one, ALICE, "alice").await;
    let mut bob = Caller::join_at(&mut other, BOB, "bob").await;
    let mut link = port.open_link().await;
    assert!(matches!(next(&mut link).await, LinkFrame::Opened { .. }));
    for _ in ["alice", "bob"] {
        assert!(matches!(next(&mut link).await, LinkFrame::TrackStarted(_)));
    }
    alice.say(b"one").await;
    assert_eq!(hear(&mut link, 1).await.0[0].payload, &b"one"[..]);

    drop(one);
    // Everybody is still there, and heard; alice's client finds the other signaling node.
    assert_eq!(identities(&mut other).await, ["alice", "bob"]);
    for caller in [&mut alice, &mut bob] {
        caller.say(b"two").await;
        assert_eq!(hear(&mut link, 1).await.0[0].payload, &b"two"[..]);
    }
    resume(&mut other, ALICE_AGAIN).await;
    assert_eq!(ping(&mut other, ALICE_AGAIN).await, 7);
}

#[tokio::test]
async fn the_late_end_of_a_connection_leaves_who_has_resumed_alone() {
    let port = Port::start().await;
    let (mut one, mut other) = (port.connect().await, port.connect().await);
    _ = Caller::join_at(&mut one, ALICE, "alice").await;
    resume(&mut other, ALICE_AGAIN).await;

    drop(one.commands);
    while one.events.recv().await.is_some() {}
    // The node has ended the first connection, so what follows comes after its sessions' end.
    assert_eq!(ping(&mut other, ALICE_AGAIN).await, 7);
    assert_eq!(identities(&mut other).await, ["alice"]);
}

#[tokio::test]
async fn a_stale_epoch_is_refused_to_the_one_who_came_with_it() {
    let port = Port::start().await;
    let (one, mut other) = (port.connect().await, port.connect().await);
    let join = RoomAction::Join(Box::new(person(ALICE, "alice", None)));
    one.act_under(Epoch(5), join).await;
    // Both hear of the room, so it is there.
    happened(&mut other, &What::RoomStarted).await;

    let join = RoomAction::Join(Box::new(person(BOB, "bob", None)));
    other.act_under(Epoch(4), join).await;
    let stale = |session, request| Event::StaleEpoch {
        room: ROOM.parse().unwrap(),
        session,
        request,
        current: Epoch(5),
    };
    assert_eq!(answer(&mut other).await, stale(Some(BOB), None));
    let (request, operation) = (RequestId(7), Box::new(Operation::Delete));
    other.act_under(Epoch(4), RoomAction::Admin { request, operation }).await;
    assert_eq!(answer(&mut other).await, stale(None, Some(request)));

    // A recorder's, too.
    let stale = LinkFrame::Closed(LinkClosed::StaleEpoch { current: Epoch(5) });
    assert_eq!(next(&mut port.open_link_under(Epoch(4)).await).await, stale);
    let opened = next(&mut port.open_link_under(Epoch(5)).await).await;
    assert!(matches!(opened, LinkFrame::Opened { epoch: Epoch(5), .. }), "{opened:?}");
}

#[tokio::test]
async fn what_happens_is_told_to_all_and_answers_to_their_askers() {
    let port = Port::start().await;
    let (mut one, mut other) = (port.connect().await, port.connect().await);
    one.act(RoomAction::Join(Box::new(person(ALICE, "alice", None)))).await;
    for desk in [&mut one, &mut other] {
        happened(desk, &What::RoomStarted).await;
    }
    let list = || Command::ListRooms { request: RequestId(1), names: Vec::new() };
    one.commands.send(list()).await.unwrap();
    other.commands.send(list()).await.unwrap();
    for desk in [&mut one, &mut other] {
        let Event::Rooms { request, rooms } = answer(desk).await else { panic!("no list") };
        assert_eq!((request, rooms.len()), (RequestId(1), 1));
    }
}

#[tokio::test]
async fn a_storm_of_joins_by_two_doors_is_answered_to_everybody() {
    const EACH: u128 = 100;
    let port = Port::start().await;
    let (one, other) = (port.connect().await, port.connect().await);
    let crowd = |mut desk: Desk, sessions: Range<u128>| async move {
        for number in sessions.clone() {
            let join = person(SessionId(number), &format!("person {number}"), None);
            desk.act(RoomAction::Join(Box::new(join))).await;
        }
        let mut waiting: BTreeSet<SessionId> = sessions.map(SessionId).collect();
        while !waiting.is_empty() {
            let Event::Signal { session, response } = desk.event().await else { continue };
            if matches!(response.message, Some(Message::Join(_))) {
                assert!(waiting.remove(&session), "{session:?} is none of this door's");
            }
        }
        desk
    };
    let (mut one, _other) = tokio::join!(crowd(one, 0..EACH), crowd(other, EACH..2 * EACH));
    assert_eq!(identities(&mut one).await.len(), 200);
}

#[tokio::test]
async fn a_signaling_node_that_shuts_down_leaves_the_node_running() {
    let port = Port::start().await;
    let mut desk = port.connect().await;
    desk.act(RoomAction::Join(Box::new(person(ALICE, "alice", None)))).await;
    desk.commands.send(Command::Shutdown).await.unwrap();
    assert_eq!(identities(&mut desk).await, ["alice"]);
}

async fn identities(desk: &mut Desk) -> Vec<String> {
    let (request, operation) = (RequestId(9), Box::new(Operation::ListParticipants));
    desk.act(RoomAction::Admin { request, operation }).await;
    let Event::Reply { request: answered, result: Ok(Reply::Participants(list)) } =
        answer(desk).await
    else {
        panic!("no list")
    };
    assert_eq!(answered, request);
    let mut identities: Vec<String> = list.into_iter().map(|it| it.identity).collect();
    identities.sort();
    identities
}

/// Takes alice's session up again by way of `desk`.
async fn resume(desk: &mut Desk, session: SessionId) {
    let resume = Some(Resume { participant: None, reason: 0 });
    desk.act(RoomAction::Join(Box::new(person(session, "alice", resume)))).await;
    assert!(matches!(desk.hear(session).await, Message::Reconnect(_)));
}

async fn ping(desk: &mut Desk, session: SessionId) -> i64 {
    let ping = signal_request::Message::PingReq(proto::livekit::Ping { timestamp: 7, rtt: 0 });
    let request = Box::new(SignalRequest { message: Some(ping) });
    desk.act(RoomAction::Signal { session, request }).await;
    loop {
        if let Message::PongResp(pong) = desk.hear(session).await {
            return pong.last_ping_timestamp;
        }
    }
}

/// Returns the next event that answers something.
async fn answer(desk: &mut Desk) -> Event {
    loop {
        let event = desk.event().await;
        if matches!(event, Event::Reply { .. } | Event::Rooms { .. } | Event::StaleEpoch { .. }) {
            return event;
        }
    }
}

async fn happened(desk: &mut Desk, what: &What) {
    loop {
        if let Event::Happened(happening) = desk.event().await
            && happening.what == *what
        {
            return;
        }
    }
}
