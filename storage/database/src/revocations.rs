//! Whose tokens are refused, although they are signed well and have not expired.
//!
//! A token can't be taken back, only what was issued before some time can be refused. So there is
//! one row for each person who was removed from a room, and one for a room that was deleted, which
//! makes those of its people needless. A row goes once it is older than any token may be.

use proto::{
    ids::{Identity, RoomName},
    link::UnixMicros,
};

use crate::{
    Database, DatabaseError,
    limits::{PAGE_MAX, REVOKED_MAX},
    store::{Transaction, Value, integer},
};

/// Whose tokens for a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked<'a> {
    Everybody,
    One(&'a Identity),
}

/// A revocation is never taken back: the later time stays.
const REVOKE: &str = "INSERT INTO revocations (room, identity, issued_before) VALUES ($1, $2, $3) \
     ON CONFLICT (room, identity) DO UPDATE SET issued_before = excluded.issued_before \
     WHERE revocations.issued_before < excluded.issued_before";
const COVERED: &str =
    "DELETE FROM revocations WHERE room = $1 AND identity <> '' AND issued_before <= $2";
const OLDEST: &str = "DELETE FROM revocations WHERE room = $1 AND identity IN \
     (SELECT identity FROM revocations WHERE room = $1 AND identity <> '' \
     ORDER BY issued_before DESC, identity LIMIT $2 OFFSET $3)";
const LATEST: &str = "SELECT MAX(issued_before) AS latest FROM revocations \
     WHERE room = $1 AND identity IN ('', $2)";
const PRUNE: &str = "DELETE FROM revocations WHERE issued_before < $1";

impl Database {
    /// Refuses, from now on, tokens for `room` that were issued before `issued_before`. Of the
    /// persons removed from one room at most `REVOKED_MAX` are remembered, those of the latest
    /// times.
    pub async fn revoke(
        &self,
        room: &RoomName,
        whose: Revoked<'_>,
        issued_before: UnixMicros,
    ) -> Result<(), DatabaseError> {
        self.call(async {
            let mut transaction = self.store.begin().await?;
            let (room, time) = (Value::Text(room.as_str()), integer(issued_before.0)?);
            transaction.change(REVOKE, &[room, Value::Text(whose.column()), time]).await?;
            match whose {
                Revoked::Everybody => {
                    transaction.change(COVERED, &[room, time]).await?;
                }
                Revoked::One(_) => forget_oldest(&mut transaction, room).await?,
            }
            transaction.commit().await
        })
        .await
    }

    /// Before when tokens for `room` were issued that are refused, if any are: those of `whose`,
    /// and everybody's.
    pub async fn revoked(
        &self,
        room: &RoomName,
        whose: Revoked<'_>,
    ) -> Result<Option<UnixMicros>, DatabaseError> {
        self.call(async {
            let values = [Value::Text(room.as_str()), Value::Text(whose.column())];
            let row = self.store.row(LATEST, &values).await?;
            let latest = row.map(|row| row.maybe_integer("latest")).transpose()?;
            Ok(latest.flatten().map(UnixMicros))
        })
        .await
    }

    /// Forgets who was revoked before `time`. Returns how many rows that were.
    pub async fn forget_revoked(&self, time: UnixMicros) -> Result<u64, DatabaseError> {
        self.call(async { self.store.change(PRUNE, &[integer(time.0)?]).await }).await
    }
}

async fn forget_oldest(
    transaction: &mut Transaction,
    room: Value<'_>,
) -> Result<(), DatabaseError> {
    // There is one too many at most; more would be left by a larger bound of an earlier version.
    let values = [room, Value::Integer(PAGE_MAX.into()), integer(REVOKED_MAX)?];
    transaction.change(OLDEST, &values).await.map(drop)
}

impl Revoked<'_> {
    fn column(&self) -> &str {
        match self {
            Self::Everybody => "",
            Self::One(identity) => identity.as_str(),
        }
    }
}
