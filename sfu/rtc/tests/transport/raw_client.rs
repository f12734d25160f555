//! A client that says what it likes: authentic STUN, then any bytes in DTLS and SCTP.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use aws_lc_rs::{digest, hmac};
use dcsctp::api::{DcSctpSocket, Message, Options, PpId, SendOptions, SocketEvent, StreamId};
use dimpl::{Dtls, DtlsCertificate};
use proto::{
    data::ChannelSide,
    stun::{ConnectivityCheck, TransactionId, Username},
};
use sfu_rtc::{Certificate, Event, Output, Role, Transport};

use crate::network::{CLIENT, credentials, start_of_time};

pub(crate) struct RawClient {
    pub(crate) server: Transport,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) dtls: Dtls,
    pub(crate) sctp: Box<dyn DcSctpSocket>,
    /// SCTP packets in the order we sent them.
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) address: SocketAddr,
    /// The server's datagrams that have yet to reach us.
    answers: Vec<Vec<u8>>,
}

impl RawClient {
    /// Its address is verified; nothing else has been said.
    pub(crate) fn verified() -> Self {
        let now = start_of_time();
        let certificate = Certificate::generate().unwrap();
        let local = credentials("server");
        let mut server =
            Transport::new(&certificate, Role::Server, local, ChannelSide::Remote, now);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let print = digest::digest(&digest::SHA256, &der).as_ref().try_into().unwrap();
        server.set_remote(Some(credentials("client")), print);
        let own = DtlsCertificate { certificate: der, private_key: key.serialize_der() };
        let mut dtls = Dtls::new_12(Arc::new(dimpl::Config::default()), own, now);
        dtls.set_active(true);
        let mut client = Self {
            server,
            now,
            events: Vec::new(),
            dtls,
            sctp: dcsctp::new_socket("", &Options::default()),
            sent: Vec::new(),
            address: CLIENT.parse().unwrap(),
            answers: Vec::new(),
        };
        client.check();
        assert_eq!(client.drain_server().len(), 1, "the check was not answered");
        client
    }

    /// Its ClientHello, which nobody has seen yet.
    pub(crate) fn hello(&mut self) -> Vec<u8> {
        self.dtls.handle_timeout(self.now).unwrap();
        self.drain_dtls().concat()
    }

    /// Its DTLS and SCTP are connected.
    pub(crate) fn associated() -> Self {
        let mut client = Self::verified();
        client.dtls.handle_timeout(client.now).unwrap();
        client.sctp.connect();
        for _ in 0..20 {
            client.exchange();
        }
        assert!(client.events.contains(&Event::Connected));
        assert_eq!(client.sctp.state(), dcsctp::api::SocketState::Connected);
        client
    }

    fn check(&mut self) {
        let bytes = self.check_bytes();
        self.server.handle_stun(self.address, &bytes, self.now);
    }

    /// An authentic check that nominates.
    pub(crate) fn check_bytes(&self) -> Vec<u8> {
        let (to, from) = (credentials("server"), credentials("client"));
        let check = ConnectivityCheck {
            transaction: TransactionId([1; 12]),
            username: Username { to: &to.ufrag, from: &from.ufrag },
            priority: 1,
            tie_breaker: 1,
            use_candidate: true,
        };
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, to.pwd.as_bytes());
        check.write(|bytes| hmac::sign(&key, bytes).as_ref().try_into().unwrap())
    }

    /// Drains the server and does what is due, until nothing is: which must come to an end.
    pub(crate) fn settle(&mut self, stranger: SocketAddr) {
        for _ in 0..100 {
            match self.server.poll_output() {
                Output::Datagram { to, .. } => assert_ne!(to, stranger),
                Output::Event(event) => self.events.push(event),
                Output::Idle(Some(wake)) if wake <= self.now => {
                    self.server.handle_timeout(self.now);
                }
                Output::Idle(_) => return,
            }
        }
        panic!("a deadline in the past comes again and again");
    }

    /// Gives the server one datagram and collects its answers.
    pub(crate) fn say(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.server.handle_dtls(self.address, datagram, self.now);
        self.drain_server()
    }

    pub(crate) fn drain_server(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        loop {
            match self.server.poll_output() {
                Output::Datagram { bytes, .. } => datagrams.push(bytes.to_vec()),
                Output::Event(event) => self.events.push(event),
                Output::Idle(_) => return datagrams,
            }
        }
    }

    /// Sends one SCTP packet as it is.
    pub(crate) fn say_in_sctp(&mut self, packet: &[u8]) {
        self.dtls.send_application_data(packet).unwrap();
        self.exchange();
    }

    /// Sends a message on stream 0 and waits until it must have arrived.
    pub(crate) fn send_message(&mut self, ppid: u32, payload: Vec<u8>) {
        let message = Message::new(StreamId(0), PpId(ppid), payload);
        self.sctp.send(message, &SendOptions::default()).unwrap();
        for _ in 0..100 {
            self.exchange();
        }
    }

    /// Carries everything back and forth once.
    pub(crate) fn exchange(&mut self) {
        while let Some(event) = self.sctp.poll_event() {
            if let SocketEvent::SendPacket(packet) = event {
                self.dtls.send_application_data(&packet).unwrap();
                self.sent.push(packet);
                self.say_dtls();
            }
        }
        self.say_dtls();
        for answer in std::mem::take(&mut self.answers) {
            self.dtls.handle_packet(&answer).unwrap();
            self.say_dtls();
        }
    }

    fn say_dtls(&mut self) {
        for datagram in self.drain_dtls() {
            let answers = self.say(&datagram);
            self.answers.extend(answers);
        }
    }

    fn drain_dtls(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut buffer = vec![0; 20_000];
        loop {
            let output = self.dtls.poll_output(&mut buffer);
            if let dimpl::Output::Packet(bytes) = output {
                datagrams.push(bytes.to_vec());
            } else if let dimpl::Output::ApplicationData(packet) = output {
                self.sctp.handle_input(packet);
            } else if let dimpl::Output::Timeout(_) = output {
                return datagrams;
            }
        }
    }
}
