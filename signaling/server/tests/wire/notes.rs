//! Voice notes over HTTP: rights, retries, limits.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proto::grants::{Grants, VideoGrant};
use serde_json::{Value, json};
use storage_objects::{Objects, S3Config, Sha256};

use crate::{
    http::{Answer, send},
    node::{Node, room_token, sign},
};

const SOUND: &[u8] = include_bytes!("../../src/notes/sound/samples/note.ogg");

/// Somebody who sends requests with a token.
struct Client<'a> {
    node: &'a Node,
    token: String,
}

impl<'a> Client<'a> {
    fn new(node: &'a Node, identity: &str) -> Self {
        Self { node, token: room_token("room", identity) }
    }

    fn with(node: &'a Node, room: &str, identity: &str, rights: VideoGrant) -> Self {
        let video = VideoGrant { room: room.to_owned(), ..rights };
        let grants =
            Grants { identity: identity.to_owned(), video: Some(video), ..Grants::default() };
        Self { node, token: sign(grants) }
    }

    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        send(self.node.address, method, path, &headers, body.as_bytes()).await
    }

    async fn announce(&self, key: &str, sound: &[u8]) -> Answer {
        self.ask("POST", "/v1/voice-notes", Some(key), &announcement(sound)).await
    }

    async fn upload(&self, announced: &Value, sound: &[u8]) -> Answer {
        let upload = &announced["upload"];
        let url = upload["url"].as_str().unwrap();
        let path = url.strip_prefix(&format!("http://{}", self.node.address)).expect("our URL");
        let headers: Vec<(&str, &str)> = upload["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        send(self.node.address, upload["method"].as_str().unwrap(), path, &headers, sound).await
    }

    async fn complete(&self, id: &str, sound: &[u8]) -> Answer {
        let body = json!({ "sha256": Sha256::of(sound).to_string() });
        self.ask("POST", &format!("/v1/voice-notes/{id}/complete"), None, &body).await
    }

    /// All three steps.
    async fn post(&self, key: &str, sound: &[u8]) -> Value {
        let announced = self.announce(key, sound).await;
        assert_eq!(announced.status, 201, "{}", announced.text());
        let announced = announced.json();
        assert_eq!(self.upload(&announced, sound).await.status, 201);
        let completed = self.complete(announced["id"].as_str().unwrap(), sound).await;
        assert_eq!(completed.status, 200, "{}", completed.text());
        completed.json()
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, &Value::Null).await
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/voice-notes?room=room{query}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let items = page.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn join() -> VideoGrant {
    VideoGrant { room_join: true, ..VideoGrant::default() }
}

fn announcement(sound: &[u8]) -> Value {
    json!({
        "room": "room", "contentType": "audio/ogg", "bytes": sound.len(),
        "sha256": Sha256::of(sound).to_string(),
    })
}

fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.ends_with('.')));
}

#[tokio::test]
async fn a_note_is_announced_uploaded_completed_listed_played_and_deleted() {
    let node = Node::start().await;
    let (ann, bob) = (Client::new(&node, "ann"), Client::new(&node, "bob"));
    let note = ann.post("key-1", SOUND).await;
    let id = note["id"].as_str().unwrap();
    assert_eq!((note["from"].as_str(), note["status"].as_str()), (Some("ann"), Some("ready")));
    assert_eq!(note["fromName"], "Mx ann");
    assert_eq!((note["codec"].as_str(), &note["bytes"]), (Some("opus"), &json!(SOUND.len())));
    assert!(note["durationMs"].as_u64().unwrap().abs_diff(2_000) <= 20, "{note}");
    let points = BASE64_STANDARD.decode(note["waveform"].as_str().unwrap()).unwrap();
    assert!((19..=256).contains(&points.len()), "{points:?}");

    let page = bob.get("/v1/voice-notes?room=room").await.json();
    assert_eq!(page, json!({ "items": [note.clone()], "next": null }));
    assert_eq!(bob.get(&format!("/v1/voice-notes/{id}")).await.json(), note);

    let found = bob.get(&format!("/v1/voice-notes/{id}/content")).await;
    assert_eq!(found.status, 302, "{}", found.text());
    let location = found.header("location");
    let sound = send(node.address, "GET", location, &[("Range", "bytes=0-3")], b"").await;
    assert_eq!((sound.status, &sound.body[..]), (206, &b"OggS"[..]));
    assert_eq!(sound.header("x-content-type-options"), "nosniff");
    assert!(sound.header("content-security-policy").contains("sandbox"));
    assert!(sound.header("content-disposition").starts_with("attachment"));
    assert_eq!(send(node.address, "GET", location, &[], b"").await.body, SOUND);

    assert_problem(
        &bob.ask("DELETE", &format!("/v1/voice-notes/{id}"), None, &Value::Null).await,
        403,
    );
    for _ in 0..2 {
        let deleted = ann.ask("DELETE", &format!("/v1/voice-notes/{id}"), None, &Value::Null).await;
        assert_eq!(deleted.status, 204);
    }
    assert_problem(&bob.get(&format!("/v1/voice-notes/{id}")).await, 404);
    assert_problem(&bob.get(&format!("/v1/voice-notes/{id}/content")).await, 404);
    assert_eq!(bob.ids("").await, [""; 0]);
    assert_eq!(send(node.address, "GET", location, &[], b"").await.status, 404, "the sound, too");
    node.stop().await;
}

#[tokio::test]
async fn every_step_may_be_repeated() {
    let node = Node::start().await;
    let ann = Client::new(&node, "ann");
    let [first, again] = [ann.announce("key-1", SOUND).await, ann.announce("key-1", SOUND).await];
    assert_eq!((first.status, again.status), (201, 201));
    let (first, again) = (first.json(), again.json());
    assert_eq!(first["id"], again["id"]);
    let id = first["id"].as_str().unwrap();

    assert_problem(&ann.complete(id, SOUND).await, 409);
    assert_eq!(ann.upload(&first, SOUND).await.status, 201);
    assert_eq!(ann.upload(&again, SOUND).await.status, 200);
    let [one, two] = [ann.complete(id, SOUND).await.json(), ann.complete(id, SOUND).await.json()];
    assert_eq!(one, two);
    assert_eq!(ann.announce("key-1", SOUND).await.json(), json!({ "id": id }), "nothing to upload");
    assert_eq!(ann.ids("").await, [id]);
    node.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_sender() {
    let node = Node::start().await;
    let (ann, bob) = (Client::new(&node, "ann"), Client::new(&node, "bob"));
    let announce = announcement(SOUND);
    assert_problem(&ann.ask("POST", "/v1/voice-notes", None, &announce).await, 400);
    for bad in ["", "two words", &"k".repeat(256)] {
        assert_problem(&ann.ask("POST", "/v1/voice-notes", Some(bad), &announce).await, 400);
    }
    let first = ann.announce("key", SOUND).await.json();
    assert_problem(&ann.announce("key", b"something else").await, 422);
    assert_ne!(bob.announce("key", SOUND).await.json()["id"], first["id"]);
    let id = first["id"].as_str().unwrap();
    ann.ask("DELETE", &format!("/v1/voice-notes/{id}"), None, &Value::Null).await;
    assert_problem(&ann.announce("key", SOUND).await, 409);
    node.stop().await;
}

#[tokio::test]
async fn a_list_is_in_the_order_of_completion_and_goes_on_where_it_ended() {
    let node = Node::start().await;
    let ann = Client::new(&node, "ann");
    // Announced first, completed last.
    let late = ann.announce("late", SOUND).await.json();
    let mut ids = Vec::new();
    for key in ["1", "2", "3", "4"] {
        ids.push(ann.post(key, SOUND).await["id"].as_str().unwrap().to_owned());
    }
    let first = ann.get("/v1/voice-notes?room=room&limit=3").await.json();
    let next = first["next"].as_str().expect("there is more").to_owned();
    let late_id = late["id"].as_str().unwrap();
    ann.upload(&late, SOUND).await;
    assert_eq!(ann.complete(late_id, SOUND).await.status, 200);
    ids.push(late_id.to_owned());

    assert_eq!(ann.ids("").await, ids);
    assert_eq!(ann.ids(&format!("&after={next}")).await, ids[3..]);
    let rest = ann.get(&format!("/v1/voice-notes?room=room&after={next}")).await.json();
    assert_eq!(rest["next"], Value::Null);
    for bad in ["", "?room=", "?room=room&after=x", "?room=room&limit=0", "?room=room&limit=-1"] {
        assert_problem(&ann.get(&format!("/v1/voice-notes{bad}")).await, 400);
    }
    node.stop().await;
}

#[tokio::test]
async fn rights_come_from_the_token() {
    let node = Node::start().await;
    let ann = Client::new(&node, "ann");
    let id = ann.post("key", SOUND).await["id"].as_str().unwrap().to_owned();
    let waiting = ann.announce("waiting", SOUND).await.json()["id"].as_str().unwrap().to_owned();
    let one = format!("/v1/voice-notes/{id}");
    let paths = ["/v1/voice-notes?room=room", &one, &format!("{one}/content")];

    for path in paths {
        assert_problem(&send(node.address, "GET", path, &[], b"").await, 401);
        let forged = [("Authorization", "Bearer a.b.c")];
        assert_problem(&send(node.address, "GET", path, &forged, b"").await, 401);
        let stranger = Client::with(&node, "elsewhere", "ann", join());
        assert_problem(&stranger.get(path).await, 403);
        assert_problem(
            &Client::with(
                &node,
                "room",
                "ann",
                VideoGrant { room_list: true, ..VideoGrant::default() },
            )
            .get(path)
            .await,
            403,
        );
    }
    let listener =
        Client::with(&node, "room", "lis", VideoGrant { can_publish: Some(false), ..join() });
    assert_problem(&listener.announce("key", SOUND).await, 403);
    assert_eq!(listener.ids("").await, std::slice::from_ref(&id));
    let stranger = Client::with(&node, "elsewhere", "ann", join());
    assert_problem(&stranger.announce("key", SOUND).await, 403);
    let bob = Client::new(&node, "bob");
    assert_problem(&bob.complete(&waiting, SOUND).await, 403);
    assert_problem(&bob.get(&format!("/v1/voice-notes/{waiting}")).await, 404);
    assert_eq!(ann.get(&format!("/v1/voice-notes/{waiting}")).await.json()["status"], "uploading");

    let admin = Client::with(
        &node,
        "room",
        "mod",
        VideoGrant { room_admin: true, ..VideoGrant::default() },
    );
    assert_eq!(admin.ids("").await, [id]);
    assert_eq!(admin.ask("DELETE", &one, None, &Value::Null).await.status, 204);
    node.stop().await;
}

#[tokio::test]
async fn what_is_no_note_is_refused_by_name() {
    let node = Node::start().await;
    let ann = Client::new(&node, "ann");
    let announce = |field: &str, value: Value| {
        let mut body = announcement(SOUND);
        body[field] = value;
        body
    };
    let cases = [
        (announce("bytes", json!(25_000_001)), 413),
        (announce("bytes", json!(0)), 422),
        (announce("bytes", json!(-1)), 400),
        (announce("contentType", json!("text/html")), 415),
        (announce("contentType", json!("audio/ogg\r\nx: y")), 415),
        (announce("sha256", json!("00")), 422),
        (announce("room", json!("")), 400),
        (announce("key", json!("notes/mine")), 400),
        (json!([]), 400),
    ];
    for (body, status) in cases {
        let answer = ann.ask("POST", "/v1/voice-notes", Some("key"), &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let page = b"<html><script>alert(1)</script></html>";
    let announced = ann.announce("page", page).await.json();
    let id = announced["id"].as_str().unwrap();
    assert_eq!(ann.upload(&announced, page).await.status, 201);
    assert_problem(&ann.complete(id, page).await, 415);
    assert_problem(&ann.complete(id, SOUND).await, 422);
    assert_problem(&ann.get("/v1/voice-notes/..%2f..%2fetc").await, 404);
    assert_eq!(ann.ids("").await, [""; 0]);
    node.stop().await;
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_apart_from_a_mistake() {
    // Nobody listens there.
    let dead = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let objects = Objects::s3(&S3Config {
        endpoint: format!("http://{dead}"),
        bucket: "bucket".to_owned(),
        region: "us-east-1".to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    });
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_over(dir.path(), objects).await;
    let ann = Client::new(&node, "ann");
    let announced = ann.announce("key", SOUND).await;
    assert_eq!(announced.status, 201, "signing needs no store: {}", announced.text());
    let announced = announced.json();
    let url = announced["upload"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{dead}/bucket/notes/")), "{url}");

    let id = announced["id"].as_str().unwrap();
    let refused = ann.complete(id, SOUND).await;
    assert_problem(&refused, 503);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ann.ids("").await, [""; 0]);
    let path = format!("/v1/voice-notes/{id}");
    assert_eq!(ann.ask("DELETE", &path, None, &Value::Null).await.status, 204);
    node.stop().await;
}
