//! The door by which a room's voice leaves a node: see [`proto::link`].

use proto::link::{LinkClosed, LinkFrame, LinkRequest};
use tokio::sync::mpsc;

use crate::mailbox::{Waker, shard_of};

/// Asks the node for a room's voice. Dropping the receiver of `frames` closes the link.
///
/// One place of the channel is kept for [`LinkFrame::Closed`], so it needs two at least; 64 carry
/// a listener over a second. What it can't hold waits in the shard, within bounds, and a listener
/// that stays behind is closed as [`LinkClosed::TooSlow`].
#[derive(Debug)]
pub struct OpenLink {
    pub request: LinkRequest,
    pub frames: mpsc::Sender<LinkFrame>,
}

/// How one shard is asked for links.
pub(crate) struct Door {
    pub(crate) requests: mpsc::Sender<OpenLink>,
    pub(crate) waker: Waker,
}

/// Brings each request to the shard its room lives on. A full door makes listeners wait, never
/// the shard.
pub(crate) async fn distribute(mut inbox: mpsc::Receiver<OpenLink>, doors: Vec<Door>) {
    while let Some(open) = inbox.recv().await {
        let Some(door) = doors.get(shard_of(&open.request.room, doors.len())) else { return };
        match door.requests.send(open).await {
            Ok(()) => door.waker.wake(),
            Err(mpsc::error::SendError(open)) => {
                // The shard has ended; a listener that left in the meantime won't miss the answer.
                _ = open.frames.try_send(LinkFrame::Closed(LinkClosed::Refused));
            }
        }
    }
}
