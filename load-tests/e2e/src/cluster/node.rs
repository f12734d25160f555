//! One process of one role.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
};

use parts::{Process, S3, free_ports};
use tempfile::TempDir;

use super::Servers;
use crate::{
    PATIENCE,
    http::{self, Response},
    now,
    server::executable,
    wait,
};

/// A node owns its HTTP port, the one before it, and the media ports behind it.
const PORTS_EACH: u16 = 8;
/// Between two looks at a node.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// A running node, killed when dropped.
pub struct Node {
    pub process: Process,
    pub id: String,
    port: u16,
    folder: TempDir,
}

impl Node {
    pub(super) fn start(role: &str, number: usize, servers: &Servers) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_ports(PORTS_EACH) + 1;
        let id = format!("{role}-{number}");
        let config = folder.path().join("adda.toml");
        fs::write(&config, configuration(&id, port, servers)).expect("written");
        let data = folder.path().join("data");
        let arguments = [
            "serve".to_owned(),
            "--role".to_owned(),
            role.to_owned(),
            "--config".to_owned(),
            config.display().to_string(),
            "--data-dir".to_owned(),
            data.display().to_string(),
        ];
        let log = folder.path().join("log");
        let process = Process::start(&id, &executable(), arguments, &[], &log);
        Self { process, id, port, folder }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder that holds its data and its log.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    #[must_use]
    pub fn owns_port(&self, port: u16) -> bool {
        (self.port - 1..self.port - 1 + PORTS_EACH).contains(&port)
    }

    /// Starts it once more where it was and waits until it can take work.
    pub fn start_again(&mut self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    pub fn wait_until_ready(&mut self) {
        let address = self.address();
        self.process.wait_until("ready", || is_ready(address));
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        is_ready(self.address())
    }

    /// What it answers to a plain GET; an error is the network's.
    pub fn get(&self, target: &str) -> std::io::Result<Response> {
        http::request(self.address(), "GET", target, &[], "")
    }

    /// The sum of the lines of `/metrics` that begin with `name`.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").map(|response| response.body).unwrap_or_default();
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until `/readyz` says that of itself: ready or not, and what is wrong, `reason` in it.
    #[track_caller]
    pub fn expect_readiness(&self, is_ready: bool, reason: &str) {
        self.poll("/readyz", |response| {
            let json = response.json();
            json["ready"] == is_ready && json["reasons"].to_string().contains(reason)
        });
    }

    /// Waits until `/readyz` says nothing of `reason`.
    #[track_caller]
    pub fn expect_nothing_of(&self, reason: &str) {
        self.poll("/readyz", |response| !response.body.contains(reason));
    }

    /// Waits until its answer to a GET satisfies `wanted`.
    #[track_caller]
    pub fn poll(&self, target: &str, wanted: impl Fn(&Response) -> bool) {
        let deadline = now() + PATIENCE;
        loop {
            let answer = self.get(target);
            if answer.as_ref().is_ok_and(&wanted) {
                return;
            }
            assert!(now() < deadline, "{}: {target} is {answer:?}", self.id);
            wait(LOOK);
        }
    }
}

fn is_ready(address: SocketAddr) -> bool {
    http::request(address, "GET", "/readyz", &[], "").is_ok_and(|answer| answer.status == 200)
}

fn configuration(id: &str, port: u16, servers: &Servers) -> String {
    let (redis, database) = (servers.redis.url(), servers.postgres.url());
    let s3 = match &servers.door {
        Some(door) => format!("http://{}", door.address()),
        None => servers.s3.endpoint(),
    };
    let (bucket, region) = (S3::BUCKET, S3::REGION);
    let (access, secret) = (S3::ACCESS_KEY, S3::SECRET_KEY);
    let cluster = port - 1;
    format!(
        "port = {port}
log = \"json\"
shards = 1

[keys]
devkey = \"secret\"

[node]
id = \"{id}\"

[redis]
url = \"{redis}\"

[database]
url = \"{database}\"

[s3]
endpoint = \"{s3}\"
bucket = \"{bucket}\"
region = \"{region}\"
access_key = \"{access}\"
secret_key = \"{secret}\"

[cluster]
listen = \"127.0.0.1:{cluster}\"
advertise = \"127.0.0.1:{cluster}\"
token = \"the-secret-of-a-cluster-under-test\"
"
    )
}
