//! Writes down which rooms are to be found after a restart, in the order in which things happened.
//!
//! One task owns the writing, so that a room which ends and is created again at once is not
//! forgotten by the late news of its end.

use proto::ids::{Epoch, RoomName};
use storage_database::{Database, DatabaseError};
use storage_registry::Registry;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::limits::RECORDS_MAX;

/// The way to the task. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Keeper(mpsc::Sender<Record>);

#[derive(Debug)]
struct Record {
    room: RoomName,
    epoch: Epoch,
    change: Change,
    written: Option<oneshot::Sender<Result<(), DatabaseError>>>,
}

#[derive(Debug)]
enum Change {
    Save(Vec<u8>),
    Forget,
    Release,
}

/// It is not on disk. The reason is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not written")]
pub(crate) struct NotWritten;

impl Keeper {
    /// Starts the task. It ends once every keeper is gone and everything is written.
    pub(crate) fn start(
        database: Database,
        registry: Registry,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(RECORDS_MAX);
        (Self(sender), tokio::spawn(write(database, registry, receiver)))
    }

    /// Keeps the settings that the room was created with. `Ok` means on disk.
    pub(crate) async fn save(
        &self,
        room: &RoomName,
        epoch: Epoch,
        settings: Vec<u8>,
    ) -> Result<(), NotWritten> {
        self.write(room, epoch, Change::Save(settings)).await
    }

    /// The room was ended on purpose. `Ok` means that no restart brings it back.
    pub(crate) async fn end(&self, room: &RoomName, epoch: Epoch) -> Result<(), NotWritten> {
        self.write(room, epoch, Change::Forget).await
    }

    /// The room ended. Written soon, or not at all when the database is far behind: then a
    /// restart brings it back and it ends again.
    pub(crate) fn forget(&self, room: &RoomName, epoch: Epoch) {
        self.note(room, epoch, Change::Forget);
    }

    /// Nobody holds the room any more. Written soon, or not at all, as [`Self::forget`].
    pub(crate) fn release(&self, room: &RoomName, epoch: Epoch) {
        self.note(room, epoch, Change::Release);
    }

    fn note(&self, room: &RoomName, epoch: Epoch, change: Change) {
        let record = Record { room: room.clone(), epoch, change, written: None };
        if self.0.try_send(record).is_err() {
            warn!(room = room.as_str(), "end of a room was not written: the database is behind");
        }
    }

    async fn write(&self, room: &RoomName, epoch: Epoch, change: Change) -> Result<(), NotWritten> {
        let (written, result) = oneshot::channel();
        let record = Record { room: room.clone(), epoch, change, written: Some(written) };
        self.0.try_send(record).map_err(|_| NotWritten)?;
        result.await.map_err(|_| NotWritten)?.map_err(|_| NotWritten)
    }
}

async fn write(database: Database, registry: Registry, mut records: mpsc::Receiver<Record>) {
    while let Some(Record { room, epoch, change, written }) = records.recv().await {
        debug!(room = room.as_str(), epoch = epoch.0, ?change, "record changed");
        let result = match change {
            Change::Save(settings) => database.save(&room, epoch, &settings).await,
            Change::Forget => database.forget(&room, epoch).await,
            Change::Release => {
                // The map is only a hint, which the next claim puts right.
                _ = registry.remove_room(&room, epoch).await;
                database.release(&room, epoch).await
            }
        };
        if let Err(error) = &result {
            warn!(room = room.as_str(), %error, "record was not written");
        }
        if let Some(written) = written {
            // An asker that is gone was told to try again.
            _ = written.send(result);
        }
    }
}
