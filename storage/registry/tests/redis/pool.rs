//! A registry of one test.

use std::time::Duration;

use parts::Redis;
use storage_registry::Registry;
use tokio::time::timeout;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A registry of one test, on a server of its own.
pub(crate) struct TestRegistry {
    pub(crate) registry: Registry,
    pub(crate) redis: Redis,
}

impl TestRegistry {
    pub(crate) async fn new() -> Self {
        let redis = Redis::start();
        Self { registry: connect(&redis).await, redis }
    }

    /// The registry as another process of the pool sees it.
    pub(crate) async fn another(&self) -> Registry {
        connect(&self.redis).await
    }
}

pub(crate) async fn connect(redis: &Redis) -> Registry {
    let registry = Registry::redis(&redis.url()).unwrap();
    timeout(PATIENCE, registry.up()).await.expect("Redis is up");
    registry
}
