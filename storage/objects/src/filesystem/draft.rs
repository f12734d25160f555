//! A file on its way to become an object.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use service::random;
use tokio::{fs::File, io::AsyncWriteExt as _};

use super::{blocking, checksum};
use crate::{
    digest::{Hasher, Sha256},
    error::PutError,
    key::Key,
};

/// What is being written. Dropped unpublished, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Draft {
    path: Scrap,
    file: File,
    hasher: Hasher,
    bytes: u64,
}

/// Whether an object is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    Created,
    WasThere,
}

/// A path that nothing needs any more when this is dropped.
#[derive(Debug)]
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        // What can't be removed is swept at the next start.
        let _swept_later = fs::remove_file(&self.0);
    }
}

impl Draft {
    pub(crate) async fn create(incoming: &Path) -> io::Result<Self> {
        let name = format!("{:032x}", random::bits().map_err(io::Error::other)?);
        let path = incoming.join(name);
        let file = File::options().write(true).create_new(true).open(&path).await?;
        Ok(Self { path: Scrap(path), file, hasher: Hasher::new(), bytes: 0 })
    }

    pub(crate) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk).await?;
        self.hasher.update(chunk);
        self.bytes = self.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes it the object of `key`, if it is what it should be and the key isn't taken by
    /// anything else. `Ok` means that it would survive a power cut.
    pub(crate) async fn publish(
        self,
        objects: &Path,
        key: &Key,
        sha256: Sha256,
        bytes: u64,
    ) -> Result<Published, PutError> {
        let Self { path, mut file, hasher, bytes: written } = self;
        if written != bytes || hasher.finish() != sha256 {
            return Err(PutError::Mismatch);
        }
        // tokio's files write behind: an error of the last write comes out here.
        file.flush().await?;
        file.sync_all().await?;
        let (root, target) = (objects.to_owned(), objects.join(key.to_path()));
        let linked = blocking(move || link(&path, &root, &target, sha256)).await?;
        linked.ok_or(PutError::Taken)
    }
}

/// Links the draft to its place; `None` if other content has it.
fn link(
    draft: &Scrap,
    root: &Path,
    target: &Path,
    sha256: Sha256,
) -> io::Result<Option<Published>> {
    let folder = target.parent().unwrap_or(root);
    fs::create_dir_all(folder)?;
    let published = match fs::hard_link(&draft.0, target) {
        Ok(()) => Published::Created,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if checksum(target)? != sha256 {
                return Ok(None);
            }
            Published::WasThere
        }
        Err(error) => return Err(error),
    };
    // Whoever was first may not have come this far: both see to it.
    for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
        sync_folder(folder)?;
    }
    Ok(Some(published))
}

/// Puts what was created in or removed from a folder on disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
