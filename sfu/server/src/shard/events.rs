//! What a shard tells signaling, without ever waiting for it.

use std::collections::VecDeque;

use proto::control::Event;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::limits::EVENTS_BACKLOG_MAX;

/// The way out for events: a bounded channel, and a bounded backlog behind it.
pub(super) struct Events {
    channel: mpsc::Sender<Event>,
    backlog: VecDeque<Event>,
    pub(super) lost: u64,
}

impl Events {
    pub(super) fn new(channel: mpsc::Sender<Event>) -> Self {
        Self { channel, backlog: VecDeque::new(), lost: 0 }
    }

    pub(super) fn send(&mut self, event: Event) {
        if self.backlog.len() >= EVENTS_BACKLOG_MAX {
            self.lost += 1;
            return;
        }
        self.backlog.push_back(event);
        self.flush();
    }

    /// Sends what the channel has room for. Returns whether something still waits.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(event) = self.backlog.pop_front() {
            match self.channel.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return true;
                }
                // Signaling is gone: nobody is left to tell, and calls go on.
                Err(TrySendError::Closed(_)) => {}
            }
        }
        false
    }
}
