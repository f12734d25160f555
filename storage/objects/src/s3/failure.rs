//! What an S3 server's refusals mean.

use std::{error::Error, fmt};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::error::StoreError;

/// Why a call failed, as far as we act on it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such thing.
    Missing,
    /// There is one, and we asked not to replace it.
    Exists,
    /// The body is not what its checksum says.
    Checksum,
    Store(StoreError),
}

/// What the server said, without URLs, headers or signatures.
#[derive(Debug)]
struct Said {
    status: u16,
    code: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl Error for Said {}

impl Failure {
    /// As a failure of the store itself, where nothing else was expected.
    pub(crate) fn into_store(self) -> StoreError {
        let unexpected = |code: &str| {
            StoreError::Refused(Box::new(Said { status: 0, code: format!("unexpected {code}") }))
        };
        match self {
            Self::Store(error) => error,
            Self::Missing => StoreError::Refused("no such bucket".into()),
            Self::Exists => unexpected("conflict"),
            Self::Checksum => unexpected("checksum"),
        }
    }
}

/// Codes by which a server says that it has no room.
const FULL: &[&str] =
    &["InsufficientStorage", "NoSpaceLeft", "QuotaExceeded", "XMinioStorageFull", "OutOfSpace"];

/// Codes of a body that isn't what was announced.
const CHECKSUM: &[&str] = &["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"];

pub(crate) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else {
        return Failure::Store(StoreError::Unavailable(error.into()));
    };
    let status = response.status().as_u16();
    let code = error.code().unwrap_or_default().to_owned();
    match status {
        404 if code != "NoSuchBucket" => Failure::Missing,
        412 => Failure::Exists,
        400 if CHECKSUM.contains(&code.as_str()) => Failure::Checksum,
        507 => Failure::Store(StoreError::Full),
        _ if FULL.contains(&code.as_str()) => Failure::Store(StoreError::Full),
        // Ours to mend, so no retry helps; but two writers at once is nobody's mistake.
        400..=499 if ![408, 409, 429].contains(&status) => {
            Failure::Store(StoreError::Refused(Box::new(Said { status, code })))
        }
        _ => Failure::Store(StoreError::Unavailable(Box::new(Said { status, code }))),
    }
}

/// What can't even be asked: a setting is wrong.
pub(crate) fn refused(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Refused(error.into())
}
