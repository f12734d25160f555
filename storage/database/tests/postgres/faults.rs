//! What concerns PostgreSQL alone: nodes that start at once, and a server that goes away.

use std::time::Duration;

use parts::Postgres;
use proto::{
    ids::Epoch,
    pool::{BootId, Owner},
};
use service::clock;
use storage_database::{Claim, Database};

use crate::store::shared;

#[tokio::test]
async fn nodes_that_start_at_once_make_the_schema_once() {
    let server = shared().await;
    let url = server.lock().await.new_database();
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
    let mut server = Postgres::start();
    let database = Database::open(&server.new_database()).await.unwrap();
    let owner = Owner { node: "a".parse().unwrap(), boot: BootId::from_random(1) };
    let room = "demo".parse().unwrap();
    let first = database.claim(&room, &owner, Epoch(0)).await.unwrap();
    assert!(database.is_up());

    server.process.kill();
    let started = clock::now();
    let error = database.claim(&room, &owner, Epoch(0)).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(!database.is_up());

    server.start_again();
    let placement = loop {
        match database.placement(&room).await {
            Ok(placement) => break placement.unwrap(),
            Err(error) => assert!(error.is_unavailable(), "{error:?}"),
        }
    };
    assert_eq!(first, Claim::Granted(placement.epoch));
    assert!(database.is_up());
}
