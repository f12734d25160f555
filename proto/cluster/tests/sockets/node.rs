//! The answering end of the tests: a served port whose channels the test holds.

use std::{net::SocketAddr, time::Duration};

use proto::{
    control::{Command, Event},
    ids::SessionId,
    pool::{BootId, Owner},
};
use proto_cluster::{
    Token,
    client::{self, Control},
    server::{self, Connection, Handlers, OpenControl, OpenLink, ServeError},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

/// Long enough for a busy machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) controls: mpsc::Receiver<OpenControl>,
    pub(crate) links: mpsc::Receiver<OpenLink>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) served: JoinHandle<Result<(), ServeError>>,
}

/// The node's ends of a connection.
pub(crate) struct Ends {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Node {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (controls, asked_controls) = mpsc::channel(16);
        let (links, asked_links) = mpsc::channel(16);
        let handlers = Handlers { owner: owner(), controls, links };
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server::serve(listener, token(), handlers, async {
            _ = stopped.await;
        }));
        Self { address, controls: asked_controls, links: asked_links, stop, served }
    }

    /// Connects a client, by way of `address`.
    pub(crate) async fn connect_by(&mut self, address: SocketAddr) -> (Control, Ends) {
        let address = address.to_string();
        let (to_node, commands) = mpsc::channel(64);
        let (events, from_node) = mpsc::channel(64);
        let token = token();
        let (control, ()) = tokio::join!(client::control(&address, &token), async {
            let OpenControl(reply) = self.controls.recv().await.unwrap();
            reply.send(Connection { commands: to_node, events: from_node }).unwrap();
        });
        (control.unwrap(), Ends { commands, events })
    }

    pub(crate) async fn connect(&mut self) -> (Control, Ends) {
        self.connect_by(self.address).await
    }
}

pub(crate) fn owner() -> Owner {
    Owner { node: "sfu-আড্ডা".parse().unwrap(), boot: BootId::from_random(7) }
}

pub(crate) fn token() -> Token {
    "the token of this test".replace(' ', "-").parse().unwrap()
}

/// An event that says its number.
pub(crate) fn numbered(number: u32) -> Event {
    Event::Close { session: SessionId(number.into()) }
}

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}
