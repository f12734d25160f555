//! A PostgreSQL that syncs what it commits, as in production.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::chown,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

use crate::{Process, free_port, programs};

/// Whom it runs as when we are root, which PostgreSQL refuses to be. Debian's package makes it.
const USER: &str = "postgres";

/// A running PostgreSQL.
pub struct Postgres {
    pub process: Process,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let user = programs::is_root().then_some(USER);
        if user.is_some() {
            let (uid, gid) = ids_of(USER);
            chown(folder.path(), Some(uid), Some(gid)).expect("we are root");
        }
        let data = folder.path().join("data").display().to_string();
        initialize(user, &data);
        let port = free_port();
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "shared_buffers=16MB",
        ];
        let arguments = ["-D", &data, "-p", &port.to_string()].map(str::to_owned);
        let settings = settings.iter().flat_map(|one| ["-c".to_owned(), (*one).to_owned()]);
        let arguments: Vec<String> = arguments.into_iter().chain(settings).collect();
        let (name, program) = (format!("postgres-{port}"), programs::find("postgres"));
        // Its own user may not write where we keep the log, but may go on with what we opened.
        let log = folder.path().join("log");
        let process = Process::start_as(user, &name, &program, arguments, &[], &log);
        let mut postgres = Self { process, port, _folder: folder };
        postgres.wait_until_ready();
        postgres
    }

    /// The database that is there from the start.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes a database that no other caller gets, and returns its address.
    #[must_use]
    pub fn new_database(&self) -> String {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// Runs one statement with `psql` and returns the rows, columns apart by `|`.
    #[must_use = "it says what the statement came to"]
    pub fn query(&self, statement: &str) -> String {
        self.sql("postgres", statement)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts it on its port and data once more.
    pub fn start_again(&mut self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address())
    }

    fn sql(&self, database: &str, statement: &str) -> String {
        let port = self.port.to_string();
        let words = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", database];
        let output = Command::new(programs::find("psql"))
            .args(words)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .stdin(Stdio::null())
            .output()
            .expect("psql runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn wait_until_ready(&mut self) {
        let (program, port) = (programs::find("pg_isready"), self.port.to_string());
        self.process.wait_until("ready", || {
            let words = ["-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
            Command::new(&program).args(words).status().is_ok_and(|status| status.success())
        });
    }
}

fn initialize(user: Option<&str>, data: &str) {
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new(programs::find("setpriv"));
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
            command.arg(programs::find("initdb"));
            command
        }
        None => Command::new(programs::find("initdb")),
    };
    let words = ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions"];
    let made = command.args(words).current_dir("/").output().expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

fn ids_of(user: &str) -> (u32, u32) {
    let users = fs::read_to_string(Path::new("/etc/passwd")).expect("users");
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(user);
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        is_it.then_some((uid, gid))
    });
    found.expect("PostgreSQL's package makes a user of its own: `cargo xtask setup` installs it")
}
