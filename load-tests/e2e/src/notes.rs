//! A client of the voice notes API, which shares nothing with the server.

use std::{io, net::SocketAddr};

use aws_lc_rs::digest;
use serde_json::{Value, json};

use crate::{
    http::{self, Response},
    server::Server,
};

/// Somebody with a token for a room.
#[derive(Clone, Debug)]
pub struct Notes {
    pub server: SocketAddr,
    pub token: String,
    pub room: String,
}

/// A file to send.
#[derive(Clone, Debug)]
pub struct Sound {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

impl Notes {
    #[must_use]
    pub fn of(server: &Server, room: &str, identity: &str) -> Self {
        let token = server.token(room, identity).sign();
        Self { server: server.address(), token, room: room.to_owned() }
    }

    /// Sends a request with the token.
    pub fn ask(&self, method: &str, target: &str, body: &Value) -> io::Result<Response> {
        self.ask_with(method, target, &[], body)
    }

    /// The same with more headers.
    pub fn ask_with(
        &self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
        body: &Value,
    ) -> io::Result<Response> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(more);
        if body.is_null() {
            return http::request(self.server, method, target, &headers, "");
        }
        headers.push(("Content-Type", "application/json"));
        http::request(self.server, method, target, &headers, &body.to_string())
    }

    pub fn announce(&self, key: &str, sound: &Sound) -> io::Result<Response> {
        let body = json!({
            "room": self.room,
            "contentType": sound.content_type,
            "bytes": sound.bytes.len(),
            "sha256": sha256(&sound.bytes),
        });
        self.ask_with("POST", "/v1/voice-notes", &[("Idempotency-Key", key)], &body)
    }

    /// Sends the file where the server said.
    pub fn upload(&self, announced: &Value, sound: &Sound) -> io::Result<Response> {
        let upload = Upload::of(announced);
        upload.send(self.server, &sound.bytes)
    }

    pub fn complete(&self, id: &str, sound: &Sound) -> io::Result<Response> {
        let body = json!({ "sha256": sha256(&sound.bytes) });
        self.ask("POST", &format!("/v1/voice-notes/{id}/complete"), &body)
    }

    pub fn delete(&self, id: &str) -> io::Result<Response> {
        self.ask("DELETE", &format!("/v1/voice-notes/{id}"), &Value::Null)
    }

    /// All three steps, which must succeed.
    pub fn post(&self, key: &str, sound: &Sound) -> Value {
        let announced = self.announce(key, sound).expect("the server answers");
        assert_eq!(announced.status, 201, "{}", announced.body);
        let announced = announced.json();
        let uploaded = self.upload(&announced, sound).expect("the server answers");
        assert!([200, 201].contains(&uploaded.status), "{}", uploaded.body);
        let id = announced["id"].as_str().expect("an id");
        let completed = self.complete(id, sound).expect("the server answers");
        assert_eq!(completed.status, 200, "{}", completed.body);
        completed.json()
    }

    /// Every note of the room, page by page.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let room = http::percent_encode(&self.room);
            let target = format!("/v1/voice-notes?room={room}&limit=50&after={after}");
            let page = self.ask("GET", &target, &Value::Null).expect("the server answers");
            assert_eq!(page.status, 200, "{}", page.body);
            let page = page.json();
            items.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["next"].as_str() else { return items };
            next.clone_into(&mut after);
        }
    }

    /// Asks for the sound, and follows to where it is.
    pub fn content(&self, id: &str) -> io::Result<Response> {
        let found = self.ask("GET", &format!("/v1/voice-notes/{id}/content"), &Value::Null)?;
        if found.status != 302 {
            return Ok(found);
        }
        http::request(self.server, "GET", found.header("location").unwrap_or_default(), &[], "")
    }
}

/// A signed request, still open to change.
#[derive(Clone, Debug)]
pub struct Upload {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Upload {
    #[must_use]
    pub fn of(announced: &Value) -> Self {
        let upload = &announced["upload"];
        let url = upload["url"].as_str().expect("a URL");
        let path = url.splitn(4, '/').nth(3).expect("a path");
        let headers = upload["headers"].as_object().expect("headers");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Self {
            method: text(&upload["method"]),
            target: format!("/{path}"),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }

    pub fn send(&self, server: SocketAddr, body: &[u8]) -> io::Result<Response> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        http::request_bytes(server, &self.method, &self.target, &headers, body)
    }
}

impl Sound {
    /// A quarter of a second of noise, which no other `seed` makes.
    #[must_use]
    pub fn noise(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut samples = Vec::new();
        for _ in 0..2_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            samples.extend(&state.to_le_bytes()[..2]);
        }
        let size = u32::try_from(samples.len()).expect("small").to_le_bytes();
        let format = b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data";
        let bytes = [b"RIFF\0\0\0\0", &format[..], &size, &samples].concat();
        Self { content_type: "audio/wav", bytes }
    }
}

/// As the API writes it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, bytes);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
