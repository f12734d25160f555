//! Which path leads where.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use service::{health::Health, metrics::Registry};
use tokio::time::timeout;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use crate::{
    app::App,
    dev, echo,
    limits::{CORS_AGE, REQUEST_BODY_BYTES_MAX, REQUEST_TIME_MAX},
    pages,
    problem::Problem,
    rtc, twirp,
};

/// Builds the node's routes.
pub(crate) fn build(app: Arc<App>, health: Health, registry: Arc<Registry>) -> Router {
    let mut open_to_any_page = Router::new()
        .route("/rtc", get(rtc::connect_v0))
        .route("/rtc/validate", get(rtc::validate_v0))
        .route("/rtc/v1", get(rtc::connect_v1))
        .route("/rtc/v1/validate", get(rtc::validate_v1))
        .route("/twirp/{*rest}", any(twirp::call));
    let mut own = Router::new()
        .route("/", get(root))
        .route("/call/{room}", get(pages::call))
        .route("/notes/{room}", get(pages::notes))
        .route("/admin", get(pages::admin))
        .route("/assets/{file}", get(pages::asset));
    if app.dev.is_some() {
        open_to_any_page = open_to_any_page.route("/v1/rooms/{room}/echo", post(echo::invite));
        own = own.route("/dev/token", post(dev::token));
    }
    Router::new()
        .merge(open_to_any_page.layer(cors()))
        .merge(own)
        .merge(service::http::routes(health, registry))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .layer(middleware::from_fn(harden))
        .with_state(app)
}

/// Any page may call these: what they do depends on the token alone, and no cookie is read.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(CORS_AGE)
}

/// Bounds the time of every request, and says what every answer says.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = match timeout(REQUEST_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_late) => StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let nosniff = HeaderValue::from_static("nosniff");
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `OK` to load balancers and SDKs, a page of links to people.
async fn root(headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        return pages::links();
    }
    "OK".into_response()
}

async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/v1/") {
        return Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.")
            .into_response();
    }
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
