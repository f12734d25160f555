//! Errors as Twirp writes them: a code, a message, always JSON.

use std::borrow::Cow;

use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use proto::control::OperationError;
use serde_json::{Value, json};

use crate::{
    access::Refusal,
    hub::{AskError, Busy},
    owners::Unplaced,
    problem::retry_after,
};

/// The codes of Twirp's specification that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BadRoute,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    Malformed,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
}

/// A refusal in Twirp's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TwirpError {
    code: Code,
    message: Cow<'static, str>,
    route: Option<String>,
}

/// How a call can fail: in plain text before it is one, in Twirp's form after.
#[derive(Debug)]
pub(super) enum Failure {
    Plain(Refusal),
    Twirp(TwirpError),
}

impl TwirpError {
    pub(super) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), route: None }
    }

    pub(super) fn denied() -> Self {
        Self::new(Code::Unauthenticated, "permissions denied")
    }

    /// Notes where a call was meant to go that goes nowhere.
    pub(super) fn at(self, method: &Method, path: &str) -> Self {
        Self { route: Some(format!("{method} {path}")), ..self }
    }
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::BadRoute => "bad_route",
            Self::FailedPrecondition => "failed_precondition",
            Self::Internal => "internal",
            Self::InvalidArgument => "invalid_argument",
            Self::Malformed => "malformed",
            Self::NotFound => "not_found",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadRoute | Self::NotFound => StatusCode::NOT_FOUND,
            Self::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidArgument | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for TwirpError {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code.name(), "msg": self.message });
        if let (Some(route), Value::Object(fields)) = (self.route, &mut body) {
            fields.insert("meta".to_owned(), json!({ "twirp_invalid_route": route }));
        }
        let kind = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (self.code.status(), kind, body.to_string()).into_response();
        if self.code == Code::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after());
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(refusal) => refusal.into_response(),
            Self::Twirp(error) => error.into_response(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Plain(refusal)
    }
}

impl From<TwirpError> for Failure {
    fn from(error: TwirpError) -> Self {
        Self::Twirp(error)
    }
}

impl From<Busy> for TwirpError {
    fn from(_: Busy) -> Self {
        Self::new(Code::Unavailable, "the server can't take this right now")
    }
}

impl From<Unplaced> for TwirpError {
    fn from(unplaced: Unplaced) -> Self {
        Self::new(Code::Unavailable, unplaced.to_string())
    }
}

impl From<AskError> for TwirpError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Busy(busy) => busy.into(),
            AskError::Refused(error) => error.into(),
        }
    }
}

impl From<OperationError> for TwirpError {
    fn from(error: OperationError) -> Self {
        let code = match error {
            OperationError::NoSuchRoom
            | OperationError::NoSuchParticipant
            | OperationError::NoSuchTrack => Code::NotFound,
            OperationError::RemoteUnmute => Code::FailedPrecondition,
            OperationError::Invalid(_) => Code::InvalidArgument,
            OperationError::Exhausted(_) => Code::ResourceExhausted,
        };
        // The words in front are LiveKit's: its SDKs' users match on them.
        Self::new(code, format!("twirp error unknown: {error}"))
    }
}
