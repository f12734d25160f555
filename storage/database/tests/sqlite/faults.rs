//! What concerns SQLite alone.

use storage_database::{Database, DatabaseError};

use crate::store::TestStore;

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
