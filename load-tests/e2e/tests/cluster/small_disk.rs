//! A disk that a test can fill.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use e2e::cluster::{Cluster, Servers, Shape};
use parts::{Postgres, Redis, S3};
use tempfile::TempDir;

/// A disk of two megabytes, in memory. Making one takes root.
pub(crate) struct SmallDisk {
    folder: PathBuf,
    /// Unless the folder is another's.
    owned: Option<TempDir>,
}

impl SmallDisk {
    pub(crate) fn mount() -> Self {
        let folder = TempDir::new().expect("a folder");
        let disk = Self::mount_on(folder.path());
        disk.owning(folder)
    }

    /// The same in place of a folder that is there.
    pub(crate) fn mount_on(folder: &Path) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder);
        assert!(mount.status().is_ok_and(|status| status.success()), "mounting a tmpfs takes root");
        Self { folder: folder.to_owned(), owned: None }
    }

    fn owning(mut self, folder: TempDir) -> Self {
        self.owned = Some(folder);
        self
    }

    /// A pool whose object store lies on it.
    pub(crate) fn start_cluster(&self, shape: Shape) -> Cluster {
        let servers = Servers {
            redis: Redis::start(),
            postgres: Postgres::start(),
            s3: S3::start_in(&self.folder),
            door: None,
        };
        Cluster::around(servers, shape)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Leaves room for nothing; returns the file to remove.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server on it may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
