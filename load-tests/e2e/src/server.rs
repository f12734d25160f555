//! The server under test: the built executable, or a LiveKit server to hold it against.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    PATIENCE, enter_network,
    http::{self, Response},
    now,
    token::Token,
};

/// Set it to the path of a LiveKit server, and the same scenarios are played against that.
const LIVEKIT: &str = "ADDA_E2E_LIVEKIT";
/// Where the ports of the servers begin, unless `ADDA_E2E_PORT_BASE` says otherwise.
const PORT_BASE: u16 = 21_000;
/// A server owns its HTTP port and the media ports behind it.
const PORTS_EACH: u16 = 20;

/// What `adda dev` prints last when it starts.
const LAST_PRINTED: &str = "Ctrl-C stops it.";

/// A running server, stopped when dropped.
pub struct Server {
    child: Child,
    port: u16,
    directory: TempDir,
    arguments: &'static [&'static str],
    lines: Receiver<String>,
    log: Vec<String>,
}

/// Takes a range of ports that no other server of this run has.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let base = env::var("ADDA_E2E_PORT_BASE").ok().and_then(|text| text.parse().ok());
    // Test programs of one run follow each other, but a port may linger from the last one.
    let offset = u16::try_from(std::process::id() % 100).unwrap_or_default() * PORTS_EACH;
    base.unwrap_or(PORT_BASE) + offset + TAKEN.fetch_add(PORTS_EACH, Ordering::Relaxed)
}

/// Whether the server under test is LiveKit's, which lacks what is ours alone.
#[must_use]
pub fn is_livekit() -> bool {
    env::var_os(LIVEKIT).is_some()
}

/// The executable that `cargo build --release -p adda` made.
#[must_use]
pub fn executable() -> PathBuf {
    if let Some(path) = env::var_os("ADDA_E2E_EXECUTABLE") {
        return path.into();
    }
    // A test's own program lies in `<target>/<profile>/deps`.
    let program = env::current_exe().expect("this program");
    let target = program.ancestors().nth(3).expect("target folder").to_owned();
    let path = target.join("release/adda");
    assert!(path.exists(), "{}: `cargo build --release -p adda` makes it", path.display());
    path
}

/// Returns a command for the executable that no setting of this environment reaches.
#[must_use]
pub fn adda(arguments: &[&str]) -> Command {
    let mut command = Command::new(executable());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ADDA_"))
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server on ports of its own and waits until it can take calls.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more arguments for our executable.
    #[must_use]
    pub fn start_with(arguments: &'static [&'static str]) -> Self {
        enter_network();
        let (directory, port) = (TempDir::new().expect("a directory"), free_port());
        let (child, lines) = spawn(directory.path(), port, arguments);
        let mut server = Self { child, port, directory, arguments, lines, log: Vec::new() };
        server.wait_until_ready();
        server
    }

    /// Kills the process and starts another with the same ports and data.
    pub fn crash_and_restart(&mut self) {
        self.crash();
        self.restart();
    }

    /// Kills the process.
    pub fn crash(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts another process with the ports and data of one that has ended.
    pub fn restart(&mut self) {
        (self.child, self.lines) = spawn(self.directory.path(), self.port, self.arguments);
        self.wait_until_ready();
    }

    /// Asks it to stop as Ctrl-C does.
    pub fn interrupt(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("an id"), rustix::process::Signal::INT)
            .expect("it runs");
    }

    /// Waits for the process to end by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(now() < deadline, "the server goes on");
            self.drain_log(Duration::from_millis(10));
        }
    }

    /// What it has logged so far.
    pub fn log(&mut self) -> String {
        self.drain_log(Duration::ZERO);
        self.log.join("\n")
    }

    /// The same with all that is printed on a start, whose last line may still be on its way.
    pub fn printed(&mut self) -> String {
        self.log_until(LAST_PRINTED)
    }

    /// What it has logged once `words` are among it.
    pub fn log_until(&mut self, words: &str) -> String {
        let deadline = now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(now() < deadline, "it does not say {words}:\n{}", self.log());
            self.drain_log(Duration::from_millis(10));
        }
        self.log()
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    #[must_use]
    pub fn data_directory(&self) -> &Path {
        self.directory.path()
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where the first shard takes media.
    #[must_use]
    pub fn media_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port + 2).into()
    }

    /// What SDKs are given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address())
    }

    /// A participant's token, still open to change.
    #[must_use]
    pub fn token(&self, room: &str, identity: &str) -> Token {
        Token::new("devkey", secret(), room, identity)
    }

    /// Calls the RoomService as a moderator of `room` would.
    #[must_use]
    pub fn room_service(&self, room: &str, method: &str, request: &Value) -> Response {
        let token = self.token(room, "moderator");
        let token = ["roomAdmin", "roomCreate", "roomList"]
            .iter()
            .fold(token, |token, right| token.grant(right, json!(true)))
            .sign();
        let target = format!("/twirp/livekit.RoomService/{method}");
        let headers =
            [("Content-Type", "application/json"), ("Authorization", &format!("Bearer {token}"))];
        http::request(self.address(), "POST", &target, &headers, &request.to_string())
            .expect("the server answers")
    }

    /// The same, and it must succeed.
    pub fn moderate(&self, room: &str, method: &str, request: &Value) -> Value {
        let response = self.room_service(room, method, request);
        assert_eq!(response.status, 200, "{method} {request}: {}", response.body);
        response.json()
    }

    fn wait_until_ready(&mut self) {
        let deadline = now() + PATIENCE;
        let target = if is_livekit() { "/" } else { "/readyz" };
        loop {
            let answer = http::request(self.address(), "GET", target, &[], "");
            if answer.is_ok_and(|response| response.status == 200) {
                return;
            }
            let ended = self.child.try_wait().expect("a child");
            let late = now() > deadline;
            assert!(ended.is_none() && !late, "the server did not start: {}", self.log());
            self.drain_log(Duration::from_millis(20));
        }
    }

    /// Takes what was logged, waiting at most `span` for the next line.
    fn drain_log(&mut self, span: Duration) {
        match self.lines.recv_timeout(span) {
            Ok(line) => self.log.push(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        self.log.extend(self.lines.try_iter());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.drain_log(Duration::from_millis(100));
            let path = env::temp_dir().join(format!("adda-e2e-{}.log", self.port));
            if fs::write(&path, self.log.join("\n")).is_ok() {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "the server's log: {}", path.display());
            }
        }
    }
}

fn secret() -> &'static str {
    if is_livekit() { "secretsecretsecretsecretsecretsecret" } else { "secret" }
}

fn spawn(directory: &Path, port: u16, arguments: &[&str]) -> (Child, Receiver<String>) {
    let mut command = match env::var_os(LIVEKIT) {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["--config-body", &livekit_config(port)]);
            command
        }
        None => {
            let directory = directory.display().to_string();
            let mut command = adda(&["dev", "--port", &port.to_string(), "--data-dir", &directory]);
            command.args(["--log", "json"]).args(arguments);
            command
        }
    };
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server's program runs");
    let (sender, lines) = channel();
    collect(child.stdout.take(), sender.clone());
    collect(child.stderr.take(), sender);
    (child, lines)
}

fn collect(stream: Option<impl Read + Send + 'static>, lines: Sender<String>) {
    let stream = stream.expect("piped");
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

fn livekit_config(port: u16) -> String {
    json!({
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "log_level": "warn",
        "keys": { "devkey": secret() },
        "rtc": {
            "udp_port": port + 2,
            "tcp_port": port + 1,
            "use_external_ip": false,
            "use_ice_lite": true,
            "node_ip": "10.77.0.1",
            "interfaces": { "includes": ["call0"] },
            "stun_servers": ["127.0.0.1:3478"],
        },
    })
    .to_string()
}
