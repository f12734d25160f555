//! The texts by which SDKs decide what to do next.

use proto::{
    grants::{Grants, VideoGrant},
    livekit::JoinRequest,
};

use crate::{
    http::{get, send},
    node::{Node, UPGRADE, room_token, sign, wrap},
};

#[tokio::test]
async fn each_refusal_has_the_status_and_text_that_sdks_know() {
    let node = Node::start().await;
    let video = |room: &str, room_join| {
        let room = room.to_owned();
        let video = Some(VideoGrant { room, room_join, ..VideoGrant::default() });
        sign(Grants { identity: "ada".to_owned(), video, ..Grants::default() })
    };
    let nobody = Grants { video: video_of("demo"), ..Grants::default() };
    let cases = [
        (String::new(), 401, "no permissions to access the room"),
        ("abc".to_owned(), 401, "invalid authorization token"),
        (video("demo", false), 401, "permissions denied"),
        (video("", true), 400, "no room name"),
        (sign(nobody), 400, "participant identity is invalid"),
        (room_token("demo", "ada"), 200, "success"),
    ];
    let join_request = wrap(&JoinRequest { metadata: "m".to_owned(), ..JoinRequest::default() });
    for (token, status, text) in cases {
        for path in ["/rtc/validate?", &format!("/rtc/v1/validate?join_request={join_request}&")] {
            let answer = get(node.address, &format!("{path}access_token={token}")).await;
            assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
    }
}

fn video_of(room: &str) -> Option<VideoGrant> {
    Some(VideoGrant { room: room.to_owned(), room_join: true, ..VideoGrant::default() })
}

#[tokio::test]
async fn the_second_path_wants_a_join_request() {
    let node = Node::start().await;
    let token = room_token("demo", "ada");
    for (query, text) in [
        ("", "join_request is required"),
        ("&join_request=", "join_request is required"),
        ("&join_request=x!", "cannot base64 decode wrapped join request"),
    ] {
        let path = format!("/rtc/v1/validate?access_token={token}{query}");
        let answer = get(node.address, &path).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, text));
    }
}

#[tokio::test]
async fn a_token_may_come_in_the_header() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", room_token("demo", "ada"));
    let headers = [("Authorization", bearer.as_str())];
    let answer = send(node.address, "GET", "/rtc/validate", &headers, b"").await;
    assert_eq!(answer.text(), "success");
}

#[tokio::test]
async fn a_refused_upgrade_says_what_validate_says() {
    let node = Node::start().await;
    let answer = send(node.address, "GET", "/rtc?access_token=abc", &UPGRADE, b"").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, "invalid authorization token"));

    let path = format!("/rtc?access_token={}", room_token("demo", "ada"));
    let plain = get(node.address, &path).await;
    assert_eq!((plain.status, plain.body.len()), (404, 0), "not an upgrade");
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let node = Node::start().await;
    let answer = get(node.address, "/rtc/v2/validate").await;
    assert_eq!((answer.status, answer.text().as_str()), (404, "404 page not found\n"));
}
