//! The servers that are measured: ours and the rival, each started anew for each workload.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::workload::driver;
use crate::{
    command::{Show, command, finish},
    workspace::Workspace,
};

const RIVAL: &str = "github.com/livekit/livekit-server/cmd/server@v1.13.3";
const RIVAL_SECRET: &str = "secretsecretsecretsecretsecretsecret";
/// One node on loopback, without Redis, quiet.
const RIVAL_CONFIG: &str = "\
port: 7980
bind_addresses: ['127.0.0.1']
logging: { level: warn, pion_level: error }
keys: { devkey: secretsecretsecretsecretsecretsecret }
rtc:
  udp_port: 7982
  tcp_port: 7981
  use_external_ip: false
  node_ip: 127.0.0.1
  interfaces: { includes: [lo] }
  enable_loopback_candidate: true
  use_ice_lite: true
  stun_servers: ['127.0.0.1:9']
turn: { enabled: false }
";
const INSTALL_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How one server is started and reached.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) url: String,
    pub(super) secret: &'static str,
    port: u16,
    program: PathBuf,
    arguments: Vec<String>,
}

/// A started server, ended when dropped.
pub(super) struct Running(Child);

/// This project's executable, built for release.
pub(super) fn ours(workspace: &Workspace) -> Result<Server> {
    let words = ["build", "--release", "--locked", "--quiet", "-p", "adda"];
    let built = finish(command("cargo", &words, &workspace.root), INSTALL_LIMIT, Show::OnFailure);
    ensure!(built.success, "{}", built.output);
    let port = 7680;
    let data = bench_folder(workspace)?.join("adda-data");
    let arguments = ["dev", "--port", "7680", "--log", "json", "--data-dir"];
    let data = data.to_string_lossy().into_owned();
    Ok(Server {
        name: "adda",
        url: format!("ws://127.0.0.1:{port}"),
        secret: "secret",
        port,
        program: driver(workspace),
        arguments: arguments.into_iter().map(str::to_owned).chain([data]).collect(),
    })
}

/// LiveKit's server, installed once as a Go module.
pub(super) fn livekit(workspace: &Workspace) -> Result<Server> {
    let folder = bench_folder(workspace)?;
    let program = folder.join("server");
    if !program.exists() {
        let mut install = command("go", &["install", RIVAL], &workspace.root);
        install.env("GOBIN", &folder);
        let installed = finish(install, INSTALL_LIMIT, Show::OnFailure);
        ensure!(installed.success, "Go installs the rival: {}", installed.output);
    }
    let config = folder.join("livekit.yaml");
    fs::write(&config, RIVAL_CONFIG)?;
    Ok(Server {
        name: "livekit",
        url: "ws://127.0.0.1:7980".to_owned(),
        secret: RIVAL_SECRET,
        port: 7980,
        program,
        arguments: vec!["--config".to_owned(), config.to_string_lossy().into_owned()],
    })
}

fn bench_folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Server {
    /// Starts it and waits until it listens.
    pub(super) fn start(&self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| self.program.display().to_string())?;
        let mut running = Running(child);
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(running);
            }
            if let Some(status) = running.0.try_wait()? {
                bail!("{} ended at once: {status}", self.name);
            }
            pause();
        }
        bail!("{} doesn't listen on port {}", self.name, self.port)
    }
}

#[expect(clippy::disallowed_methods, reason = "another process tells nobody that it listens")]
pub(super) fn pause() {
    thread::sleep(Duration::from_millis(100));
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) memory_mb: f64,
    pub(super) descriptors: usize,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn held(&self) -> Result<Held> {
        let directory = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = fs::read_to_string(directory.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.split_whitespace().next());
        let kilobytes: f64 = kilobytes.context("no VmRSS")?.parse()?;
        let descriptors = fs::read_dir(directory.join("fd"))?.count();
        Ok(Held { memory_mb: kilobytes / 1024.0, descriptors })
    }
}

impl Server {
    /// The sum of a metric over its labels, or of the buckets up to each bound.
    pub(super) fn metric(&self, name: &str) -> Result<Vec<(String, f64)>> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        socket.read_to_string(&mut page)?;
        let lines = page.lines().filter_map(|line| line.strip_prefix(name));
        let samples = lines.filter_map(|line| {
            let (labels, value) = line.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{'))
                .then(|| Some((labels.to_owned(), value.parse().ok()?)))?
        });
        Ok(samples.collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
