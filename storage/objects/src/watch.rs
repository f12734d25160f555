//! Says what is wrong with the object store, before anybody runs into it.

use service::health::Health;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::{
    Objects,
    limits::{LOOK_INTERVAL, LOOK_INTERVAL_DOWN, LOOK_TIME},
};

/// What `/readyz` calls the store.
const PART: &str = "objects";

/// Looks at the store again and again, and says in `/readyz` what is wrong with it: nobody who
/// brings new work is to be sent away for that, since calls need no store. A bucket is made ready
/// for pages at the first look that finds it. Runs until it is dropped.
pub async fn watch(objects: Objects, health: Health) {
    let (mut is_prepared, mut was_well) = (false, true);
    loop {
        let looked = match is_prepared {
            true => timeout(LOOK_TIME, objects.ping()).await,
            false => Ok(objects.prepare().await),
        };
        let wrong = match looked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_late) => Some(format!(
                "the object store takes longer than {} s to answer",
                LOOK_TIME.as_secs()
            )),
        };
        let is_well = wrong.is_none();
        is_prepared |= is_well;
        match wrong {
            None if was_well => {}
            None => {
                info!("object store answers again");
                health.ready(PART);
            }
            Some(wrong) => {
                if was_well {
                    warn!(error = wrong, "object store is not as it should be");
                }
                health.degraded(PART, format!("{wrong}; voice notes and recordings wait for it"));
            }
        }
        was_well = is_well;
        sleep(if is_well { LOOK_INTERVAL } else { LOOK_INTERVAL_DOWN }).await;
    }
}
