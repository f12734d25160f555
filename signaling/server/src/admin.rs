//! `GET /admin/v1/pool`: the nodes of the pool, and what is wrong, for operators.
//!
//! `reasons` are this node's own, as of now; each node's are those of its latest heartbeat.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use proto::pool::NodeRecord;
use serde_json::{Value, json};

use crate::{access, app::App, problem::Problem};

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/v1/pool", get(pool))
}

const NO_TOKEN: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "Send a token that is signed by a known key and has not expired, as Authorization: Bearer.",
);

const NOT_OPERATOR: Problem = Problem::new(
    StatusCode::FORBIDDEN,
    "The token is not an operator's: it needs roomAdmin and must name no room.",
);

async fn pool(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let token = access::bearer(&headers).ok().flatten().ok_or(NO_TOKEN)?;
    let grant = access::verify(&app.keys, token).map_err(|_| NO_TOKEN)?.grants.video;
    let is_operator = grant.is_some_and(|grant| grant.room_admin && grant.room.is_empty());
    if !is_operator {
        return Err(NOT_OPERATOR);
    }
    let records = app.owners.hub.records().await.map_err(|_| Problem::busy())?;
    let nodes: Vec<Value> = records.iter().map(view).collect();
    let reasons = app.owners.health.said();
    let is_up = app.owners.registry.is_up();
    Ok(Json(json!({ "nodes": nodes, "reasons": reasons, "registryUp": is_up })))
}

fn view(record: &NodeRecord) -> Value {
    json!({
        "id": record.owner.node.as_str(),
        "boot": record.owner.boot.to_string(),
        "roles": record.roles,
        "region": record.region,
        "state": record.state,
        "unreadyRoles": record.unready_roles,
        "version": record.version,
        "rooms": record.rooms,
        "participants": record.participants,
        "load": record.load,
        "reasons": record.reasons,
    })
}
