//! Who is in the pool and where rooms live, for whoever needs to know at once.
//!
//! A pool keeps it in Redis, one process in its memory; the contract in `tests/contract` holds for
//! both. This is the only crate that names redis. Nothing here is the truth: nodes announce
//! themselves again, rooms are placed by epochs from the database, and a hint only says "look".
//! All of it may vanish at any moment, and is there again soon.
//!
//! # Invariants
//!
//! - Every call ends within a second, and at once while Redis is gone. None waits for another.
//! - Of two placements of a room, the one with the higher epoch stands.
//! - Everything expires: a node that fell silent, a room that nobody placed again.

mod error;
mod hints;
mod in_process;
mod limits;
mod metrics;
mod redis;

use std::time::Duration;

use proto::{
    ids::{Epoch, RoomName},
    pool::{NodeRecord, Owner, Placement},
};
use service::metrics::Registry as MetricsRegistry;
use tokio::sync::mpsc;

pub use self::{error::RegistryError, hints::Hint};
use self::{in_process::InProcess, redis::Redis};

/// The registry. Cheap to clone; every clone is the same.
#[derive(Clone, Debug)]
pub struct Registry(Kind);

#[derive(Clone, Debug)]
enum Kind {
    InProcess(InProcess),
    Redis(Redis),
}

impl Registry {
    /// Makes the registry of a pool that is one process.
    pub fn in_process() -> Self {
        Self(Kind::InProcess(InProcess::new()))
    }

    /// Connects to the Redis at `url`, and again whenever it was gone. Returns before it is up.
    /// Must be called within a runtime.
    pub fn redis(url: &str) -> Result<Self, RegistryError> {
        Ok(Self(Kind::Redis(Redis::connect(url)?)))
    }

    /// Adds Redis's metrics to what `/metrics` shows; one process has none.
    pub fn register(&self, registry: &mut MetricsRegistry) {
        match &self.0 {
            Kind::InProcess(_) => {}
            Kind::Redis(redis) => redis.register(registry),
        }
    }

    /// Whether the registry answers.
    pub fn is_up(&self) -> bool {
        match &self.0 {
            Kind::InProcess(_) => true,
            Kind::Redis(redis) => redis.is_up(),
        }
    }

    /// Waits until the registry answers.
    pub async fn up(&self) {
        match &self.0 {
            Kind::InProcess(_) => {}
            Kind::Redis(redis) => redis.up().await,
        }
    }

    /// States that a node lives, for as long as `ttl` unless it says so again.
    pub async fn announce(&self, node: &NodeRecord, ttl: Duration) -> Result<(), RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => memory.announce(node, ttl),
            Kind::Redis(redis) => redis.announce(node, ttl).await,
        }
    }

    /// States that this life of a node is over.
    pub async fn withdraw(&self, owner: &Owner) -> Result<(), RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => memory.withdraw(owner),
            Kind::Redis(redis) => redis.withdraw(owner).await?,
        }
        Ok(())
    }

    /// The nodes that live, by name. Two lives of one node are both here until one has expired.
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => Ok(memory.nodes()),
            Kind::Redis(redis) => redis.nodes().await,
        }
    }

    /// Places a room, unless it is placed under a higher epoch. Says whether it was.
    ///
    /// A placement is forgotten after an hour: the database knows it, and it is placed again when
    /// somebody next asks there.
    pub async fn set_room(
        &self,
        room: &RoomName,
        placement: &Placement,
    ) -> Result<bool, RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => memory.set_room(room, placement),
            Kind::Redis(redis) => redis.set_room(room, placement).await,
        }
    }

    /// Where a room lives, as far as is known here.
    pub async fn room(&self, room: &RoomName) -> Result<Option<Placement>, RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => Ok(memory.room(room)),
            Kind::Redis(redis) => redis.room(room).await,
        }
    }

    /// Forgets where a room lives, unless it is placed under a higher epoch.
    pub async fn remove_room(&self, room: &RoomName, epoch: Epoch) -> Result<(), RegistryError> {
        match &self.0 {
            Kind::InProcess(memory) => memory.remove_room(room, epoch),
            Kind::Redis(redis) => redis.remove_room(room, epoch).await?,
        }
        Ok(())
    }

    /// Tells whoever listens to `topic`. A hint may be lost, and may come twice.
    pub async fn hint(&self, topic: &str, payload: &[u8]) -> Result<(), RegistryError> {
        if payload.len() > limits::HINT_BYTES_MAX {
            return Err(RegistryError::TooLong);
        }
        match &self.0 {
            Kind::InProcess(memory) => memory.hint(topic, payload),
            Kind::Redis(redis) => redis.hint(topic, payload).await?,
        }
        Ok(())
    }

    /// The hints on `topic` from now on. Whoever reads too slowly loses some. Ends when the
    /// registry does, or at once when too many listen already.
    pub fn hints(&self, topic: &str) -> mpsc::Receiver<Hint> {
        match &self.0 {
            Kind::InProcess(memory) => memory.hints(topic),
            Kind::Redis(redis) => redis.hints(topic),
        }
    }
}
