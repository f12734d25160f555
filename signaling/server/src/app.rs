//! What the handlers of requests share.

use service::{shutdown::Shutdown, token::Keys};
use storage_objects::Objects;

use crate::{config::Dev, keeper::Keeper, metrics::Metrics, notes::Notes, owners::Owners};

/// Handles to everything a request may need. Holds no state of its own.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) owners: Owners,
    pub(crate) keeper: Keeper,
    pub(crate) objects: Objects,
    pub(crate) metrics: Metrics,
    pub(crate) notes: Notes,
    pub(crate) dev: Option<Dev>,
    pub(crate) shutdown: Shutdown,
}
