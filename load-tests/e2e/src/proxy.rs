//! A TCP proxy between a client and the server, which the test may cut.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use crate::{PATIENCE, wait};

/// Forwards connections until dropped.
pub struct Proxy {
    address: SocketAddr,
    /// Both ends of each connection, to cut them.
    connections: Receiver<[TcpStream; 2]>,
    heads: Receiver<String>,
    is_shut: Arc<AtomicBool>,
    is_slow: Arc<AtomicBool>,
}

/// What a slow way costs whatever comes along it, each way.
const SLOW_ANSWER: Duration = Duration::from_millis(1_200);
/// Bytes of one step on a slow way.
const SLOW_STEP_BYTES: usize = 4_096;

impl Proxy {
    #[must_use]
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (opened, connections) = channel();
        let (seen, heads) = channel();
        let is_shut = Arc::new(AtomicBool::new(false));
        let is_slow = Arc::new(AtomicBool::new(false));
        let (refuses, slow) = (Arc::clone(&is_shut), Arc::clone(&is_slow));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if refuses.load(Ordering::Acquire) {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a socket");
                if opened.send([pair(&client), pair(&upstream)]).is_err() {
                    return;
                }
                let (client_in, upstream_out) = (pair(&client), pair(&upstream));
                let seen = seen.clone();
                let [there, back] = [Arc::clone(&slow), Arc::clone(&slow)];
                thread::spawn(move || pump(client_in, upstream_out, &there, Some(&seen)));
                thread::spawn(move || pump(upstream, client, &back, None));
            }
        });
        Self { address, connections, heads, is_shut, is_slow }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients reach the server through this.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Cuts every connection. New ones are welcome.
    pub fn cut(&self) {
        for stream in self.connections.try_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection and refuses new ones until [`Self::open`].
    pub fn shut(&self) {
        self.is_shut.store(true, Ordering::Release);
        self.cut();
    }

    pub fn open(&self) {
        self.is_shut.store(false, Ordering::Release);
    }

    /// Makes the way a slow one: four kilobytes at a time, and each takes more than a second.
    pub fn slow_down(&self) {
        self.is_slow.store(true, Ordering::Release);
    }

    pub fn hurry(&self) {
        self.is_slow.store(false, Ordering::Release);
    }

    /// Waits for the head of the next upgrade to a WebSocket.
    #[must_use]
    pub fn next_upgrade(&self) -> String {
        loop {
            let head = self.heads.recv_timeout(PATIENCE).expect("a client connects");
            if head.to_ascii_lowercase().contains("upgrade: websocket") {
                return head;
            }
        }
    }
}

/// Copies one direction until either end closes. The first bytes are a request's head.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    is_slow: &AtomicBool,
    heads: Option<&Sender<String>>,
) {
    let mut buffer = vec![0; 65_536];
    let mut head = Some(String::new());
    loop {
        let is_slow = is_slow.load(Ordering::Acquire);
        let room = if is_slow { SLOW_STEP_BYTES } else { buffer.len() };
        let Ok(length @ 1..) = from.read(&mut buffer[..room]) else { break };
        if is_slow {
            wait(SLOW_ANSWER);
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        if let (Some(heads), Some(text)) = (heads, head.as_mut()) {
            text.push_str(&String::from_utf8_lossy(bytes));
            if text.contains("\r\n\r\n") {
                let _ = heads.send(std::mem::take(text));
                head = None;
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// The token that a request's head carries, wherever it does.
#[must_use]
pub fn token_in(head: &str) -> String {
    let query = head.split_once("access_token=").map(|(_, rest)| rest);
    let header = head.split_once("Bearer ").map(|(_, rest)| rest);
    let rest = header.or(query).unwrap_or_default();
    rest.split(['&', ' ', '\r']).next().unwrap_or_default().to_owned()
}
