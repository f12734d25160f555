//! The stores a process works with: real ones where the configuration names them, else embedded.

use std::path::Path;

use anyhow::Context as _;
use service::metrics;
use storage_database::Database;
use storage_registry::Registry;

use crate::config::Config;

/// Beneath the data directory.
const DATABASE_FILE: &str = "adda.sqlite";

/// Opens the database.
///
/// # Errors
///
/// When it can't be had; says which key names it.
pub(crate) async fn database(
    config: &Config,
    data_dir: &Path,
    registry: &mut metrics::Registry,
) -> anyhow::Result<Database> {
    let database = if config.database.url.is_empty() {
        let file = data_dir.join(DATABASE_FILE);
        let opened = Database::sqlite(&file).await;
        opened.with_context(|| format!("the database {} can't be opened", file.display()))?
    } else {
        // The URL holds a password.
        Database::open(&config.database.url).await.context("database.url can't be opened")?
    };
    database.register(registry);
    Ok(database)
}

/// Opens the registry. One that is away is no error: it is asked again.
///
/// # Errors
///
/// When the address is none.
pub(crate) fn registry(
    config: &Config,
    registry: &mut metrics::Registry,
) -> anyhow::Result<Registry> {
    let opened = if config.redis.url.is_empty() {
        Registry::in_process()
    } else {
        Registry::redis(&config.redis.url).context("redis.url")?
    };
    opened.register(registry);
    Ok(opened)
}
