//! Why a call failed, and whether it is worth another try.

use std::num::TryFromIntError;

/// The store failed, or holds what it can't hold.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("database.url must be sqlite:PATH or postgres://USER@HOST/NAME")]
    Url,
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the database took too long")]
    Late,
    #[error("the database holds {0} that breaks the rules")]
    Content(&'static str),
    #[error("the database holds as many {0} as it may")]
    Full(&'static str),
}

/// PostgreSQL's classes for "not now": connections, resources, lost races, shutdown, a standby.
const UNAVAILABLE_SQLSTATES: [&str; 9] =
    ["08", "53", "40", "57P0", "57014", "55P03", "25006", "25P03", "58"];

/// SQLite's codes for "not now": busy, locked, read-only, I/O, full, can't open.
const UNAVAILABLE_SQLITE: [u32; 6] = [5, 6, 8, 10, 13, 14];

impl DatabaseError {
    /// Whether the same call may succeed later: the store is gone, busy, full or restarting.
    /// Otherwise the fault is ours, or the store's content.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Url | Self::Content(_) | Self::Full(_) => false,
            Self::Store(error) | Self::Migration(sqlx::migrate::MigrateError::Execute(error)) => {
                is_unavailable(error)
            }
            Self::Migration(_) => false,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx::Error is non-exhaustive")]
fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let is_postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some();
            if is_postgres {
                return UNAVAILABLE_SQLSTATES.iter().any(|class| code.starts_with(class));
            }
            // The low byte is the code, the rest says more about it.
            code.parse().is_ok_and(|code: u32| UNAVAILABLE_SQLITE.contains(&(code & 0xff)))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

impl From<TryFromIntError> for DatabaseError {
    fn from(_: TryFromIntError) -> Self {
        Self::Content("a number")
    }
}
