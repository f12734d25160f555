//! The doors of `adda dev`.

use std::net::SocketAddr;

use proto::control::{OperationError, Reply, RoomAction};
use service::clock;

use crate::{
    http::{Answer, get, send},
    node::{Client, Node, Sfu, keys, room_token},
};

async fn ask_for_token(node: &Node, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    send(node.address, "POST", "/dev/token", &all, body.as_bytes()).await
}

const ADA: &str = r#"{"room":"demo","name":"Ada"}"#;

#[tokio::test]
async fn a_token_from_here_opens_the_room() {
    let mut node = Node::start().await;
    let answer = ask_for_token(&node, &[("Host", "localhost:7880")], ADA).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!(json["url"], "ws://localhost:7880");
    let token = json["token"].as_str().unwrap();
    let claims = keys().verify(token, clock::unix_time()).unwrap();
    assert_eq!(claims.grants.name, "Ada");
    assert_eq!(json["identity"], claims.grants.identity.as_str());

    let path = format!("/rtc?access_token={token}");
    let _client = Client::connect(node.address, &path).await;
    assert_eq!(node.sfu.accept().await.room.as_str(), "demo");
}

#[tokio::test]
async fn two_people_of_one_name_are_two() {
    let node = Node::start().await;
    let first = ask_for_token(&node, &[], ADA).await.json();
    let second = ask_for_token(&node, &[], ADA).await.json();
    assert_ne!(first["identity"], second["identity"]);
}

#[tokio::test]
async fn foreign_pages_and_names_get_no_token() {
    let node = Node::start().await;
    for headers in [
        vec![("Host", "evil.example")],
        vec![("Host", "localhost"), ("Origin", "https://evil.example")],
        vec![("Host", "localhost"), ("Origin", "null")],
    ] {
        let answer = ask_for_token(&node, &headers, ADA).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let simple = [("Content-Type", "text/plain")];
    let answer = send(node.address, "POST", "/dev/token", &simple, ADA.as_bytes()).await;
    assert_eq!(answer.status, 400, "a form of another page can send text/plain");
}

#[tokio::test]
async fn what_is_no_name_is_refused() {
    let node = Node::start().await;
    let long = format!(r#"{{"room":"demo","name":"{}"}}"#, "x".repeat(65));
    for body in ["", "{}", r#"{"room":"","name":"Ada"}"#, r#"{"room":"demo","name":" "}"#, &long] {
        assert_eq!(ask_for_token(&node, &[], body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn production_has_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_with(dir.path(), None).await;
    for (method, path) in [("POST", "/dev/token"), ("POST", "/v1/rooms/demo/echo")] {
        assert_eq!(send(node.address, method, path, &[], b"").await.status, 404, "{path}");
    }
}

async fn invite(address: SocketAddr, room: &str, token: Option<String>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|value| ("Authorization", value.as_str())).collect();
    send(address, "POST", &format!("/v1/rooms/{room}/echo"), &headers, b"").await
}

async fn answer_invitation(sfu: &mut Sfu, result: Result<Reply, OperationError>) {
    let (_, _, action) = sfu.next_action().await;
    let RoomAction::CallEcho { request } = action else { panic!("{action:?}") };
    sfu.reply(request, result).await;
}

#[tokio::test]
async fn the_echo_caller_comes_to_whoever_is_in_the_room() {
    let mut node = Node::start().await;
    let address = node.address;
    assert_eq!(invite(address, "demo", None).await.status, 401);
    assert_eq!(invite(address, "demo", Some(room_token("other", "ada"))).await.status, 403);
    assert_eq!(invite(address, "demo", Some(room_token("demo", "ada"))).await.status, 404);

    let (_client, _) = node.join("demo", "ada").await;
    for (result, status) in
        [(Ok(Reply::Done), 202), (Err(OperationError::Exhausted("too many".into())), 429)]
    {
        let (answer, ()) = tokio::join!(
            invite(address, "demo", Some(room_token("demo", "ada"))),
            answer_invitation(&mut node.sfu, result)
        );
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn pages_are_strict_about_where_things_come_from() {
    let node = Node::start().await;
    let page = get(node.address, "/call/demo").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-cache");

    let known = [("If-None-Match", page.header("etag"))];
    let again = send(node.address, "GET", "/call/demo", &known, b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[tokio::test]
async fn every_asset_that_the_page_names_is_there() {
    let node = Node::start().await;
    let page = get(node.address, "/call/demo").await.text();
    let names: Vec<&str> = page.split("/assets/").skip(1).map(asset_name).collect();
    assert!(!names.is_empty(), "the page names no asset, so nothing was proved");
    for name in names {
        let answer = get(node.address, &format!("/assets/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
    }
    for bad in ["..%2fREADME.md", "nothing.js", "%00"] {
        assert_eq!(get(node.address, &format!("/assets/{bad}")).await.status, 404, "{bad}");
    }
}

fn asset_name(rest: &str) -> &str {
    rest.split(['"', '\'', '#', '?']).next().unwrap()
}

#[tokio::test]
async fn the_root_says_ok_to_machines_and_shows_links_to_people() {
    let node = Node::start().await;
    assert_eq!(get(node.address, "/").await.text(), "OK");
    let accept = [("Accept", "text/html,application/xhtml+xml")];
    let page = send(node.address, "GET", "/", &accept, b"").await;
    assert!(page.text().contains("href=\"/call/demo\""));
    let head = send(node.address, "HEAD", "/", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let wrong = send(node.address, "DELETE", "/", &[], b"").await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").contains("GET"));
}
