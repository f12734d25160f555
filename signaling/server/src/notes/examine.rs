//! Reading an upload once it is said to be complete: is it what was announced, and what is it?

use std::io::{BufReader, Seek as _, SeekFrom, Write as _};

use service::clock;
use storage_database::Note;
use storage_objects::{Hasher, Object, Sha256, StoreError};
use tokio::time::timeout;

use super::{
    Notes,
    sound::{self, Sound, SoundError},
};
use crate::{
    limits::{NOTE_EXAMINATION_TIME, NOTE_TURN_TIME},
    metrics::NoteStage,
};

/// Why an upload is no note.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExamineError {
    #[error("nothing was uploaded")]
    Missing,
    #[error("the upload is not what was announced")]
    Mismatch,
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("too many uploads to look at, or the disk is too slow")]
    Busy,
}

impl Notes {
    /// Reads the upload of `note`. Few are read at once: each may take a copy on disk.
    pub(super) async fn examine(&self, note: &Note) -> Result<Sound, ExamineError> {
        let turn = timeout(NOTE_TURN_TIME, self.examinations.acquire()).await;
        let _turn = turn.map_err(|_| ExamineError::Busy)?.map_err(|_| ExamineError::Busy)?;
        let work = timeout(NOTE_EXAMINATION_TIME, self.look_at(note));
        work.await.unwrap_or(Err(ExamineError::Busy))
    }

    async fn look_at(&self, note: &Note) -> Result<Sound, ExamineError> {
        let started = clock::now();
        let key = note.object.parse().map_err(|_| ExamineError::Missing)?;
        let object = self.objects.get(&key, None).await?.ok_or(ExamineError::Missing)?;
        if object.bytes != note.bytes {
            return Err(ExamineError::Mismatch);
        }
        let copy = self.copy(object, note).await?;
        let copied = clock::now();
        self.metrics.took(NoteStage::Fetch, copied.saturating_duration_since(started));

        let bytes = note.bytes;
        let reading = tokio::task::spawn_blocking(move || sound::read(BufReader::new(copy), bytes));
        let sound = reading.await.map_err(|_| ExamineError::Busy)??;
        self.metrics.took(NoteStage::Read, clock::now().saturating_duration_since(copied));
        Ok(sound)
    }

    /// Copies an object to a file that nobody else sees and that is gone when it is closed.
    async fn copy(&self, object: Object, note: &Note) -> Result<std::fs::File, ExamineError> {
        let scratch = self.scratch.clone();
        let mut file = blocking(move || tempfile::tempfile_in(scratch)).await?;
        let (mut hasher, mut stream, mut left) = (Hasher::new(), object.stream, note.bytes);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(length).ok_or(ExamineError::Mismatch)?;
            hasher.update(&chunk);
            file = blocking(move || file.write_all(&chunk).map(|()| file)).await?;
        }
        if left > 0 || hasher.finish() != Sha256::from(note.sha256) {
            return Err(ExamineError::Mismatch);
        }
        blocking(move || file.seek(SeekFrom::Start(0)).map(|_| file)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ExamineError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| ExamineError::Busy)?;
    Ok(done.map_err(StoreError::from)?)
}
