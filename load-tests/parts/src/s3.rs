//! An S3 that serves a folder and refuses what isn't signed right: versitygw, embedded in `go/`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{Process, free_port};

/// A running S3 with one bucket, [`S3::BUCKET`].
pub struct S3 {
    pub process: Process,
    port: u16,
    folder: PathBuf,
    /// Unless the folder is the caller's.
    _folder: Option<TempDir>,
}

impl S3 {
    pub const BUCKET: &str = "adda";
    pub const REGION: &str = "us-east-1";
    pub const ACCESS_KEY: &str = "access";
    pub const SECRET_KEY: &str = "secretsecretsecret";

    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().to_owned();
        Self::start_on(path, Some(folder))
    }

    /// The same on a folder of the caller's, which may be on a small disk.
    #[must_use]
    pub fn start_in(folder: &Path) -> Self {
        Self::start_on(folder.to_owned(), None)
    }

    fn start_on(folder: PathBuf, owned: Option<TempDir>) -> Self {
        for inside in ["metadata".to_owned(), format!("objects/{}", Self::BUCKET)] {
            fs::create_dir_all(folder.join(inside)).expect("a folder");
        }
        let port = free_port();
        let place = folder.display().to_string();
        let listen = format!("127.0.0.1:{port}");
        let arguments = [
            "-listen",
            &listen,
            "-folder",
            &place,
            "-access-key",
            Self::ACCESS_KEY,
            "-secret-key",
            Self::SECRET_KEY,
        ];
        let log = folder.join("log");
        let process = Process::start(&format!("s3-{port}"), &program(), arguments, &[], &log);
        let mut s3 = Self { process, port, folder, _folder: owned };
        s3.wait_until_ready();
        s3
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where the objects of the bucket lie as files.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects").join(Self::BUCKET)
    }

    /// Starts it on its port and data once more.
    pub fn start_again(&mut self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        let address = self.address();
        self.process.wait_until("ready", || TcpStream::connect(address).is_ok());
    }
}

fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/bin/s3");
    let remedy = "`cargo xtask setup` builds it, with Go 1.26 or later";
    assert!(path.is_file(), "{} is not there: {remedy}", path.display());
    path
}
