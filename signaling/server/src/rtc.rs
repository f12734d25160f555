//! The doors of the client protocol: `/rtc`, `/rtc/v1` and their `validate` twins.
//!
//! Everything is decided before the upgrade, so that a refused client gets a status and a text.

mod budget;
mod frame;
mod handshake;
mod join_request;
mod parameters;
mod session;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use proto::{
    control::{Join, SignalPath},
    grants::Grants,
    ids::{Identity, RoomName, SessionId},
};
use service::{clock, random, token::Claims};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};
use tracing::{Instrument as _, debug, info_span};

use self::{handshake::Handshake, parameters::Parameters, session::Session};
use crate::{
    access::{self, Refusal},
    app::App,
    limits::{MESSAGE_BYTES_MAX, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX},
    listen::Slot,
    metrics::Stage,
    owners::Unplaced,
    problem::retry_after,
};

pub(crate) async fn connect_v0(State(app): State<Arc<App>>, request: Request) -> Response {
    connect(app, SignalPath::TwoConnections, request).await
}

pub(crate) async fn connect_v1(State(app): State<Arc<App>>, request: Request) -> Response {
    connect(app, SignalPath::OneConnection, request).await
}

pub(crate) async fn validate_v0(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    validate(&app, SignalPath::TwoConnections, &uri, &headers)
}

pub(crate) async fn validate_v1(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    validate(&app, SignalPath::OneConnection, &uri, &headers)
}

fn validate(app: &App, path: SignalPath, uri: &Uri, headers: &HeaderMap) -> Response {
    match decide(app, path, uri, headers) {
        Ok(_admitted) => "success".into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn connect(app: Arc<App>, path: SignalPath, mut request: Request) -> Response {
    let arrived = clock::now();
    // What LiveKit answers to anything but an upgrade.
    let Some(handshake) = Handshake::of(request.headers()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let admitted = match decide(&app, path, request.uri(), request.headers()) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    app.metrics.join_reached(Stage::Validate, arrived.elapsed());
    let hold = match app.owners.place(&admitted.room).await {
        Ok(hold) => hold,
        Err(unplaced) => return busy(unplaced),
    };
    let Ok(bits) = random::bits() else { return busy(Unplaced::Busy) };

    let id = SessionId(bits);
    let span = info_span!(
        "session",
        room = admitted.room.as_str(),
        participant = admitted.identity.as_str(),
        trace_id = ?id,
    );
    let slot = request.extensions().get::<Option<Slot>>().cloned();
    let upgrade = hyper::upgrade::on(&mut request);
    let session = Session::new(app, id, hold, &admitted, arrived);
    let join = admitted.join(id, path);
    let task = async move {
        match upgrade.await {
            Ok(upgraded) => {
                let socket = WebSocketStream::from_raw_socket(
                    TokioIo::new(upgraded),
                    Role::Server,
                    Some(socket_config()),
                );
                session.run(socket.await, join).await;
            }
            Err(error) => debug!(%error, "upgrade failed"),
        }
        drop(slot);
    };
    tokio::spawn(task.instrument(span));
    handshake.response().map(|()| Body::empty())
}

fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// A client that may join.
struct Admitted {
    claims: Claims,
    room: RoomName,
    identity: Identity,
    user_agent: String,
    parameters: Parameters,
}

impl Admitted {
    fn join(self, session: SessionId, protocol: SignalPath) -> Join {
        let Parameters { client, auto_subscribe, resume, format: _, first } = self.parameters;
        let mut grants = self.claims.grants;
        first.present(&mut grants);
        Join {
            session,
            identity: self.identity,
            grants,
            client,
            user_agent: self.user_agent,
            protocol,
            auto_subscribe,
            resume,
            publisher_offer: first.publisher_offer,
            add_tracks: first.add_tracks,
            sync_state: first.sync_state,
        }
    }
}

/// Judges token and parameters, in the order in which LiveKit does.
fn decide(
    app: &App,
    path: SignalPath,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Admitted, Refusal> {
    let Query(query) = Query::<parameters::Raw>::try_from_uri(uri)
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "query can't be read"))?;
    let token = access::bearer(headers)?.or(query.access_token.as_deref());
    let token = token.filter(|token| !token.is_empty()).ok_or_else(|| {
        Refusal::new(StatusCode::UNAUTHORIZED, "no permissions to access the room")
    })?;
    let claims = access::verify(&app.keys, token)?;
    let room = access::room_to_join(claims.grants.video.as_ref())?;
    let identity = identity_of(&claims.grants)?;
    let parameters = match path {
        SignalPath::TwoConnections => Parameters::of_query(&query),
        SignalPath::OneConnection => Parameters::of_join_request(&query)?,
    };
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.unwrap_or_default().to_owned();
    Ok(Admitted { claims, room, identity, user_agent, parameters })
}

fn identity_of(grants: &Grants) -> Result<Identity, Refusal> {
    let invalid = |_| Refusal::new(StatusCode::BAD_REQUEST, "participant identity is invalid");
    grants.identity.parse().map_err(invalid)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, self.text).into_response()
    }
}

fn busy(unplaced: Unplaced) -> Response {
    let headers = [(header::RETRY_AFTER, retry_after())];
    (StatusCode::SERVICE_UNAVAILABLE, headers, unplaced.to_string()).into_response()
}
