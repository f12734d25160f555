//! LiveKit's server API: `POST /twirp/livekit.RoomService/{method}`, JSON or protobuf.
//!
//! What can be answered here is (rights, form, unknown rooms); the rest is the room owner's.

mod error;
mod methods;

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, HttpBody as _, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method as HttpMethod, header},
    response::{IntoResponse, Response},
};
use prost::{Message, Name};
use proto::{
    grants::VideoGrant,
    json::{self, Style},
};
use tokio::time::timeout;

use self::error::{Code, Failure, TwirpError};
use crate::{
    access,
    app::App,
    limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIME},
};

const PREFIX: &str = "/twirp/livekit.RoomService/";

/// A method of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    CreateRoom,
    ListRooms,
    DeleteRoom,
    ListParticipants,
    GetParticipant,
    RemoveParticipant,
    MutePublishedTrack,
    UpdateParticipant,
    UpdateSubscriptions,
    SendData,
    UpdateRoomMetadata,
}

/// How request and response are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Json,
    Protobuf,
}

/// A call whose token was verified and whose body has arrived.
struct Call {
    app: Arc<App>,
    grant: VideoGrant,
    encoding: Encoding,
    body: Bytes,
}

pub(crate) async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    match answer(app, request).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn answer(app: Arc<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let token = access::bearer(&parts.headers)?;
    let claims = token.map(|token| access::verify(&app.keys, token)).transpose()?;
    let (method, encoding) = route(&parts.method, parts.uri.path(), &parts.headers)
        .map_err(|error| error.at(&parts.method, parts.uri.path()))?;
    // Before the body: whoever has no rights at all is not read.
    let grant = claims.and_then(|claims| claims.grants.video).ok_or(TwirpError::denied())?;
    let body = read(body).await?;
    let call = Call { app, grant, encoding, body };
    Ok(match method {
        Method::CreateRoom => call.create_room().await,
        Method::ListRooms => call.list_rooms().await,
        Method::DeleteRoom => call.delete_room().await,
        Method::ListParticipants => call.list_participants().await,
        Method::GetParticipant => call.get_participant().await,
        Method::RemoveParticipant => call.remove_participant().await,
        Method::MutePublishedTrack => call.mute_published_track().await,
        Method::UpdateParticipant => call.update_participant().await,
        Method::UpdateSubscriptions => call.update_subscriptions().await,
        Method::SendData => call.send_data().await,
        Method::UpdateRoomMetadata => call.update_room_metadata().await,
    }?)
}

fn route(
    http_method: &HttpMethod,
    path: &str,
    headers: &HeaderMap,
) -> Result<(Method, Encoding), TwirpError> {
    if http_method != HttpMethod::POST {
        let text = format!("unsupported method {:?} (only POST is allowed)", http_method.as_str());
        return Err(TwirpError::new(Code::BadRoute, text));
    }
    let method = path.strip_prefix(PREFIX).and_then(Method::of_name);
    let method = method
        .ok_or_else(|| TwirpError::new(Code::BadRoute, format!("no handler for path {path:?}")))?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default();
    let encoding = match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => Encoding::Json,
        "application/protobuf" => Encoding::Protobuf,
        _ => {
            let text = format!("unexpected Content-Type: {kind:?}");
            return Err(TwirpError::new(Code::BadRoute, text));
        }
    };
    Ok((method, encoding))
}

async fn read(body: Body) -> Result<Bytes, TwirpError> {
    let refusal = || {
        let text = format!("the body is cut short, or longer than {REQUEST_BODY_BYTES_MAX} bytes");
        TwirpError::new(Code::Malformed, text)
    };
    // What the head already says is too much isn't waited for.
    if body.size_hint().lower() > REQUEST_BODY_BYTES_MAX as u64 {
        return Err(refusal());
    }
    let bytes = timeout(REQUEST_BODY_TIME, to_bytes(body, REQUEST_BODY_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| TwirpError::new(Code::Malformed, "the body took too long"))?;
    bytes.map_err(|_| refusal())
}

impl Method {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "CreateRoom" => Self::CreateRoom,
            "ListRooms" => Self::ListRooms,
            "DeleteRoom" => Self::DeleteRoom,
            "ListParticipants" => Self::ListParticipants,
            "GetParticipant" => Self::GetParticipant,
            "RemoveParticipant" => Self::RemoveParticipant,
            "MutePublishedTrack" => Self::MutePublishedTrack,
            "UpdateParticipant" => Self::UpdateParticipant,
            "UpdateSubscriptions" => Self::UpdateSubscriptions,
            "SendData" => Self::SendData,
            "UpdateRoomMetadata" => Self::UpdateRoomMetadata,
            _ => return None,
        })
    }
}

impl Call {
    fn decode<M: Message + Name + Default>(&self) -> Result<M, TwirpError> {
        match self.encoding {
            Encoding::Json => {
                let text = std::str::from_utf8(&self.body).ok();
                text.and_then(|text| json::from_json(text).ok()).ok_or_else(|| {
                    let text = "the json request could not be decoded";
                    TwirpError::new(Code::Malformed, text)
                })
            }
            Encoding::Protobuf => M::decode(self.body.as_ref()).map_err(|_| {
                TwirpError::new(Code::Malformed, "the protobuf request could not be decoded")
            }),
        }
    }

    fn encode<M: Message + Name>(&self, message: &M) -> Response {
        match self.encoding {
            Encoding::Json => self.respond(json::to_json(message, Style::Twirp).into_bytes()),
            Encoding::Protobuf => self.respond(message.encode_to_vec()),
        }
    }

    /// A response message without fields.
    fn encode_empty(&self) -> Response {
        match self.encoding {
            Encoding::Json => self.respond(b"{}".to_vec()),
            Encoding::Protobuf => self.respond(Vec::new()),
        }
    }

    fn respond(&self, body: Vec<u8>) -> Response {
        let kind = match self.encoding {
            Encoding::Json => "application/json",
            Encoding::Protobuf => "application/protobuf",
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}
