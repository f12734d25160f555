//! Frames of the client protocol: protobuf in binary ones, its JSON form in text ones.

use prost::Message as _;
use proto::{
    json::{self, Style},
    livekit::{SignalRequest, SignalResponse},
};
use tokio_tungstenite::tungstenite::Message;

/// How a client wants to be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Binary,
    Text,
}

/// A frame that holds no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecodable;

pub(super) fn encode(response: &SignalResponse, format: Format) -> Message {
    match format {
        Format::Binary => Message::binary(response.encode_to_vec()),
        Format::Text => Message::text(json::to_json(response, Style::Signal)),
    }
}

pub(super) fn decode_binary(bytes: &[u8]) -> Result<SignalRequest, Undecodable> {
    SignalRequest::decode(bytes).map_err(|_| Undecodable)
}

pub(super) fn decode_text(text: &str) -> Result<SignalRequest, Undecodable> {
    json::from_json(text).map_err(|_| Undecodable)
}
