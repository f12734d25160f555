//! The endpoints by which operators and machines look at a process.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::json;

use crate::health::Health;

/// The media type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/healthz`, `/readyz`, `/startupz` and `/metrics`.
pub fn routes<S: Clone + Send + Sync + 'static>(
    health: Health,
    registry: Arc<Registry>,
) -> Router<S> {
    Router::new()
        .route("/healthz", get(healthz).with_state(health.clone()))
        .route("/readyz", get(readyz).with_state(health.clone()))
        .route("/startupz", get(startupz).with_state(health))
        .route("/metrics", get(metrics).with_state(registry))
}

/// This process only. Says which of its loops have stopped, so that it can be started anew.
async fn healthz(State(health): State<Health>) -> Response {
    let stuck = health.stuck();
    if stuck.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let body = json!({ "status": "stuck", "reasons": stuck });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn readyz(State(health): State<Health>) -> Response {
    let (ready, reasons) = (health.is_ready(), health.said());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "reasons": reasons }))).into_response()
}

async fn startupz(State(health): State<Health>) -> Response {
    let started = health.is_started();
    let status = if started { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "started": started }))).into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_process_with_a_loop_that_has_stopped_is_not_alive() {
        let health = Health::new(Vec::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = routes(health.clone(), Arc::new(Registry::default()));
        tokio::spawn(async move { axum::serve(listener, routes).await });

        health.watch("shard 0", clock::now);
        let alive = get(address).await;
        assert!(alive.starts_with("HTTP/1.1 200") && alive.contains(r#""ok""#), "{alive}");

        let stopped = clock::now() - std::time::Duration::from_secs(3);
        health.watch("shard 0", move || stopped);
        let stuck = get(address).await;
        assert!(stuck.starts_with("HTTP/1.1 503") && stuck.contains("shard 0"), "{stuck}");
    }

    async fn get(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
