//! One set of statements for two databases: what differs between SQLite and PostgreSQL is here.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    Connection as _, Decode, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Type,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow},
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tokio::time::timeout;

use crate::{
    DatabaseError,
    limits::{CALL_TIME, CONNECT_TIME, CONNECTIONS_MAX, MIGRATION_TIME, SILENT_TRANSACTION_TIME},
    migrations,
};

/// A pool of connections to either.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Statements that happen together or not at all. Dropped without a commit, they didn't.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What stands for `$1`, `$2`… in a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Integer(i64),
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Bytes(&'a [u8]),
}

/// What a statement returned.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A statement with its values, for whichever database runs it.
macro_rules! query {
    ($statement:expr, $values:expr) => {
        $values.iter().fold(sqlx::query($statement), |query, value| match *value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::MaybeText(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    };
}

impl Store {
    pub(crate) async fn sqlite(path: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An epoch that was granted must not be granted again, whatever happens to the power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(CALL_TIME);
        // SQLite has one writer at a time: one connection queues them where we can see it.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CALL_TIME)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            .connect_with(options)
            .await?;
        migrations::sqlite().run_direct(None, &mut *pool.acquire().await?, false).await?;
        Ok(Self::Sqlite(pool))
    }

    pub(crate) async fn postgres(url: &str) -> Result<Self, DatabaseError> {
        let options: PgConnectOptions = url.parse().map_err(|_unreadable| DatabaseError::Url)?;
        let options = options.application_name("adda");
        let milliseconds = |time: Duration| time.as_millis().to_string();
        let settings = [
            // What returned is on disk, whatever this server's default is.
            ("synchronous_commit", "on".to_owned()),
            // Each statement sees what was committed before it: claims count on that.
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", milliseconds(CALL_TIME)),
            ("idle_in_transaction_session_timeout", milliseconds(SILENT_TRANSACTION_TIME)),
        ];
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECT_TIME)
            .connect_with(options.clone().options(settings))
            .await?;
        // On a connection of its own, since waiting for another node's migration takes its time.
        let migrate = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            migrations::postgres().run_direct(None, &mut connection, false).await?;
            Ok(connection.close().await?)
        };
        timeout(MIGRATION_TIME, migrate).await.unwrap_or(Err(DatabaseError::Late))?;
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that is going to write.
    pub(crate) async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Ok(match self {
            // The lock comes first: one taken half-way could meet a writer that came earlier.
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    pub(crate) async fn rows(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        Ok(match self {
            Self::Sqlite(pool) => {
                let rows = query!(statement, values).fetch_all(pool).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = query!(statement, values).fetch_all(pool).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn row(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, DatabaseError> {
        Ok(match self {
            Self::Sqlite(pool) => {
                query!(statement, values).fetch_optional(pool).await?.map(Row::Sqlite)
            }
            Self::Postgres(pool) => {
                query!(statement, values).fetch_optional(pool).await?.map(Row::Postgres)
            }
        })
    }

    /// Runs a statement and returns how many rows it changed.
    pub(crate) async fn change(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, DatabaseError> {
        Ok(match self {
            Self::Sqlite(pool) => query!(statement, values).execute(pool).await?.rows_affected(),
            Self::Postgres(pool) => query!(statement, values).execute(pool).await?.rows_affected(),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    pub(crate) async fn row(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, DatabaseError> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = query!(statement, values);
                query.fetch_optional(&mut **connection).await?.map(Row::Sqlite)
            }
            Self::Postgres(connection) => {
                let query = query!(statement, values);
                query.fetch_optional(&mut **connection).await?.map(Row::Postgres)
            }
        })
    }

    /// Runs a statement and returns how many rows it changed.
    pub(crate) async fn change(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, DatabaseError> {
        Ok(match self {
            Self::Sqlite(connection) => {
                query!(statement, values).execute(&mut **connection).await?.rows_affected()
            }
            Self::Postgres(connection) => {
                query!(statement, values).execute(&mut **connection).await?.rows_affected()
            }
        })
    }

    pub(crate) async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// A count, a size or a time, which SQL knows as a signed number.
pub(crate) fn integer(value: u64) -> Result<Value<'static>, DatabaseError> {
    Ok(Value::Integer(i64::try_from(value)?))
}

impl Row {
    pub(crate) fn get<T>(&self, column: &str) -> Result<T, DatabaseError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// What [`integer`] wrote.
    pub(crate) fn integer(&self, column: &str) -> Result<u64, DatabaseError> {
        Ok(u64::try_from(self.get::<i64>(column)?)?)
    }

    pub(crate) fn maybe_integer(&self, column: &str) -> Result<Option<u64>, DatabaseError> {
        Ok(self.get::<Option<i64>>(column)?.map(u64::try_from).transpose()?)
    }

    /// A name or an id that was written as text.
    pub(crate) fn parse<T: FromStr>(&self, column: &str) -> Result<T, DatabaseError> {
        self.get::<String>(column)?.parse().map_err(|_| DatabaseError::Content("a name"))
    }

    pub(crate) fn digest(&self, column: &str) -> Result<[u8; 32], DatabaseError> {
        let digest: Vec<u8> = self.get(column)?;
        digest.try_into().map_err(|_| DatabaseError::Content("a checksum"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_sqlite_acknowledges_has_reached_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::sqlite(&dir.path().join("adda.sqlite")).await.unwrap();
        let journal = store.row("PRAGMA journal_mode", &[]).await.unwrap().unwrap();
        assert_eq!(journal.get::<String>("journal_mode").unwrap(), "wal");
        let synchronous = store.row("PRAGMA synchronous", &[]).await.unwrap().unwrap();
        assert_eq!(synchronous.get::<i64>("synchronous").unwrap(), 2, "FULL");
    }
}
