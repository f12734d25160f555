//! The asking end: a signaling node's connection to an SFU node, a recorder's link to a room.

use std::error::Error;

use proto::{
    control::{Command, Event},
    link::{LinkFrame, LinkRequest},
    pool::Owner,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::{
    Code, Request, Status, Streaming,
    transport::{Channel, Endpoint},
};

use crate::{
    Token,
    limits::{
        COMMAND_BYTES_MAX, COMMANDS_MAX, CONNECT_TIME, CONNECTION_WINDOW_BYTES, EVENT_BYTES_MAX,
        EVENTS_MAX, FRAME_BYTES_MAX, FRAMES_MAX, HEADER_BYTES_MAX, KEEPALIVE_INTERVAL,
        KEEPALIVE_TIMEOUT, STREAM_WINDOW_BYTES, VERSION, VERSION_MIN,
    },
    message::{self as pb, control_client::ControlClient, link_client::LinkClient},
    streams::{Outgoing, read},
};

/// A connection to one life of one node. Ends when either channel is dropped, when the node ends
/// it, or within 2 s after the node can't be reached: then `events` ends and `commands` refuses.
#[derive(Debug)]
pub struct Control {
    /// Who answers. A node that was started again is another owner.
    pub owner: Owner,
    pub commands: mpsc::Sender<Command>,
    pub events: mpsc::Receiver<Event>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the cluster address isn't host:port; see cluster.advertise of that node")]
    Address,
    #[error("the node can't be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the node didn't answer in time")]
    Timeout,
    #[error("the node has another cluster.token; give every process of the pool the same")]
    Unauthorized,
    #[error("the node's release and this one don't understand each other; upgrade the older")]
    Version,
    #[error("the node refused the connection")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

/// Connects signaling to the SFU node at `address` (`host:port`). Takes 2 s at most.
///
/// # Errors
///
/// When the node isn't there, or is none of this pool. Trying again later may help.
pub async fn control(address: &str, token: &Token) -> Result<Control, ConnectError> {
    let opened = timeout(CONNECT_TIME, open_control(address, token)).await;
    opened.map_err(|_| ConnectError::Timeout)?
}

async fn open_control(address: &str, token: &Token) -> Result<Control, ConnectError> {
    let mut stub = ControlClient::new(dial(address).await?)
        .max_decoding_message_size(EVENT_BYTES_MAX)
        .max_encoding_message_size(COMMAND_BYTES_MAX);
    let (commands, outgoing) = mpsc::channel::<Command>(COMMANDS_MAX);
    let (alive, over) = oneshot::channel::<()>();
    // Without a reader of events nobody is to send commands: the two end together.
    let over = async { _ = over.await };
    let outgoing = Outgoing::new(Some(hello()), outgoing, over, COMMAND_BYTES_MAX);
    let mut request = Request::new(outgoing);
    token.attach(request.metadata_mut());
    let mut incoming = stub.connect(request).await?.into_inner();
    let owner = welcome(&mut incoming).await?;
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        read(incoming, sender).await;
        drop(alive);
    });
    Ok(Control { owner, commands, events })
}

fn hello() -> pb::Command {
    let what = pb::command::What::Hello(pb::Hello { version: VERSION });
    pb::Command { what: Some(what) }
}

async fn welcome(incoming: &mut Streaming<pb::Event>) -> Result<Owner, ConnectError> {
    let first = incoming.message().await?.and_then(|event| event.what);
    let Some(pb::event::What::Welcome(welcome)) = first else { return Err(ConnectError::Version) };
    if welcome.version < VERSION_MIN {
        return Err(ConnectError::Version);
    }
    let owner = welcome.node.parse().and_then(|node| {
        let boot = welcome.boot.parse()?;
        Ok(Owner { node, boot })
    });
    owner.map_err(|error| ConnectError::Refused(error.into()))
}

/// Asks the SFU node at `address` for a room's voice. Dropping the receiver closes the link; a
/// reader that is slow is told [`proto::link::LinkClosed::TooSlow`] by the node.
///
/// # Errors
///
/// When the node isn't there, or is none of this pool. That a room isn't there is a frame.
pub async fn open_link(
    address: &str,
    token: &Token,
    request: LinkRequest,
) -> Result<mpsc::Receiver<LinkFrame>, ConnectError> {
    let opened = timeout(CONNECT_TIME, call_link(address, token, request)).await;
    let incoming = opened.map_err(|_| ConnectError::Timeout)??;
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    tokio::spawn(read(incoming, sender));
    Ok(frames)
}

async fn call_link(
    address: &str,
    token: &Token,
    request: LinkRequest,
) -> Result<Streaming<pb::LinkFrame>, ConnectError> {
    let mut stub = LinkClient::new(dial(address).await?).max_decoding_message_size(FRAME_BYTES_MAX);
    let mut request = Request::new(request.into());
    token.attach(request.metadata_mut());
    Ok(stub.open(request).await?.into_inner())
}

async fn dial(address: &str) -> Result<Channel, ConnectError> {
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|_| ConnectError::Address)?;
    let connected = endpoint
        .connect_timeout(CONNECT_TIME)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect()
        .await;
    connected.map_err(|error| ConnectError::Unreachable(error.into()))
}

impl From<Status> for ConnectError {
    fn from(status: Status) -> Self {
        let code = status.code();
        if code == Code::Unauthenticated {
            Self::Unauthorized
        } else if code == Code::FailedPrecondition || code == Code::Unimplemented {
            Self::Version
        } else {
            Self::Refused(status.into())
        }
    }
}
