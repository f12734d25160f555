//! nginx as the one address in front of several servers: whoever is up answers.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
};

use tempfile::TempDir;

use crate::{Process, free_port, programs};

/// A running nginx.
pub struct Nginx {
    pub process: Process,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    /// Spreads requests over `servers`, each request anew. One that can't be reached is passed
    /// over for a second; a request that it may have acted on is never sent twice.
    #[must_use]
    pub fn before(servers: &[SocketAddr]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), port, servers)).expect("written");
        let arguments = ["-e", "stderr", "-p", &folder.path().display().to_string(), "-c"]
            .map(str::to_owned)
            .into_iter()
            .chain([config.display().to_string()]);
        let program = programs::find("nginx");
        let log = folder.path().join("log");
        let process = Process::start(&format!("nginx-{port}"), &program, arguments, &[], &log);
        let mut nginx = Self { process, port, _folder: folder };
        let address = nginx.address();
        nginx.process.wait_until("ready", || TcpStream::connect(address).is_ok());
        nginx
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

fn configuration(folder: &Path, port: u16, servers: &[SocketAddr]) -> String {
    let folder = folder.display();
    let servers: String =
        servers.iter().map(|server| format!("    server {server} max_fails=0;\n")).collect();
    let user = if programs::is_root() { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;
master_process off;
pid {folder}/pid;
error_log stderr warn;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  access_log {folder}/access;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_header {{ default upgrade; '' ''; }}
  upstream servers {{
{servers}  }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 64m;
    large_client_header_buffers 8 64k;
    location / {{
      proxy_pass http://servers;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_connect_timeout 1s;
      proxy_read_timeout 1h;
      proxy_next_upstream error timeout;
      proxy_buffering off;
    }}
  }}
}}
"
    )
}
