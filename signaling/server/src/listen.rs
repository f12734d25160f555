//! Accepts connections and serves HTTP/1.1 on them, plain or inside TLS.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use service::shutdown::Shutdown;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::{
    config::Listeners,
    limits::{
        CONNECTIONS_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEAD_TIME, REQUEST_HEADERS_MAX,
        TLS_HANDSHAKE_TIME,
    },
};

/// Whether a connection came through TLS. A request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

/// One of the connections we may have. A request extension: a WebSocket outlives its request and
/// keeps a clone.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Serves `router` on every listener until `shutdown`; open connections are then left to end by
/// themselves, and are cut when the returned set is dropped.
pub(crate) fn start(listeners: Listeners, router: Router, shutdown: &Shutdown) -> JoinSet<()> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let acceptor = |tls, scheme| Acceptor {
        router: router.clone(),
        shutdown: shutdown.clone(),
        slots: slots.clone(),
        tls,
        scheme,
    };
    let mut tasks = JoinSet::new();
    for listener in listeners.http {
        tasks.spawn(acceptor(None, Scheme::Plain).run(listener));
    }
    if let Some(https) = listeners.https {
        for listener in https.listeners {
            let tls = TlsAcceptor::from(https.tls.clone());
            tasks.spawn(acceptor(Some(tls), Scheme::Tls).run(listener));
        }
    }
    tasks
}

struct Acceptor {
    router: Router,
    shutdown: Shutdown,
    slots: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
    scheme: Scheme,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.requested() => break,
                Some(_ended) = connections.join_next() => {}
                (slot, accepted) = self.accept(&listener) => match accepted {
                    Ok((stream, peer)) => _ = connections.spawn(self.connection(stream, peer, slot)),
                    Err(error) => self.on_accept_failed(&error).await,
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// A free slot comes before the next connection: what is too many waits in the backlog.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> (Option<Slot>, io::Result<(TcpStream, SocketAddr)>) {
        let permit = self.slots.clone().acquire_owned().await;
        // The semaphore is never closed.
        let slot = permit.ok().map(|permit| Slot { _permit: Arc::new(permit) });
        (slot, listener.accept().await)
    }

    /// Out of file descriptors, most likely: waiting for one to be freed beats spinning.
    async fn on_accept_failed(&self, error: &io::Error) {
        warn!(%error, "connection could not be accepted");
        tokio::time::sleep(crate::limits::RETRY_AFTER).await;
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        slot: Option<Slot>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let service = self
            .router
            .clone()
            .layer(axum::Extension(self.scheme))
            .layer(axum::Extension(ConnectInfo(peer)))
            .layer(axum::Extension(slot));
        let tls = self.tls.clone();
        let shutdown = self.shutdown.clone();
        async move {
            // Small messages that must not wait for each other.
            if stream.set_nodelay(true).is_err() {
                return;
            }
            match tls {
                None => serve(stream, service, shutdown).await,
                Some(tls) => match timeout(TLS_HANDSHAKE_TIME, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, service, shutdown).await,
                    Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
                    Err(_late) => debug!("TLS handshake took too long"),
                },
            }
        }
    }
}

async fn serve<S>(stream: S, router: Router, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.map_request(
        |request: hyper::Request<hyper::body::Incoming>| request.map(axum::body::Body::new),
    ));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIME)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .max_headers(REQUEST_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    debug!(%error, "connection ended early");
                }
                return;
            }
            () = shutdown.requested(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
