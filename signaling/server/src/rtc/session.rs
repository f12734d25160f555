//! One signal connection: carries frames between a client's WebSocket and its room's owner.
//!
//! It answers pings itself and passes everything else on. How a session ends is one value,
//! [`End`], from which follows what the owner and the client are told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use proto::{
    control::{Join, MediaStage, RoomAction},
    grants::Grants,
    ids::SessionId,
    livekit::{
        DisconnectReason, LeaveRequest, Pong, SignalRequest, SignalResponse, leave_request::Action,
        signal_request, signal_response,
    },
};
use service::{
    clock,
    token::{SignError, Validity},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as SocketError, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tracing::{debug, error};

use super::{
    Admitted,
    budget::{Budget, Exceeded},
    frame::{self, Format, Undecodable},
};
use crate::{
    app::App,
    hub::{Busy, Cut, Hold, Mailbox, Outgoing},
    limits::{
        CLOSE_TIME, LINGER_BYTES_MAX, PING_INTERVAL, REFRESHED_TOKEN_LIFE_MIN,
        UNANSWERED_PINGS_MAX, WRITE_TIME,
    },
    metrics::Stage,
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A signal connection.
pub(super) struct Session {
    app: Arc<App>,
    id: SessionId,
    hold: Hold,
    /// The API key that signed the client's token, and from when until when that token says that
    /// it is good (since 1970).
    key: String,
    issued: Duration,
    expires: Duration,
    format: Format,
    budget: Budget,
    arrived: Instant,
    /// It was answered as one who joins anew.
    is_newcomer: bool,
    /// Pings since anything was heard of the client.
    unanswered_pings: u32,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The owner has said everything.
    Dismissed,
    /// The client closed its socket, or lost it.
    Gone,
    /// The hub ended it.
    Cut(Cut),
    /// The client broke a rule.
    Refused(CloseCode, &'static str),
}

impl Session {
    pub(super) fn new(
        app: Arc<App>,
        id: SessionId,
        hold: Hold,
        admitted: &Admitted,
        arrived: Instant,
    ) -> Self {
        Self {
            app,
            id,
            hold,
            key: admitted.claims.issuer.clone(),
            issued: admitted.claims.issued_at(),
            expires: Duration::from_secs(admitted.claims.expires),
            format: admitted.parameters.format,
            budget: Budget::new(arrived),
            arrived,
            is_newcomer: false,
            unanswered_pings: 0,
        }
    }

    /// Joins, and carries frames until the session ends.
    pub(super) async fn run(mut self, mut socket: Socket, join: Join) {
        self.app.metrics.sockets.inc();
        debug!("session opened");
        let end = self.join_and_relay(&mut socket, join).await;
        debug!(?end, "session ended");
        if end != End::Dismissed {
            let gone = RoomAction::Disconnected { session: self.id };
            if self.app.owners.hub.send(&self.hold, gone).await.is_err() {
                debug!("the room's owner was not told");
            }
        }
        self.close(&mut socket, end).await;
        self.app.owners.hub.unregister(self.id).await;
        linger(socket).await;
        self.app.metrics.sockets.dec();
    }

    async fn join_and_relay(&mut self, socket: &mut Socket, join: Join) -> End {
        let hub = self.app.owners.hub.clone();
        let Ok(mailbox) = hub.register(self.id, &self.hold).await else {
            return Busy.into();
        };
        if hub.send(&self.hold, RoomAction::Join(Box::new(join))).await.is_err() {
            return Busy.into();
        }
        match self.relay(socket, mailbox).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn relay(
        &mut self,
        socket: &mut Socket,
        mailbox: Mailbox,
    ) -> Result<std::convert::Infallible, End> {
        let Mailbox { mut frames, mut cut } = mailbox;
        let mut pings = ping_interval();
        loop {
            tokio::select! {
                Some(cut) = cut.recv() => return Err(End::Cut(cut)),
                outgoing = frames.recv() => {
                    let outgoing = outgoing
                        .ok_or_else(|| End::Cut(cut.try_recv().unwrap_or(Cut::LinkLost)))?;
                    self.on_outgoing(socket, &mut cut, outgoing).await?;
                }
                message = socket.next() => {
                    let message = message.ok_or(End::Gone)?.map_err(|error| end_of(&error))?;
                    self.on_message(socket, &mut cut, message).await?;
                }
                _ = pings.tick() => {
                    if self.unanswered_pings >= UNANSWERED_PINGS_MAX {
                        return Err(End::Refused(CloseCode::Policy, "nothing was heard of you"));
                    }
                    self.unanswered_pings += 1;
                    write(socket, &mut cut, Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    async fn on_outgoing(
        &mut self,
        socket: &mut Socket,
        cut: &mut mpsc::Receiver<Cut>,
        outgoing: Outgoing,
    ) -> Result<(), End> {
        let response = match outgoing {
            Outgoing::Frame(response) => *response,
            Outgoing::Refresh(grants) => match self.refreshed(*grants) {
                Ok(token) => response(signal_response::Message::RefreshToken(token)),
                Err(error) => {
                    error!(%error, "token was not refreshed");
                    return Ok(());
                }
            },
            Outgoing::Reached(stage) => {
                self.media_reached(stage);
                return Ok(());
            }
            Outgoing::Close => return Err(End::Dismissed),
        };
        write(socket, cut, frame::encode(&response, self.format)).await?;
        if let Some(signal_response::Message::Join(_)) = response.message {
            self.is_newcomer = true;
            self.app.metrics.join_reached(Stage::Signal, self.arrived.elapsed());
        }
        Ok(())
    }

    /// Of who resumes, the join began with another session.
    fn media_reached(&self, stage: MediaStage) {
        if self.is_newcomer {
            self.app.metrics.join_reached(Stage::Media(stage), self.arrived.elapsed());
        }
    }

    fn refreshed(&mut self, grants: Grants) -> Result<String, SignError> {
        let now = clock::unix_time();
        let until = self.expires.max(now.saturating_add(REFRESHED_TOKEN_LIFE_MIN));
        // As old as the one it replaces: joining anew makes no revoked token good.
        let validity = Validity { from: self.issued, until };
        let token = self.app.keys.sign(&self.key, grants, validity)?;
        self.expires = until;
        Ok(token)
    }

    async fn on_message(
        &mut self,
        socket: &mut Socket,
        cut: &mut mpsc::Receiver<Cut>,
        message: Message,
    ) -> Result<(), End> {
        self.unanswered_pings = 0;
        self.budget.spend(message.len(), clock::now())?;
        let request = match message {
            Message::Binary(bytes) => frame::decode_binary(&bytes)?,
            Message::Text(text) => {
                self.format = Format::Text;
                frame::decode_text(&text)?
            }
            Message::Close(_) => return Err(End::Gone),
            // The library answers pings; raw frames are never read.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        self.on_request(socket, cut, request).await
    }

    async fn on_request(
        &mut self,
        socket: &mut Socket,
        cut: &mut mpsc::Receiver<Cut>,
        request: SignalRequest,
    ) -> Result<(), End> {
        let timestamp = i64::try_from(clock::unix_time().as_millis()).unwrap_or(i64::MAX);
        let pong = response(signal_response::Message::Pong(timestamp));
        match request.message {
            // Empty, or of a kind that a later schema added.
            None => Ok(()),
            Some(signal_request::Message::Ping(_)) => {
                write(socket, cut, frame::encode(&pong, self.format)).await
            }
            Some(signal_request::Message::PingReq(ping)) => {
                let last_ping_timestamp = ping.timestamp;
                let full =
                    signal_response::Message::PongResp(Pong { last_ping_timestamp, timestamp });
                write(socket, cut, frame::encode(&pong, self.format)).await?;
                write(socket, cut, frame::encode(&response(full), self.format)).await
            }
            message @ Some(_) => {
                let request = Box::new(SignalRequest { message });
                let action = RoomAction::Signal { session: self.id, request };
                Ok(self.app.owners.hub.send(&self.hold, action).await?)
            }
        }
    }

    /// Tells the client why, and what to do: in a frame that SDKs act on, and in the close frame.
    async fn close(&self, socket: &mut Socket, end: End) {
        if let Some(leave) = leave_of(end) {
            let frame =
                frame::encode(&response(signal_response::Message::Leave(leave)), self.format);
            if !matches!(timeout(CLOSE_TIME, socket.send(frame)).await, Ok(Ok(()))) {
                return debug!("client was not told where to go");
            }
        }
        let (code, reason) = match end {
            End::Gone => return,
            End::Dismissed if self.app.shutdown.is_requested() => (CloseCode::Away, "stopping"),
            End::Dismissed => (CloseCode::Normal, ""),
            End::Cut(Cut::Stopping) => (CloseCode::Away, "stopping"),
            End::Cut(Cut::TooSlow) => (CloseCode::Again, "too slow: messages were lost"),
            End::Cut(Cut::Misplaced) => (CloseCode::Again, "the room is elsewhere: connect again"),
            End::Cut(Cut::LinkLost) => {
                (CloseCode::Again, "the room can't be reached: connect again")
            }
            End::Refused(code, reason) => (code, reason),
        };
        let frame = CloseFrame { code, reason: reason.into() };
        let sent = timeout(CLOSE_TIME, socket.send(Message::Close(Some(frame)))).await;
        if !matches!(sent, Ok(Ok(()))) {
            debug!("close frame was not sent");
        }
    }
}

/// What SDKs do without waiting for anything: join anew where the room has another life, resume
/// where it may only be out of sight, since its media may go on all the while.
fn leave_of(end: End) -> Option<LeaveRequest> {
    let (reason, action) = match end {
        End::Cut(Cut::Misplaced) => (DisconnectReason::StateMismatch, Action::Reconnect),
        End::Cut(Cut::LinkLost) => (DisconnectReason::SignalClose, Action::Resume),
        End::Dismissed | End::Gone | End::Cut(Cut::TooSlow | Cut::Stopping) | End::Refused(..) => {
            return None;
        }
    };
    let (reason, action) = (reason.into(), action.into());
    Some(LeaveRequest { can_reconnect: true, reason, action, regions: None })
}

/// Writes one message, unless the hub ends the session while the socket is stuck.
async fn write(
    socket: &mut Socket,
    cut: &mut mpsc::Receiver<Cut>,
    message: Message,
) -> Result<(), End> {
    tokio::select! {
        biased;
        Some(cut) = cut.recv() => Err(End::Cut(cut)),
        sent = timeout(WRITE_TIME, socket.send(message)) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(SocketError::WriteBufferFull(_))) => Err(End::Cut(Cut::TooSlow)),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        },
    }
}

/// Lets the client's own close frame arrive, and whatever it had sent before: closing a socket
/// with unread bytes would take our close frame back.
async fn linger(mut socket: Socket) {
    let read_out = async {
        while let Some(Ok(_)) = socket.next().await {}
        let stream = socket.get_mut();
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    if !matches!(timeout(CLOSE_TIME, read_out).await, Ok(Ok(_))) {
        debug!("socket was not closed in order");
    }
}

fn ping_interval() -> Interval {
    let mut pings = interval_at(tokio::time::Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

fn response(message: signal_response::Message) -> SignalResponse {
    SignalResponse { message: Some(message) }
}

fn end_of(error: &SocketError) -> End {
    match error {
        SocketError::Capacity(_) => End::Refused(CloseCode::Size, "message is too large"),
        SocketError::Protocol(_) => End::Refused(CloseCode::Protocol, "not a WebSocket frame"),
        SocketError::Utf8(_) => End::Refused(CloseCode::Invalid, "text is not UTF-8"),
        SocketError::ConnectionClosed
        | SocketError::AlreadyClosed
        | SocketError::Io(_)
        | SocketError::Tls(_)
        | SocketError::WriteBufferFull(_)
        | SocketError::AttackAttempt
        | SocketError::Url(_)
        | SocketError::Http(_)
        | SocketError::HttpFormat(_) => End::Gone,
    }
}

impl From<Undecodable> for End {
    fn from(_: Undecodable) -> Self {
        Self::Refused(CloseCode::Invalid, "frame is no SignalRequest")
    }
}

impl From<Exceeded> for End {
    fn from(_: Exceeded) -> Self {
        Self::Refused(CloseCode::Policy, "too many messages")
    }
}

impl From<Busy> for End {
    fn from(_: Busy) -> Self {
        Self::Refused(CloseCode::Again, "the server can't take this right now")
    }
}
