//! Two transports and the network between them, in virtual time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use proto::{data::ChannelSide, ice::Credentials};
use sfu_rtc::{Certificate, Event, Output, Role, Transport};

pub(crate) const SERVER: &str = "192.0.2.1:7882";
pub(crate) const CLIENT: &str = "198.51.100.7:50000";

/// How datagrams fare, each way.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) seed: u64,
    pub(crate) loss_percent: u64,
    pub(crate) delay: Duration,
    /// Added to each datagram's delay, up to this: so they overtake each other.
    pub(crate) jitter: Duration,
}

pub(crate) const CLEAN: Link =
    Link { seed: 1, loss_percent: 0, delay: Duration::from_millis(10), jitter: Duration::ZERO };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Client,
}

#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) to: End,
    from: SocketAddr,
    bytes: Vec<u8>,
}

impl Datagram {
    pub(crate) fn is_stun(&self) -> bool {
        self.bytes[0] < 4
    }

    pub(crate) fn is_dtls(&self) -> bool {
        (20..64).contains(&self.bytes[0])
    }
}

pub(crate) struct Call {
    pub(crate) now: Instant,
    pub(crate) server: Transport,
    pub(crate) client: Transport,
    pub(crate) server_address: SocketAddr,
    pub(crate) client_address: SocketAddr,
    pub(crate) server_events: Vec<Event>,
    pub(crate) client_events: Vec<Event>,
    /// Everything that was sent, lost or not.
    pub(crate) sent: Vec<Datagram>,
    link: Link,
    dice: u64,
    /// What the network swallows, once something has been cut.
    is_cut: fn(&Datagram) -> bool,
    server_fingerprint: [u8; 32],
    /// By arrival, then by a serial number.
    wire: BTreeMap<(Instant, usize), Datagram>,
}

pub(crate) fn credentials(name: &str) -> Credentials {
    Credentials { ufrag: name.to_owned(), pwd: format!("{name}-password-of-22-chars") }
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
pub(crate) fn start_of_time() -> Instant {
    Instant::now()
}

/// What to change about a call before it starts.
pub(crate) struct Setup {
    pub(crate) link: Link,
    pub(crate) server_address: &'static str,
    pub(crate) client_address: &'static str,
    /// Whether the server opens the data channels.
    pub(crate) server_channels: ChannelSide,
    /// What signaling told the server of the client's certificate.
    pub(crate) told_fingerprint: ToldFingerprint,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToldFingerprint {
    True,
    Wrong,
    None,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            link: CLEAN,
            server_address: SERVER,
            client_address: CLIENT,
            server_channels: ChannelSide::Remote,
            told_fingerprint: ToldFingerprint::True,
        }
    }
}

impl Call {
    pub(crate) fn new(setup: &Setup) -> Self {
        let now = start_of_time();
        let [ours, theirs] = [(); 2].map(|()| Certificate::generate().unwrap());
        let server_address = setup.server_address.parse().unwrap();
        let client_channels = match setup.server_channels {
            ChannelSide::Remote => ChannelSide::Local,
            ChannelSide::Local => ChannelSide::Remote,
        };
        let (local, remote) = (credentials("server"), credentials("client"));
        let mut server =
            Transport::new(&ours, Role::Server, local.clone(), setup.server_channels, now);
        let role = Role::Client { server: server_address };
        let mut client = Transport::new(&theirs, role, remote.clone(), client_channels, now);
        match setup.told_fingerprint {
            ToldFingerprint::True => server.set_remote(Some(remote), theirs.fingerprint()),
            ToldFingerprint::Wrong => server.set_remote(Some(remote), ours.fingerprint()),
            ToldFingerprint::None => {}
        }
        client.set_remote(Some(local), ours.fingerprint());
        Self {
            now,
            server,
            client,
            server_address,
            client_address: setup.client_address.parse().unwrap(),
            server_events: Vec::new(),
            client_events: Vec::new(),
            sent: Vec::new(),
            link: setup.link,
            dice: setup.link.seed,
            is_cut: |_| false,
            server_fingerprint: ours.fingerprint(),
            wire: BTreeMap::new(),
        }
    }

    /// A call over a clean network that is up, data channels and all.
    pub(crate) fn connected() -> Self {
        let mut call = Self::new(&Setup::default());
        call.run_for(Duration::from_secs(2));
        assert!(call.server_events.contains(&Event::Connected), "{:?}", call.server_events);
        assert!(call.client_events.contains(&Event::Connected), "{:?}", call.client_events);
        call
    }

    pub(crate) fn server_fingerprint(&self) -> [u8; 32] {
        self.server_fingerprint
    }

    pub(crate) fn cut(&mut self, is_cut: fn(&Datagram) -> bool) {
        self.is_cut = is_cut;
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        let mut turns_at_once = 0;
        loop {
            let wake = self.drain();
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let due = wake.into_iter().chain(arrival).min().filter(|due| *due <= end);
            let Some(due) = due else {
                self.now = end;
                return;
            };
            let next = due.max(self.now);
            turns_at_once = if next > self.now { 0 } else { turns_at_once + 1 };
            assert!(turns_at_once < 10_000, "a deadline in the past comes again and again");
            self.now = next;
            if arrival.is_some_and(|at| at <= next) {
                let (_, datagram) = self.wire.pop_first().unwrap();
                self.deliver(&datagram);
            } else {
                self.server.handle_timeout(next);
                self.client.handle_timeout(next);
            }
        }
    }

    /// Polls both ends dry and returns the earlier deadline.
    pub(crate) fn drain(&mut self) -> Option<Instant> {
        let server = self.drain_end(End::Server);
        let client = self.drain_end(End::Client);
        server.into_iter().chain(client).min()
    }

    fn drain_end(&mut self, end: End) -> Option<Instant> {
        loop {
            let (transport, from) = match end {
                End::Server => (&mut self.server, self.server_address),
                End::Client => (&mut self.client, self.client_address),
            };
            match transport.poll_output() {
                Output::Datagram { to, bytes } => {
                    let bytes = bytes.to_vec();
                    self.send(from, to, bytes);
                }
                Output::Event(event) => match end {
                    End::Server => self.server_events.push(event),
                    End::Client => self.client_events.push(event),
                },
                Output::Idle(deadline) => return deadline,
            }
        }
    }

    pub(crate) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let end = if to == self.server_address { End::Server } else { End::Client };
        let datagram = Datagram { to: end, from, bytes };
        self.sent.push(datagram.clone());
        if self.roll(100) < self.link.loss_percent || (self.is_cut)(&datagram) {
            return;
        }
        let jitter = u64::try_from(self.link.jitter.as_micros()).unwrap();
        let jitter = Duration::from_micros(self.roll(jitter + 1));
        let arrival = self.now + self.link.delay + jitter;
        self.wire.insert((arrival, self.sent.len()), datagram);
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let Datagram { to, from, bytes } = datagram;
        let transport = match to {
            End::Server => &mut self.server,
            End::Client => &mut self.client,
        };
        if datagram.is_stun() {
            transport.handle_stun(*from, bytes, self.now);
        } else if datagram.is_dtls() {
            transport.handle_dtls(*from, bytes, self.now);
        }
    }

    /// Xorshift: the same seed, the same story.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }
}
