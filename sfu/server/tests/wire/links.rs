//! What leaves by a link is what came in, and no listener stands in a call's way.

use std::time::Duration;

use proto::{
    control::Command,
    link::{LinkClosed, LinkEncoding, LinkFrame, LinkPacket, LinkPurpose},
};
use tokio::{sync::mpsc::Receiver, time};

use crate::{
    caller::{Caller, now},
    node::{Node, ROOM},
};

#[tokio::test]
async fn a_link_carries_each_packet_once_and_in_order() {
    let mut node = Node::start(2);
    let mut alice = Caller::join(&mut node).await;
    let mut link = node.open_link(ROOM, LinkPurpose::Recording, 64).await;
    assert!(matches!(next(&mut link).await, LinkFrame::Opened { .. }));
    let LinkFrame::TrackStarted(track) = next(&mut link).await else { panic!("no track") };
    assert_eq!(track.identity.as_str(), "talker");

    let started = now();
    let said: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 40 + usize::from(n)]).collect();
    for payload in &said {
        alice.say(payload).await;
        node.lap().await;
    }
    let (packets, frames) = hear(&mut link, said.len()).await;
    let heard: Vec<&[u8]> = packets.iter().map(|packet| &packet.payload[..]).collect();
    assert_eq!(heard, said);
    for (n, packet) in (0..).zip(&packets) {
        assert_eq!((packet.track, packet.encoding), (track.id, LinkEncoding::Opus));
        assert_eq!(packet.index, packets[0].index + n);
        assert!(packet.received >= track.at);
    }
    let gatherings = started.elapsed().as_millis() / 20;
    assert!(frames <= gatherings + 2, "{frames} frames in {gatherings} times 20 ms");
}

#[tokio::test]
async fn a_listener_that_reads_late_misses_nothing() {
    let mut node = Node::start(1);
    let mut alice = Caller::join(&mut node).await;
    // One place is kept for the end, so there is one for frames.
    let mut link = node.open_link(ROOM, LinkPurpose::Relay, 2).await;
    node.wait_until(|it| it.core.links == 1).await;
    for batch in 1..=2 {
        for n in 0..40 {
            alice.say(&[n; 60]).await;
        }
        node.wait_until(|it| it.core.packets_tapped == batch * 40).await;
    }
    assert!(matches!(next(&mut link).await, LinkFrame::Opened { .. }));
    assert!(matches!(next(&mut link).await, LinkFrame::TrackStarted(_)));
    let (packets, _) = hear(&mut link, 80).await;
    assert!(packets.windows(2).all(|pair| pair[1].index == pair[0].index + 1), "{packets:?}");
}

#[tokio::test]
async fn a_room_that_is_elsewhere_has_no_voice_here() {
    let node = Node::start(2);
    for room in ["here", "there", "nowhere"] {
        let mut link = node.open_link(room, LinkPurpose::Recording, 4).await;
        assert_eq!(next(&mut link).await, LinkFrame::Closed(LinkClosed::NoSuchRoom));
        assert_eq!(link.recv().await, None);
    }
}

#[tokio::test]
async fn a_listener_that_does_not_read_is_sent_away_and_others_hear_on() {
    let mut node = Node::start(1);
    let mut alice = Caller::join(&mut node).await;
    let mut stuck = node.open_link(ROOM, LinkPurpose::Recording, 4).await;
    let mut well = node.open_link(ROOM, LinkPurpose::Relay, 4).await;
    assert!(matches!(next(&mut well).await, LinkFrame::Opened { .. }));
    assert!(matches!(next(&mut well).await, LinkFrame::TrackStarted(_)));

    let mut packets = 0;
    while node.inner.snapshots[0].borrow().io.link_overruns == 0 {
        for _ in 0..50 {
            alice.say(&[7; 60]).await;
        }
        packets += hear(&mut well, 1).await.0.len();
    }
    assert!(packets > 8_000, "{packets} packets were heard while another was stuck");
    let mut last = next(&mut stuck).await;
    while let Some(frame) = stuck.recv().await {
        last = frame;
    }
    assert_eq!(last, LinkFrame::Closed(LinkClosed::TooSlow));
    let snapshot = node.wait_until(|it| it.core.links == 1).await;
    assert_eq!(snapshot.io.link_overruns, 1);
}

#[tokio::test]
async fn a_listener_that_goes_in_silence_is_noticed() {
    let mut node = Node::start(1);
    node.create_room().await;
    let link = node.open_link(ROOM, LinkPurpose::Recording, 4).await;
    node.wait_until(|it| it.core.links == 1).await;
    drop(link);
    node.wait_until(|it| it.core.links == 0).await;
}

#[tokio::test]
async fn a_link_learns_that_its_node_goes() {
    let mut node = Node::start(1);
    let _alice = Caller::join(&mut node).await;
    let mut link = node.open_link(ROOM, LinkPurpose::Recording, 8).await;
    assert!(matches!(next(&mut link).await, LinkFrame::Opened { .. }));
    node.desk.commands.send(Command::Shutdown).await.unwrap();
    let mut last = next(&mut link).await;
    while let Some(frame) = link.recv().await {
        last = frame;
    }
    assert_eq!(last, LinkFrame::Closed(LinkClosed::Refused));
}

pub(crate) async fn next(link: &mut Receiver<LinkFrame>) -> LinkFrame {
    let frame = time::timeout(Duration::from_secs(20), link.recv()).await;
    frame.expect("a frame in time").expect("the link is open")
}

/// Reads until there are `at_least` packets; says in how many frames they came.
pub(crate) async fn hear(
    link: &mut Receiver<LinkFrame>,
    at_least: usize,
) -> (Vec<LinkPacket>, u128) {
    let (mut packets, mut frames) = (Vec::new(), 0);
    while packets.len() < at_least {
        let LinkFrame::Packets(more) = next(link).await else { panic!("something else") };
        packets.extend(more);
        frames += 1;
    }
    (packets, frames)
}
