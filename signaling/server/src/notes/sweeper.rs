//! What is left of notes: uploads that nobody completed, objects of deleted notes.
//!
//! Every node sweeps; two that sweep the same do no harm. The row says it first, then the object
//! goes, and the row goes last, when no upload can come any more.

use std::time::Duration;

use proto::link::UnixMicros;
use service::{clock, shutdown::Shutdown};
use storage_database::{DatabaseError, Note};
use storage_objects::StoreError;
use tracing::{debug, warn};

use super::Notes;
use crate::limits::{NOTE_SWEEP_INTERVAL, NOTE_UPLOAD_GRACE, NOTES_SWEPT};

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sweeps from time to time, until `shutdown`.
pub(crate) async fn sweep(notes: Notes, shutdown: Shutdown) {
    loop {
        match notes.sweep_once(clock::unix_time()).await {
            Ok(0) => {}
            Ok(swept) => debug!(swept, "old voice notes were swept"),
            // Nothing is lost: the rows say what is still to be done.
            Err(error) => warn!(%error, "old voice notes could not be swept"),
        }
        tokio::select! {
            () = tokio::time::sleep(NOTE_SWEEP_INTERVAL) => {}
            () = shutdown.requested() => return,
        }
    }
}

impl Notes {
    /// Sweeps what is due at `now`, a page at most. Returns how many notes that touched.
    async fn sweep_once(&self, now: Duration) -> Result<usize, SweepError> {
        // An upload that began in time may end later.
        let due = now.saturating_sub(NOTE_UPLOAD_GRACE).into();
        let expired = self.database.expired_uploads(due, NOTES_SWEPT).await?;
        for note in &expired {
            self.database.expire_note(note.id, due).await?;
        }
        let deleted = self.database.deleted_objects(due, NOTES_SWEPT).await?;
        for note in &deleted {
            self.remove_object(note, due).await?;
        }
        Ok(expired.len().max(deleted.len()))
    }

    /// Removes the object of a deleted note.
    async fn remove_object(&self, note: &Note, due: UnixMicros) -> Result<(), SweepError> {
        if let Ok(key) = note.object.parse() {
            self.objects.delete(&key).await?;
        }
        Ok(self.database.object_deleted(note.id, due).await?)
    }

    /// Removes the object of a note that was just deleted, as far as that works at once.
    pub(super) async fn remove_now(&self, note: &Note) {
        let due = clock::unix_time().saturating_sub(NOTE_UPLOAD_GRACE).into();
        if let Err(error) = self.remove_object(note, due).await {
            debug!(%error, "a deleted voice note's sound stays until the next sweep");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use storage_database::{Database, NewNote, NoteId, NoteStatus};
    use storage_objects::{Key, Objects, Sha256, SigningKey};

    use super::*;
    use crate::limits::NOTE_UPLOAD_LIFE;

    const START: Duration = Duration::from_secs(1_000_000);

    /// Notes in a folder, and one of them uploaded at [`START`].
    async fn uploaded(folder: &std::path::Path) -> (Notes, NoteId, Key) {
        let objects = Objects::filesystem(folder, &SigningKey::new(&[7; 32]), "").unwrap();
        let database = Database::sqlite(&folder.join("adda.sqlite")).await.unwrap();
        let mut registry = service::metrics::registry("0.0.0");
        let notes = Notes::new(objects, database, folder, &mut registry);
        let id = NoteId::new(START.into(), 7);
        let new = NewNote {
            id,
            room: "room".parse().unwrap(),
            from: "ann".parse().unwrap(),
            from_name: String::new(),
            content_type: "audio/ogg".to_owned(),
            bytes: 5,
            sha256: Sha256::of(b"sound").to_bytes(),
            object: format!("notes/{id}"),
            idempotency_key: Some("key".to_owned()),
            request_digest: [0; 32],
            created_at: START.into(),
            expires: (START + NOTE_UPLOAD_LIFE).into(),
        };
        notes.database.create_note(&new).await.unwrap();
        let key: Key = new.object.parse().unwrap();
        upload(&notes, &key).await;
        (notes, id, key)
    }

    async fn upload(notes: &Notes, key: &Key) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"sound").unwrap();
        let sum = Sha256::of(b"sound");
        notes.objects.put_file(key, file.path(), "audio/ogg", sum).await.unwrap();
    }

    async fn is_stored(notes: &Notes, key: &Key) -> bool {
        notes.objects.head(key).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn an_upload_that_nobody_completes_goes_with_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let (notes, id, key) = uploaded(folder.path()).await;
        let end = START + NOTE_UPLOAD_LIFE + NOTE_UPLOAD_GRACE;
        assert_eq!(notes.sweep_once(end).await.unwrap(), 0);
        assert!(is_stored(&notes, &key).await, "it may still be completed");

        notes.sweep_once(end + Duration::from_secs(1)).await.unwrap();
        assert!(!is_stored(&notes, &key).await);
        assert_eq!(notes.database.note(id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_uploaded_after_the_deletion_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let (notes, id, key) = uploaded(folder.path()).await;
        assert!(notes.database.delete_note(id).await.unwrap());
        let soon = START + Duration::from_secs(10);
        assert_eq!(notes.sweep_once(soon).await.unwrap(), 1);
        assert!(!is_stored(&notes, &key).await);
        let status = notes.database.note(id).await.unwrap().map(|note| note.status);
        assert_eq!(status, Some(NoteStatus::Deleted), "an upload may still come");
        assert_eq!(notes.sweep_once(soon).await.unwrap(), 0);

        upload(&notes, &key).await;
        let end = START + NOTE_UPLOAD_LIFE + NOTE_UPLOAD_GRACE + Duration::from_secs(1);
        notes.sweep_once(end).await.unwrap();
        assert!(!is_stored(&notes, &key).await);
        assert_eq!(notes.database.note(id).await.unwrap(), None);
    }
}
