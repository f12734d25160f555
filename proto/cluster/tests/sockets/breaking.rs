//! How a connection ends, and that it ends alone.

use std::time::Duration;

use proto::{
    control::{Command, Event, RequestId},
    ids::SessionId,
    livekit,
};
use proto_cluster::client::{self, ConnectError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::error::TrySendError,
    time::timeout,
};

use super::{
    node::{Node, numbered, soon, token},
    wire::Wire,
};

/// In which a dead peer is to be noticed.
const NOTICE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn both_ends_notice_a_dead_wire_within_two_seconds() {
    let mut node = Node::start().await;
    let wire = Wire::to(node.address).await;
    let (mut control, mut ends) = soon(node.connect_by(wire.address)).await;
    ends.events.send(numbered(1)).await.unwrap();
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));

    wire.go_dead();
    let noticed = async { tokio::join!(control.events.recv(), ends.commands.recv()) };
    assert_eq!(timeout(NOTICE, noticed).await, Ok((None, None)));
    soon(control.commands.closed()).await;
    soon(ends.events.closed()).await;
}

#[tokio::test]
async fn an_idle_wire_that_lives_stays_up() {
    let mut node = Node::start().await;
    let (mut control, mut ends) = soon(node.connect()).await;
    // Twice what it takes to notice a dead one.
    let silence = async {
        tokio::select! {
            event = control.events.recv() => panic!("{event:?}"),
            command = ends.commands.recv() => panic!("{command:?}"),
        }
    };
    assert!(timeout(2 * NOTICE, silence).await.is_err());
    ends.events.send(numbered(1)).await.unwrap();
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));
}

#[tokio::test]
async fn a_killed_peer_is_noticed_at_once() {
    let mut node = Node::start().await;
    let wire = Wire::to(node.address).await;
    let (mut control, mut ends) = soon(node.connect_by(wire.address)).await;
    wire.tear();
    let noticed = async { tokio::join!(control.events.recv(), ends.commands.recv()) };
    assert_eq!(timeout(NOTICE / 4, noticed).await, Ok((None, None)));
}

#[tokio::test]
async fn a_client_that_drops_either_end_has_left() {
    let mut node = Node::start().await;
    let (control, mut ends) = soon(node.connect()).await;
    let commands = control.commands;
    drop(control.events);
    assert_eq!(soon(ends.commands.recv()).await, None);
    soon(commands.closed()).await;

    let (control, mut ends) = soon(node.connect()).await;
    drop(control.commands);
    assert_eq!(soon(ends.commands.recv()).await, None);
}

#[tokio::test]
async fn a_node_that_ends_a_connection_is_understood() {
    let mut node = Node::start().await;
    let (mut control, ends) = soon(node.connect()).await;
    ends.events.send(numbered(1)).await.unwrap();
    drop(ends);
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));
    assert_eq!(soon(control.events.recv()).await, None);
    soon(control.commands.closed()).await;
}

#[tokio::test]
async fn a_server_that_stops_says_what_waits_and_ends() {
    let mut node = Node::start().await;
    let (mut control, ends) = soon(node.connect()).await;
    ends.events.send(numbered(1)).await.unwrap();
    node.stop.send(()).unwrap();
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));
    assert_eq!(soon(control.events.recv()).await, None);
    soon(ends.events.closed()).await;
    soon(node.served).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_slow_holds_up_nobody_else() {
    let mut node = Node::start().await;
    let (slow, slow_ends) = soon(node.connect()).await;
    let (mut quick, quick_ends) = soon(node.connect()).await;
    let long = || Event::Rooms {
        request: RequestId(1),
        rooms: vec![livekit::Room { metadata: "x".repeat(64 * 1024), ..Default::default() }],
    };
    // Fill all there is between the node and a client that doesn't read: queues and sockets.
    let filled =
        async { while timeout(NOTICE / 4, slow_ends.events.send(long())).await.is_ok() {} };
    soon(filled).await;
    assert!(matches!(slow_ends.events.try_send(long()), Err(TrySendError::Full(_))));

    for number in 0..1_000 {
        quick_ends.events.send(numbered(number)).await.unwrap();
        assert_eq!(soon(quick.events.recv()).await, Some(numbered(number)));
    }
    assert!(!slow.commands.is_closed(), "slow, but alive");
}

#[tokio::test]
async fn garbage_and_silence_at_the_port_are_closed_and_disturb_nobody() {
    let mut node = Node::start().await;
    let (mut control, ends) = soon(node.connect()).await;
    for garbage in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 4096], &[0; 9], b""] {
        let mut stranger = TcpStream::connect(node.address).await.unwrap();
        stranger.write_all(garbage).await.unwrap();
        // Closed, with or without a word of farewell.
        _ = soon(stranger.read_to_end(&mut Vec::new())).await;
    }
    ends.events.send(numbered(1)).await.unwrap();
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));
}

#[tokio::test]
async fn a_port_that_never_answers_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tried = timeout(2 * NOTICE, client::control(&address, &token())).await.unwrap();
    assert!(tried.is_err(), "{tried:?}");

    drop(listener);
    let tried = timeout(NOTICE, client::control(&address, &token())).await.unwrap();
    assert!(matches!(tried, Err(ConnectError::Unreachable(_))), "{tried:?}");
    let nowhere = soon(client::control("no port here", &token())).await;
    assert!(matches!(nowhere, Err(ConnectError::Address)), "{nowhere:?}");
}

#[tokio::test]
async fn two_connections_never_hear_each_other() {
    let mut node = Node::start().await;
    let (mut one, one_ends) = soon(node.connect()).await;
    let (mut other, other_ends) = soon(node.connect()).await;
    let session = SessionId(u128::MAX);
    other_ends.events.send(Event::Close { session }).await.unwrap();
    one_ends.events.send(numbered(1)).await.unwrap();
    assert_eq!(soon(one.events.recv()).await, Some(numbered(1)));
    assert_eq!(soon(other.events.recv()).await, Some(Event::Close { session }));
    one.commands.send(Command::Shutdown).await.unwrap();
}
