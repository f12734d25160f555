//! How commands reach the shards.

use std::{io, os::fd::OwnedFd, sync::Arc};

use proto::{control::Command, ids::RoomName};
use rustix::event::EventfdFlags;
use tokio::sync::mpsc;

/// The shards' mailboxes, by shard.
#[derive(Debug)]
pub(crate) struct Mailboxes(Vec<Mailbox>);

/// One shard's. Its fields go in this order, so that the shard is woken to find it closed.
#[derive(Debug)]
pub(crate) struct Mailbox {
    commands: mpsc::Sender<Command>,
    waker: Waker,
}

/// Wakes a shard from its wait for datagrams, once more when it goes.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Mailboxes {
    pub(crate) fn new(mailboxes: Vec<Mailbox>) -> Self {
        Self(mailboxes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Brings a command to the shard of its room, or to all. Waits while a mailbox is full.
    pub(crate) async fn post(&self, command: Command) {
        if let Command::Room(room) = &command {
            if let Some(mailbox) = self.0.get(shard_of(&room.room, self.len())) {
                mailbox.post(command).await;
            }
            return;
        }
        for mailbox in &self.0 {
            mailbox.post(command.clone()).await;
        }
    }
}

impl Mailbox {
    pub(crate) fn new(commands: mpsc::Sender<Command>, waker: Waker) -> Self {
        Self { commands, waker }
    }

    async fn post(&self, command: Command) {
        // A shard that has ended has no rooms left to command.
        if self.commands.send(command).await.is_ok() {
            self.waker.wake();
        }
    }
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        let event = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self(Arc::new(event)))
    }

    /// The shard's end.
    pub(crate) fn shard_end(&self) -> io::Result<OwnedFd> {
        self.0.as_ref().try_clone()
    }

    pub(crate) fn wake(&self) {
        // Only fails when the counter is full, and then the shard is awake.
        _ = rustix::io::write(self.0.as_ref(), &1_u64.to_ne_bytes());
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Which shard a room lives on: the same for all who ask.
pub(crate) fn shard_of(room: &RoomName, shards: usize) -> usize {
    // FNV-1a: names are short, and the choice is no secret.
    let hash = room.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let shards = u64::try_from(shards).unwrap_or(1).max(1);
    usize::try_from(hash % shards).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_the_shards_and_stay_there() {
        let rooms: Vec<RoomName> =
            (0..1000).map(|number| format!("room-{number}").parse().unwrap()).collect();
        let mut counts = [0; 4];
        for room in &rooms {
            assert_eq!(shard_of(room, 4), shard_of(room, 4));
            counts[shard_of(room, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (150..350).contains(count)), "{counts:?}");
    }
}
