//! The contract on a folder, and what only a folder can go through.

use std::{fs, net::Ipv4Addr, path::Path, process::Command, time::Duration};

use axum::Router;
use storage_objects::{Objects, PutError, Sha256, SignPut, SigningKey, StoreError};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    client::{Subject, Wire, key},
    holds_on,
};

pub(crate) struct Folder {
    pub(crate) subject: Subject,
    dir: TempDir,
    serving: JoinHandle<()>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn folder() -> Folder {
    let dir = tempfile::tempdir().unwrap();
    let (objects, serving) = serve(dir.path()).await;
    Folder { subject: Subject { objects }, dir, serving }
}

async fn serve(path: &Path) -> (Objects, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let signing = SigningKey::new(b"0123456789abcdef0123456789abcdef");
    let objects = Objects::filesystem(path, &signing, &base).unwrap();
    let router: Router = objects.routes().unwrap();
    let serving = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (objects, serving)
}

fn files_in(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}

holds_on!(folder);

#[tokio::test]
async fn what_the_last_process_left_half_written_is_swept() {
    let folder = folder().await;
    folder.subject.put("notes/a", b"whole").await.unwrap();
    let incoming = folder.dir.path().join("incoming");
    assert_eq!(files_in(&incoming), 0, "nothing stays of what was finished");
    fs::write(incoming.join("half"), b"ha").unwrap();

    let (objects, serving) = serve(folder.dir.path()).await;
    assert_eq!(files_in(&incoming), 0);
    assert_eq!(Subject { objects }.read("notes/a").await.as_deref(), Some(&b"whole"[..]));
    serving.abort();
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let folder = folder().await;
    let put = SignPut {
        bytes: 1_000,
        sha256: Sha256::of(&[7; 1_000]),
        content_type: "audio/ogg",
        expires: Duration::from_secs(60),
    };
    let signed = folder.subject.objects.sign_put(&key("notes/a"), &put).await.unwrap();
    let (host, path) = signed.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!("PUT /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: audio/ogg\r\n");
    stream.write_all(format!("{head}Content-Length: 1000\r\n\r\n").as_bytes()).await.unwrap();
    stream.write_all(&[7; 500]).await.unwrap();
    let incoming = folder.dir.path().join("incoming");
    until(|| files_in(&incoming) == 1).await;
    drop(stream);
    until(|| files_in(&incoming) == 0).await;
    assert_eq!(folder.subject.keys("").await, [""; 0]);

    let again = Wire::of(&signed, &[7; 1_000]).send().await;
    assert_eq!(again.status, 201, "{again:?}");
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes true");
}

#[test]
fn a_kept_signing_key_is_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("objects.key");
    let sign = || {
        let objects =
            Objects::filesystem(dir.path(), &SigningKey::kept_in(&path).unwrap(), "").unwrap();
        let put = SignPut {
            bytes: 1,
            sha256: Sha256::of(b"a"),
            content_type: "a/b",
            expires: Duration::from_secs(60),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signed = runtime.block_on(objects.sign_put(&key("a"), &put)).unwrap();
        signed.url.rsplit_once('=').unwrap().1.to_owned()
    };
    let signs_alike = || (0..9).any(|_| sign() == sign());
    assert!(signs_alike(), "the key stays");
    fs::write(&path, b"cut short").unwrap();
    assert!(signs_alike(), "a broken key is replaced, for good");
}

/// Set in the process that has a small disk.
const SMALL_DISK: &str = "ADDA_TEST_SMALL_DISK";

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing_behind() {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(on_a_small_disk(Path::new(&disk)));
    }
    let dir = tempfile::tempdir().unwrap();
    let name = "filesystem::a_full_disk_is_an_error_that_leaves_nothing_behind";
    let script = "mount -t tmpfs -o size=1m none \"$ADDA_TEST_SMALL_DISK\" && exec \"$0\" \"$@\"";
    let status = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(SMALL_DISK, dir.path())
        .status()
        .expect("`unshare` of util-linux");
    assert!(status.success(), "if it could not mount: be root, or allow user namespaces");
}

async fn on_a_small_disk(path: &Path) {
    let (objects, serving) = serve(path).await;
    let store = Subject { objects };
    store.put("notes/small", b"fits").await.unwrap();
    let large = vec![7; 2 * 1024 * 1024];
    for _ in 0..2 {
        let full = store.put("notes/large", &large).await.unwrap_err();
        assert!(matches!(full, PutError::Store(StoreError::Full)), "{full:?}");
        assert!(full.is_unavailable());
    }
    let put = SignPut {
        bytes: large.len() as u64,
        sha256: Sha256::of(&large),
        content_type: "audio/ogg",
        expires: Duration::from_secs(60),
    };
    let signed = store.objects.sign_put(&key("notes/large"), &put).await.unwrap();
    let answer = Wire::of(&signed, &large).send().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");

    assert_eq!(files_in(&path.join("incoming")), 0);
    assert_eq!(store.keys("").await, ["notes/small"]);
    store.put("notes/other", b"fits, too").await.expect("there is room again");
    serving.abort();
}
