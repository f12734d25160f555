//! A way between clients and one server's media on which packets overtake each other.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    process::Command,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{OUTSIDE, enter_network, now, server::Server};

/// What clients are told to send to. Nobody but a relay listens there.
const FRONT: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);

/// With these a server's media is reached by way of a [`Relay`] alone.
pub const BEHIND_A_RELAY: &[&str] =
    &["--shards", "1", "--media-listen", "10.77.0.1", "--media-advertise", "10.89.0.1"];

/// One packet of so many is held back …
const ONE_OF: usize = 3;
/// … until so many have overtaken it …
const OVERTAKEN_BY: usize = 2;
/// … or it has waited so long, as the last of a flight does.
const HELD_MAX: Duration = Duration::from_millis(60);
/// How long one look at a socket may take.
const GLANCE: Duration = Duration::from_millis(5);

/// Forwards until dropped.
pub struct Relay {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    overtaken: AtomicUsize,
}

impl Relay {
    /// Stands before a server that was started with [`BEHIND_A_RELAY`].
    #[must_use]
    pub fn before(server: &Server) -> Self {
        enter_network();
        add_address();
        let port = server.media_address().port();
        let front = UdpSocket::bind((FRONT, port)).expect("nobody else is there");
        let shared = Arc::new(Shared::default());
        let (there, of_all) = (SocketAddr::new(IpAddr::V4(OUTSIDE), port), Arc::clone(&shared));
        thread::spawn(move || take_from_clients(&front, there, &of_all));
        Self { shared }
    }

    /// How many packets came after one that was sent later.
    #[must_use]
    pub fn overtaken(&self) -> usize {
        self.shared.overtaken.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
    }
}

/// Once for all relays, and before a browser runs, to which it would be a change of networks.
fn add_address() {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| {
        let address = format!("{FRONT}/32");
        let done = Command::new("ip").args(["address", "add", &address, "dev", "lo"]).status();
        assert!(done.expect("`ip` runs").success(), "ip address add {address}");
    });
}

fn take_from_clients(front: &UdpSocket, server: SocketAddr, shared: &Arc<Shared>) {
    let mut ways: BTreeMap<SocketAddr, (UdpSocket, Shuffle)> = BTreeMap::new();
    let mut buffer = [0; 2048];
    front.set_read_timeout(Some(GLANCE)).expect("a socket");
    while !shared.is_over.load(Ordering::Acquire) {
        if let Ok((length, client)) = front.recv_from(&mut buffer) {
            let (back, shuffle) = ways.entry(client).or_insert_with(|| {
                let back = open_way_back(front, client, server, shared);
                (back, Shuffle::default())
            });
            shuffle.take(&buffer[..length], shared, &|bytes| drop(back.send(bytes)));
        }
        for (back, shuffle) in ways.values_mut() {
            shuffle.release_late(&|bytes| drop(back.send(bytes)));
        }
    }
}

/// Opens the socket that stands for `client` at the server, and sends what comes there back.
fn open_way_back(
    front: &UdpSocket,
    client: SocketAddr,
    server: SocketAddr,
    shared: &Arc<Shared>,
) -> UdpSocket {
    let back = UdpSocket::bind((OUTSIDE, 0)).expect("a free port");
    back.connect(server).expect("an address");
    back.set_read_timeout(Some(GLANCE)).expect("a socket");
    let pair = |socket: &UdpSocket| socket.try_clone().expect("a socket");
    let (from, front, shared) = (pair(&back), pair(front), Arc::clone(shared));
    thread::spawn(move || {
        let (mut shuffle, mut buffer) = (Shuffle::default(), [0; 2048]);
        let send = |bytes: &[u8]| drop(front.send_to(bytes, client));
        while !shared.is_over.load(Ordering::Acquire) {
            if let Ok(length) = from.recv(&mut buffer) {
                shuffle.take(&buffer[..length], &shared, &send);
            }
            shuffle.release_late(&send);
        }
    });
    back
}

/// One direction of one client's packets.
#[derive(Default)]
struct Shuffle {
    count: usize,
    held: Option<Held>,
}

struct Held {
    bytes: Vec<u8>,
    since: Instant,
    overtaken_by: usize,
}

impl Shuffle {
    fn take(&mut self, bytes: &[u8], shared: &Shared, send: &dyn Fn(&[u8])) {
        self.count += 1;
        let Some(held) = &mut self.held else {
            if self.count.is_multiple_of(ONE_OF) {
                let bytes = bytes.to_vec();
                self.held = Some(Held { bytes, since: now(), overtaken_by: 0 });
            } else {
                send(bytes);
            }
            return;
        };
        send(bytes);
        held.overtaken_by += 1;
        if held.overtaken_by == OVERTAKEN_BY {
            send(&held.bytes);
            self.held = None;
            shared.overtaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn release_late(&mut self, send: &dyn Fn(&[u8])) {
        if self.held.as_ref().is_some_and(|held| held.since + HELD_MAX < now())
            && let Some(held) = self.held.take()
        {
            send(&held.bytes);
        }
    }
}
