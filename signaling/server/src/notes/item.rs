//! A note as the API shows it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use service::clock;
use storage_database::Note;
use storage_objects::{Sha256, SignedRequest};

pub(super) fn of(note: &Note) -> Value {
    let mut item = json!({
        "id": note.id.to_string(),
        "room": note.room.as_str(),
        "from": note.from.as_str(),
        "fromName": note.from_name,
        "createdAt": clock::rfc3339(note.created_at),
        "status": note.status.as_str(),
        "contentType": note.content_type,
        "bytes": note.bytes,
        "sha256": hex(&note.sha256),
    });
    if let (Some(ready), Some(fields)) = (&note.ready, item.as_object_mut()) {
        fields.insert("codec".to_owned(), json!(ready.codec));
        fields.insert("durationMs".to_owned(), json!(ready.duration_ms));
        fields.insert("waveform".to_owned(), json!(BASE64_STANDARD.encode(&ready.waveform)));
    }
    item
}

/// What comes of announcing a note: where to upload it, unless that is done.
pub(super) fn announced(id: &str, upload: Option<(&SignedRequest, &str)>) -> Value {
    let Some((upload, origin)) = upload else { return json!({ "id": id }) };
    json!({
        "id": id,
        "upload": {
            "method": upload.method,
            "url": format!("{origin}{}", upload.url),
            "headers": upload.headers,
            "expiresAt": clock::rfc3339(upload.expires_at),
        },
    })
}

fn hex(sha256: &[u8; 32]) -> String {
    Sha256::from(*sha256).to_string()
}
