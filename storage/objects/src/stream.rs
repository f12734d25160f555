//! The bytes of an object on their way out of the store.

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, Take},
    time::timeout,
};

use crate::{
    error::StoreError,
    limits::{CHUNK_BYTES, STALL_TIME},
};

/// The bytes of an object, in order, in pieces.
#[derive(Debug)]
pub struct Stream(Source);

#[derive(Debug)]
enum Source {
    File(Take<File>),
    S3(ByteStream),
}

impl Stream {
    pub(crate) fn of_file(file: File, bytes: u64) -> Self {
        Self(Source::File(file.take(bytes)))
    }

    pub(crate) fn of_s3(stream: ByteStream) -> Self {
        Self(Source::S3(stream))
    }

    /// Returns the next bytes, `None` at the end. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        match &mut self.0 {
            Source::File(file) => {
                let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
                match file.read_buf(&mut chunk).await {
                    Ok(0) => None,
                    Ok(_) => Some(Ok(chunk.freeze())),
                    Err(error) => Some(Err(error.into())),
                }
            }
            Source::S3(stream) => match timeout(STALL_TIME, stream.next()).await {
                Ok(next) => {
                    next.map(|bytes| bytes.map_err(|error| StoreError::Unavailable(error.into())))
                }
                Err(late) => Some(Err(StoreError::Unavailable(late.into()))),
            },
        }
    }

    /// The same as a stream for HTTP bodies.
    pub fn into_stream(self) -> impl futures_util::Stream<Item = Result<Bytes, StoreError>> + Send {
        futures_util::stream::unfold(Some(self), |stream| async {
            let mut stream = stream?;
            let next = stream.next().await?;
            let rest = next.is_ok().then_some(stream);
            Some((next, rest))
        })
    }
}
