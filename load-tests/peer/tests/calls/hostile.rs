//! A client that joins like any other and then writes its own packets.
//!
//! It speaks DTLS and SCTP by the crates `rtc-dtls` and `rtc-sctp`, ICE by hand.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{digest, hmac, rand};
use bytes::{Bytes, BytesMut};
use peer::{
    Signal,
    attack::{Association, Forger, acknowledged_tsn, hello_datagrams},
    room_token,
};
use proto::{
    livekit::{ConnectionSettings, JoinRequest, SessionDescription, signal_response::Message},
    stun::{Class, ConnectivityCheck, Message as Stun, TransactionId, Username},
};
use rtc::{
    crypto::default_provider,
    dtls::{
        config::{ConfigBuilder, HandshakeConfig},
        crypto::Certificate,
        endpoint::{Endpoint, EndpointEvent},
        extension::extension_use_srtp::SrtpProtectionProfile,
    },
    shared::TransportProtocol,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};

use crate::server::{Server, within};

const UFRAG: &str = "hostile1";
const PWD: &str = "hostilehostilehostilehostile";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(50);
/// Datagrams between two checks, which keep the sender from running ahead of the server.
const BURST: usize = 16;

/// A participant whose address the server has verified, and nothing else.
pub(crate) struct Hostile {
    socket: UdpSocket,
    server: Secret,
    dtls: Endpoint,
    config: Arc<HandshakeConfig>,
    is_keyed: bool,
    association: Option<Association>,
    forger: Forger,
    checked: Option<TransactionId>,
    acknowledged: Option<u32>,
    /// Signaling ends a session whose socket is gone.
    _signal: Signal,
}

/// The credentials of the server's answer.
struct Secret {
    ufrag: String,
    key: hmac::Key,
}

impl Hostile {
    /// Joins `room` and has its address verified.
    pub(crate) async fn join(server: &Server, room: &str) -> Self {
        let (config, fingerprint) = dtls_config();
        let offer = SessionDescription {
            r#type: "offer".to_owned(),
            sdp: offer(&fingerprint),
            id: 1,
            ..Default::default()
        };
        let settings = ConnectionSettings { auto_subscribe: false, ..Default::default() };
        let request = JoinRequest {
            connection_settings: Some(settings),
            publisher_offer: Some(offer),
            ..Default::default()
        };
        let token = room_token(room, "mallory");
        let mut signal = Signal::join(server.address(), &token, &request).await.expect("it joins");
        let answer = within(ANSWER_TIMEOUT, "the answer", answer(&mut signal)).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.connect(server.media_address()).await.expect("an address");
        let ours = socket.local_addr().expect("an address");
        let mut hostile = Self {
            socket,
            server: Secret::of(&answer),
            dtls: Endpoint::new(ours, TransportProtocol::UDP, None),
            config,
            is_keyed: false,
            association: None,
            forger: Forger::default(),
            checked: None,
            acknowledged: None,
            _signal: signal,
        };
        assert!(hostile.check().await, "the server does not answer a good check");
        hostile
    }

    /// Sends a check that nominates this address. Tells whether it was answered.
    pub(crate) async fn check(&mut self) -> bool {
        let mut id = [0; 12];
        rand::fill(&mut id).expect("randomness");
        let transaction = TransactionId(id);
        let check = ConnectivityCheck {
            transaction,
            username: Username { to: &self.server.ufrag, from: UFRAG },
            priority: 1,
            tie_breaker: 1,
            use_candidate: true,
        };
        let key = &self.server.key;
        let datagram = check
            .write(|bytes| hmac::sign(key, bytes).as_ref().try_into().expect("SHA-1 has 20 bytes"));
        self.send(&datagram).await;
        self.pump(ANSWER_TIMEOUT, |it| it.checked == Some(transaction)).await
    }

    /// Sends all fragments, no faster than the server takes them.
    pub(crate) async fn send_fragmented_hello(&mut self) {
        let datagrams: Vec<Vec<u8>> = hello_datagrams().collect();
        for burst in datagrams.chunks(BURST) {
            for datagram in burst {
                self.send(datagram).await;
            }
            assert!(self.check().await, "the server fell silent");
        }
    }

    /// Sets up DTLS and SCTP as an honest client does.
    pub(crate) async fn connect(&mut self) {
        let server = self.socket.peer_addr().expect("connected");
        self.dtls.connect(now(), server, Arc::clone(&self.config), None).expect("a hello");
        assert!(self.pump(HANDSHAKE_TIMEOUT, |it| it.is_keyed).await, "no DTLS");
        self.association = Some(Association::connect(now()).expect("an association"));
        let is_connected =
            |it: &Self| it.association.as_ref().is_some_and(Association::is_connected);
        assert!(self.pump(HANDSHAKE_TIMEOUT, is_connected).await, "no SCTP");
        // The stack behind it would be at odds with what is forged.
        self.association = None;
    }

    /// Claims to have skipped so many of its own messages.
    pub(crate) async fn send_forward_tsn(&mut self, skipped: u32) {
        let server = self.socket.peer_addr().expect("connected");
        let forged = self.forger.forge(skipped).expect("an association");
        self.dtls.write(now(), server, &forged).expect("keys");
        self.flush().await;
    }

    /// Waits until the server's SCTP believes that so many were skipped.
    pub(crate) async fn is_believed(&mut self, skipped: u32) -> bool {
        let reached = self.forger.reached(skipped);
        self.pump(ANSWER_TIMEOUT, |it| it.acknowledged == reached).await
    }

    /// Takes and answers what comes until `done` or `limit`. Tells whether it is done.
    async fn pump(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut datagram = [0; 2048];
        while !done(self) {
            if Instant::now() > deadline {
                return false;
            }
            self.flush().await;
            match timeout(TICK, self.socket.recv(&mut datagram)).await {
                Ok(Ok(len)) => self.on_datagram(&datagram[..len]),
                // A refused datagram is reported on the next receive.
                Ok(Err(_)) | Err(_) => self.on_time(),
            }
        }
        true
    }

    fn on_datagram(&mut self, datagram: &[u8]) {
        match datagram.first() {
            Some(0..4) => {
                let answer = Stun::parse(datagram).expect("the server writes STUN");
                if answer.class == Class::Success {
                    self.checked = Some(answer.transaction);
                }
            }
            Some(20..64) => self.on_dtls(BytesMut::from(datagram)),
            Some(_) | None => {}
        }
    }

    fn on_dtls(&mut self, datagram: BytesMut) {
        let server = self.socket.peer_addr().expect("connected");
        // What its own stack refuses is the server's doing, and shows in what never happens.
        for event in self.dtls.read(now(), server, None, datagram).unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => self.is_keyed = true,
                EndpointEvent::ApplicationData(packet) => self.on_sctp(packet.freeze()),
                EndpointEvent::PeerClosed | _ => {}
            }
        }
    }

    fn on_sctp(&mut self, packet: Bytes) {
        self.acknowledged = acknowledged_tsn(&packet).or(self.acknowledged);
        if let Some(association) = &mut self.association {
            association.handle_packet(packet, now());
        }
    }

    fn on_time(&mut self) {
        let server = self.socket.peer_addr().expect("connected");
        // There is none before the handshake.
        let _ = self.dtls.handle_timeout(server, now());
        if let Some(association) = &mut self.association {
            association.handle_timeout(now());
        }
    }

    async fn flush(&mut self) {
        let server = self.socket.peer_addr().expect("connected");
        while let Some(packet) = self.association.as_mut().and_then(Association::poll_packet) {
            self.forger.observe(&packet);
            self.dtls.write(now(), server, &packet).expect("keys");
        }
        while let Some(transmit) = self.dtls.poll_transmit() {
            self.send(&transmit.message).await;
        }
    }

    async fn send(&self, datagram: &[u8]) {
        self.socket.send(datagram).await.expect("loopback takes it");
    }
}

impl Secret {
    fn of(answer: &str) -> Self {
        let attribute = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name));
            line.expect("an answer has credentials").trim().to_owned()
        };
        let pwd = attribute("a=ice-pwd:");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
        Self { ufrag: attribute("a=ice-ufrag:"), key }
    }
}

async fn answer(signal: &mut Signal) -> String {
    loop {
        if let Message::Answer(answer) = signal.next().await.expect("signaling goes on") {
            return answer.sdp;
        }
    }
}

/// A DTLS client, and the fingerprint of its certificate as SDP writes it.
fn dtls_config() -> (Arc<HandshakeConfig>, String) {
    let provider = default_provider().expect("a provider");
    let names = vec!["mallory".to_owned()];
    let certificate =
        Certificate::generate_self_signed(names, provider.crypto()).expect("a certificate");
    let der = certificate.certificate.first().expect("a certificate");
    let hash = digest::digest(&digest::SHA256, der);
    let fingerprint: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
        .with_insecure_skip_verify(true)
        .build(true, None)
        .expect("a configuration");
    (Arc::new(config), fingerprint.join(":"))
}

fn offer(fingerprint: &str) -> String {
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        &format!("a=fingerprint:sha-256 {fingerprint}"),
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        &format!("a=ice-ufrag:{UFRAG}"),
        &format!("a=ice-pwd:{PWD}"),
        "a=setup:actpass",
        "a=sctp-port:5000",
        "a=max-message-size:65535",
        "",
    ]
    .join("\r\n")
}

/// The clock that sans-IO stacks are told.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
