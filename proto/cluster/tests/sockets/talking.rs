//! What is said arrives, and a burst of it, too.

use bytes::Bytes;
use proto::{
    control::{Command, RequestId},
    ids::{Epoch, RoomSid},
    link::{
        LinkClosed, LinkEncoding, LinkFrame, LinkPacket, LinkPurpose, LinkRequest, LinkTrackId,
        UnixMicros,
    },
};
use proto_cluster::{
    client::{self, ConnectError},
    server::OpenLink,
};

use super::node::{Node, numbered, owner, soon, token};

fn list(request: u64, names: Vec<String>) -> Command {
    Command::ListRooms { request: RequestId(request), names }
}

fn link_request() -> LinkRequest {
    let purpose = LinkPurpose::Recording;
    LinkRequest { room: "demo".parse().unwrap(), epoch: Epoch(3), purpose }
}

#[tokio::test]
async fn commands_and_events_arrive_and_the_node_says_who_it_is() {
    let mut node = Node::start().await;
    let (mut control, mut ends) = soon(node.connect()).await;
    assert_eq!(control.owner, owner());

    control.commands.send(Command::Shutdown).await.unwrap();
    assert_eq!(soon(ends.commands.recv()).await, Some(Command::Shutdown));
    ends.events.send(numbered(1)).await.unwrap();
    assert_eq!(soon(control.events.recv()).await, Some(numbered(1)));
}

#[tokio::test]
async fn another_token_is_refused_at_every_door() {
    let mut node = Node::start().await;
    let address = node.address.to_string();
    let other = "the-token-of-another-pool".parse().unwrap();
    let control = soon(client::control(&address, &other)).await;
    assert!(matches!(control, Err(ConnectError::Unauthorized)), "{control:?}");
    let link = soon(client::open_link(&address, &other, link_request())).await;
    assert!(matches!(link, Err(ConnectError::Unauthorized)), "{link:?}");
    assert!(node.controls.try_recv().is_err() && node.links.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_arrives_whole_and_in_order_both_ways() {
    const MESSAGES: u32 = 20_000;
    let mut node = Node::start().await;
    let (control, mut ends) = soon(node.connect()).await;
    let (commands, mut events) = (control.commands, control.events);
    // As long as a browser's offer.
    let offer = "v=0\r\n".repeat(1_000);
    tokio::spawn(async move {
        for number in 0..MESSAGES {
            commands.send(list(number.into(), vec![offer.clone()])).await.unwrap();
        }
        // Its drop would end the connection before the answers are here.
        commands.closed().await;
    });
    tokio::spawn(async move {
        for number in 0..MESSAGES {
            let Some(Command::ListRooms { request, names }) = ends.commands.recv().await else {
                panic!("ended after {number}");
            };
            assert_eq!((request, names[0].len()), (RequestId(number.into()), 5_000));
            ends.events.send(numbered(number)).await.unwrap();
        }
    });
    for number in 0..MESSAGES {
        assert_eq!(soon(events.recv()).await, Some(numbered(number)));
    }
}

#[tokio::test]
async fn a_link_carries_frames_until_its_reader_leaves() {
    let mut node = Node::start().await;
    let address = node.address.to_string();
    let mut frames = soon(client::open_link(&address, &token(), link_request())).await.unwrap();
    let OpenLink { request, frames: outgoing } = soon(node.links.recv()).await.unwrap();
    assert_eq!(request, link_request());

    let opened = LinkFrame::Opened {
        sid: RoomSid::from_random(1),
        epoch: Epoch(3),
        at: UnixMicros(1_700_000_000_000_000),
    };
    let packet = LinkPacket {
        track: LinkTrackId(1),
        received: UnixMicros(1_700_000_000_000_000),
        index: 70_000,
        timestamp: 960,
        encoding: LinkEncoding::Red { primary: 2 },
        payload: Bytes::from_static(b"\x6f\x01voice"),
    };
    for frame in [opened, LinkFrame::Packets(vec![packet])] {
        outgoing.send(frame.clone()).await.unwrap();
        assert_eq!(soon(frames.recv()).await, Some(frame));
    }
    drop(frames);
    soon(outgoing.closed()).await;
}

#[tokio::test]
async fn a_node_that_takes_no_more_links_says_so() {
    let mut node = Node::start().await;
    node.links.close();
    let address = node.address.to_string();
    let mut frames = soon(client::open_link(&address, &token(), link_request())).await.unwrap();
    let refused = LinkFrame::Closed(LinkClosed::Refused);
    assert_eq!(soon(frames.recv()).await, Some(refused));
    assert_eq!(soon(frames.recv()).await, None);
}

#[tokio::test]
async fn a_command_that_is_too_long_costs_nothing_but_itself() {
    let mut node = Node::start().await;
    let (control, mut ends) = soon(node.connect()).await;
    control.commands.send(list(1, vec!["x".repeat(2 * 1024 * 1024)])).await.unwrap();
    control.commands.send(list(2, vec![])).await.unwrap();
    assert_eq!(soon(ends.commands.recv()).await, Some(list(2, vec![])));
}
