//! How a peer takes up its session again when its signal connection is lost.

use std::{
    net::{SocketAddr, TcpStream},
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
    time::Duration,
};

use proto::{livekit, livekit::signal_response};
use tungstenite::WebSocket;

use super::{Peer, open_socket, who_asks, wrap};
use crate::wait;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Where to go, and what comes of the present try.
pub(super) struct WayBack {
    server: SocketAddr,
    token: String,
    attempt: Option<Receiver<Result<WebSocket<TcpStream>, String>>>,
}

impl Peer {
    /// From now on it comes back by itself through `server`, as an SDK does. Its media goes on
    /// meanwhile.
    pub fn come_back_through(&mut self, server: SocketAddr, token: &str) {
        self.way_back = Some(WayBack { server, token: token.to_owned(), attempt: None });
    }

    /// Its participant's SID.
    #[must_use]
    pub fn sid(&self) -> String {
        let joined = self.signals.iter().find_map(|signal| match &signal.message {
            Some(signal_response::Message::Join(join)) => join.participant.as_ref(),
            _ => None,
        });
        joined.map(|one| one.sid.clone()).unwrap_or_default()
    }

    /// Does what there is to do for that.
    pub(super) fn come_back(&mut self) {
        let sid = self.sid();
        let Some(way) = &mut self.way_back else { return };
        if !self.ended {
            return;
        }
        let attempt = way.attempt.get_or_insert_with(|| {
            let request =
                livekit::JoinRequest { reconnect: true, participant_sid: sid, ..who_asks() };
            open_in_background(way.server, way.token.clone(), wrap(&request))
        });
        match attempt.try_recv() {
            Ok(Ok(socket)) => {
                self.socket = socket;
                self.ended = false;
                way.attempt = None;
            }
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => way.attempt = None,
            Err(TryRecvError::Empty) => {}
        }
    }
}

fn open_in_background(
    server: SocketAddr,
    token: String,
    request: String,
) -> Receiver<Result<WebSocket<TcpStream>, String>> {
    let (done, attempt) = channel();
    thread::spawn(move || {
        let opened = open_socket(server, &token, &request);
        if opened.is_err() {
            wait(PAUSE);
        }
        // The peer may be gone.
        let _ = done.send(opened);
    });
    attempt
}
