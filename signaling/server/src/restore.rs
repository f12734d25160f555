//! Brings back the rooms that the API created before a restart.

use anyhow::Context as _;
use prost::Message as _;
use proto::{
    control::{Operation, RoomAction},
    livekit::CreateRoomRequest,
};
use tracing::{info, warn};

use crate::{database::SavedRoom, hub::AskError, owners::Owners};

/// Creates each saved room again under a new epoch; what an earlier life merely held is released.
///
/// Done before the first connection is accepted, so that nobody joins a room without its settings.
pub(crate) async fn rooms(owners: &Owners) -> anyhow::Result<()> {
    let saved = owners.database.reclaim(&owners.node).await.context("reading the saved rooms")?;
    for room in &saved {
        match restore(owners, room).await {
            Ok(()) => {}
            Err(AskError::Busy(busy)) => return Err(busy).context("restoring the saved rooms"),
            Err(AskError::Refused(error)) => {
                warn!(room = room.room.as_str(), %error, "room was not restored");
            }
        }
    }
    if !saved.is_empty() {
        info!(rooms = saved.len(), "rooms restored");
    }
    Ok(())
}

async fn restore(owners: &Owners, saved: &SavedRoom) -> Result<(), AskError> {
    let Ok(settings) = CreateRoomRequest::decode(saved.settings.as_slice()) else {
        warn!(room = saved.room.as_str(), "settings of a room can't be read");
        return Ok(());
    };
    let hold = owners.hub.learn(&saved.room, saved.epoch).await?;
    let operation = Box::new(Operation::Create(settings));
    owners.hub.ask(&hold, |request| RoomAction::Admin { request, operation }).await?;
    Ok(())
}
