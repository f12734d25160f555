//! A pool as in production: processes of each role around real servers, behind one address.

mod node;

use std::{net::SocketAddr, thread};

use parts::{Nginx, Postgres, Redis, S3};
use serde_json::{Value, json};

use crate::{
    enter_network,
    http::{self, Response},
    peer::{Manner, Peer},
    proxy::Proxy,
    talk::{Speaker, Talk},
    token::Token,
};
pub use node::Node;

/// How many processes of each role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    pub signaling: usize,
    pub sfu: usize,
    pub recorders: usize,
}

/// A running pool. Everything of it ends when it is dropped.
pub struct Cluster {
    pub signaling: Vec<Node>,
    pub sfu: Vec<Node>,
    pub recorders: Vec<Node>,
    pub nginx: Nginx,
    pub servers: Servers,
}

/// What the nodes share.
pub struct Servers {
    pub redis: Redis,
    pub postgres: Postgres,
    pub s3: S3,
    /// What stands before the S3, if anything does.
    pub door: Option<Proxy>,
}

impl Servers {
    /// Starts each. The network must have been entered.
    #[must_use]
    pub fn start() -> Self {
        // Each has its own wait to be ready.
        let (redis, s3) = (thread::spawn(Redis::start), thread::spawn(S3::start));
        let postgres = Postgres::start();
        let (redis, s3) = (redis.join().expect("Redis"), s3.join().expect("S3"));
        Self { redis, postgres, s3, door: None }
    }
}

impl Cluster {
    /// Starts all of it at once and waits until every node can take work.
    #[must_use]
    pub fn start(shape: Shape) -> Self {
        enter_network();
        Self::around(Servers::start(), shape)
    }

    /// The same around servers of the caller's. The network must have been entered.
    #[must_use]
    pub fn around(servers: Servers, shape: Shape) -> Self {
        let start = |role: &str, count| -> Vec<Node> {
            (1..=count).map(|number| Node::start(role, number, &servers)).collect()
        };
        let mut signaling = start("signaling", shape.signaling);
        let mut sfu = start("sfu", shape.sfu);
        let mut recorders = start("recorder", shape.recorders);
        for node in signaling.iter_mut().chain(&mut sfu).chain(&mut recorders) {
            node.wait_until_ready();
        }
        let addresses: Vec<SocketAddr> = signaling.iter().map(Node::address).collect();
        let nginx = Nginx::before(&addresses);
        Self { signaling, sfu, recorders, nginx, servers }
    }

    /// The one address in front of all signaling nodes.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.nginx.address()
    }

    /// The same as SDKs are given it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address())
    }

    /// A participant's token, still open to change.
    #[must_use]
    pub fn token(&self, room: &str, identity: &str) -> Token {
        Token::new("devkey", "secret", room, identity)
    }

    /// Somebody for a conversation in `room`, who joins by way of `through` and comes back by way
    /// of the one address.
    #[must_use]
    pub fn speaker(&self, through: SocketAddr, room: &str, identity: &str) -> Speaker {
        let token = self.token(room, identity).sign();
        Speaker { identity: identity.to_owned(), token, through, back: self.address() }
    }

    /// Two people who talk in `room`, the one by way of the first signaling node, the other by way
    /// of the last.
    #[must_use]
    pub fn talk(&self, room: &str) -> Talk {
        let ends = [self.signaling.first(), self.signaling.last()];
        self.talk_through(room, ends.map(|node| node.expect("signaling").address()))
    }

    /// The same by these ways.
    #[must_use]
    pub fn talk_through(&self, room: &str, ways: [SocketAddr; 2]) -> Talk {
        let names = ["ann", "bob"].map(|name| format!("{room}-{name}"));
        let speakers = ways.iter().zip(&names);
        Talk::of(speakers.map(|(way, name)| self.speaker(*way, room, name)).collect())
    }

    /// The place among [`Cluster::sfu`] of the node that carries media to this address.
    #[must_use]
    pub fn sfu_at(&self, media: SocketAddr) -> usize {
        let found = self.sfu.iter().position(|node| node.owns_port(media.port()));
        found.unwrap_or_else(|| panic!("no SFU has port {media}"))
    }

    /// Which SFU has `room`, told by where a listener's media goes.
    #[must_use]
    pub fn sfu_of_room(&self, room: &str) -> usize {
        let token = self.token(room, "scout").sign();
        let scout = Peer::join_with(self.address(), &token, "scout", Manner::with_ssrc(0x5c0_0001));
        self.sfu_at(scout.media())
    }

    /// A request to the HTTP API by way of the one address, as a moderator of `room`.
    #[must_use]
    pub fn api(&self, method: &str, target: &str, room: &str, body: &Value) -> Response {
        let token = ["roomAdmin", "roomRecord", "roomCreate", "roomList"]
            .iter()
            .fold(self.token(room, "moderator"), |token, right| token.grant(right, json!(true)));
        self.api_as(&token.sign(), method, target, &[], body)
    }

    /// The same with a token and header lines of the caller's.
    #[must_use]
    pub fn api_as(
        &self,
        token: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let bearer = format!("Bearer {token}");
        let own = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        let headers: Vec<(&str, &str)> = own.iter().chain(headers).copied().collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::request(self.address(), method, target, &headers, &body).expect("nginx answers")
    }
}
