//! The contract on a real S3 server, which judges every signature itself.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use parts::S3;
use service::clock;
use storage_objects::{Objects, S3Config, StoreError};

use crate::{
    client::{Subject, key},
    holds_on,
};

/// Longer than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    subject: Subject,
    s3: S3,
    config: S3Config,
}

fn config_at(endpoint: String) -> S3Config {
    S3Config {
        endpoint,
        bucket: S3::BUCKET.to_owned(),
        region: S3::REGION.to_owned(),
        access_key: S3::ACCESS_KEY.to_owned(),
        secret_key: S3::SECRET_KEY.to_owned(),
    }
}

async fn server() -> Server {
    let s3 = S3::start();
    let config = config_at(s3.endpoint());
    let subject = Subject { objects: Objects::s3(&config) };
    Server { subject, s3, config }
}

holds_on!(server);

async fn errors_of(objects: &Objects) -> Vec<StoreError> {
    let a = key("notes/a");
    vec![
        objects.prepare().await.unwrap_err(),
        objects.get(&a, None).await.unwrap_err(),
        objects.delete(&a).await.unwrap_err(),
        objects.list("", None).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_retrying_is_no_remedy() {
    let server = server().await;
    let config = S3Config { secret_key: "wrong".to_owned(), ..server.config.clone() };
    let stranger = Subject { objects: Objects::s3(&config) };
    for error in errors_of(&stranger.objects).await {
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        assert!(!error.is_unavailable() && error.to_string().contains("credentials"), "{error}");
    }
    stranger.put("notes/a", b"x").await.unwrap_err();
    assert_eq!(server.subject.keys("").await, [""; 0]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_refused() {
    let server = server().await;
    let config = S3Config { bucket: "nobucket".to_owned(), ..server.config.clone() };
    let objects = Objects::s3(&config);
    for error in [
        objects.prepare().await.unwrap_err(),
        objects.get(&key("a"), None).await.unwrap_err(),
        objects.list("", None).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_comes_back() {
    let mut server = server().await;
    server.subject.put("notes/a", b"x").await.unwrap();
    server.s3.process.kill();
    for error in errors_of(&server.subject.objects).await {
        assert!(error.is_unavailable(), "{error:?}");
    }
    let error = server.subject.put("notes/b", b"y").await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");

    server.s3.start_again();
    let back = async { while server.subject.put("notes/b", b"y").await.is_err() {} };
    tokio::time::timeout(PATIENCE, back).await.expect("it heals by itself");
    assert_eq!(server.subject.read("notes/a").await.as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_within_seconds() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let objects = Objects::s3(&config_at(format!("http://{}", silent.local_addr().unwrap())));
    let started = clock::now();
    let error = objects.head(&key("notes/a")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(clock::now() - started < Duration::from_secs(15), "it took too long");
}
