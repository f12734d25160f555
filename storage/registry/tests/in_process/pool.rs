//! A registry of one test.

use storage_registry::Registry;

/// A registry of one test.
pub(crate) struct TestRegistry {
    pub(crate) registry: Registry,
}

impl TestRegistry {
    pub(crate) async fn new() -> Self {
        Self { registry: Registry::in_process() }
    }

    /// The registry as another part of the pool sees it.
    pub(crate) async fn another(&self) -> Registry {
        self.registry.clone()
    }
}
