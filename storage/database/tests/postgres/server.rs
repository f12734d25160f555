//! A PostgreSQL server of our own, on a free port, in a folder that goes away with it.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::{Duration, Instant, sleep};

/// Longer than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until its input ends, as it does with the test that holds the other end, however that ends.
/// PostgreSQL refuses to run as root. Stopped at once, it must recover from its log at the next
/// start, as after a crash.
const RUN: &str = r#"
bin=$1 dir=$2 port=$3 keep=$4 as=
cd "$dir"
if [ "$(id -u)" = 0 ]; then
    chown postgres . && as='setpriv --reuid=postgres --regid=postgres --clear-groups'
fi
test -d data || $as "$bin/initdb" -D data -U postgres -A trust --no-sync || exit 1
$as "$bin/postgres" -D data -p "$port" -c fsync=on -c max_connections=200 \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" &
read -r _
kill -QUIT $! && wait $!
test "$keep" || rm -rf "$dir"
"#;

pub(crate) struct Server {
    dir: PathBuf,
    port: u16,
    running: Option<Child>,
    keep: Option<tempfile::TempDir>,
    databases: AtomicU32,
}

impl Server {
    /// The server that the tests of this run share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap().keep();
            Self::start_in(dir, None)
        })
    }

    /// A server that a test may stop.
    pub(crate) fn own() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir.path().to_owned(), Some(dir))
    }

    fn start_in(dir: PathBuf, keep: Option<tempfile::TempDir>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let databases = AtomicU32::new(0);
        let mut server = Self { dir, port, running: None, keep, databases };
        server.start();
        server
    }

    pub(crate) fn start(&mut self) {
        let log = std::fs::File::create(self.dir.join("log")).unwrap();
        let keep = if self.keep.is_some() { "keep" } else { "" };
        let child = Command::new("sh")
            .args(["-c", RUN, "sh"])
            .arg(programs())
            .arg(&self.dir)
            .arg(self.port.to_string())
            .arg(keep)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(child);
    }

    /// Ends it as a crash would: nothing is finished.
    pub(crate) fn stop(&mut self) {
        let mut child = self.running.take().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    /// Makes an empty database and returns its address.
    pub(crate) async fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    async fn connect(&self) -> PgConnection {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection,
                Err(error) if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(self.dir.join("log"));
                    panic!("PostgreSQL didn't start: {error}; it says: {log:?}");
                }
                Err(_not_yet) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.stop();
        }
    }
}

/// Where Debian puts its servers, newest first, or else wherever `initdb` is found.
fn programs() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(debian.map(|version| version.path().join("bin")));
    let found = folders.into_iter().rev().find(|folder| folder.join("initdb").is_file());
    found.expect("PostgreSQL is missing: run `cargo xtask setup`, or install `postgresql`")
}
