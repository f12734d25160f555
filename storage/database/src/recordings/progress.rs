//! What a recorder is writing, as it says now and then.

use proto::{
    ids::{Identity, ParticipantSid, TrackSid},
    link::UnixMicros,
};
use serde::{Deserialize, Serialize};

use crate::{DatabaseError, store::Row};

/// What is being written of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub tracks: Vec<TrackProgress>,
    /// What keeps the recorder from writing, in a sentence.
    pub trouble: Option<String>,
}

/// How far a track is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackProgress {
    pub sid: TrackSid,
    pub participant: ParticipantSid,
    pub identity: Identity,
    pub name: String,
    pub began: UnixMicros,
    pub duration_ms: u64,
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Text {
    tracks: Vec<TrackText>,
    trouble: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TrackText {
    sid: String,
    participant: String,
    identity: String,
    name: String,
    began: u64,
    duration_ms: u64,
    bytes: u64,
}

pub(super) fn text_of(progress: &Progress) -> Result<String, DatabaseError> {
    let tracks = progress.tracks.iter().map(|track| TrackText {
        sid: track.sid.to_string(),
        participant: track.participant.to_string(),
        identity: track.identity.as_str().to_owned(),
        name: track.name.clone(),
        began: track.began.0,
        duration_ms: track.duration_ms,
        bytes: track.bytes,
    });
    let text = Text { tracks: tracks.collect(), trouble: progress.trouble.clone() };
    serde_json::to_string(&text).map_err(|_| DatabaseError::Content("progress"))
}

pub(super) fn of(row: &Row) -> Result<Progress, DatabaseError> {
    let Some(text) = row.get::<Option<String>>("progress")? else {
        return Ok(Progress::default());
    };
    let text: Text = serde_json::from_str(&text).map_err(|_| DatabaseError::Content("progress"))?;
    let tracks = text.tracks.into_iter().map(|track| {
        Some(TrackProgress {
            sid: track.sid.parse().ok()?,
            participant: track.participant.parse().ok()?,
            identity: track.identity.parse().ok()?,
            name: track.name,
            began: UnixMicros(track.began),
            duration_ms: track.duration_ms,
            bytes: track.bytes,
        })
    });
    let tracks = tracks.collect::<Option<_>>().ok_or(DatabaseError::Content("progress"))?;
    Ok(Progress { tracks, trouble: text.trouble })
}
