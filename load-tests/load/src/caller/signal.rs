//! The WebSocket of one caller.

use std::time::Duration;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE};
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use proto::livekit::{self, signal_request, signal_response};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::options::{Options, SignalPath};

/// What the protocol was when this was written.
const PROTOCOL: i32 = 16;

pub(super) struct Signal {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Signal {
    /// Joins. `hears` asks to be subscribed to every track.
    pub(super) async fn connect(
        options: &Options,
        token: &str,
        hears: bool,
        offer: Option<livekit::SessionDescription>,
    ) -> anyhow::Result<Self> {
        let query = match options.path {
            SignalPath::OneConnection => format!("/rtc/v1?join_request={}", join(hears, offer)),
            SignalPath::TwoConnections => format!(
                "/rtc?protocol={PROTOCOL}&sdk=go&version=1.0.0&auto_subscribe={}",
                u8::from(hears)
            ),
        };
        let base = options.url.trim_end_matches('/');
        let mut request = format!("{base}{query}").into_client_request()?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        request.headers_mut().insert("Authorization", bearer);
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => {
                if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
                    stream.set_nodelay(true)?;
                }
                Ok(Self { socket })
            }
            Err(Error::Http(response)) => {
                anyhow::bail!("the server refused with HTTP {}", response.status())
            }
            Err(error) => Err(error).context("the WebSocket could not be opened"),
        }
    }

    pub(super) async fn send(&mut self, message: signal_request::Message) -> anyhow::Result<()> {
        let request = livekit::SignalRequest { message: Some(message) };
        let frame = Message::Binary(request.encode_to_vec().into());
        self.socket.send(frame).await.context("the WebSocket broke")
    }

    pub(super) async fn ping(&mut self, now: Duration) -> anyhow::Result<()> {
        let timestamp = i64::try_from(now.as_millis())?;
        let ping = livekit::Ping { timestamp, rtt: 0 };
        self.send(signal_request::Message::PingReq(ping)).await
    }

    /// Says good-bye as SDKs do, and closes.
    pub(super) async fn leave(&mut self) {
        let leave = livekit::LeaveRequest {
            reason: livekit::DisconnectReason::ClientInitiated.into(),
            ..livekit::LeaveRequest::default()
        };
        let _ = self.send(signal_request::Message::Leave(leave)).await;
        let _ = self.socket.close(None).await;
    }

    /// The server's next message. Frames that aren't ours to read are skipped.
    pub(super) async fn next(&mut self) -> anyhow::Result<signal_response::Message> {
        loop {
            let frame = self.socket.next().await.context("the server closed the WebSocket")?;
            let Message::Binary(bytes) = frame.context("the WebSocket broke")? else { continue };
            if let Some(message) = livekit::SignalResponse::decode(bytes)?.message {
                return Ok(message);
            }
        }
    }
}

/// The join request of `/rtc/v1`, as its query carries it.
fn join(hears: bool, publisher_offer: Option<livekit::SessionDescription>) -> String {
    let request = livekit::JoinRequest {
        client_info: Some(livekit::ClientInfo {
            sdk: livekit::client_info::Sdk::Rust.into(),
            version: "1.0.0".to_owned(),
            protocol: PROTOCOL,
            ..livekit::ClientInfo::default()
        }),
        connection_settings: Some(livekit::ConnectionSettings {
            auto_subscribe: hears,
            ..livekit::ConnectionSettings::default()
        }),
        publisher_offer,
        ..livekit::JoinRequest::default()
    };
    let wrapped = livekit::WrappedJoinRequest {
        join_request: request.encode_to_vec(),
        ..livekit::WrappedJoinRequest::default()
    };
    BASE64_URL_SAFE.encode(wrapped.encode_to_vec())
}
