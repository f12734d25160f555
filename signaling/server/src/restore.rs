//! Brings back the rooms that the API created before a restart.

use anyhow::Context as _;
use prost::Message as _;
use proto::{
    control::{Operation, RoomAction},
    ids::Epoch,
    livekit::CreateRoomRequest,
};
use storage_database::{Claim, SavedRoom};
use tracing::{info, warn};

use crate::{hub::AskError, limits::RESTORED_ROOMS_MAX, owners::Owners};

/// Creates each saved room again under a new epoch; what an earlier life merely held is released.
///
/// Done before the first connection is accepted, so that nobody joins a room without its settings.
pub(crate) async fn rooms(owners: &Owners) -> anyhow::Result<()> {
    let Owners { database, owner, .. } = owners;
    let saved = async {
        database.release_earlier(owner).await?;
        database.saved_rooms(RESTORED_ROOMS_MAX).await
    };
    let saved = saved.await.context("reading the saved rooms")?;
    let ours = saved.iter().filter(|saved| saved.placement.owner.node == owner.node);
    let mut restored = 0;
    for saved in ours {
        let claim = database.claim(&saved.room, owner, saved.placement.epoch).await;
        let Claim::Granted(epoch) = claim.context("claiming the saved rooms")? else { continue };
        match restore(owners, saved, epoch).await {
            Ok(()) => restored += 1,
            Err(AskError::Busy(busy)) => return Err(busy).context("restoring the saved rooms"),
            Err(AskError::Refused(error)) => {
                warn!(room = saved.room.as_str(), %error, "room was not restored");
            }
        }
    }
    if restored > 0 {
        info!(rooms = restored, "rooms restored");
    }
    Ok(())
}

async fn restore(owners: &Owners, saved: &SavedRoom, epoch: Epoch) -> Result<(), AskError> {
    let Ok(settings) = CreateRoomRequest::decode(saved.settings.as_slice()) else {
        warn!(room = saved.room.as_str(), "settings of a room can't be read");
        return Ok(());
    };
    let hold = owners.hub.learn(&saved.room, epoch).await?;
    let operation = Box::new(Operation::Create(settings));
    owners.hub.ask(&hold, |request| RoomAction::Admin { request, operation }).await?;
    Ok(())
}
