//! The contract on a real S3 server, which judges every signature itself.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use service::clock;
use storage_objects::{Objects, S3Config, StoreError};
use tempfile::TempDir;

use crate::{
    client::{Subject, key},
    holds_on,
};

/// Longer than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    subject: Subject,
    child: Child,
    config: S3Config,
    dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds the program where setup puts it.
fn program() -> PathBuf {
    if let Some(path) = env::var_os("ADDA_VERSITYGW") {
        return path.into();
    }
    let gopath = Command::new("go").args(["env", "GOPATH"]).output();
    let gopath = gopath.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let in_gopath = gopath.map(|path| PathBuf::from(path).join("bin"));
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths)
        .chain(in_gopath)
        .map(|folder| folder.join("versitygw"))
        .find(|path| path.exists());
    found.expect("versitygw, an S3 server: `cargo xtask setup` installs it, or set ADDA_VERSITYGW")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

async fn server() -> Server {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("bucket")).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut child = Command::new(program())
        .args(["--port", &address, "--quiet", "posix"])
        .arg(dir.path())
        .envs([("ROOT_ACCESS_KEY", "access"), ("ROOT_SECRET_KEY", "secret")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("versitygw runs");
    let answers = async {
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "versitygw ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("versitygw starts");
    let config = S3Config {
        endpoint: format!("http://{address}"),
        bucket: "bucket".to_owned(),
        region: "us-east-1".to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    };
    let subject = Subject { objects: Objects::s3(&config) };
    Server { subject, child, config, dir }
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
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    for error in errors_of(&server.subject.objects).await {
        assert!(error.is_unavailable(), "{error:?}");
    }
    let error = server.subject.put("notes/b", b"y").await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");

    let address = server.config.endpoint.trim_start_matches("http://").to_owned();
    server.child = Command::new(program())
        .args(["--port", &address, "--quiet", "posix"])
        .arg(server.dir.path())
        .envs([("ROOT_ACCESS_KEY", "access"), ("ROOT_SECRET_KEY", "secret")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let back = async { while server.subject.put("notes/b", b"y").await.is_err() {} };
    tokio::time::timeout(PATIENCE, back).await.expect("it heals by itself");
    assert_eq!(server.subject.read("notes/a").await.as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_within_seconds() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let objects = Objects::s3(&S3Config {
        endpoint: format!("http://{}", silent.local_addr().unwrap()),
        bucket: "bucket".to_owned(),
        region: "us-east-1".to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    });
    let started = clock::now();
    let error = objects.head(&key("notes/a")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(clock::now() - started < Duration::from_secs(15), "it took too long");
}
