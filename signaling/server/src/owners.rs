//! Finds the node of a room, claiming the room for one when nobody alive holds it.
//!
//! What this node knows comes first, then the registry's map, then the database, which alone
//! grants. Any of them may be away: a room that one of them knows is found as long as its node is
//! linked.

use std::time::Instant;

use prost::Message as _;
use proto::{
    control::{Operation, RoomAction},
    ids::{Epoch, RoomName},
    livekit::CreateRoomRequest,
    pool::{Owner, Placement},
};
use service::{clock, health::Health};
use signaling_core::{PATIENCE, Unavailable};
use storage_database::{Claim, Database, DatabaseError, SavedRoom};
use storage_registry::Registry;
use tokio::time::{timeout, timeout_at};
use tracing::{debug, warn};

use crate::{
    hub::{AskError, Busy, Hold, Hub, Liveness, Seen, Verdict},
    limits::SETTINGS_TIME,
};

/// Where rooms are looked up and claimed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    pub(crate) hub: Hub,
    pub(crate) database: Database,
    pub(crate) registry: Registry,
    pub(crate) health: Health,
}

/// Why a room has no place for now. Trying again later helps; the reason is for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplaced {
    #[error("the server can't take this right now: try again in a moment")]
    Busy,
    #[error("no media node can take this room right now: try again in a moment")]
    NoNode,
    #[error("the node of this room can't be reached right now: try again in a moment")]
    HolderUnreachable,
    #[error("rooms can't be opened right now: try again in a moment")]
    NoDatabase,
}

/// How far finding a room has come.
enum Step {
    Found(Hold, Liveness),
    /// Look again, with this.
    Again(Seen),
    /// Nobody alive holds it.
    Free {
        owner: Owner,
        above: Epoch,
    },
}

/// What was found out about a saved room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    There,
    Restored,
    InDoubt,
}

/// What a room was created with, as far as its node was told just then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introduction {
    Saved,
    Nothing,
}

impl Owners {
    /// Returns the room if it is known: live, about to be, or saved by the API.
    pub(crate) async fn find(&self, room: &RoomName) -> Result<Option<Hold>, Unplaced> {
        let asked = clock::now();
        let mut seen = Seen::NotAsked;
        loop {
            seen = match self.step(room, seen, asked).await? {
                Step::Found(hold, _) => {
                    self.introduce(&hold).await;
                    return Ok(Some(hold));
                }
                Step::Again(seen) => seen,
                // A room that was created is there to be found, wherever it was.
                Step::Free { .. } if self.is_saved(room).await? => {
                    return self.place(room).await.map(Some);
                }
                Step::Free { .. } => return Ok(None),
            };
        }
    }

    /// Returns the room, claiming it first if need be.
    pub(crate) async fn place(&self, room: &RoomName) -> Result<Hold, Unplaced> {
        let asked = clock::now();
        let mut seen = Seen::NotAsked;
        loop {
            seen = match self.step(room, seen, asked).await? {
                Step::Found(hold, _) => {
                    self.introduce(&hold).await;
                    return Ok(hold);
                }
                Step::Again(seen) => seen,
                Step::Free { owner, above } => match self.claim(room, owner, above).await? {
                    Ok(hold) => {
                        self.introduce(&hold).await;
                        return Ok(hold);
                    }
                    Err(held) => Seen::At(held),
                },
            };
        }
    }

    /// Returns the room for its creation, and whether it is new. A room that has ended gets an
    /// epoch of its own, so that late news of its end can't touch the new one.
    pub(crate) async fn place_new(&self, room: &RoomName) -> Result<(Hold, bool), Unplaced> {
        let asked = clock::now();
        let mut seen = Seen::NotAsked;
        loop {
            let (owner, above) = match self.step(room, seen, asked).await? {
                Step::Found(hold, liveness) => {
                    self.introduce(&hold).await;
                    match self.is_over(&hold, liveness).await? {
                        false => return Ok((hold, liveness == Liveness::Fresh)),
                        true => (hold.owner().clone(), hold.epoch()),
                    }
                }
                Step::Again(again) => {
                    seen = again;
                    continue;
                }
                Step::Free { owner, above } => (owner, above),
            };
            seen = match self.claim(room, owner, above).await? {
                Ok(hold) => {
                    let is_new = self.introduce(&hold).await == Introduction::Nothing;
                    return Ok((hold, is_new));
                }
                Err(held) => Seen::At(held),
            };
        }
    }

    /// Makes sure that a saved room is somewhere.
    pub(crate) async fn keep_alive(&self, saved: &SavedRoom) -> Result<Kept, Unplaced> {
        // Nobody is waiting: what isn't clear at once is looked at again later.
        let asked = clock::now().checked_sub(PATIENCE).unwrap_or_else(clock::now);
        let seen = Seen::At(saved.placement.clone());
        match self.hub.seek(&saved.room, seen, asked).await? {
            Verdict::Found { hold, .. } => {
                self.introduce(&hold).await;
                Ok(Kept::There)
            }
            Verdict::Claim { .. } => self.place(&saved.room).await.map(|_hold| Kept::Restored),
            Verdict::Unknown
            | Verdict::Full
            | Verdict::Wait { .. }
            | Verdict::Unavailable { .. } => Ok(Kept::InDoubt),
        }
    }

    async fn step(&self, room: &RoomName, seen: Seen, asked: Instant) -> Result<Step, Unplaced> {
        let mut news = self.hub.news();
        Ok(match self.hub.seek(room, seen.clone(), asked).await? {
            Verdict::Found { hold, liveness } => Step::Found(hold, liveness),
            Verdict::Unknown => Step::Again(self.look_up(room).await?),
            Verdict::Claim { owner, above } => Step::Free { owner, above },
            Verdict::Wait { until } => {
                // Time or news: the next look tells.
                _ = timeout_at(until.into(), news.changed()).await;
                Step::Again(seen)
            }
            Verdict::Unavailable { reason } => {
                warn!(room = room.as_str(), %reason, "room was not placed");
                return Err(reason.into());
            }
            Verdict::Full => return Err(Unplaced::Busy),
        })
    }

    /// Asks the registry's map, and the database about what isn't on it.
    async fn look_up(&self, room: &RoomName) -> Result<Seen, Unplaced> {
        if let Ok(Some(place)) = self.registry.room(room).await {
            return Ok(Seen::At(place));
        }
        match self.database.placement(room).await {
            Ok(Some(place)) => {
                self.publish(room, &place).await;
                Ok(Seen::At(place))
            }
            Ok(None) => Ok(Seen::Nowhere),
            Err(error) => Err(self.database_failed(room, &error)),
        }
    }

    /// Claims the room; the inner error is who holds it.
    async fn claim(
        &self,
        room: &RoomName,
        owner: Owner,
        above: Epoch,
    ) -> Result<Result<Hold, Placement>, Unplaced> {
        let epoch = match self.database.claim(room, &owner, above).await {
            Ok(Claim::Granted(epoch)) => epoch,
            // Two joins claimed at once: the other was faster.
            Ok(Claim::Held(held)) => return Ok(Err(held)),
            Err(error) => return Err(self.database_failed(room, &error)),
        };
        self.health.ready("database");
        debug!(room = room.as_str(), sfu = owner.node.as_str(), epoch = epoch.0, "room claimed");
        let place = Placement { owner, epoch };
        self.publish(room, &place).await;
        let hold = self.hub.learn(room, place.clone(), Liveness::Fresh).await?;
        Ok(hold.ok_or(place))
    }

    fn database_failed(&self, room: &RoomName, error: &DatabaseError) -> Unplaced {
        warn!(room = room.as_str(), %error, "room could not be claimed");
        self.health.unready("database", "rooms can't be claimed");
        Unplaced::NoDatabase
    }

    /// Puts a room on the registry's map. Without a registry the database tells.
    async fn publish(&self, room: &RoomName, place: &Placement) {
        if let Err(error) = self.registry.set_room(room, place).await {
            debug!(room = room.as_str(), %error, "room is not on the registry's map");
        }
    }

    /// Tells the room's node with what settings the room was created, before anybody joins it: a
    /// room that is there already takes no notice.
    async fn introduce(&self, hold: &Hold) -> Introduction {
        if hold.is_introduced() || !self.database.is_up() {
            return Introduction::Nothing;
        }
        let room = hold.room();
        let settings = match timeout(SETTINGS_TIME, self.database.settings(room)).await {
            Ok(Ok(settings)) => settings,
            Ok(Err(error)) => {
                warn!(room = room.as_str(), %error, "settings of a room were not read");
                return Introduction::Nothing;
            }
            Err(_late) => return Introduction::Nothing,
        };
        let Some(settings) = settings else {
            self.hub.introduced(hold).await;
            return Introduction::Nothing;
        };
        match self.create(hold, &settings).await {
            Ok(()) => self.hub.introduced(hold).await,
            Err(error) => warn!(room = room.as_str(), %error, "room was not restored"),
        }
        Introduction::Saved
    }

    async fn create(&self, hold: &Hold, settings: &[u8]) -> Result<(), AskError> {
        let Ok(settings) = CreateRoomRequest::decode(settings) else {
            warn!(room = hold.room().as_str(), "settings of a room can't be read");
            return Ok(());
        };
        let operation = Box::new(Operation::Create(settings));
        self.hub.ask(hold, |request| RoomAction::Admin { request, operation }).await.map(drop)
    }

    async fn is_saved(&self, room: &RoomName) -> Result<bool, Unplaced> {
        let settings = self.database.settings(room).await;
        settings.map(|it| it.is_some()).map_err(|error| self.database_failed(room, &error))
    }

    /// Says whether the room has ended. Where that isn't known its node is asked.
    async fn is_over(&self, hold: &Hold, liveness: Liveness) -> Result<bool, Unplaced> {
        match liveness {
            Liveness::Fresh | Liveness::Live => Ok(false),
            Liveness::Over => Ok(true),
            Liveness::Unknown => {
                let name = hold.room().as_str().to_owned();
                Ok(self.hub.list_rooms_at(hold, vec![name]).await?.is_empty())
            }
        }
    }
}

impl From<Busy> for Unplaced {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<Unavailable> for Unplaced {
    fn from(reason: Unavailable) -> Self {
        match reason {
            Unavailable::NoNode | Unavailable::NoReadyNode => Self::NoNode,
            Unavailable::HolderUnreachable => Self::HolderUnreachable,
        }
    }
}
