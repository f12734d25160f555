//! One talker with a real socket, real DTLS and real SRTP.

use std::{net::SocketAddr, time::Instant};

use proto::{
    data::ChannelSide,
    ice,
    ids::SessionId,
    livekit::SessionDescription,
    rtp::{NewHeader, RtpTime, SeqNo},
    sdp::Session,
};
use sfu_rtc::{Certificate, Event, Output, Role, Transport};
use tokio::{net::UdpSocket, time};

use crate::node::{Desk, Node, person};

/// What every caller is called in checks.
pub(crate) const UFRAG: &str = "ufrag";
const CID: &str = "microphone";
const SSRC: u32 = 4_711;
const SEAL_ROOM: usize = 32;

pub(crate) struct Caller {
    /// What the server is called in checks.
    pub(crate) remote: ice::Credentials,
    transport: Transport,
    socket: UdpSocket,
    server: SocketAddr,
    /// Sequence number with its wraps.
    next: u64,
}

impl Caller {
    /// Joins, publishes a microphone and connects.
    pub(crate) async fn join(node: &mut Node) -> Self {
        Self::join_at(&mut node.desk, SessionId(1), "talker").await
    }

    /// The same by way of another signaling node.
    pub(crate) async fn join_at(desk: &mut Desk, session: SessionId, identity: &str) -> Self {
        let certificate = Certificate::generate().unwrap();
        let local = ice::Credentials {
            ufrag: UFRAG.to_owned(),
            pwd: "0123456789abcdef01234567".to_owned(),
        };
        let offer = offer(&local, certificate.fingerprint());
        let answer = desk.join(person(session, identity, None), CID, offer).await;
        let answer = Session::parse(answer.sdp.as_bytes()).unwrap();
        let peer = answer.peer().unwrap();
        let server = answer.sections[0].candidates[0];

        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(server).await.unwrap();
        let role = Role::Client { server };
        let mut transport = Transport::new(&certificate, role, local, ChannelSide::Local, now());
        transport.set_remote(Some(peer.ice.clone()), peer.fingerprint);
        let mut caller = Self { remote: peer.ice, transport, socket, server, next: 1_000 };
        caller.connect().await;
        caller
    }

    async fn connect(&mut self) {
        let mut datagram = [0; 2_048];
        loop {
            let (is_connected, wake) = self.drain().await;
            if is_connected {
                return;
            }
            let wake = time::Instant::from_std(wake.expect("a deadline while connecting"));
            tokio::select! {
                read = self.socket.recv(&mut datagram) => match &mut datagram[..read.unwrap()] {
                    stun @ [0..=3, ..] => self.transport.handle_stun(self.server, stun, now()),
                    other => self.transport.handle_dtls(self.server, other, now()),
                },
                () = time::sleep_until(wake) => self.transport.handle_timeout(now()),
            }
        }
    }

    async fn drain(&mut self) -> (bool, Option<Instant>) {
        let mut is_connected = false;
        loop {
            match self.transport.poll_output() {
                Output::Datagram { bytes, .. } => _ = self.socket.send(bytes).await.unwrap(),
                Output::Event(Event::Failed(failure)) => panic!("{failure:?}"),
                Output::Event(event) => is_connected |= event == Event::Connected,
                Output::Idle(wake) => return (is_connected, wake),
            }
        }
    }

    /// Sends one packet with this payload.
    pub(crate) async fn say(&mut self, payload: &[u8]) {
        let header = NewHeader {
            marker: false,
            payload_type: 111,
            sequence: SeqNo((self.next & 0xffff).try_into().unwrap()),
            timestamp: RtpTime(((self.next * 960) & 0xffff_ffff).try_into().unwrap()),
            ssrc: SSRC,
            extensions: &[],
        };
        let mut packet = vec![0; 64];
        let header_len = header.write(&mut packet).unwrap();
        packet.truncate(header_len);
        packet.extend_from_slice(payload);
        let plain_len = packet.len();
        packet.resize(plain_len + SEAL_ROOM, 0);
        let roc = (self.next >> 16).try_into().unwrap();
        let len = self.transport.seal_rtp(&mut packet, header_len, plain_len, roc).unwrap();
        self.socket.send(&packet[..len]).await.unwrap();
        self.next += 1;
    }
}

fn offer(local: &ice::Credentials, fingerprint: [u8; 32]) -> SessionDescription {
    let fingerprint: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let ice::Credentials { ufrag, pwd } = local;
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
         a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n\
         a=fingerprint:sha-256 {}\r\na=rtcp-mux\r\na=msid:stream {CID}\r\n\
         a=ssrc:{SSRC} cname:c\r\na=ssrc:{SSRC} msid:stream {CID}\r\n",
        fingerprint.join(":"),
    );
    SessionDescription { r#type: "offer".to_owned(), sdp, id: 1, ..Default::default() }
}

#[expect(clippy::disallowed_methods, reason = "the talker is a shell of its own")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
