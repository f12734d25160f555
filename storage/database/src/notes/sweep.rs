//! What is left of notes that are over.
//!
//! An upload that was let begin may end after its note was deleted. So an object is deleted at
//! once, and once more when no upload can come any more; only then does the row go, too.

use proto::link::UnixMicros;

use super::{Note, note_of};
use crate::{
    Database, DatabaseError, NoteId,
    limits::PAGE_MAX,
    store::{Value, integer},
};

const EXPIRED: &str = "SELECT * FROM notes \
     WHERE status = 'uploading' AND upload_expires_at < $1 ORDER BY upload_expires_at LIMIT $2";
const EXPIRE: &str = "UPDATE notes SET status = 'deleted' \
     WHERE id = $1 AND status = 'uploading' AND upload_expires_at < $2";
const DELETED: &str = "SELECT * FROM notes WHERE status = 'deleted' AND (swept_at IS NULL \
     OR (swept_at <= upload_expires_at AND upload_expires_at < $1)) ORDER BY id LIMIT $2";
const SWEPT: &str = "UPDATE notes SET swept_at = $2 WHERE id = $1 AND status = 'deleted'";
const PURGE: &str =
    "DELETE FROM notes WHERE id = $1 AND status = 'deleted' AND upload_expires_at < $2";

impl Database {
    /// Uploads whose time was over at `now`, oldest first.
    pub async fn expired_uploads(
        &self,
        now: UnixMicros,
        limit: u32,
    ) -> Result<Vec<Note>, DatabaseError> {
        self.notes_where(EXPIRED, now, limit).await
    }

    /// Deletes a note whose upload's time was over at `now`, unless it was completed meanwhile.
    /// Says whether it did.
    pub async fn expire_note(&self, id: NoteId, now: UnixMicros) -> Result<bool, DatabaseError> {
        self.call(async {
            let values = [Value::Text(&id.to_string()), integer(now.0)?];
            Ok(self.store.change(EXPIRE, &values).await? == 1)
        })
        .await
    }

    /// Deleted notes whose object is to be deleted, too, and then said to be by
    /// [`Self::object_deleted`].
    pub async fn deleted_objects(
        &self,
        now: UnixMicros,
        limit: u32,
    ) -> Result<Vec<Note>, DatabaseError> {
        self.notes_where(DELETED, now, limit).await
    }

    async fn notes_where(
        &self,
        statement: &'static str,
        now: UnixMicros,
        limit: u32,
    ) -> Result<Vec<Note>, DatabaseError> {
        self.call(async {
            let values = [integer(now.0)?, Value::Integer(limit.min(PAGE_MAX).into())];
            self.store.rows(statement, &values).await?.iter().map(note_of).collect()
        })
        .await
    }

    /// States that a deleted note's object was deleted at `now` or later.
    pub async fn object_deleted(&self, id: NoteId, now: UnixMicros) -> Result<(), DatabaseError> {
        self.call(async {
            let values = [Value::Text(&id.to_string()), integer(now.0)?];
            if self.store.change(PURGE, &values).await? == 0 {
                self.store.change(SWEPT, &values).await?;
            }
            Ok(())
        })
        .await
    }
}
