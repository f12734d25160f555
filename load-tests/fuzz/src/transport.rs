//! A peer connection whose peer proved its address and nothing else, or everything.
//!
//! DTLS and SCTP draw randomness of their own, so a failing input may need several runs.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::LazyLock,
    time::{Duration, Instant},
};

use proto::{
    data::{Channel, ChannelSide},
    ice::Credentials,
};
use sfu_rtc::{Certificate, Output, Role, Transport};

use crate::{clock, script::Script};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7882);
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
const STRANGER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6_666);

/// Datagrams that one side may have waiting: more would mean that they talk for ever.
const EXCHANGES_MAX: usize = 2_000;

/// Steps: a byte that says what to do, and what it takes.
pub(crate) fn transport(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let Some(mut pair) = Pair::new() else { return };
    if script.byte().is_some_and(|byte| byte & 1 == 1) {
        pair.connect();
    } else {
        pair.check();
    }
    while pair.step(&mut script).is_some() {}
    pair.connect();
}

/// A server under test, and an honest client at its address.
struct Pair {
    server: Transport,
    client: Transport,
    now: Instant,
}

impl Pair {
    fn new() -> Option<Self> {
        static CERTIFICATE: LazyLock<Option<Certificate>> =
            LazyLock::new(|| Certificate::generate().ok());
        let certificate = CERTIFICATE.as_ref()?;
        let now = clock::start();
        let ours = Credentials { ufrag: "ours".into(), pwd: "o".repeat(22) };
        let theirs = Credentials { ufrag: "them".into(), pwd: "t".repeat(22) };
        let side = ChannelSide::Remote;
        let mut server = Transport::new(certificate, Role::Server, ours.clone(), side, now);
        server.set_remote(Some(theirs.clone()), certificate.fingerprint());
        let role = Role::Client { server: SERVER };
        let mut client = Transport::new(certificate, role, theirs, side, now);
        client.set_remote(Some(ours), certificate.fingerprint());
        Some(Self { server, client, now })
    }

    /// The client's first check reaches the server: its address is verified from here on.
    fn check(&mut self) {
        self.client.handle_timeout(self.now);
        let checks = datagrams_of(&mut self.client);
        for check in checks.iter().filter(|datagram| is_stun(datagram)) {
            self.server.handle_stun(CLIENT, check, self.now);
        }
        let _ = datagrams_of(&mut self.server);
    }

    /// Both sides talk until they have nothing to say.
    fn connect(&mut self) {
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        for _ in 0..EXCHANGES_MAX {
            let up = datagrams_of(&mut self.client);
            up.iter().for_each(|datagram| take(&mut self.server, CLIENT, datagram, self.now));
            let down = datagrams_of(&mut self.server);
            down.iter().for_each(|datagram| take(&mut self.client, SERVER, datagram, self.now));
            if up.is_empty() && down.is_empty() {
                return;
            }
        }
        assert!(self.now > clock::start(), "they never stop talking");
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let from = |byte: u8| if byte & 0x80 == 0 { CLIENT } else { STRANGER };
        let what = script.byte()?;
        match what & 7 {
            0 | 1 => self.server.handle_dtls(from(what), script.chunk()?, self.now),
            2 => self.server.handle_stun(from(what), script.chunk()?, self.now),
            3 => {
                let mut packet = script.chunk()?.to_vec();
                if let Ok(length) = self.server.open_rtp(from(what), &mut packet) {
                    assert!(length <= packet.len());
                }
            }
            4 => {
                let mut packet = script.chunk()?.to_vec();
                if let Ok(length) = self.server.open_rtcp(from(what), &mut packet) {
                    assert!(length <= packet.len());
                }
            }
            5 => self.say(what, script.chunk()?),
            6 => self.wait(Duration::from_millis(script.number()?.into())),
            _ => self.connect(),
        }
        let _ = datagrams_of(&mut self.server);
        Some(())
    }

    fn say(&mut self, what: u8, payload: &[u8]) {
        let channel = Channel::ALL.get(usize::from(what >> 3) % 3).copied();
        if let Some(channel) = channel {
            let _ = self.client.send_data(channel, payload, self.now);
            let _ = self.server.send_data(channel, payload, self.now);
        }
        self.connect();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
    }
}

fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

fn take(transport: &mut Transport, from: SocketAddr, datagram: &[u8], now: Instant) {
    if is_stun(datagram) {
        transport.handle_stun(from, datagram, now);
    } else {
        transport.handle_dtls(from, datagram, now);
    }
}

fn datagrams_of(transport: &mut Transport) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    loop {
        match transport.poll_output() {
            Output::Datagram { bytes, .. } => datagrams.push(bytes.to_vec()),
            Output::Event(_) => {}
            Output::Idle(_) => return datagrams,
        }
        assert!(datagrams.len() <= EXCHANGES_MAX, "one input, endless output");
    }
}
