//! Who owns which room, under which epoch, created with what.

use proto::{
    ids::{Epoch, RoomName},
    pool::{Owner, Placement},
};

use crate::{
    Database, DatabaseError,
    limits::{HOLDERS_MAX, PAGE_MAX},
    store::{Row, Value, integer},
};

/// What came of claiming a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the claimer's under this epoch.
    Granted(Epoch),
    /// Somebody holds it under an epoch that the claimer didn't know to be over.
    Held(Placement),
}

/// A room that the API created and nobody ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRoom {
    pub room: RoomName,
    /// Who held it last. An earlier life of a node is claimed over by passing its epoch.
    pub placement: Placement,
    pub settings: Vec<u8>,
}

const PLACEMENT: &str = "SELECT node, boot, epoch FROM rooms WHERE name = $1";
/// On PostgreSQL the row's lock makes claims wait for each other until they are committed.
const NEXT_EPOCH: &str = "UPDATE epochs \
     SET last = CASE WHEN last > $1 THEN last ELSE $1 END + 1 WHERE id = 1 RETURNING last";
const CLAIM: &str = "INSERT INTO rooms (name, node, boot, epoch) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (name) DO UPDATE \
     SET node = excluded.node, boot = excluded.boot, epoch = excluded.epoch \
     WHERE rooms.epoch <= $5";
const SAVE: &str = "UPDATE rooms SET settings = $3 WHERE name = $1 AND epoch = $2";
const FORGET: &str = "UPDATE rooms SET settings = NULL WHERE name = $1 AND epoch = $2";
const RELEASE: &str = "DELETE FROM rooms WHERE name = $1 AND epoch = $2";
const RELEASE_EARLIER: &str =
    "DELETE FROM rooms WHERE node = $1 AND boot <> $2 AND settings IS NULL";
const HOLDERS: &str = "SELECT DISTINCT node, boot FROM rooms \
     WHERE settings IS NULL ORDER BY node, boot LIMIT $1";
/// The outer conditions are judged again by PostgreSQL when a claim came in between.
const RELEASE_ORPHANS: &str = "DELETE FROM rooms \
     WHERE node = $1 AND boot = $2 AND settings IS NULL AND name IN (SELECT name FROM rooms \
     WHERE node = $1 AND boot = $2 AND settings IS NULL ORDER BY name LIMIT $3)";
const SETTINGS: &str = "SELECT settings FROM rooms WHERE name = $1 AND settings IS NOT NULL";
const SAVED: &str = "SELECT name, node, boot, epoch, settings FROM rooms \
     WHERE settings IS NOT NULL ORDER BY name LIMIT $1";

impl Database {
    /// Claims `room` for `owner`. Granted when nobody holds it, or only under an epoch of at most
    /// `above`, which the claimer knows to be over. The new epoch is higher than both.
    ///
    /// A claim that was granted but whose answer was lost is found as [`Claim::Held`] by `owner`.
    pub async fn claim(
        &self,
        room: &RoomName,
        owner: &Owner,
        above: Epoch,
    ) -> Result<Claim, DatabaseError> {
        self.call(async {
            // Most claims of a pool are lost to somebody who came long before: they take no lock.
            if let Some(held) = self.look_up(room).await?.filter(|held| held.epoch > above) {
                return Ok(Claim::Held(held));
            }
            let above = integer(above.0)?;
            let mut transaction = self.store.begin().await?;
            let next = transaction.row(NEXT_EPOCH, &[above]).await?;
            let next = next.ok_or(DatabaseError::Content("no epoch"))?;
            let boot = owner.boot.to_string();
            let values = [
                Value::Text(room.as_str()),
                Value::Text(owner.node.as_str()),
                Value::Text(&boot),
                Value::Integer(next.get("last")?),
                above,
            ];
            if transaction.change(CLAIM, &values).await? == 1 {
                let epoch = Epoch(next.integer("last")?);
                transaction.commit().await?;
                return Ok(Claim::Granted(epoch));
            }
            let held = transaction.row(PLACEMENT, &[Value::Text(room.as_str())]).await?;
            let held = held.ok_or(DatabaseError::Content("a room without an owner"))?;
            Ok(Claim::Held(placement_of(&held)?))
        })
        .await
    }

    /// Who holds `room`, if anybody does.
    pub async fn placement(&self, room: &RoomName) -> Result<Option<Placement>, DatabaseError> {
        self.call(self.look_up(room)).await
    }

    async fn look_up(&self, room: &RoomName) -> Result<Option<Placement>, DatabaseError> {
        let row = self.store.row(PLACEMENT, &[Value::Text(room.as_str())]).await?;
        row.as_ref().map(placement_of).transpose()
    }

    /// Keeps the settings a room was created with, if it is still held under `epoch`.
    pub async fn save(
        &self,
        room: &RoomName,
        epoch: Epoch,
        settings: &[u8],
    ) -> Result<(), DatabaseError> {
        self.call(async {
            let values = [Value::Text(room.as_str()), integer(epoch.0)?, Value::Bytes(settings)];
            self.store.change(SAVE, &values).await.map(drop)
        })
        .await
    }

    /// The room is over: a restart doesn't bring it back. Whoever holds it still does.
    pub async fn forget(&self, room: &RoomName, epoch: Epoch) -> Result<(), DatabaseError> {
        self.change_room(FORGET, room, epoch).await
    }

    /// Nobody holds the room any more under `epoch`, and nothing of it is kept.
    pub async fn release(&self, room: &RoomName, epoch: Epoch) -> Result<(), DatabaseError> {
        self.change_room(RELEASE, room, epoch).await
    }

    async fn change_room(
        &self,
        statement: &'static str,
        room: &RoomName,
        epoch: Epoch,
    ) -> Result<(), DatabaseError> {
        self.call(async {
            let values = [Value::Text(room.as_str()), integer(epoch.0)?];
            self.store.change(statement, &values).await.map(drop)
        })
        .await
    }

    /// Releases what earlier lives of the owner's node held and nobody saved.
    pub async fn release_earlier(&self, owner: &Owner) -> Result<(), DatabaseError> {
        self.call(async {
            let boot = owner.boot.to_string();
            let values = [Value::Text(owner.node.as_str()), Value::Text(&boot)];
            self.store.change(RELEASE_EARLIER, &values).await.map(drop)
        })
        .await
    }

    /// The lives of nodes that hold rooms which nobody saved, at most
    /// `HOLDERS_MAX` of them.
    pub async fn holders(&self) -> Result<Vec<Owner>, DatabaseError> {
        self.call(async {
            let rows = self.store.rows(HOLDERS, &[Value::Integer(HOLDERS_MAX.into())]).await?;
            rows.iter().map(owner_of).collect()
        })
        .await
    }

    /// Releases what `owner`, who is gone for good, held and nobody saved: at most `PAGE_MAX`
    /// rooms. Returns how many. Epochs are never granted again, whatever becomes of the rooms.
    pub async fn release_orphans(&self, owner: &Owner) -> Result<u64, DatabaseError> {
        self.call(async {
            let boot = owner.boot.to_string();
            let limit = Value::Integer(PAGE_MAX.into());
            let values = [Value::Text(owner.node.as_str()), Value::Text(&boot), limit];
            self.store.change(RELEASE_ORPHANS, &values).await
        })
        .await
    }

    /// The settings `room` was created with, if it was.
    pub async fn settings(&self, room: &RoomName) -> Result<Option<Vec<u8>>, DatabaseError> {
        self.call(async {
            let row = self.store.row(SETTINGS, &[Value::Text(room.as_str())]).await?;
            row.map(|row| row.get("settings")).transpose()
        })
        .await
    }

    /// The rooms that are to be there after a restart, by name, at most `limit`.
    pub async fn saved_rooms(&self, limit: u32) -> Result<Vec<SavedRoom>, DatabaseError> {
        self.call(async {
            let rows = self.store.rows(SAVED, &[Value::Integer(limit.into())]).await?;
            rows.iter().map(saved_room_of).collect()
        })
        .await
    }
}

fn saved_room_of(row: &Row) -> Result<SavedRoom, DatabaseError> {
    let (room, placement) = (row.parse("name")?, placement_of(row)?);
    Ok(SavedRoom { room, placement, settings: row.get("settings")? })
}

fn placement_of(row: &Row) -> Result<Placement, DatabaseError> {
    Ok(Placement { owner: owner_of(row)?, epoch: Epoch(row.integer("epoch")?) })
}

fn owner_of(row: &Row) -> Result<Owner, DatabaseError> {
    Ok(Owner { node: row.parse("node")?, boot: row.parse("boot")? })
}
