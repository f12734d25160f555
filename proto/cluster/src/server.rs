//! The answering end: an SFU node's cluster port.

use std::{error::Error, pin::Pin};

use proto::{
    control::{Command, Event},
    link::{LinkClosed, LinkFrame, LinkRequest},
    pool::Owner,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{
    Request, Response, Status, Streaming,
    service::interceptor::InterceptedService,
    transport::{self, Server},
};
use tracing::debug;

use crate::{
    Token,
    gate::{Admission, Incoming},
    limits::{
        ADMISSION_TIME, COMMAND_BYTES_MAX, CONNECTION_WINDOW_BYTES, EVENT_BYTES_MAX,
        FRAME_BYTES_MAX, FRAMES_MAX, HEADER_BYTES_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT,
        STOP_TIME, STREAM_WINDOW_BYTES, STREAMS_MAX, VERSION, VERSION_MIN,
    },
    message::{
        self as pb,
        control_server::{Control, ControlServer},
        link_server::{Link, LinkServer},
    },
    streams::{Outgoing, read},
    wire::MessageError,
};

/// Who answers at a cluster port, and with what.
#[derive(Clone, Debug)]
pub struct Handlers {
    /// What a connection is told first.
    pub owner: Owner,
    pub controls: mpsc::Sender<OpenControl>,
    pub links: mpsc::Sender<OpenLink>,
}

/// A signaling node has connected: answer with its ends of a connection. Its end shows in both.
#[derive(Debug)]
pub struct OpenControl(pub oneshot::Sender<Connection>);

/// The node's side gives the wire these ends.
#[derive(Debug)]
pub struct Connection {
    pub commands: mpsc::Sender<Command>,
    pub events: mpsc::Receiver<Event>,
}

/// A listener asks for a room's voice. That it has gone shows as a closed channel.
#[derive(Debug)]
pub struct OpenLink {
    pub request: LinkRequest,
    pub frames: mpsc::Sender<LinkFrame>,
}

/// The cluster port can't be served.
#[derive(Debug, thiserror::Error)]
#[error("the cluster port can't be served")]
pub struct ServeError(#[source] Box<dyn Error + Send + Sync>);

/// Serves the cluster port until `shutdown` resolves; then every call ends, within 2 s.
///
/// # Errors
///
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    token: Token,
    handlers: Handlers,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, mut stopping) = watch::channel(false);
    let service = Service { handlers, stopping: stopping.clone() };
    let check = move |mut request: Request<()>| {
        token.check(request.metadata())?;
        if let Some(admission) = request.extensions_mut().get::<Admission>() {
            admission.grant();
        }
        Ok(request)
    };
    let control = ControlServer::new(service.clone())
        .max_decoding_message_size(COMMAND_BYTES_MAX)
        .max_encoding_message_size(EVENT_BYTES_MAX);
    let link = LinkServer::new(service).max_encoding_message_size(FRAME_BYTES_MAX);
    let signal = async move {
        shutdown.await;
        _ = stop.send(true);
    };
    let serving = builder()
        .add_service(InterceptedService::new(control, check.clone()))
        .add_service(InterceptedService::new(link, check))
        .serve_with_incoming_shutdown(Incoming::new(listener), signal);
    let overdue = async {
        _ = stopping.wait_for(|stop| *stop).await;
        sleep(STOP_TIME).await;
    };
    tokio::select! {
        served = serving => served.map_err(|error: transport::Error| ServeError(error.into())),
        // A peer that doesn't read keeps its call open; the process needn't wait for it.
        () = overdue => Ok(()),
    }
}

fn builder() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}

#[derive(Clone)]
struct Service {
    handlers: Handlers,
    stopping: watch::Receiver<bool>,
}

impl Service {
    /// A channel's values as the body of an answer.
    fn answer<T, M>(
        &self,
        first: Option<M>,
        values: mpsc::Receiver<T>,
        bytes_max: usize,
    ) -> Response<Answer<M>>
    where
        T: Into<M> + Send + 'static,
        M: prost::Message + Unpin + 'static,
    {
        let mut stopping = self.stopping.clone();
        // A server that is gone counts as one that stops.
        let stop = async move { _ = stopping.wait_for(|stop| *stop).await };
        let outgoing = Outgoing::new(first, values, stop, bytes_max);
        Response::new(Box::pin(outgoing.map(Ok)))
    }

    fn welcome(&self) -> pb::Event {
        let Owner { node, boot } = self.handlers.owner.clone();
        let welcome = pb::Welcome { version: VERSION, node: node.into(), boot: boot.to_string() };
        pb::Event { what: Some(pb::event::What::Welcome(welcome)) }
    }
}

type Answer<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

#[tonic::async_trait]
impl Control for Service {
    type ConnectStream = Answer<pb::Event>;

    async fn connect(
        &self,
        request: Request<Streaming<pb::Command>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let mut commands = request.into_inner();
        let hello = timeout(ADMISSION_TIME, commands.message()).await;
        let hello = hello.map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(pb::command::What::Hello(hello)) = hello.and_then(|command| command.what) else {
            return Err(Status::failed_precondition("the first command must be hello"));
        };
        understood(hello.version)?;
        let (reply, connection) = oneshot::channel();
        let asked = self.handlers.controls.try_send(OpenControl(reply));
        asked.map_err(|_| Status::unavailable("the node can't take another connection"))?;
        let connection = connection.await;
        let Connection { commands: sender, events } =
            connection.map_err(|_| Status::unavailable("the node is going away"))?;
        tokio::spawn(read(commands, sender));
        debug!("control connection opened");
        Ok(self.answer(Some(self.welcome()), events, EVENT_BYTES_MAX))
    }
}

#[tonic::async_trait]
impl Link for Service {
    type OpenStream = Answer<pb::LinkFrame>;

    async fn open(
        &self,
        request: Request<pb::LinkRequest>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let request = request.into_inner();
        understood(request.version)?;
        let request: LinkRequest = request
            .try_into()
            .map_err(|error: MessageError| Status::invalid_argument(error.to_string()))?;
        let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
        let refusal = frames.clone();
        if self.handlers.links.try_send(OpenLink { request, frames }).is_err() {
            // The channel is new and empty, so there is room for the one word.
            _ = refusal.try_send(LinkFrame::Closed(LinkClosed::Refused));
        }
        drop(refusal);
        Ok(self.answer(None, outgoing, FRAME_BYTES_MAX))
    }
}

fn understood(version: u32) -> Result<(), Status> {
    if version >= VERSION_MIN {
        Ok(())
    } else {
        Err(Status::failed_precondition("this release doesn't understand the caller's"))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use proto::pool::BootId;
    use tonic::transport::Endpoint;

    use super::*;
    use crate::message::{control_client::ControlClient, link_client::LinkClient};

    #[tokio::test]
    async fn a_caller_of_a_release_that_is_too_old_is_refused_at_both_doors() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token: Token = "0123456789abcdef".parse().unwrap();
        let owner = Owner { node: "sfu".parse().unwrap(), boot: BootId::from_random(1) };
        // Nobody is there to answer whoever comes further.
        let (controls, links) = (mpsc::channel(1).0, mpsc::channel(1).0);
        let handlers = Handlers { owner, controls, links };
        tokio::spawn(serve(listener, token.clone(), handlers, pending()));
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();

        let hello = pb::command::What::Hello(pb::Hello { version: VERSION_MIN - 1 });
        let mut hello = Request::new(tokio_stream::once(pb::Command { what: Some(hello) }));
        token.attach(hello.metadata_mut());
        let refused = ControlClient::new(channel.clone()).connect(hello).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
        let version = VERSION_MIN - 1;
        let request = pb::LinkRequest { version, room: "demo".to_owned(), epoch: 1, purpose: 1 };
        let mut request = Request::new(request);
        token.attach(request.metadata_mut());
        let refused = LinkClient::new(channel).open(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    }

    #[test]
    fn a_caller_of_a_release_that_is_too_old_is_told_so() {
        let refused = understood(VERSION_MIN - 1).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
        assert!(understood(VERSION).is_ok());
        assert!(understood(VERSION + 1).is_ok(), "a newer release knows whether it understands us");
    }
}
