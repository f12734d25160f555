//! Where a room lives at the moment.

use proto::{
    ids::{Epoch, RoomName},
    pool::{NodeRecord, Placement, Role},
};

use crate::Parts;

/// The node that owns `room`, and under which epoch, as far as anybody knows.
pub(crate) async fn find(
    parts: &Parts,
    room: &RoomName,
    above: Epoch,
) -> Option<(NodeRecord, Epoch)> {
    let placement = placement(parts, room, above).await?;
    let nodes = parts.registry.nodes().await.ok()?;
    let is_owner =
        |node: &NodeRecord| node.owner == placement.owner && node.roles.contains(&Role::Sfu);
    let node = nodes.into_iter().find(is_owner)?;
    Some((node, placement.epoch))
}

/// Asks the registry, and the database where the registry knows nothing new.
async fn placement(parts: &Parts, room: &RoomName, above: Epoch) -> Option<Placement> {
    let known = parts.registry.room(room).await.ok().flatten();
    match known.filter(|placement| placement.epoch >= above) {
        Some(placement) => Some(placement),
        None => parts.database.placement(room).await.ok().flatten(),
    }
}
