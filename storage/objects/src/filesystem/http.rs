//! `/objects/…`: what S3 does with signed URLs, done for a folder.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use service::clock;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tracing::warn;

use super::{
    door::{Door, GetLeave, Leave, PutLeave, ReceiveError},
    range::{self, Asked},
};
use crate::{
    error::{PutError, StoreError},
    limits::{CORS_AGE, RETRY_AFTER},
};

/// Serves the signed URLs of `door`'s store, to pages of any origin: the signature is all the
/// leave there is, and no cookie is read.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(door: Door) -> Router<S> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::CONTENT_RANGE, header::ETAG, header::RETRY_AFTER])
        .max_age(CORS_AGE);
    let methods = get(download).put(upload).with_state(door);
    Router::new().route("/objects/{*key}", methods.layer(cors))
}

async fn upload(State(door): State<Door>, request: Request) -> Result<StatusCode, Refusal> {
    let Leave::Put(leave) = leave(&door, &request)? else { return Err(DENIED) };
    check_head(&leave, request.headers())?;
    let is_new = door.receive(&leave, request.into_body().into_data_stream()).await;
    match is_new.map_err(|error| refusal(&error))? {
        true => Ok(StatusCode::CREATED),
        false => Ok(StatusCode::OK),
    }
}

/// The request must say beforehand what it sends, just as it was signed.
fn check_head(leave: &PutLeave, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(length) = text(header::CONTENT_LENGTH) else {
        let detail = "Send the body's length as Content-Length, not in chunks.";
        return Err(Refusal::new(StatusCode::LENGTH_REQUIRED, detail));
    };
    if length.parse() != Ok(leave.bytes) || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(MISMATCH);
    }
    if text(header::CONTENT_TYPE) != Some(leave.content_type.as_str()) {
        let detail = "Send the very Content-Type that the upload was signed for.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

async fn download(State(door): State<Door>, request: Request) -> Result<Response, Refusal> {
    let Leave::Get(leave) = leave(&door, &request)? else { return Err(DENIED) };
    let unavailable = |error: StoreError| failed(&error);
    let head = door.store().head(&leave.key).await.map_err(unavailable)?.ok_or(GONE)?;
    let tag = format!("\"{}\"", leave.key);
    let mut headers = headers_of(&leave, &tag)?;
    let (status, range) = match range::asked(request.headers(), &tag, head.bytes) {
        Asked::All => (StatusCode::OK, None),
        Asked::Part(part) => {
            let text = format!("bytes {}-{}/{}", part.start(), part.end(), head.bytes);
            headers.insert(header::CONTENT_RANGE, value(&text)?);
            (StatusCode::PARTIAL_CONTENT, Some(part))
        }
        Asked::Nothing => return Err(Refusal { bytes: Some(head.bytes), ..BEHIND_THE_END }),
    };
    let part = range.as_ref().map(|part| part.end().saturating_sub(*part.start()) + 1);
    headers.insert(header::CONTENT_LENGTH, part.unwrap_or(head.bytes).into());
    if request.method() == Method::HEAD {
        return Ok((status, headers).into_response());
    }
    let object = door.read(&leave.key, range).await.map_err(unavailable)?.ok_or(GONE)?;
    Ok((status, headers, Body::from_stream(object.stream.into_stream())).into_response())
}

/// What a browser is told of content that a stranger sent: play it or save it, and nothing else.
fn headers_of(leave: &GetLeave, tag: &str) -> Result<HeaderMap, Refusal> {
    let left = leave.expires_at.saturating_sub(clock::unix_time()).as_secs();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, value(&leave.content_type)?);
    headers.insert(header::CONTENT_DISPOSITION, value(&leave.content_disposition)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, value(tag)?);
    headers.insert(header::CACHE_CONTROL, value(&format!("private, max-age={left}, immutable"))?);
    for (name, text) in FOREIGN_CONTENT {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(text));
    }
    Ok(headers)
}

/// Headers of whatever may hold something other than it claims.
const FOREIGN_CONTENT: [(&str, &str); 3] = [
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("x-content-type-options", "nosniff"),
];

fn leave(door: &Door, request: &Request) -> Result<Leave, Refusal> {
    let key = request.uri().path().strip_prefix("/objects/").unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let judged = door.open(request.method().as_str(), key, query, clock::unix_time());
    judged.map_err(|_| DENIED)
}

fn refusal(error: &ReceiveError) -> Refusal {
    match error {
        ReceiveError::Put(PutError::Mismatch) => MISMATCH,
        ReceiveError::Put(PutError::Taken) => TAKEN,
        ReceiveError::Put(PutError::Store(error)) => failed(error),
        ReceiveError::Put(PutError::Source(_)) | ReceiveError::Broken => BROKEN,
        ReceiveError::Busy => BUSY,
    }
}

fn failed(error: &StoreError) -> Refusal {
    warn!(%error, "an object could not be stored or read");
    match error {
        StoreError::Full => FULL,
        StoreError::Unavailable(_) | StoreError::Refused(_) => UNAVAILABLE,
    }
}

fn value(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| DENIED)
}

/// Why not, and what to do about it.
struct Refusal {
    status: StatusCode,
    detail: &'static str,
    /// Length of the object that was asked for.
    bytes: Option<u64>,
}

const DENIED: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "This URL was not signed for this request, or has expired. Ask for a new one.",
);
const MISMATCH: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "The body is not what the upload was signed for: its length or checksum differs.",
);
const GONE: Refusal = Refusal::new(StatusCode::NOT_FOUND, "There is no such object any more.");
const BEHIND_THE_END: Refusal =
    Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "The range lies behind the object's end.");
const TAKEN: Refusal =
    Refusal::new(StatusCode::CONFLICT, "Another upload has this place. Begin a new one.");
const BROKEN: Refusal =
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "The upload broke off. Send it again.");
const BUSY: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "So many uploads are under way. Try again in a moment.",
);
const FULL: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "The object store is full. Try again later, or make room.",
);
const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "The object store can't do this right now. Try again in a moment.",
);

impl Refusal {
    const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, bytes: None }
    }
}

/// As RFC 9457 asks. No text of ours needs escaping.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, detail, bytes } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let code = status.as_u16();
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{code},"detail":"{detail}"}}"#
        );
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        if let Some(Ok(range)) =
            bytes.map(|bytes| HeaderValue::try_from(format!("bytes */{bytes}")))
        {
            headers.insert(header::CONTENT_RANGE, range);
        }
        response
    }
}
