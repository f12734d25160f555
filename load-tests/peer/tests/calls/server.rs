//! The executable under test, in dev mode with one shard: every room shares its thread.

use std::{
    env, fs,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use peer::{Participant, Usage, room_token};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    time::{Instant, interval, timeout_at},
};

/// Generous, since a build machine is slow and shared.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// Ports that no system hands out by itself.
const PORTS: std::ops::Range<u16> = 24_000..28_000;
/// HTTP, ICE-TCP and one shard.
const PORTS_EACH: usize = 4;

/// Calls that are timed must not time each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A running server, stopped when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    directory: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Server {
    /// Starts a server and waits until it takes connections.
    pub(crate) async fn start() -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let directory = TempDir::new().expect("a directory");
        let port = free_port();
        let log = File::create(directory.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("the same log");
        let settings = env::vars_os().map(|(name, _)| name);
        let ours = settings.filter(|name| name.to_string_lossy().starts_with("ADDA_"));
        let mut command = Command::new(executable());
        ours.for_each(|name| {
            command.env_remove(name);
        });
        let child = command
            .args(["dev", "--log", "json", "--shards", "1", "--port", &port.to_string()])
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("the executable runs");
        let mut server = Self { child, port, directory, _alone: alone };
        server.wait_until_it_listens().await;
        server
    }

    async fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut clock = interval(POLL);
        while TcpStream::connect(self.address()).await.is_err() {
            assert!(self.is_up(), "the server ended:\n{}", self.log());
            assert!(Instant::now() < deadline, "the server does not listen:\n{}", self.log());
            clock.tick().await;
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where the one shard takes media.
    pub(crate) fn media_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port + 2).into()
    }

    pub(crate) async fn join(&self, room: &str, identity: &str) -> Participant {
        let joined = Participant::join(self.address(), &room_token(room, identity)).await;
        joined.unwrap_or_else(|error| panic!("{identity} can't join: {error:#}\n{}", self.log()))
    }

    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id()).expect("the server runs")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).expect("a log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for `doing`, which must be over in `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, doing: impl Future<Output = T>) -> T {
    let done = timeout_at(Instant::now() + limit, doing).await;
    done.unwrap_or_else(|_| panic!("{what} took over {limit:?}"))
}

fn executable() -> PathBuf {
    if let Some(path) = env::var_os("ADDA_BIN") {
        return path.into();
    }
    // A test's own program lies in `<target>/<profile>/deps`.
    let program = env::current_exe().expect("this program");
    let target = program.ancestors().nth(3).expect("a target folder");
    let path = target.join("release/adda");
    assert!(path.exists(), "{}: `cargo build --release -p adda` makes it", path.display());
    path
}

fn free_port() -> u16 {
    let is_free = |port: &u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port + 2)).is_ok()
    };
    PORTS.step_by(PORTS_EACH).find(is_free).expect("a free port")
}
