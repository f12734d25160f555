//! Where a room lives at the moment.

use proto::{
    ids::{Epoch, RoomName},
    pool::{NodeRecord, Placement, Role},
};

use crate::Parts;

/// The node that owns `room`, and under which epoch, as far as anybody knows. An epoch lower than
/// `seen` is out of date.
pub(crate) async fn find(
    parts: &Parts,
    room: &RoomName,
    seen: Epoch,
) -> Option<(NodeRecord, Epoch)> {
    let placement = placement(parts, room, seen).await?;
    let nodes = parts.registry.nodes().await.ok()?;
    let is_owner =
        |node: &NodeRecord| node.owner == placement.owner && node.roles.contains(&Role::Sfu);
    let node = nodes.into_iter().find(is_owner)?;
    Some((node, placement.epoch))
}

/// Asks the registry, and the database where the registry knows nothing new.
async fn placement(parts: &Parts, room: &RoomName, seen: Epoch) -> Option<Placement> {
    let is_current = |placement: &Placement| placement.epoch >= seen;
    let known = parts.registry.room(room).await.ok().flatten();
    match known.filter(is_current) {
        Some(placement) => Some(placement),
        None => parts.database.placement(room).await.ok().flatten().filter(is_current),
    }
}
