//! Finds the owner of a room, claiming it for this node when nobody owns it.

use proto::{ids::RoomName, pool::Owner};
use service::health::Health;
use storage_database::{Claim, Database};
use tracing::warn;

use crate::hub::{Busy, Found, Hold, Hub, Liveness};

/// Where rooms are looked up and claimed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    pub(crate) hub: Hub,
    pub(crate) database: Database,
    pub(crate) owner: Owner,
    pub(crate) health: Health,
}

impl Owners {
    /// Returns the room if it is known: live, or about to be.
    pub(crate) async fn find(&self, room: &RoomName) -> Result<Option<(Hold, Liveness)>, Busy> {
        match self.hub.find(room).await? {
            Found::Ours { hold, liveness } => Ok(Some((hold, liveness))),
            Found::Unknown { .. } => Ok(None),
        }
    }

    /// Returns the room, claiming it first if need be.
    pub(crate) async fn find_or_claim(&self, room: &RoomName) -> Result<(Hold, Liveness), Busy> {
        let dead = match self.hub.find(room).await? {
            Found::Ours { hold, liveness } => return Ok((hold, liveness)),
            Found::Unknown { dead } => dead,
        };
        let epoch = match self.database.claim(room, &self.owner, dead).await {
            Ok(Claim::Granted(epoch)) => epoch,
            // Two joins claimed at once: the other was faster.
            Ok(Claim::Held(held)) if held.owner == self.owner => held.epoch,
            Ok(Claim::Held(held)) => {
                let (room, node) = (room.as_str(), held.owner.node.as_str());
                warn!(room, node, epoch = held.epoch.0, "room is elsewhere");
                return Err(Busy);
            }
            Err(error) => {
                warn!(room = room.as_str(), %error, "room could not be claimed");
                self.health.unready("database", "rooms can't be claimed");
                return Err(Busy);
            }
        };
        self.health.ready("database");
        Ok((self.hub.learn(room, epoch).await?, Liveness::Idle))
    }
}
