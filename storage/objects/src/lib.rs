//! Where sound is kept: a folder on this machine, or S3. What one does, the other does.
//!
//! An object is written once, as a whole, and never changed: [`Objects::put_file`] and a signed
//! upload return only when it would survive a power cut, and leave nothing half-written behind.
//! Clients reach objects by signed URLs alone, which name one method, key, length, type and
//! checksum and end within minutes. The folder's URLs lead to [`Objects::routes`]; S3's lead to S3.
//! Only this crate names the AWS SDK.
//!
//! A key is never another's folder: whoever makes keys sees to that.

mod digest;
mod error;
mod filesystem;
mod key;
pub mod limits;
mod metrics;
mod s3;
mod signed;
mod stream;
mod watch;

use std::{io, ops::RangeInclusive, path::Path, time::Duration};

use service::{clock, metrics::Registry};

pub use digest::{Hasher, InvalidSha256, Sha256};
pub use error::{PutError, StoreError};
use filesystem::Filesystem;
pub use filesystem::SigningKey;
pub use key::{InvalidKey, Key};
use metrics::{Metrics, Operation, Outcome};
use s3::S3;
pub use s3::S3Config;
pub use signed::{SignGet, SignPut, SignedRequest};
pub use stream::Stream;
pub use watch::watch;

/// The object store. Cheap to clone; clones share it and its metrics.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Store,
    metrics: Metrics,
}

#[derive(Clone, Debug)]
enum Store {
    Filesystem(Filesystem),
    S3(S3),
}

/// What is known of an object without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub bytes: u64,
}

/// An object, or a part of it, as it is read.
#[derive(Debug)]
pub struct Object {
    /// Length of the whole object.
    pub bytes: u64,
    /// What was asked for, from the first byte asked for.
    pub stream: Stream,
}

impl Objects {
    /// Keeps objects in `folder`, which no other process uses. Signed URLs begin with
    /// `public_base`, or with `/` if that is empty: then they are paths of whoever serves them.
    pub fn filesystem(folder: &Path, key: &SigningKey, public_base: &str) -> io::Result<Self> {
        let store = Filesystem::open(folder, key, public_base)?;
        Ok(Self { store: Store::Filesystem(store), metrics: Metrics::new() })
    }

    /// Keeps objects in a bucket. Nothing is asked of it yet.
    pub fn s3(config: &S3Config) -> Self {
        Self { store: Store::S3(S3::new(config)), metrics: Metrics::new() }
    }

    /// Where signed URLs lead if not to our own paths, as `scheme://host:port`. A page that
    /// uploads must be allowed to connect there.
    pub fn origin(&self) -> Option<&str> {
        match &self.store {
            Store::Filesystem(_) => None,
            Store::S3(store) => Some(store.origin()),
        }
    }

    /// Puts this store's metrics into `registry`.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Checks that the store is there and lets us in, and has a bucket that says nothing of other
    /// origins allow pages to upload and play. Where that is not permitted it says so in the log.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        match &self.store {
            Store::Filesystem(store) => store.ping().await,
            Store::S3(store) => store.prepare().await,
        }
    }

    /// Asks the store for nothing but a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.store {
            Store::Filesystem(store) => store.ping().await,
            Store::S3(store) => store.ping().await,
        }
    }

    /// Stores the file at `path`. `Ok` means that it would survive a power cut. A key that holds
    /// the same content already is a success, too: the call may be repeated.
    pub async fn put_file(
        &self,
        key: &Key,
        path: &Path,
        content_type: &str,
        sha256: Sha256,
    ) -> Result<(), PutError> {
        let work = async {
            match &self.store {
                Store::Filesystem(store) => store.put_file(key, path, sha256).await,
                Store::S3(store) => store.put_file(key, path, content_type, sha256).await,
            }
        };
        self.measured(Operation::Put, work, |_| Outcome::Ok).await
    }

    /// Says what is known of an object; `None` if there is none.
    pub async fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        let work = async {
            match &self.store {
                Store::Filesystem(store) => store.head(key).await,
                Store::S3(store) => store.head(key).await,
            }
        };
        self.measured(Operation::Head, work, found).await
    }

    /// Reads an object, or the bytes of it that `range` names and that there are.
    pub async fn get(
        &self,
        key: &Key,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let work = async {
            match &self.store {
                Store::Filesystem(store) => store.get(key, range).await,
                Store::S3(store) => store.get(key, range).await,
            }
        };
        self.measured(Operation::Get, work, found).await
    }

    /// Removes an object for good. That there is none is a success.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let work = async {
            match &self.store {
                Store::Filesystem(store) => store.delete(key).await,
                Store::S3(store) => store.delete(key).await,
            }
        };
        self.measured(Operation::Delete, work, |()| Outcome::Ok).await
    }

    /// Returns the first [`limits::LISTED_MAX`] keys that begin with `prefix` and come after
    /// `after`, in order.
    pub async fn list(&self, prefix: &str, after: Option<&Key>) -> Result<Vec<Key>, StoreError> {
        let work = async {
            match &self.store {
                Store::Filesystem(store) => store.list(prefix, after).await,
                Store::S3(store) => store.list(prefix, after).await,
            }
        };
        self.measured(Operation::List, work, |_| Outcome::Ok).await
    }

    /// Signs a download. Says nothing of whether the object is there.
    pub async fn sign_get(
        &self,
        key: &Key,
        get: &SignGet<'_>,
    ) -> Result<SignedRequest, StoreError> {
        let now = clock::unix_time();
        match &self.store {
            Store::Filesystem(store) => Ok(store.sign_get(key, get, now)),
            Store::S3(store) => store.sign_get(key, get, now).await,
        }
    }

    /// Signs an upload of one body that is known beforehand. May be repeated while it is good.
    pub async fn sign_put(
        &self,
        key: &Key,
        put: &SignPut<'_>,
    ) -> Result<SignedRequest, StoreError> {
        let now = clock::unix_time();
        match &self.store {
            Store::Filesystem(store) => Ok(store.sign_put(key, put, now)),
            Store::S3(store) => store.sign_put(key, put, now).await,
        }
    }

    /// The routes that signed URLs lead to, for our own HTTP server; `None` when they lead
    /// elsewhere. An upload may take as long as its URL is good.
    pub fn routes<R: Clone + Send + Sync + 'static>(&self) -> Option<axum::Router<R>> {
        match &self.store {
            Store::Filesystem(store) => Some(filesystem::routes(store, &self.metrics)),
            Store::S3(_) => None,
        }
    }

    async fn measured<T, E>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
        outcome_of: impl FnOnce(&T) -> Outcome,
    ) -> Result<T, E>
    where
        for<'a> Outcome: From<&'a E>,
    {
        let started = clock::now();
        let result = work.await;
        let took: Duration = clock::now().saturating_duration_since(started);
        let outcome = result.as_ref().map_or_else(Outcome::from, outcome_of);
        self.metrics.count(operation, outcome, took);
        result
    }
}

fn found<T>(object: &Option<T>) -> Outcome {
    if object.is_some() { Outcome::Ok } else { Outcome::Missing }
}
