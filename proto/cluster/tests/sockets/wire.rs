//! A wire that can go dead: bytes stop, and neither end is told.

use std::{future::pending, net::SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Dead,
    Torn,
}

impl Wire {
    pub(crate) async fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, changes) = watch::channel(State::Whole);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let node = TcpStream::connect(node).await.unwrap();
                tokio::spawn(carry(client, node, changes.clone()));
            }
        });
        Self { address, state }
    }

    /// From here on nothing arrives, as when a cable is pulled.
    pub(crate) fn go_dead(&self) {
        self.state.send_replace(State::Dead);
    }

    /// Both ends are told that the connection is over, as when a process is killed.
    pub(crate) fn tear(&self) {
        self.state.send_replace(State::Torn);
    }
}

async fn carry(mut client: TcpStream, mut node: TcpStream, mut changes: watch::Receiver<State>) {
    let ended = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut node) => State::Torn,
        state = changes.wait_for(|state| *state != State::Whole) => *state.unwrap(),
    };
    if ended == State::Dead {
        pending::<()>().await;
    }
}
