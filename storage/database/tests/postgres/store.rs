//! A database of one test, on a server that tests share.

use std::sync::{Arc, Weak};

use parts::Postgres;
use storage_database::Database;
use tokio::sync::Mutex;

/// A database of one test.
pub(crate) struct TestStore {
    pub(crate) database: Database,
    url: String,
    server: Arc<Mutex<Postgres>>,
}

/// The server that tests which run at the same time share. The last to end stops it.
pub(crate) async fn shared() -> Arc<Mutex<Postgres>> {
    static SHARED: Mutex<Weak<Mutex<Postgres>>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Mutex::new(Postgres::start()));
    *shared = Arc::downgrade(&server);
    server
}

impl TestStore {
    pub(crate) async fn new() -> Self {
        let server = shared().await;
        let url = server.lock().await.new_database();
        Self { database: Database::open(&url).await.unwrap(), url, server }
    }

    pub(crate) async fn reopen(self) -> Self {
        self.database.close().await;
        let Self { url, server, .. } = self;
        Self { database: Database::open(&url).await.unwrap(), url, server }
    }
}
