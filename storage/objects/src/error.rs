//! What can go wrong with a store. The store failing is a value, never a panic.

use std::{error::Error, io};

/// Why the store could not do it. None names a URL or a signature.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, is too slow, or fails inside. Trying again later may do.
    #[error("the object store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// There is no room left.
    #[error("the object store is full")]
    Full,
    /// It doesn't let us: credentials, permissions, a bucket that isn't there.
    #[error("the object store refuses us ({0}): check credentials, bucket and permissions")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

/// Why an object was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is taken by other content, which stays.
    #[error("an object of this key is there, with other content")]
    Taken,
    /// The content is not what its checksum or length says.
    #[error("the content is not what its checksum and length say")]
    Mismatch,
    /// The file to store can't be read.
    #[error("the file to store can't be read")]
    Source(#[source] io::Error),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Full => true,
            Self::Refused(_) => false,
        }
    }
}

impl PutError {
    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_unavailable(),
            Self::Taken | Self::Mismatch | Self::Source(_) => false,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        let is_full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if is_full.contains(&error.kind()) {
            Self::Full
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Refused(error.into())
        } else {
            Self::Unavailable(error.into())
        }
    }
}

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}
