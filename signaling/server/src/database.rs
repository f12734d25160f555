//! What a node must find again: who owns which room, under which epoch, created with what.
//!
//! An epoch is granted here and nowhere else, by compare-and-set, and is higher than every epoch
//! granted before it. Whatever returned `Ok` is on disk. The statements are this module's secret;
//! the contract in `database/contract.rs` is what another store would have to keep.

use std::time::Duration;

use proto::ids::{Epoch, NodeId, RoomName};
use service::data_dir::DataDir;
use sqlx::{
    Row as _, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::limits::{DATABASE_TIME, RESTORED_ROOMS_MAX};

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Database(SqlitePool);

/// What came of claiming a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is ours under this epoch.
    Granted(Epoch),
    /// Somebody holds it under an epoch that the claimer didn't know to be over.
    Held { node: NodeId, epoch: Epoch },
}

/// A room that the API created and nobody ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedRoom {
    pub(crate) room: RoomName,
    pub(crate) epoch: Epoch,
    pub(crate) settings: Vec<u8>,
}

/// The store failed, or holds what it can't hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the database took too long")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("the database holds a name that breaks the rules")]
    Name(#[from] proto::ids::InvalidName),
    #[error("the database holds an epoch out of range")]
    Epoch(#[from] std::num::TryFromIntError),
}

const FILE: &str = "adda.sqlite";
const MIGRATION_ROOMS: &str = include_str!("../migrations/sqlite/0001_rooms.sql");

const OWNER_OF: &str = "SELECT node, epoch FROM rooms WHERE name = ?1";
const NEXT_EPOCH: &str = "UPDATE epochs SET last = max(last, ?1) + 1 WHERE id = 1 RETURNING last";
const CLAIM: &str = "INSERT INTO rooms (name, node, epoch) VALUES (?1, ?2, ?3) \
     ON CONFLICT (name) DO UPDATE SET node = excluded.node, epoch = excluded.epoch \
     WHERE rooms.epoch <= ?4";
const SAVE: &str = "UPDATE rooms SET settings = ?3 WHERE name = ?1 AND epoch = ?2";
const FORGET: &str = "UPDATE rooms SET settings = NULL WHERE name = ?1 AND epoch = ?2";
const RELEASE: &str = "DELETE FROM rooms WHERE name = ?1 AND epoch = ?2";
const RECLAIM: &str = "UPDATE rooms SET epoch = ?3 WHERE name = ?1 AND epoch = ?2";
const RELEASE_UNSAVED: &str = "DELETE FROM rooms WHERE node = ?1 AND settings IS NULL";
const SETTINGS: &str = "SELECT settings FROM rooms WHERE name = ?1 AND settings IS NOT NULL";
const SAVED: &str = "SELECT name, epoch, settings FROM rooms \
     WHERE node = ?1 AND settings IS NOT NULL ORDER BY name LIMIT ?2";

impl Database {
    /// Opens the database in `data_dir` and brings its schema up to date.
    pub(crate) async fn open(data_dir: &DataDir) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(data_dir.path().join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An epoch that was granted must not be granted again, whatever happens to the power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(DATABASE_TIME);
        // SQLite has one writer at a time: one connection queues them where we can see it.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(DATABASE_TIME)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            .connect_with(options)
            .await?;
        migrations().run(&pool).await?;
        Ok(Self(pool))
    }

    /// Claims `room` for `node`. Granted when nobody holds it, or only under an epoch of at most
    /// `above`, which the claimer knows to be over. The new epoch is higher than both.
    pub(crate) async fn claim(
        &self,
        room: &RoomName,
        node: &NodeId,
        above: Epoch,
    ) -> Result<Claim, DatabaseError> {
        within_time(async {
            let above = i64::try_from(above.0)?;
            let mut transaction = self.0.begin_with("BEGIN IMMEDIATE").await?;
            let next = sqlx::query(NEXT_EPOCH).bind(above).fetch_one(&mut *transaction).await?;
            let epoch: i64 = next.try_get("last")?;
            let claim = sqlx::query(CLAIM)
                .bind(room.as_str())
                .bind(node.as_str())
                .bind(epoch)
                .bind(above)
                .execute(&mut *transaction)
                .await?;
            if claim.rows_affected() == 1 {
                transaction.commit().await?;
                return Ok(Claim::Granted(Epoch(u64::try_from(epoch)?)));
            }
            let query = sqlx::query(OWNER_OF).bind(room.as_str());
            let owner = query.fetch_one(&mut *transaction).await?;
            transaction.rollback().await?;
            let (node, epoch): (String, i64) = (owner.try_get("node")?, owner.try_get("epoch")?);
            Ok(Claim::Held { node: node.parse()?, epoch: Epoch(u64::try_from(epoch)?) })
        })
        .await
    }

    /// Keeps the settings a room was created with, if it is still held under `epoch`.
    pub(crate) async fn save(
        &self,
        room: &RoomName,
        epoch: Epoch,
        settings: &[u8],
    ) -> Result<(), DatabaseError> {
        within_time(async {
            let epoch = i64::try_from(epoch.0)?;
            let query = sqlx::query(SAVE).bind(room.as_str()).bind(epoch).bind(settings);
            query.execute(&self.0).await?;
            Ok(())
        })
        .await
    }

    /// The room is over: a restart doesn't bring it back. Whoever holds it still does.
    pub(crate) async fn forget(&self, room: &RoomName, epoch: Epoch) -> Result<(), DatabaseError> {
        self.change(FORGET, room, epoch).await
    }

    /// Nobody holds the room any more under `epoch`.
    pub(crate) async fn release(&self, room: &RoomName, epoch: Epoch) -> Result<(), DatabaseError> {
        self.change(RELEASE, room, epoch).await
    }

    async fn change(
        &self,
        statement: &'static str,
        room: &RoomName,
        epoch: Epoch,
    ) -> Result<(), DatabaseError> {
        within_time(async {
            let epoch = i64::try_from(epoch.0)?;
            sqlx::query(statement).bind(room.as_str()).bind(epoch).execute(&self.0).await?;
            Ok(())
        })
        .await
    }

    /// The settings `room` was created with, if it was.
    pub(crate) async fn settings(&self, room: &RoomName) -> Result<Option<Vec<u8>>, DatabaseError> {
        within_time(async {
            let row = sqlx::query(SETTINGS).bind(room.as_str()).fetch_optional(&self.0).await?;
            Ok(row.map(|row| row.try_get("settings")).transpose()?)
        })
        .await
    }

    /// Takes over what an earlier life of `node` held: saved rooms get new epochs and are
    /// returned by name, the others are released.
    pub(crate) async fn reclaim(&self, node: &NodeId) -> Result<Vec<SavedRoom>, DatabaseError> {
        within_time(async {
            let mut transaction = self.0.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query(RELEASE_UNSAVED).bind(node.as_str()).execute(&mut *transaction).await?;
            let query = sqlx::query(SAVED).bind(node.as_str()).bind(i64::from(RESTORED_ROOMS_MAX));
            let mut reclaimed = Vec::new();
            for row in query.fetch_all(&mut *transaction).await? {
                let (name, old): (String, i64) = (row.try_get("name")?, row.try_get("epoch")?);
                let query = sqlx::query(NEXT_EPOCH).bind(old);
                let new: i64 = query.fetch_one(&mut *transaction).await?.try_get("last")?;
                let query = sqlx::query(RECLAIM).bind(&name).bind(old).bind(new);
                query.execute(&mut *transaction).await?;
                reclaimed.push(SavedRoom {
                    room: name.parse()?,
                    epoch: Epoch(u64::try_from(new)?),
                    settings: row.try_get("settings")?,
                });
            }
            transaction.commit().await?;
            Ok(reclaimed)
        })
        .await
    }

    /// Writes what is left and closes the files.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

fn migrations() -> Migrator {
    let sql = sqlx::SqlStr::from_static(MIGRATION_ROOMS);
    let rooms = Migration::new(1, "rooms".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![rooms])
}

async fn within_time<T>(
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    tokio::time::timeout(DATABASE_TIME, work).await?
}

#[cfg(test)]
mod contract;
