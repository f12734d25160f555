//! A recording as the API shows it.

use proto::{
    ids::{Identity, ParticipantSid, TrackSid},
    link::UnixMicros,
};
use serde_json::{Value, json};
use service::clock;
use storage_database::{Gap, Recording, TrackProgress, TrackRow};

pub(super) fn of(recording: &Recording) -> Value {
    json!({
        "id": recording.id.to_string(),
        "room": recording.room.as_str(),
        "status": recording.status.as_str(),
        "failure": recording.failure.as_ref().or(recording.progress.trouble.as_ref()),
        "requestedBy": recording.requested_by.as_str(),
        "consent": recording.consent,
        "createdAt": clock::rfc3339(recording.created_at),
        "startedAt": recording.started_at.map(clock::rfc3339),
        "endedAt": recording.ended_at.map(clock::rfc3339),
        "stopRequestedAt": recording.stop_requested_at.map(clock::rfc3339),
        "tracks": tracks(recording),
    })
}

/// A track as far as it is stored and written.
struct Shown<'a> {
    sid: TrackSid,
    participant: ParticipantSid,
    identity: &'a Identity,
    name: &'a str,
    began: UnixMicros,
    end: u64,
    bytes: u64,
    gaps: &'a [Gap],
}

/// What is stored, and what is being written as far as its recorder last said.
fn tracks(recording: &Recording) -> Vec<Value> {
    let mut shown: Vec<Shown<'_>> = recording.tracks.iter().map(stored).collect();
    for track in &recording.progress.tracks {
        match shown.iter_mut().find(|one| one.sid == track.sid) {
            // Its file is stored by now.
            Some(one) if one.began == track.began => {}
            Some(one) => {
                one.began = one.began.min(track.began);
                one.end = one.end.max(end_of(track.began, track.duration_ms));
                one.bytes += track.bytes;
            }
            None => shown.push(written(track)),
        }
    }
    shown.sort_by_key(|track| (track.began, track.sid.to_string()));
    shown.iter().map(|track| value_of(recording, track)).collect()
}

fn stored(track: &TrackRow) -> Shown<'_> {
    let TrackRow { sid, participant, identity, name, file } = track;
    Shown {
        sid: *sid,
        participant: *participant,
        identity,
        name,
        began: file.began,
        end: end_of(file.began, file.duration_ms),
        bytes: file.bytes,
        gaps: &file.gaps,
    }
}

fn written(track: &TrackProgress) -> Shown<'_> {
    let TrackProgress { sid, participant, identity, name, began, duration_ms, bytes } = track;
    Shown {
        sid: *sid,
        participant: *participant,
        identity,
        name,
        began: *began,
        end: end_of(*began, *duration_ms),
        bytes: *bytes,
        gaps: &[],
    }
}

fn end_of(began: UnixMicros, duration_ms: u64) -> u64 {
    began.0.saturating_add(duration_ms.saturating_mul(1_000))
}

fn value_of(recording: &Recording, track: &Shown<'_>) -> Value {
    json!({
        "trackSid": track.sid.to_string(),
        "participantSid": track.participant.to_string(),
        "identity": track.identity.as_str(),
        "name": track.name,
        "startMs": recording.start_ms(track.began),
        "durationMs": track.end.saturating_sub(track.began.0) / 1_000,
        "bytes": track.bytes,
        "gaps": track.gaps,
    })
}
