//! The contract on SQLite, and what concerns SQLite alone.

#[path = "../contract/rooms.rs"]
mod rooms;

use storage_database::{Database, DatabaseError};

/// A database of one test.
struct TestStore {
    database: Database,
    dir: tempfile::TempDir,
}

impl TestStore {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        Self { database, dir }
    }

    async fn reopen(self) -> Self {
        self.database.close().await;
        let database = open(&self.dir).await;
        Self { database, dir: self.dir }
    }
}

async fn open(dir: &tempfile::TempDir) -> Database {
    let url = format!("sqlite:{}", dir.path().join("with space?.sqlite").display());
    Database::open(&url).await.unwrap()
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_without_repeating_its_password() {
    let error = Database::open("mysql://adda:hunter2@db/adda").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Url));
    assert!(!error.is_unavailable());
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_closed_store_says_to_try_later_and_that_it_is_down() {
    let store = TestStore::new().await;
    assert!(store.database.is_up());
    store.database.close().await;
    assert!(store.database.ping().await.unwrap_err().is_unavailable());
    assert!(!store.database.is_up());
}
