//! The stores a process works with: real ones where the configuration names them, else embedded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use service::metrics;
use storage_database::Database;
use storage_objects::{Objects, S3Config, SigningKey};
use storage_registry::Registry;

use crate::config::Config;

/// Beneath the data directory.
const DATABASE_FILE: &str = "adda.sqlite";
const OBJECTS_FOLDER: &str = "objects";
const SCRATCH_FOLDER: &str = "scratch";
const SIGNING_KEY_FILE: &str = "objects.key";

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

/// Opens the object store. A bucket that is away is no error: it is asked again.
///
/// # Errors
///
/// When the folder can't be had.
pub(crate) fn objects(
    config: &Config,
    data_dir: &Path,
    registry: &mut metrics::Registry,
) -> anyhow::Result<Objects> {
    let s3 = &config.s3;
    let objects = if s3.endpoint.is_empty() {
        let folder = data_dir.join(OBJECTS_FOLDER);
        let open = || {
            let key = SigningKey::kept_in(&data_dir.join(SIGNING_KEY_FILE))?;
            // Signed URLs lead to whatever address the client has reached us by.
            Objects::filesystem(&folder, &key, "")
        };
        open().with_context(|| format!("the object store {} can't be opened", folder.display()))?
    } else {
        Objects::s3(&S3Config {
            endpoint: s3.endpoint.clone(),
            bucket: s3.bucket.clone(),
            region: s3.region.clone(),
            access_key: s3.access_key.clone(),
            secret_key: s3.secret_key.clone(),
        })
    };
    objects.register(registry);
    Ok(objects)
}

/// Makes the folder for what need not outlive the process.
///
/// # Errors
///
/// When it can't be had.
pub(crate) fn scratch(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = data_dir.join(SCRATCH_FOLDER);
    fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} can't be made", folder.display()))?;
    Ok(folder)
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
