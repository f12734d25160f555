//! S3: a signed URL opens what it was signed for and nothing else, and is told to nobody else.

use e2e::{
    http,
    notes::{Notes, Sound, Upload},
    peer::{Manner, Peer},
    server::Server,
    token::unix_now,
};
use serde_json::{Value, json};

fn change(upload: &Upload, from: &str, to: &str) -> Upload {
    let target = upload.target.replace(from, to);
    assert_ne!(target, upload.target, "{from} is in the URL");
    Upload { target, ..upload.clone() }
}

fn value<'a>(target: &'a str, name: &str) -> &'a str {
    let query = target.split('?').nth(1).expect("a query");
    let field = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    field.expect("the field")
}

#[test]
fn s3_a_signed_upload_takes_what_it_was_signed_for_alone() {
    let server = Server::start();
    let notes = Notes::of(&server, "room", "ann");
    let (sound, other) = (Sound::noise(1), Sound::noise(2));
    let announced = notes.announce("key", &sound).expect("an answer").json();
    let others = notes.announce("other", &other).expect("an answer").json();
    let good = Upload::of(&announced);
    let id = announced["id"].as_str().expect("an id");
    let other_id = others["id"].as_str().expect("an id");
    let expires: u64 = value(&good.target, "expires").parse().expect("seconds");
    let late = expires.saturating_sub(u64::try_from(unix_now()).expect("seconds"));
    assert!(late <= 300, "good for {late} s");

    let method = |method: &str| Upload { method: method.to_owned(), ..good.clone() };
    let mut typed = good.clone();
    typed.headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let mut untyped = good.clone();
    untyped.headers.clear();
    let tampered = [
        ("another method", method("GET"), &sound),
        ("another method", method("POST"), &sound),
        ("another method", method("DELETE"), &sound),
        ("another key", change(&good, id, other_id), &sound),
        ("another length", change(&good, "bytes=", "bytes=9"), &sound),
        (
            "another checksum",
            change(&good, value(&good.target, "sha256"), &e2e::notes::sha256(&other.bytes)),
            &other,
        ),
        ("another type", change(&good, "audio%2Fwav", "text%2Fhtml"), &sound),
        ("a later end", change(&good, "expires=", "expires=9"), &sound),
        (
            "another signature",
            change(
                &good,
                value(&good.target, "signature"),
                value(&Upload::of(&others).target, "signature"),
            ),
            &sound,
        ),
        ("no signature", change(&good, "&signature=", "&sig="), &sound),
        ("a field more", change(&good, "&signature=", "&x=y&signature="), &sound),
        ("another type said", typed, &sound),
        ("no type said", untyped, &sound),
        ("another body", good.clone(), &other),
    ];
    for (what, upload, sound) in tampered {
        let answer = upload.send(server.address(), &sound.bytes).expect("an answer");
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
        let judged = notes.complete(id, &Sound::noise(1)).expect("an answer");
        assert_eq!(judged.status, 409, "{what}: something was stored");
    }
    for length in [sound.bytes.len() - 1, sound.bytes.len() + 1, 0] {
        let mut bytes = sound.bytes.clone();
        bytes.resize(length, 0);
        let answer = good.send(server.address(), &bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{length} bytes");
    }
    assert_eq!(good.send(server.address(), &sound.bytes).expect("an answer").status, 201);
    assert_eq!(notes.complete(id, &sound).expect("an answer").status, 200, "the control");
}

#[test]
fn s3_a_signed_download_is_saved_or_played_and_never_shown() {
    let server = Server::start();
    let notes = Notes::of(&server, "room", "ann");
    let [one, two] = [1, 2].map(|seed| notes.post(&format!("key-{seed}"), &Sound::noise(seed)));
    let [one, two] = [&one, &two].map(|note| note["id"].as_str().expect("an id"));
    let found = notes.ask("GET", &format!("/v1/voice-notes/{one}/content"), &Value::Null);
    let target = found.expect("an answer").header("location").unwrap_or_default().to_owned();
    let get = |method: &str, target: &str| {
        http::request(server.address(), method, target, &[], "").expect("an answer")
    };
    let good = get("GET", &target);
    assert_eq!((good.status, good.raw), (200, Sound::noise(1).bytes));
    for (name, expected) in [
        ("content-type", "audio/wav"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert!(good.head.contains(&format!("{name}: {expected}")), "{}", good.head);
    }
    assert!(good.head.contains("content-disposition: attachment;"), "{}", good.head);
    assert!(good.head.contains("sandbox"), "{}", good.head);

    for (what, method, target) in [
        ("another method", "PUT", target.clone()),
        ("another method", "DELETE", target.clone()),
        ("another key", "GET", target.replace(one, two)),
        ("as a page", "GET", target.replace("audio%2Fwav", "text%2Fhtml")),
        ("shown", "GET", target.replace("attachment", "inline")),
        ("a later end", "GET", target.replace("expires=", "expires=9")),
        ("no signature", "GET", target.split("&signature").next().expect("a part").to_owned()),
    ] {
        let answer = get(method, &target);
        assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
    }
    assert_eq!(get("HEAD", &target).status, 200, "the control");
}

#[test]
fn s3_no_signature_and_no_token_is_in_logs_or_metrics() {
    let mut server = Server::start();
    let notes = Notes::of(&server, "room", "ann");
    let sound = Sound::noise(1);
    let announced = notes.announce("canary-key", &sound).expect("an answer").json();
    let upload = Upload::of(&announced);
    let mut secrets = vec![value(&upload.target, "signature").to_owned(), notes.token.clone()];
    // What is refused is more likely to be written down.
    let _refused = change(&upload, "bytes=", "bytes=9").send(server.address(), &sound.bytes);
    notes.upload(&announced, &sound).expect("an answer");
    let id = announced["id"].as_str().expect("an id");
    notes.complete(id, &sound).expect("an answer");
    let found = notes.ask("GET", &format!("/v1/voice-notes/{id}/content"), &Value::Null);
    let location = found.expect("an answer").header("location").unwrap_or_default().to_owned();
    secrets.push(value(&location, "signature").to_owned());
    http::request(server.address(), "GET", &location, &[], "").expect("an answer");

    let metrics =
        http::request(server.address(), "GET", "/metrics", &[], "").expect("metrics").body;
    assert!(metrics.contains("adda_objects_requests_total"), "{metrics}");
    let log = server.log();
    for secret in secrets {
        assert!(secret.len() > 20, "{secret}");
        assert!(!log.contains(&secret) && !metrics.contains(&secret), "{secret} was written down");
    }
}

/// What somebody had in hand, and wants to go on with.
struct Going {
    heard: String,
    uploaded: String,
}

impl Going {
    fn of(notes: &Notes) -> Self {
        let heard = notes.post("heard", &Sound::noise(1));
        let uploaded = notes.announce("uploaded", &Sound::noise(2)).expect("an answer").json();
        notes.upload(&uploaded, &Sound::noise(2)).expect("an answer");
        let id = |note: &Value| note["id"].as_str().expect("an id").to_owned();
        Self { heard: id(&heard), uploaded: id(&uploaded) }
    }

    /// The answers to whatever `/v1` offers, by what was asked.
    fn try_all(&self, notes: &Notes) -> Vec<(String, http::Response)> {
        let room = &notes.room;
        let heard = format!("/v1/voice-notes/{}", self.heard);
        let recording = "/v1/recordings/01938f3c-0000-7000-8000-000000000000";
        let asked = [
            ("GET", format!("/v1/voice-notes?room={room}")),
            ("GET", heard.clone()),
            ("GET", format!("{heard}/content")),
            ("GET", format!("/v1/rooms/{room}/recordings")),
            ("POST", format!("/v1/rooms/{room}/recordings")),
            ("GET", recording.to_owned()),
            ("POST", format!("{recording}/stop")),
            ("GET", format!("{recording}/tracks/TR_x/content")),
            ("POST", format!("/v1/rooms/{room}/echo")),
        ];
        let mut answers: Vec<_> = asked
            .into_iter()
            .map(|(method, target)| {
                let answer = notes.ask(method, &target, &Value::Null).expect("an answer");
                (format!("{method} {target}"), answer)
            })
            .collect();
        let more = [
            ("announce", notes.announce("another", &Sound::noise(3))),
            ("complete", notes.complete(&self.uploaded, &Sound::noise(2))),
            ("delete", notes.delete(&self.heard)),
        ];
        answers.extend(
            more.map(|(what, answer)| (what.to_owned(), answer.expect("the server answers"))),
        );
        answers
    }

    fn assert_refused(&self, notes: &Notes) {
        for (what, answer) in self.try_all(notes) {
            assert_eq!(answer.status, 401, "{what}: {}", answer.body);
            assert!(answer.body.contains("revoked"), "{what}: {}", answer.body);
        }
    }

    /// Nothing is refused for who asks. Some of it isn't there.
    fn assert_served(&self, notes: &Notes) {
        for (what, answer) in self.try_all(notes) {
            assert!(![401, 403].contains(&answer.status), "{what}: {}", answer.body);
        }
        let left = notes.all();
        assert_eq!(left.len(), 1, "the one was deleted, the other completed: {left:?}");
    }
}

/// Somebody who may do everything in the room, by a token that was issued at `issued`.
fn member(server: &Server, identity: &str, issued: i64) -> Notes {
    let token = server.token("room", identity).claim("nbf", json!(issued));
    let token = token.grant("roomRecord", json!(true)).sign();
    Notes { server: server.address(), token, room: "room".to_owned() }
}

#[test]
fn s3_after_kick_no_earlier_token_opens_anything() {
    let mut server = Server::start();
    let (ann, bob) =
        (member(&server, "ann", unix_now() - 5), member(&server, "bob", unix_now() - 5));
    let mut inside = Peer::join(&server, "room", "ann", Manner::with_ssrc(1));
    let going = Going::of(&ann);
    let kick = json!({ "room": "room", "identity": "ann", "revoke_token_ts": unix_now() });
    let issued = unix_now();
    server.moderate("room", "RemoveParticipant", &kick);
    inside.wait("the end of the call", |peer| peer.ended);

    going.assert_refused(&ann);
    assert_eq!(bob.all().len(), 1, "others are as they were");
    // What was acknowledged is on the disk.
    server.crash_and_restart();
    going.assert_refused(&ann);
    going.assert_served(&member(&server, "ann", issued));
}

#[test]
fn s3_after_a_rooms_end_no_earlier_token_opens_anything() {
    let server = Server::start();
    let ann = member(&server, "ann", unix_now() - 5);
    server.moderate("room", "CreateRoom", &json!({ "name": "room" }));
    let going = Going::of(&ann);
    server.moderate("room", "DeleteRoom", &json!({ "room": "room" }));

    going.assert_refused(&ann);
    going.assert_refused(&member(&server, "bob", unix_now() - 5));
    going.assert_served(&member(&server, "ann", unix_now() + 1));
}
