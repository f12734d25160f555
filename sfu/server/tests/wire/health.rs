//! A shard that no longer goes round its loop is noticed.

use std::{
    sync::{Arc, Barrier},
    task::{Context, Wake, Waker},
    time::Duration,
};

use proto::{
    ids::Epoch,
    link::{LinkPurpose, LinkRequest},
};
use service::health::Health;
use sfu_server::OpenLink;
use tokio::{sync::mpsc, time};

use crate::node::{Node, ROOM};

/// Holds the thread that wakes it until the test comes to the barrier, too.
struct Trap(Barrier);

impl Wake for Trap {
    fn wake(self: Arc<Self>) {
        self.0.wait();
    }
}

#[tokio::test]
async fn a_shard_that_is_stuck_is_named_until_it_goes_on() {
    let mut node = Node::start(1);
    let health = Health::new(vec![proto::pool::Role::Sfu]);
    sfu_server::watch(&health, &node.inner.snapshots);
    node.create_room().await;
    assert!(health.stuck().is_empty());

    // A channel wakes its reader on the thread that sends: the shard walks into the trap.
    let trap = Arc::new(Trap(Barrier::new(2)));
    let waker = Waker::from(Arc::clone(&trap));
    let (frames, mut reader) = mpsc::channel(4);
    assert!(reader.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    let request = LinkRequest {
        room: ROOM.parse().unwrap(),
        epoch: Epoch(1),
        purpose: LinkPurpose::Recording,
    };
    node.inner.links.send(OpenLink { request, frames }).await.unwrap();
    until(|| !health.stuck().is_empty()).await;
    let stuck = health.stuck();
    assert!(stuck.len() == 1 && stuck[0].starts_with("shard 0: no sign of life"), "{stuck:?}");

    trap.0.wait();
    until(|| health.stuck().is_empty()).await;
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let mut look = time::interval(Duration::from_millis(50));
    let becomes_so = async {
        while !is_so() {
            look.tick().await;
        }
    };
    time::timeout(Duration::from_secs(20), becomes_so).await.expect("in time");
}
