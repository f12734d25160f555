//! The WebSocket of `/rtc/v1`, and the messages on it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, prelude::BASE64_URL_SAFE};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use proto::livekit::{
    JoinRequest, SignalRequest, SignalResponse, WrappedJoinRequest, signal_request,
    signal_response, wrapped_join_request::Compression,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// A participant's connection to signaling.
pub struct Signal {
    socket: WebSocketStream<TcpStream>,
}

impl Signal {
    /// Opens the socket with everything the server needs to let us join.
    pub async fn join(server: SocketAddr, token: &str, request: &JoinRequest) -> Result<Self> {
        let wrapped = WrappedJoinRequest {
            compression: Compression::None.into(),
            join_request: request.encode_to_vec(),
        };
        let join_request = BASE64_URL_SAFE.encode(wrapped.encode_to_vec()).replace('=', "%3D");
        let url = format!("ws://{server}/rtc/v1?access_token={token}&join_request={join_request}");
        let stream = TcpStream::connect(server).await.context("signaling is not there")?;
        let (socket, _) = client_async(url, stream).await.context("signaling refused us")?;
        Ok(Self { socket })
    }

    pub async fn send(&mut self, message: signal_request::Message) -> Result<()> {
        let request = SignalRequest { message: Some(message) };
        self.socket.send(Message::Binary(request.encode_to_vec().into())).await?;
        Ok(())
    }

    /// Waits for the next message that says something.
    pub async fn next(&mut self) -> Result<signal_response::Message> {
        while let Some(frame) = self.socket.next().await {
            if let Message::Binary(bytes) = frame?
                && let Some(message) = SignalResponse::decode(bytes)?.message
            {
                return Ok(message);
            }
        }
        bail!("signaling closed the socket")
    }
}
