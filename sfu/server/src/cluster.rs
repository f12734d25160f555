//! The cluster port: signaling nodes and recorders in other processes.

use proto_cluster::{
    Token,
    server::{self, Handlers, OpenControl, ServeError},
};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    limits::{CALLS_MAX, LINK_REQUESTS_MAX},
    links::OpenLink,
    node::Node,
    router::{Connection, Control, Origin},
};

impl Node {
    /// Serves signaling nodes and listeners that come to `listener` with the pool's token, until
    /// `shutdown` resolves. The future doesn't borrow the node.
    ///
    /// # Errors
    ///
    /// When the listener fails for good.
    pub fn serve_cluster(
        &self,
        listener: TcpListener,
        token: Token,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = Result<(), ServeError>> + Send + 'static {
        let (controls, control_calls) = mpsc::channel(CALLS_MAX);
        let (links, link_calls) = mpsc::channel(LINK_REQUESTS_MAX);
        let handlers = Handlers { owner: self.owner.clone(), controls, links };
        tokio::spawn(connect(self.control.clone(), control_calls));
        tokio::spawn(open(self.links.clone(), link_calls));
        server::serve(listener, token, handlers, shutdown)
    }
}

async fn connect(control: Control, mut calls: mpsc::Receiver<OpenControl>) {
    while let Some(OpenControl(reply)) = calls.recv().await {
        let Connection { commands, events } = control.connect_from(Origin::Cluster);
        // A caller that has gone drops both ends, which ends the connection.
        _ = reply.send(server::Connection { commands, events });
    }
}

async fn open(links: mpsc::Sender<OpenLink>, mut calls: mpsc::Receiver<server::OpenLink>) {
    while let Some(server::OpenLink { request, frames }) = calls.recv().await {
        // A node that is going drops the frames, which ends the call.
        _ = links.send(OpenLink { request, frames }).await;
    }
}
