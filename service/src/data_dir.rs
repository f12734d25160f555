//! The one directory that holds what a process must keep, used by one process at a time.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

/// A data directory that is ours until this value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory can't be used. Each names the directory and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "data directory {} is in use by process {pid}: stop that one, or choose another \
         with --data-dir", path.display()
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "data directory {} can't be written; make it writable, or choose another \
         with --data-dir", path.display()
    )]
    Unusable { path: PathBuf, source: io::Error },
}

impl DataDir {
    /// Creates the directory if it is missing and locks it. The lock ends with the process,
    /// however it ends.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_owned(), pid: holder(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_pid(&mut lock).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", process::id())
}

/// The process that holds the lock, as it wrote itself down.
fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.take(32).read_to_string(&mut text);
    let digits = text.trim();
    let is_pid = read.is_ok() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_pid { digits.to_owned() } else { "(unknown)".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_by_name_and_process() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("adda-data");
        let first = DataDir::open(&path).unwrap();

        let refusal = DataDir::open(&path).unwrap_err().to_string();
        assert!(refusal.contains(&path.display().to_string()), "{refusal}");
        assert!(refusal.contains(&format!("process {}:", process::id())), "{refusal}");

        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_path_that_is_a_file_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refusal = DataDir::open(file.path()).unwrap_err().to_string();
        assert!(refusal.contains(&file.path().display().to_string()), "{refusal}");
    }
}
