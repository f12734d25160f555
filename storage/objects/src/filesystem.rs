//! Objects as files in a folder.
//!
//! `incoming/` holds what is being written, `objects/` what is there. A file gets from one to the
//! other by a hard link, which never replaces: an object appears whole or not at all, whatever
//! ends the process meanwhile.

mod door;
mod draft;
mod http;
mod range;

use std::{
    collections::BTreeSet,
    fs, io,
    io::Read as _,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{fs::File, io::AsyncSeekExt as _, sync::Semaphore};

pub use self::door::SigningKey;
use self::{
    door::Door,
    draft::{Draft, sync_folder},
};
use crate::{
    Head, Object,
    digest::{Hasher, Sha256},
    error::{PutError, StoreError},
    key::Key,
    limits::{CHUNK_BYTES, DEPTH_MAX, LISTED_MAX, RECEIVING_MAX},
    metrics::Metrics,
    signed::{SignGet, SignPut, SignedRequest},
    stream::Stream,
};

#[derive(Clone, Debug)]
pub(crate) struct Filesystem {
    objects: Arc<Path>,
    incoming: Arc<Path>,
    signing: SigningKey,
    public_base: Arc<str>,
    receiving: Arc<Semaphore>,
}

impl Filesystem {
    pub(crate) fn open(folder: &Path, key: &SigningKey, public_base: &str) -> io::Result<Self> {
        let (objects, incoming) = (folder.join("objects"), folder.join("incoming"));
        fs::create_dir_all(&objects)?;
        fs::create_dir_all(&incoming)?;
        // What an earlier process didn't finish is nobody's.
        for entry in fs::read_dir(&incoming)? {
            fs::remove_file(entry?.path())?;
        }
        sync_folder(folder)?;
        Ok(Self {
            objects: objects.into(),
            incoming: incoming.into(),
            signing: key.clone(),
            public_base: public_base.trim_end_matches('/').into(),
            receiving: Arc::new(Semaphore::new(RECEIVING_MAX)),
        })
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        tokio::fs::metadata(&self.objects).await?;
        Ok(())
    }

    pub(crate) async fn put_file(
        &self,
        key: &Key,
        path: &Path,
        sha256: Sha256,
    ) -> Result<(), PutError> {
        let source = File::open(path).await.map_err(PutError::Source)?;
        let bytes = source.metadata().await.map_err(PutError::Source)?.len();
        let mut stream = Stream::of_file(source, bytes);
        let mut draft = Draft::create(&self.incoming).await?;
        while let Some(chunk) = stream.next().await {
            draft.write(&chunk?).await?;
        }
        draft.publish(&self.objects, key, sha256, bytes).await?;
        Ok(())
    }

    pub(crate) async fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        let found = there(tokio::fs::metadata(self.path_of(key)).await)?;
        Ok(found.filter(fs::Metadata::is_file).map(|file| Head { bytes: file.len() }))
    }

    pub(crate) async fn get(
        &self,
        key: &Key,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let Some(mut file) = there(File::open(self.path_of(key)).await)? else { return Ok(None) };
        let about = file.metadata().await?;
        if !about.is_file() {
            return Ok(None);
        }
        let (mut first, mut wanted) = (0, about.len());
        if let Some(range) = range {
            first = *range.start();
            wanted = range.end().saturating_sub(first).saturating_add(1);
        }
        file.seek(io::SeekFrom::Start(first)).await?;
        Ok(Some(Object { bytes: about.len(), stream: Stream::of_file(file, wanted) }))
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path_of(key);
        blocking(move || {
            if there(fs::remove_file(&path))?.is_some()
                && let Some(folder) = path.parent()
            {
                sync_folder(folder)?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: Option<&Key>,
    ) -> Result<Vec<Key>, StoreError> {
        let (root, prefix, after) = (Arc::clone(&self.objects), prefix.to_owned(), after.cloned());
        blocking(move || {
            let mut found = BTreeSet::new();
            collect(&root, "", 0, &mut |key: Key| {
                if key.as_str().starts_with(&prefix) && after.as_ref().is_none_or(|a| *a < key) {
                    found.insert(key);
                }
                if found.len() > LISTED_MAX {
                    found.pop_last();
                }
            })?;
            Ok(found.into_iter().collect())
        })
        .await
        .map_err(StoreError::from)
    }

    pub(crate) fn sign_get(&self, key: &Key, get: &SignGet<'_>, now: Duration) -> SignedRequest {
        door::sign_get(&self.signing, &self.public_base, key, get, now)
    }

    pub(crate) fn sign_put(&self, key: &Key, put: &SignPut<'_>, now: Duration) -> SignedRequest {
        door::sign_put(&self.signing, &self.public_base, key, put, now)
    }

    fn path_of(&self, key: &Key) -> PathBuf {
        self.objects.join(key.to_path())
    }
}

/// Serves the signed URLs of `store`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(
    store: &Filesystem,
    metrics: &Metrics,
) -> axum::Router<S> {
    http::routes(Door::new(store.clone(), metrics.clone()))
}

/// Visits every key below `folder`, whose own key is `name`.
fn collect(folder: &Path, name: &str, depth: usize, visit: &mut impl FnMut(Key)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let segment = entry.file_name();
        let Some(segment) = segment.to_str() else { continue };
        let name = if name.is_empty() { segment.to_owned() } else { format!("{name}/{segment}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH_MAX {
            collect(&entry.path(), &name, depth + 1, visit)?;
        } else if kind.is_file()
            && let Ok(key) = name.parse()
        {
            visit(key);
        }
    }
    Ok(())
}

/// The checksum of a file that is there.
fn checksum(path: &Path) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut chunk) = (Hasher::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
}

/// What the system says of a path that is no file.
const NOT_THERE: [io::ErrorKind; 3] =
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::IsADirectory];

/// `None` for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if NOT_THERE.contains(&error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs `work` where waiting for a disk holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
