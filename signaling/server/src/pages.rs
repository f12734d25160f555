//! The web client's files, built into the executable.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use proto::ids::RoomName;

use crate::app::App;

/// One file of the web client.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

/// Every file, by name.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const LINKS: &str = include_str!("pages/links.html");

/// Nothing from anywhere else, nothing inline. `'self'` covers the signal socket, too.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; \
    worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// `GET /call/{room}`: the call page, the same for every room.
pub(crate) async fn call(Path(room): Path<String>, headers: HeaderMap) -> Response {
    page_of_room("call.html", &room, &headers)
}

/// `GET /notes/{room}`: the page of a room's voice notes.
pub(crate) async fn notes(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut response = page_of_room("notes.html", &room, &headers);
    // It uploads straight to the store.
    let store = app.notes.origin().map(|origin| format!("connect-src 'self' {origin};"));
    let policy = store.map(|allowed| POLICY.replace("connect-src 'self';", &allowed));
    if let Some(policy) = policy.and_then(|policy| HeaderValue::try_from(policy).ok()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// `GET /admin`: the page for operators. What it shows depends on the token it is given.
pub(crate) async fn admin(headers: HeaderMap) -> Response {
    file("admin.html", &headers)
}

fn page_of_room(name: &str, room: &str, headers: &HeaderMap) -> Response {
    match room.parse::<RoomName>() {
        Ok(_room) => file(name, headers),
        Err(_) => not_found(),
    }
}

/// `GET /assets/{file}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    file(&name, &headers)
}

/// The page that `GET /` shows to people.
pub(crate) fn links() -> Response {
    let mut response = LINKS.into_response();
    add_headers(&mut response, "text/html; charset=utf-8");
    response
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else { return not_found() };
    let tag = tag_of(asset.bytes);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|item| item.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.bytes.into_response()
    };
    add_headers(&mut response, asset.media_type);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn add_headers(response: &mut Response, media_type: &'static str) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        // A new executable brings new files under the same names: ask each time, by tag.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (PERMISSIONS_POLICY, "microphone=(self), camera=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// An entity tag from the content.
fn tag_of(bytes: &[u8]) -> String {
    let digest = service::digest::sha256(bytes);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
