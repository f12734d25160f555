//! The contract on a PostgreSQL server that the tests start, and what concerns PostgreSQL alone.

#[path = "../contract/rooms.rs"]
mod rooms;
mod server;

use proto::{
    ids::Epoch,
    pool::{BootId, Owner},
};
use service::clock;
use storage_database::{Claim, Database};
use tokio::time::Duration;

use self::server::Server;

/// A database of one test.
struct TestStore {
    database: Database,
    url: String,
}

impl TestStore {
    async fn new() -> Self {
        let url = Server::shared().database().await;
        Self { database: Database::open(&url).await.unwrap(), url }
    }

    async fn reopen(self) -> Self {
        self.database.close().await;
        Self { database: Database::open(&self.url).await.unwrap(), url: self.url }
    }
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_schema_once() {
    let url = Server::shared().database().await;
    let opening = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { Database::open(&url).await })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_said_to_be_and_comes_back_with_every_epoch() {
    let mut server = Server::own();
    let database = Database::open(&server.database().await).await.unwrap();
    let owner = Owner { node: "a".parse().unwrap(), boot: BootId::from_random(1) };
    let room = "demo".parse().unwrap();
    let first = database.claim(&room, &owner, Epoch(0)).await.unwrap();
    assert!(database.is_up());

    server.stop();
    let started = clock::now();
    let error = database.claim(&room, &owner, Epoch(0)).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(!database.is_up());

    server.start();
    let placement = loop {
        match database.placement(&room).await {
            Ok(placement) => break placement.unwrap(),
            Err(error) => assert!(error.is_unavailable(), "{error:?}"),
        }
    };
    assert_eq!(first, Claim::Granted(placement.epoch));
    assert!(database.is_up());
}
