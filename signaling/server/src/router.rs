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
    admin,
    api::Api,
    app::App,
    config::Dev,
    dev, echo,
    limits::{CORS_AGE, REQUEST_BODY_BYTES_MAX, REQUEST_TIME_MAX},
    notes, openapi, pages,
    problem::Problem,
    recordings, rtc, twirp,
};

/// Builds the node's routes.
pub(crate) fn build(app: Arc<App>, health: Health, registry: Arc<Registry>) -> Router {
    let open_to_any_page = Router::new()
        .route("/rtc", get(rtc::connect_v0))
        .route("/rtc/validate", get(rtc::validate_v0))
        .route("/rtc/v1", get(rtc::connect_v1))
        .route("/rtc/v1/validate", get(rtc::validate_v1))
        .route("/twirp/{*rest}", any(twirp::call))
        .route("/openapi.json", get(openapi::document))
        .merge(Router::from(public(app.dev)));
    let mut own = Router::new()
        .route("/", get(root))
        .route("/call/{room}", get(pages::call))
        .route("/notes/{room}", get(pages::notes))
        .route("/admin", get(pages::admin))
        .route("/assets/{file}", get(pages::asset));
    if app.dev.is_some() {
        own = own.route("/dev/token", post(dev::token));
    }
    // What is uploaded to us takes its time, which the store bounds by itself.
    let objects = app.notes.object_routes().unwrap_or_default();
    Router::new()
        .merge(open_to_any_page.layer(cors()))
        .merge(own)
        .merge(admin::routes())
        .merge(service::http::routes(health, registry))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .layer(middleware::from_fn(in_time))
        .merge(objects)
        .layer(middleware::from_fn(harden))
        .with_state(app)
}

/// What is described in `openapi.json`.
pub(crate) fn public(dev: Option<Dev>) -> Api {
    let api = recordings::serve(notes::serve(Api::new()));
    match dev {
        Some(_) => api.on(Method::POST, "/v1/rooms/{room}/echo", echo::invite),
        None => api,
    }
}

/// Any page may call these: what they do depends on the token alone, and no cookie is read.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::LOCATION, header::RETRY_AFTER])
        .max_age(CORS_AGE)
}

/// Bounds the time of a request.
async fn in_time(request: Request, next: Next) -> Response {
    match timeout(REQUEST_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_late) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Says what every answer says.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
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
    if uri.path().starts_with("/v1/") || uri.path().starts_with("/admin/v1/") {
        return Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.")
            .into_response();
    }
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
