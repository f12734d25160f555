//! A database file of one test.

use storage_database::Database;

/// A database of one test.
pub(crate) struct TestStore {
    pub(crate) database: Database,
    dir: tempfile::TempDir,
}

impl TestStore {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        Self { database, dir }
    }

    pub(crate) async fn reopen(self) -> Self {
        self.database.close().await;
        let database = open(&self.dir).await;
        Self { database, dir: self.dir }
    }
}

async fn open(dir: &tempfile::TempDir) -> Database {
    let url = format!("sqlite:{}", dir.path().join("with space?.sqlite").display());
    Database::open(&url).await.unwrap()
}
