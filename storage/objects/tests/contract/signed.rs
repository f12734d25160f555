//! The contract, second part: what holders of signed URLs can do, and what they can't.

use std::time::Duration;

use service::clock;
use storage_objects::{Sha256, SignGet, SignPut};

use crate::client::{Subject, Wire, key};

const CONTENT: &[u8] = b"the sound of a voice";
const LIFE: Duration = Duration::from_secs(60);

async fn upload(store: &Subject, name: &str, life: Duration) -> Wire {
    let (bytes, sha256) = (CONTENT.len() as u64, Sha256::of(CONTENT));
    let put = SignPut { bytes, sha256, content_type: "audio/webm;codecs=opus", expires: life };
    let signed = store.objects.sign_put(&key(name), &put).await.unwrap();
    assert!(!format!("{signed:?}").to_lowercase().contains("signature"), "{signed:?}");
    Wire::of(&signed, CONTENT)
}

async fn download(store: &Subject, name: &str, life: Duration) -> Wire {
    let get = SignGet { expires: life, content_type: "audio/ogg", filename: "a note.ogg" };
    let signed = store.objects.sign_get(&key(name), &get).await.unwrap();
    let late = signed.expires_at.saturating_sub(clock::unix_time());
    assert!(late <= Duration::from_secs(300), "good for {late:?}");
    Wire::of(&signed, b"")
}

pub(crate) async fn a_signed_upload_is_stored_and_may_be_repeated(store: &Subject) {
    let upload = upload(store, "notes/a", LIFE).await;
    for _ in 0..2 {
        let answer = upload.send().await;
        assert!([200, 201].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(store.read("notes/a").await.as_deref(), Some(CONTENT));
}

pub(crate) async fn a_signed_upload_binds_everything(store: &Subject) {
    let good = upload(store, "notes/a", LIFE).await;
    let kind = |wire: &mut Wire, kind: &str| {
        wire.headers.insert("content-type".to_owned(), kind.to_owned());
    };
    let short = CONTENT[1..].to_vec();
    let other = CONTENT.iter().rev().copied().collect::<Vec<_>>();
    let tampered = [
        ("another method", good.with(|wire| wire.method = "POST".to_owned())),
        ("reading", good.with(|wire| wire.method = "GET".to_owned())),
        ("deleting", good.with(|wire| wire.method = "DELETE".to_owned())),
        ("another key", good.with(|wire| wire.url = wire.url.replace("notes/a", "notes/b"))),
        ("a key outside", good.with(|wire| wire.url = wire.url.replace("notes/a", "../notes/a"))),
        ("an escaped key", good.with(|wire| wire.url = wire.url.replace("notes/a", "notes%2fb"))),
        ("a shorter body", good.with(|wire| wire.body = short.clone())),
        ("a longer body", good.with(|wire| wire.body = [CONTENT, b"!"].concat())),
        ("no body", good.with(|wire| wire.body.clear())),
        ("another body", good.with(|wire| wire.body = other.clone())),
        ("another type", good.with(|wire| kind(wire, "text/html"))),
        ("no type", good.with(|wire| _ = wire.headers.remove("content-type"))),
        ("a later end", good.with(|wire| wire.url = later(&wire.url))),
        ("no signature", good.with(|wire| wire.url = unsigned(&wire.url))),
        ("a foreign signature", good.with(|wire| wire.url = forged(&wire.url))),
        ("a field more", good.with(|wire| wire.url += "&acl=public-read")),
        ("in chunks", chunked(&good)),
        ("a checksum of its own", good.with(|wire| checksum_of(wire, &other))),
    ];
    for (what, wire) in tampered {
        let answer = wire.send().await;
        assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(store.keys("").await, [""; 0], "{what}");
    }
    assert!(good.send().await.status < 300, "the control");
}

/// Sends other content with the checksum it truly has.
fn checksum_of(wire: &mut Wire, content: &[u8]) {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let sum = Sha256::of(content).to_string();
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&sum[at..at + 2], 16).unwrap()).collect();
    wire.url = wire.url.replace(&Sha256::of(CONTENT).to_string(), &sum);
    wire.headers.insert("x-amz-checksum-sha256".to_owned(), BASE64_STANDARD.encode(bytes));
    wire.body = content.to_owned();
}

fn chunked(good: &Wire) -> Wire {
    good.with(|wire| {
        wire.headers.insert("transfer-encoding".to_owned(), "chunked".to_owned());
        let size = format!("{:x}\r\n", CONTENT.len());
        wire.body = [size.as_bytes(), CONTENT, b"\r\n0\r\n\r\n"].concat();
    })
}

/// Moves the end of a URL's life.
fn later(url: &str) -> String {
    let moved = url.replace("X-Amz-Expires=60", "X-Amz-Expires=300");
    let start = "expires=";
    let Some((head, rest)) = moved.split_once(start) else { return moved };
    let (seconds, rest) = rest.split_once('&').unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    format!("{head}{start}{}&{rest}", seconds + 600)
}

fn unsigned(url: &str) -> String {
    let at = url.find("&signature=").or_else(|| url.find("&X-Amz-Signature=")).unwrap();
    url[..at].to_owned()
}

fn forged(url: &str) -> String {
    let (at, name) = ["&signature=", "&X-Amz-Signature="]
        .iter()
        .find_map(|name| url.find(name).map(|at| (at, name)))
        .unwrap();
    let at = at + name.len();
    let other = if url[at..].starts_with('0') { "1" } else { "0" };
    format!("{}{other}{}", &url[..at], &url[at + 1..])
}

pub(crate) async fn a_signed_upload_expires(store: &Subject) {
    let upload = upload(store, "notes/a", Duration::from_secs(1)).await;
    let get = download(store, "notes/a", Duration::from_secs(1)).await;
    // The clock that a real server judges by can't be moved.
    let end = clock::unix_time() + Duration::from_millis(2_100);
    while clock::unix_time() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = upload.send().await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(store.keys("").await, [""; 0]);
    store.put("notes/a", CONTENT).await.unwrap();
    let answer = get.send().await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

pub(crate) async fn a_signed_download_has_ranges_and_is_never_a_page(store: &Subject) {
    store.put("notes/a", CONTENT).await.unwrap();
    let get = download(store, "notes/a", LIFE).await;
    let whole = get.send().await;
    assert_eq!((whole.status, &whole.body[..]), (200, CONTENT));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let tag = whole.header("etag").to_owned();
    assert!(!tag.is_empty());

    let ask = |range: &str| {
        get.with(|wire| _ = wire.headers.insert("range".to_owned(), range.to_owned()))
    };
    let part = ask("bytes=4-8").send().await;
    assert_eq!((part.status, &part.body[..]), (206, &b"sound"[..]));
    assert_eq!(part.header("content-range"), format!("bytes 4-8/{}", CONTENT.len()));
    assert_eq!(ask("bytes=-5").send().await.body, b"voice");
    assert_eq!(ask("bytes=99-").send().await.status, 416);

    for answer in [whole, part] {
        assert_eq!(answer.header("content-type"), "audio/ogg", "{answer:?}");
        let saved = "attachment; filename=\"a_note.ogg\"";
        assert_eq!(answer.header("content-disposition"), saved, "{answer:?}");
        assert!(answer.header("cache-control").contains("private"), "{answer:?}");
    }
}

pub(crate) async fn a_signed_download_binds_everything(store: &Subject) {
    store.put("notes/a", CONTENT).await.unwrap();
    store.put("notes/b", b"somebody else's").await.unwrap();
    let good = download(store, "notes/a", LIFE).await;
    let tampered = [
        ("writing", good.with(|wire| wire.method = "PUT".to_owned())),
        ("deleting", good.with(|wire| wire.method = "DELETE".to_owned())),
        ("another key", good.with(|wire| wire.url = wire.url.replace("notes/a", "notes/b"))),
        ("as a page", good.with(|wire| wire.url = as_page(&wire.url))),
        ("shown, not saved", good.with(|wire| wire.url = wire.url.replace("attachment", "inline"))),
        ("a later end", good.with(|wire| wire.url = later(&wire.url))),
        ("no signature", good.with(|wire| wire.url = unsigned(&wire.url))),
        ("a foreign signature", good.with(|wire| wire.url = forged(&wire.url))),
    ];
    for (what, wire) in tampered {
        let answer = wire.send().await;
        assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    }
    assert_eq!(good.send().await.body, CONTENT, "the control");
    assert_eq!(store.read("notes/b").await.as_deref(), Some(&b"somebody else's"[..]));
}

fn as_page(url: &str) -> String {
    let changed = url.replace("audio%2Fogg", "text%2Fhtml");
    assert_ne!(changed, url, "the type is in the URL");
    changed
}

pub(crate) async fn pages_of_any_origin_may_use_signed_urls(store: &Subject) {
    store.objects.prepare().await.unwrap();
    let origin = ("origin".to_owned(), "https://app.example".to_owned());
    let put = upload(store, "notes/a", LIFE).await;
    let wanted = put.headers.keys().cloned().collect::<Vec<_>>().join(",");
    let asks = put.with(|wire| {
        wire.method = "OPTIONS".to_owned();
        wire.body.clear();
        wire.headers = [
            origin.clone(),
            ("access-control-request-method".to_owned(), "PUT".to_owned()),
            ("access-control-request-headers".to_owned(), wanted.clone()),
        ]
        .into();
    });
    let may = asks.send().await;
    assert!([200, 204].contains(&may.status), "{may:?}");
    let origins = ["*", "https://app.example"];
    assert!(origins.contains(&may.header("access-control-allow-origin")), "{may:?}");
    assert!(may.header("access-control-allow-methods").contains("PUT"), "{may:?}");
    let allowed = may.header("access-control-allow-headers").to_ascii_lowercase();
    assert!(allowed == "*" || wanted.split(',').all(|name| allowed.contains(name)), "{may:?}");

    let put = put.with(|wire| wire.headers.extend([origin.clone()])).send().await;
    assert!(put.status < 300, "{put:?}");
    let get = download(store, "notes/a", LIFE).await;
    let get = get.with(|wire| wire.headers.extend([origin])).send().await;
    assert_eq!(get.body, CONTENT);
    for answer in [put, get] {
        assert!(origins.contains(&answer.header("access-control-allow-origin")), "{answer:?}");
    }
}
