//! S3: a signed URL opens what it was signed for and nothing else, and is told to nobody else.

use e2e::{
    http,
    notes::{Notes, Sound, Upload},
    server::Server,
};
use serde_json::Value;

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
    let late = expires.saturating_sub(u64::try_from(e2e::token::unix_now()).expect("seconds"));
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
