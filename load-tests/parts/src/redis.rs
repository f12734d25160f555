//! A Redis that keeps nothing on disk: what it held is gone when it dies.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Process, free_port, programs};

/// How long Redis may take to answer one command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A running Redis.
pub struct Redis {
    pub process: Process,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let place = folder.path().display().to_string();
        let port_text = port.to_string();
        let arguments =
            ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--dir", &place];
        let program = programs::find("redis-server");
        let log = folder.path().join("log");
        let process = Process::start(&format!("redis-{port}"), &program, arguments, &[], &log);
        let mut redis = Self { process, port, _folder: folder };
        redis.wait_until_ready();
        redis
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address())
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts it on its port once more, empty.
    pub fn start_again(&mut self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    /// Forgets everything.
    pub fn flush_all(&self) {
        assert_eq!(self.command("FLUSHALL").as_deref(), Some("+OK\r\n"), "FLUSHALL");
    }

    /// Sends one command and returns the answer as it came.
    #[must_use]
    pub fn command(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.address(), ANSWER_TIMEOUT).ok()?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.strip_suffix("+OK\r\n").map(str::to_owned)
    }

    fn wait_until_ready(&mut self) {
        let address = self.address();
        self.process.wait_until("ready", || TcpStream::connect(address).is_ok());
    }
}
