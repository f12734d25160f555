//! What every attack needs: a server, a call to disturb, and a way to know that a datagram was
//! taken.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use e2e::{PATIENCE, http, peer::Peer, server::Server};

use crate::{
    stun::{self, Names},
    witness::Witness,
};

/// For what must not come to have come, once the server has taken what would bring it.
const SILENCE: Duration = Duration::from_millis(30);
/// Between two looks at the counters, which are published once a second.
const LOOK: Duration = Duration::from_millis(50);

/// A server on which two honest callers talk in `room`.
pub(crate) struct Scene {
    pub(crate) server: Server,
    /// Where everybody's media goes.
    pub(crate) media: SocketAddr,
    witness: Witness,
    probe: UdpSocket,
    check: Vec<u8>,
}

/// The room in which the honest callers are.
pub(crate) const ROOM: &str = "room";

impl Scene {
    pub(crate) fn start() -> Self {
        // Everybody on one shard, so that whoever is attacked is where the honest call is.
        let server = Server::start_with(&["--shards", "1"]);
        let (witness, known) = Witness::start(&server, ROOM);
        let names = Names { to: known.server.ufrag, from: known.caller.ufrag };
        let check = stun::good_check(&names, &known.server.pwd);
        Self { server, media: known.media, witness, probe: stranger(), check }
    }

    /// Returns when the shard has taken every datagram sent before: it reads them in order, and
    /// answers this check.
    pub(crate) fn settle(&self) {
        self.probe.set_read_timeout(Some(PATIENCE)).expect("a socket");
        self.probe.send_to(&self.check, self.media).expect("sent");
        let mut answer = [0; 256];
        let length = self.probe.recv(&mut answer).expect("an answer to an authentic check");
        assert_eq!(answer[..2], [1, 1], "{:?} is no answer", &answer[..length]);
    }

    /// How many bytes the server has sent to `socket` in answer to anything.
    pub(crate) fn bytes_sent_to(&self, socket: &UdpSocket) -> usize {
        self.settle();
        let mut buffer = [0; 2048];
        let mut sum = 0;
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            sum += length;
        }
        sum
    }

    /// The sum of the counters of `/metrics` whose lines begin with `name` and contain `label`.
    pub(crate) fn counted(&self, name: &str, label: &str) -> u64 {
        let server = self.server.address();
        let page = http::request(server, "GET", "/metrics", &[], "").expect("metrics");
        let lines = page.body.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Waits until so many datagrams were dropped for each of these reasons since the start, and
    /// fails if it's ever more.
    pub(crate) fn assert_dropped(&self, expected: &[(&str, u64)]) {
        self.settle();
        let deadline = e2e::now() + PATIENCE;
        loop {
            let counts = expected.iter().map(|(reason, _)| {
                let label = format!("reason=\"{reason}\"");
                (*reason, self.counted("adda_rtp_dropped_total", &label))
            });
            let counts: Vec<_> = counts.collect();
            if counts == expected {
                return;
            }
            let too_many = counts.iter().zip(expected).any(|(count, wanted)| count.1 > wanted.1);
            let late = e2e::now() >= deadline;
            assert!(!too_many && !late, "counted {counts:?}, expected {expected:?}");
            e2e::wait(LOOK);
        }
    }

    /// Ends the honest call, which must have lost nothing and heard nobody else.
    pub(crate) fn assert_unharmed(self) {
        let foreign = self.finish();
        assert!(foreign.is_empty(), "heard of others: {:?}", words(&foreign));
    }

    /// Ends the honest call, which must have lost nothing; returns what it heard of others.
    pub(crate) fn finish(self) -> Vec<Vec<u8>> {
        assert_eq!(self.counted("adda_invariants_broken_total", ""), 0);
        assert_eq!(self.counted("adda_sfu_events_lost_total", ""), 0);
        self.witness.finish()
    }
}

/// Somebody at an address of their own, who knows where the server is.
pub(crate) fn stranger() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(SILENCE)).expect("a socket");
    socket
}

/// The payloads that `peer` heard and that begin with `start`.
pub(crate) fn heard<'a>(peer: &'a Peer, start: &str) -> Vec<&'a [u8]> {
    peer.payloads().into_iter().filter(|one| one.starts_with(start.as_bytes())).collect()
}

fn words(payloads: &[Vec<u8>]) -> Vec<String> {
    payloads.iter().take(5).map(|one| String::from_utf8_lossy(one).into_owned()).collect()
}
