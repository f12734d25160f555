//! Who works on a recording.

use proto::{
    ids::{Epoch, RoomName},
    link::UnixMicros,
    pool::Owner,
};

use super::{Progress, RecordingStatus, progress, rows};
use crate::{
    Database, DatabaseError, RecordingId,
    store::{Value, integer},
};

/// A recording that is the claimer's to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingJob {
    pub id: RecordingId,
    pub room: RoomName,
    /// Higher than of whoever worked on it before.
    pub epoch: Epoch,
    pub status: RecordingStatus,
    pub started_at: Option<UnixMicros>,
    pub stop_requested: bool,
    /// Who worked on it before: what it spooled lies on that node's disk.
    pub previous: Option<Owner>,
}

/// What came of renewing a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is the recorder's until the new time.
    Held { stop_requested: bool },
    /// Another has it, or it is over: nothing that is written under this epoch counts.
    Lost,
}

/// A recorder prefers what its node worked on before, since the spool is there, and needn't wait
/// for the lease of an earlier life of its own.
const FREE: &str = "SELECT * FROM recordings \
     WHERE status IN ('recording', 'finalizing') AND (lease_until IS NULL OR lease_until < $3 \
     OR (recorder_node = $1 AND recorder_boot <> $2)) \
     ORDER BY CASE WHEN recorder_node = $1 THEN 0 ELSE 1 END, id LIMIT 1";
const CLAIM: &str = "UPDATE recordings \
     SET epoch = epoch + 1, recorder_node = $3, recorder_boot = $4, lease_until = $5 \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing')";
const RENEW: &str = "UPDATE recordings SET lease_until = $3 \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing') \
     RETURNING stop_requested_at";
const RENEW_AND_TELL: &str = "UPDATE recordings SET lease_until = $3, progress = $4 \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing') \
     RETURNING stop_requested_at";
const RELEASE: &str = "UPDATE recordings SET lease_until = NULL WHERE id = $1 AND epoch = $2";
const STARTED: &str = "UPDATE recordings SET started_at = $3 \
     WHERE id = $1 AND epoch = $2 AND started_at IS NULL AND status = 'recording'";
const ENDED: &str = "UPDATE recordings SET ended_at = $3 \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing')";
const SET_STATUS: &str = "UPDATE recordings SET status = $4, \
     progress = CASE WHEN $4 = 'available' THEN NULL ELSE progress END \
     WHERE id = $1 AND epoch = $2 AND status = $3";
const FAIL: &str = "UPDATE recordings SET status = 'failed', failure = $3, progress = NULL \
     WHERE id = $1 AND epoch = $2 AND status IN ('recording', 'finalizing')";

impl Database {
    /// Claims a recording that nobody works on: a new one, one whose lease was over at `now`, or
    /// one of an earlier life of the recorder's node. It is the recorder's until `until`. `None`
    /// when there is nothing to do, or another recorder was faster.
    pub async fn claim_recording(
        &self,
        recorder: &Owner,
        now: UnixMicros,
        until: UnixMicros,
    ) -> Result<Option<RecordingJob>, DatabaseError> {
        self.call(async {
            let boot = recorder.boot.to_string();
            let (node, boot) = (Value::Text(recorder.node.as_str()), Value::Text(&boot));
            let Some(row) = self.store.row(FREE, &[node, boot, integer(now.0)?]).await? else {
                return Ok(None);
            };
            let free = rows::recording_of(&row)?;
            let id = free.id.to_string();
            let values = [Value::Text(&id), integer(free.epoch.0)?, node, boot, integer(until.0)?];
            if self.store.change(CLAIM, &values).await? == 0 {
                return Ok(None);
            }
            Ok(Some(RecordingJob {
                id: free.id,
                room: free.room,
                epoch: Epoch(free.epoch.0 + 1),
                status: free.status,
                started_at: free.started_at,
                stop_requested: free.stop_requested_at.is_some(),
                previous: free.recorder,
            }))
        })
        .await
    }

    /// Keeps a job until `until`, and learns whether it is to end. May say how far it is.
    pub async fn renew_recording(
        &self,
        id: RecordingId,
        epoch: Epoch,
        until: UnixMicros,
        progress: Option<&Progress>,
    ) -> Result<Renewal, DatabaseError> {
        self.call(async {
            let id = id.to_string();
            let values = [Value::Text(&id), integer(epoch.0)?, integer(until.0)?];
            let row = match progress.map(progress::text_of).transpose()? {
                None => self.store.row(RENEW, &values).await?,
                Some(text) => {
                    let [id, epoch, until] = values;
                    let values = [id, epoch, until, Value::Text(&text)];
                    self.store.row(RENEW_AND_TELL, &values).await?
                }
            };
            let Some(row) = row else {
                return Ok(Renewal::Lost);
            };
            let stop_requested = row.maybe_integer("stop_requested_at")?.is_some();
            Ok(Renewal::Held { stop_requested })
        })
        .await
    }

    /// Gives a job back, for whoever claims next.
    pub async fn release_recording(
        &self,
        id: RecordingId,
        epoch: Epoch,
    ) -> Result<(), DatabaseError> {
        self.change_job(RELEASE, id, epoch, &[]).await.map(drop)
    }

    /// States when the recorder began to listen, unless it did so before. Says whether it was
    /// written.
    pub async fn set_started(
        &self,
        id: RecordingId,
        epoch: Epoch,
        at: UnixMicros,
    ) -> Result<bool, DatabaseError> {
        self.change_job(STARTED, id, epoch, &[integer(at.0)?]).await
    }

    /// States when the recording ended. Says whether it was written.
    pub async fn set_ended(
        &self,
        id: RecordingId,
        epoch: Epoch,
        at: UnixMicros,
    ) -> Result<bool, DatabaseError> {
        self.change_job(ENDED, id, epoch, &[integer(at.0)?]).await
    }

    /// Moves a recording on, if it is still at `from` and held under `epoch`. Says whether it did.
    pub async fn set_status(
        &self,
        id: RecordingId,
        epoch: Epoch,
        from: RecordingStatus,
        to: RecordingStatus,
    ) -> Result<bool, DatabaseError> {
        if !from.may_become(to) {
            return Ok(false);
        }
        let values = [Value::Text(from.as_str()), Value::Text(to.as_str())];
        self.change_job(SET_STATUS, id, epoch, &values).await
    }

    /// Ends a recording without success. Says whether it did.
    pub async fn fail_recording(
        &self,
        id: RecordingId,
        epoch: Epoch,
        reason: &str,
    ) -> Result<bool, DatabaseError> {
        self.change_job(FAIL, id, epoch, &[Value::Text(reason)]).await
    }

    async fn change_job(
        &self,
        statement: &'static str,
        id: RecordingId,
        epoch: Epoch,
        more: &[Value<'_>],
    ) -> Result<bool, DatabaseError> {
        self.call(async {
            let id = id.to_string();
            let mut values = vec![Value::Text(&id), integer(epoch.0)?];
            values.extend_from_slice(more);
            Ok(self.store.change(statement, &values).await? == 1)
        })
        .await
    }
}
