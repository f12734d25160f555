//! S2: no text of a client's gets into the name of a file.

use std::{collections::BTreeSet, fs, path::Path};

use e2e::{
    http,
    notes::{Notes, Sound},
    server::Server,
};
use serde_json::{Value, json};

const HOSTILE: [&str; 14] = [
    "../../../etc/passwd",
    "..%2f..%2f",
    "%2e%2e%2fetc",
    "%00",
    "%c0%ae%c0%ae%c0%af",
    "/etc/passwd",
    "\\\\server\\share",
    "C:\\windows",
    "notes/../../x",
    "....//....//",
    ".",
    "..",
    "a;rm -rf /",
    "আড্ডা",
];

/// Every file below `folder`, by its path from there.
fn files(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

fn is_key_of_a_note(path: &str) -> bool {
    let Some(id) = path.strip_prefix("objects/objects/notes/") else { return false };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || is_digit(byte))
}

#[test]
fn s2_object_keys_are_made_by_the_server_alone() {
    let server = Server::start();
    let long = "x".repeat(1024);
    let mut stored = 0;
    for (number, text) in HOSTILE.into_iter().chain([long.as_str()]).enumerate() {
        let sound = Sound::noise(u64::try_from(number).expect("small"));
        let is_name = text.len() <= 256;
        // As a room and an identity, as a key, as a type, as a checksum, as an id.
        if is_name {
            let notes = Notes::of(&server, text, text);
            assert_eq!(notes.post("key", &sound)["room"], text);
            stored += 1;
        }
        let notes = Notes::of(&server, "room", "eve");
        if text.is_ascii() && text.len() <= 255 && !text.contains(' ') {
            notes.post(text, &sound);
            stored += 1;
        }
        for field in ["contentType", "sha256", "object", "key", "name", "filename"] {
            let mut body = json!({
                "room": "room", "contentType": "audio/wav", "bytes": 1, "sha256": "0".repeat(64),
            });
            body[field] = text.into();
            let key = [("Idempotency-Key", "hostile")];
            let answer = notes.ask_with("POST", "/v1/voice-notes", &key, &body).expect("an answer");
            assert!([400, 415, 422].contains(&answer.status), "{field} {text}: {}", answer.status);
        }
        let id = http::percent_encode(text);
        for target in [format!("/v1/voice-notes/{id}"), format!("/v1/voice-notes/{id}/content")] {
            let answer = notes.ask("GET", &target, &Value::Null).expect("an answer");
            assert_eq!(answer.status, 404, "{target}");
        }
        let raw = format!("/objects/{}", text.replace(' ', "%20"));
        if raw.is_ascii() {
            let answer = notes.ask("GET", &raw, &Value::Null).expect("an answer");
            assert!([400, 403, 404].contains(&answer.status), "{raw}: {}", answer.status);
        }
    }
    let mut found = BTreeSet::new();
    files(server.data_directory(), "", &mut found);
    let (keys, other): (BTreeSet<String>, BTreeSet<String>) =
        found.into_iter().partition(|path| is_key_of_a_note(path));
    assert_eq!(keys.len(), stored, "{keys:?}");
    let own = ["lock", "objects.key"];
    let strange: Vec<&String> = other
        .iter()
        .filter(|path| !own.contains(&path.as_str()) && !path.starts_with("adda.sqlite"))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}
