//! A recording as the API shows it.

use serde_json::{Value, json};
use service::clock;
use storage_database::{Recording, TrackRow};

pub(super) fn of(recording: &Recording) -> Value {
    json!({
        "id": recording.id.to_string(),
        "room": recording.room.as_str(),
        "status": recording.status.as_str(),
        "failure": recording.failure,
        "requestedBy": recording.requested_by.as_str(),
        "consent": recording.consent,
        "createdAt": clock::rfc3339(recording.created_at),
        "startedAt": recording.started_at.map(clock::rfc3339),
        "endedAt": recording.ended_at.map(clock::rfc3339),
        "stopRequestedAt": recording.stop_requested_at.map(clock::rfc3339),
        "tracks": recording.tracks.iter().map(track).collect::<Vec<_>>(),
    })
}

fn track(track: &TrackRow) -> Value {
    json!({
        "trackSid": track.sid.to_string(),
        "participantSid": track.participant.to_string(),
        "identity": track.identity.as_str(),
        "name": track.name,
        "startMs": track.start_ms,
        "durationMs": track.duration_ms,
        "bytes": track.bytes,
        "gaps": track.gaps,
    })
}
