//! What must be found again, in SQL: rooms and their epochs, recordings, voice notes, who was
//! removed.
//!
//! One machine keeps it in SQLite, a pool in PostgreSQL; the contract in `tests/contract` holds for
//! both. This is the only crate that names sqlx. It reads no clock: time comes in as an argument,
//! so that two nodes and one database never argue about whose clock is right.
//!
//! # Invariants
//!
//! - Whatever returned `Ok` is on disk.
//! - An epoch is granted here and nowhere else, and never twice.
//! - A write under an epoch lower than the store has seen changes nothing.
//! - Every call ends within five seconds. One that ended with an error may have happened.

mod error;
mod ids;
mod limits;
mod metrics;
mod migrations;
mod notes;
mod recordings;
mod revocations;
mod rooms;
mod store;
mod watch;

use std::path::Path;

use service::metrics::Registry;
use tokio::time::timeout;

pub use self::{
    error::DatabaseError,
    ids::{InvalidId, NoteId, RecordingId},
    notes::{NewNote, Note, NoteCompletion, NoteCreation, NoteMeta, NoteReady, NoteStatus},
    recordings::{
        Gap, Kept, NewRecording, Pieces, Progress, Recording, RecordingCreation, RecordingJob,
        RecordingStatus, Renewal, TrackFile, TrackProgress, TrackRow,
    },
    revocations::Revoked,
    rooms::{Claim, SavedRoom},
    watch::watch,
};
use self::{limits::CALL_TIME, metrics::Metrics, store::Store};

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    store: Store,
    metrics: Metrics,
}

impl Database {
    /// Opens what `url` names, `sqlite:PATH` or `postgres://…`, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Self::sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))).await;
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Ok(Self::over(Store::postgres(url).await?));
        }
        Err(DatabaseError::Url)
    }

    /// Opens the SQLite file at `path`, creating it if need be. One process may use it at a time.
    pub async fn sqlite(path: &Path) -> Result<Self, DatabaseError> {
        Ok(Self::over(Store::sqlite(path).await?))
    }

    fn over(store: Store) -> Self {
        Self { store, metrics: Metrics::new() }
    }

    /// Adds this store's metrics to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Whether the last call reached the store.
    pub fn is_up(&self) -> bool {
        self.metrics.is_up()
    }

    /// Asks the store for nothing but a sign of life.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.call(async { self.store.row("SELECT 1", &[]).await.map(drop) }).await
    }

    /// Writes what is left and closes the connections.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Bounds a call in time, and counts it.
    async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let result = timeout(CALL_TIME, work).await.unwrap_or(Err(DatabaseError::Late));
        self.metrics.count(result.as_ref().err());
        result
    }
}
