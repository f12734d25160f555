//! Says that the database is away, and when it is back.

use service::health::Health;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Database, limits::LOOK_INTERVAL};

/// Says in `/readyz` that the last call didn't reach the database, and looks for it until it is
/// back: while it is away, nobody else asks it. Runs until it is dropped.
pub async fn watch(database: Database, health: Health) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if database.is_up() {
            continue;
        }
        match database.ping().await {
            Ok(()) => health.ready("database"),
            Err(error) => health.unready("database", format!("can't be asked: {error}")),
        }
    }
}
