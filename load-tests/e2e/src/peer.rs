//! A caller made of nothing but sockets and our own codecs, for tests that need to choose every
//! byte: what it seals can be kept, sent by somebody else, or sent twice.

mod description;
mod way_back;

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use prost::Message as _;
use proto::{
    data::ChannelSide,
    ice, livekit,
    livekit::{SignalRequest, SignalResponse, signal_request, signal_response},
    rtp::{NewHeader, Packet, RtpTime, SeqNo},
    sdp,
};
use sfu_rtc::{Certificate, Event, Output, Role, Transport};
use tungstenite::{Message, WebSocket};

use crate::{PATIENCE, now, server::Server};
pub use description::{Promise, fingerprint_line};
use description::{SectionKind, describe};
use way_back::WayBack;

/// The payload type it calls Opus.
pub const OPUS: u8 = 111;
/// The header extension that names a section.
pub const MID_EXTENSION: u8 = 4;
/// How long one look at a socket may take.
const GLANCE: Duration = Duration::from_millis(2);

/// What a peer is to be unlike others in.
#[derive(Clone, Debug)]
pub struct Manner {
    pub ssrc: u32,
    /// The extended sequence number of its first packet: rollovers above, 16 bits below.
    pub first_sequence: u32,
    /// What its description promises of its certificate.
    pub promise: Promise,
}

impl Manner {
    #[must_use]
    pub fn with_ssrc(ssrc: u32) -> Self {
        Self { ssrc, first_sequence: 1, promise: Promise::Kept }
    }
}

/// A packet as a peer got it, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

/// A participant on `/rtc/v1`.
pub struct Peer {
    pub identity: String,
    pub manner: Manner,
    socket: WebSocket<TcpStream>,
    udp: UdpSocket,
    certificate: Certificate,
    local: ice::Credentials,
    remote: Option<sdp::Peer>,
    /// Where the server takes media, as its latest answer says.
    candidates: Vec<SocketAddr>,
    transport: Option<Transport>,
    sections: Vec<SectionKind>,
    offers: u32,
    answered: u32,
    pub connected: bool,
    /// The server ended the session, or the transport failed.
    pub ended: bool,
    way_back: Option<WayBack>,
    /// How often it took up its session again on another signal connection.
    pub resumed: u32,
    pub signals: Vec<SignalResponse>,
    pub heard: Vec<Heard>,
    /// Every datagram that came to its media socket.
    pub datagrams: usize,
    next_sequence: u32,
    /// Samples in which it said nothing and counted no packet.
    silence: u32,
}

impl Peer {
    /// Joins and waits until it is connected, hears everybody and may speak.
    #[must_use]
    pub fn join(server: &Server, room: &str, identity: &str, manner: Manner) -> Self {
        let token = server.token(room, identity).sign();
        Self::join_with(server.address(), &token, identity, manner)
    }

    /// The same with a token at hand, for a thread that the server's owner isn't on.
    #[must_use]
    pub fn join_with(server: SocketAddr, token: &str, identity: &str, manner: Manner) -> Self {
        let mut peer = Self::signal_with(server, token, identity, manner);
        peer.wait("connection", |peer| peer.connected);
        peer.publish();
        peer
    }

    /// Only opens the signal connection and makes its offer.
    #[must_use]
    pub fn signal(server: &Server, room: &str, identity: &str, manner: Manner) -> Self {
        let token = server.token(room, identity).sign();
        Self::signal_with(server.address(), &token, identity, manner)
    }

    fn signal_with(server: SocketAddr, token: &str, identity: &str, manner: Manner) -> Self {
        let certificate = Certificate::generate().expect("a certificate");
        let local = ice::Credentials {
            ufrag: format!("{:08x}", manner.ssrc),
            pwd: format!("{:032x}", manner.ssrc),
        };
        let listen = SectionKind::Listen;
        let sections = vec![listen.clone(), listen.clone(), listen, SectionKind::Data];
        let offer = describe(&sections, &local, &manner.promise.lines(&certificate));
        let socket = open_socket(server, token, &join_request(&offer)).expect("a WebSocket");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        udp.set_read_timeout(Some(GLANCE)).expect("a socket");
        Self {
            identity: identity.to_owned(),
            next_sequence: manner.first_sequence,
            manner,
            socket,
            udp,
            certificate,
            local,
            remote: None,
            candidates: Vec::new(),
            transport: None,
            sections,
            offers: 1,
            answered: 0,
            connected: false,
            ended: false,
            way_back: None,
            resumed: 0,
            signals: Vec::new(),
            heard: Vec::new(),
            datagrams: 0,
            silence: 0,
        }
    }

    /// Adds a microphone, as an SDK does: `add_track`, then a new offer.
    pub fn publish(&mut self) {
        let cid = format!("microphone-{}", self.manner.ssrc);
        let track = livekit::AddTrackRequest {
            cid: cid.clone(),
            name: "microphone".to_owned(),
            source: livekit::TrackSource::Microphone.into(),
            disable_red: true,
            ..Default::default()
        };
        self.send(signal_request::Message::AddTrack(track));
        self.wait("track_published", |peer| {
            peer.saw(|message| matches!(message, signal_response::Message::TrackPublished(_)))
        });
        self.sections.push(SectionKind::Speak { ssrc: self.manner.ssrc, cid });
        self.offer();
        self.wait("answer", |peer| peer.answered == peer.offers);
    }

    /// Sends its present description as a new offer.
    pub fn offer(&mut self) {
        self.offers += 1;
        let promise = self.manner.promise.lines(&self.certificate);
        let sdp = describe(&self.sections, &self.local, &promise);
        self.offer_text(sdp);
    }

    /// Sends any text as an offer.
    pub fn offer_text(&mut self, sdp: String) {
        let description = livekit::SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            id: self.offers,
            ..Default::default()
        };
        self.send(signal_request::Message::Offer(description));
    }

    pub fn send(&mut self, message: signal_request::Message) {
        self.send_bytes(SignalRequest { message: Some(message) }.encode_to_vec());
    }

    /// Sends any bytes as a message.
    pub fn send_bytes(&mut self, bytes: Vec<u8>) {
        // A server that closed has said so, and the test sees it by what it waits for.
        let _ = self.socket.send(Message::Binary(bytes.into()));
    }

    /// What its WebSocket is, for tests that write to it themselves.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// The next voice packet, sealed and not sent.
    pub fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.seal_as(self.manner.ssrc, OPUS, sequence, &[], payload)
    }

    /// A packet of any SSRC, payload type and place, sealed with its own key.
    pub fn seal_as(
        &mut self,
        ssrc: u32,
        payload_type: u8,
        sequence: u32,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
    ) -> Vec<u8> {
        let [high, low] = [sequence >> 16, sequence & 0xffff];
        let header = NewHeader {
            marker: false,
            payload_type,
            sequence: SeqNo(u16::try_from(low).expect("16 bits")),
            timestamp: RtpTime(sequence.wrapping_mul(960).wrapping_add(self.silence)),
            ssrc,
            extensions,
        };
        let mut packet = vec![0; 1500];
        let header_len = header.write(&mut packet).expect("room");
        let plain_len = header_len + payload.len();
        packet[header_len..plain_len].copy_from_slice(payload);
        let transport = self.transport.as_ref().expect("connected");
        let length = transport.seal_rtp(&mut packet, header_len, plain_len, high).expect("keyed");
        packet.truncate(length);
        packet
    }

    /// A sealed RTCP packet.
    pub fn seal_rtcp(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut packet = plain.to_vec();
        packet.resize(plain.len() + 64, 0);
        let transport = self.transport.as_mut().expect("connected");
        let length = transport.seal_rtcp(&mut packet, plain.len()).expect("keyed");
        packet.truncate(length);
        packet
    }

    /// Seals and sends one voice packet.
    pub fn say(&mut self, payload: &[u8]) -> Vec<u8> {
        let packet = self.seal(payload);
        self.send_datagram(&packet);
        packet
    }

    /// Lets its clock go on by so many samples without a packet, as an encoder does in silence.
    pub fn keep_silent(&mut self, samples: u32) {
        self.silence = self.silence.wrapping_add(samples);
    }

    /// Sends bytes from its media socket to the server's.
    pub fn send_datagram(&self, bytes: &[u8]) {
        self.udp.send_to(bytes, self.media()).expect("sent");
    }

    /// Where the server says, once it has answered, that it takes media.
    pub fn offered(&mut self) -> Vec<SocketAddr> {
        self.wait("answer", |peer| peer.answered > 0);
        self.candidates.clone()
    }

    /// The server's address for media.
    #[must_use]
    pub fn media(&self) -> SocketAddr {
        self.transport.as_ref().and_then(Transport::peer).expect("connected")
    }

    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.udp.local_addr().expect("bound")
    }

    /// Both ends' ICE credentials, ours first.
    #[must_use]
    pub fn credentials(&self) -> (ice::Credentials, ice::Credentials) {
        let remote = self.remote.as_ref().expect("answered");
        (self.local.clone(), remote.ice.clone())
    }

    /// Takes in what comes until `done`; fails the test when it never is.
    pub fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        assert!(
            self.run(PATIENCE, &done),
            "{} waited for {what}: {:?}",
            self.identity,
            self.signals
        );
    }

    /// Takes in what comes for a while.
    pub fn listen(&mut self, span: Duration) {
        self.run(span, &|_| false);
    }

    /// Takes in what comes until `done` or `span` is over; returns whether it was done.
    pub fn run(&mut self, span: Duration, done: &dyn Fn(&Self) -> bool) -> bool {
        let deadline = now() + span;
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            if now() >= deadline {
                return false;
            }
            self.read_udp();
            self.read_socket();
            self.come_back();
            if let Some(transport) = &mut self.transport {
                transport.handle_timeout(now());
            }
        }
    }

    /// The payloads it heard, in order.
    #[must_use]
    pub fn payloads(&self) -> Vec<&[u8]> {
        self.heard.iter().map(|one| one.payload.as_slice()).collect()
    }

    /// Whether such a signal came.
    #[must_use]
    pub fn saw(&self, wanted: impl Fn(&signal_response::Message) -> bool) -> bool {
        self.signals.iter().filter_map(|one| one.message.as_ref()).any(wanted)
    }

    fn drain(&mut self) {
        let Some(transport) = &mut self.transport else { return };
        loop {
            match transport.poll_output() {
                Output::Datagram { to, bytes } => {
                    let _ = self.udp.send_to(bytes, to);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::Failed(_)) => self.ended = true,
                Output::Event(
                    Event::ChannelOpen(_) | Event::Data { .. } | Event::AddressVerified(_),
                ) => {}
                Output::Idle(_) => return,
            }
        }
    }

    fn read_udp(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = self.udp.recv_from(&mut buffer) {
            self.datagrams += 1;
            let datagram = &mut buffer[..length];
            self.take(from, datagram, now());
            self.drain();
        }
    }

    fn take(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        let Some(transport) = &mut self.transport else { return };
        match datagram {
            [0..=3, ..] => transport.handle_stun(from, datagram, now),
            [20..=63, ..] => transport.handle_dtls(from, datagram, now),
            [128..=191, second, ..] if (64..=95).contains(&(*second & 0x7f)) => {
                let _ = transport.open_rtcp(from, datagram);
            }
            [128..=191, ..] => {
                let Ok(length) = transport.open_rtp(from, datagram) else { return };
                if let Ok(packet) = Packet::parse(&datagram[..length]) {
                    let (ssrc, payload) = (packet.ssrc, packet.payload.to_vec());
                    self.heard.push(Heard { ssrc, payload });
                }
            }
            _ => {}
        }
    }

    fn read_socket(&mut self) {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => {
                    let signal = SignalResponse::decode(bytes).expect("a signal");
                    self.on_signal(&signal);
                    self.signals.push(signal);
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if is_pause(error.kind()) => return,
                Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn on_signal(&mut self, signal: &SignalResponse) {
        let Some(message) = &signal.message else { return };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for those who look")]
        match message {
            signal_response::Message::Answer(answer) => self.on_answer(answer),
            signal_response::Message::MediaSectionsRequirement(wanted) => {
                let more = usize::try_from(wanted.num_audios).unwrap_or_default();
                self.sections.extend(vec![SectionKind::Listen; more]);
                self.offer();
            }
            signal_response::Message::Reconnect(_) => self.resumed += 1,
            signal_response::Message::Leave(_) => {
                self.ended = true;
                self.way_back = None;
            }
            _ => {}
        }
    }

    fn on_answer(&mut self, answer: &livekit::SessionDescription) {
        self.answered = self.answered.max(answer.id);
        let session = sdp::Session::parse(answer.sdp.as_bytes()).expect("an answer");
        let peer = session.peer().expect("who answers");
        let candidates = session.sections.iter().flat_map(|section| &section.candidates);
        self.candidates = candidates.copied().collect();
        if self.transport.is_none() {
            let candidates = self.candidates.iter().filter(|address| address.is_ipv4());
            let server =
                *candidates.min_by_key(|address| !address.ip().is_loopback()).expect("a candidate");
            let (role, local) = (Role::Client { server }, self.local.clone());
            // A caller opens its channels, as the server's own side does on a second connection.
            let channels = ChannelSide::Local;
            let transport = Transport::new(&self.certificate, role, local, channels, now());
            self.transport = Some(transport);
        }
        if let Some(transport) = &mut self.transport {
            transport.set_remote(Some(peer.ice.clone()), peer.fingerprint);
        }
        self.remote = Some(peer);
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn join_request(offer: &str) -> String {
    let offer = livekit::SessionDescription {
        r#type: "offer".to_owned(),
        sdp: offer.to_owned(),
        id: 1,
        ..Default::default()
    };
    wrap(&livekit::JoinRequest { publisher_offer: Some(offer), ..who_asks() })
}

/// What every request to join says of the client.
fn who_asks() -> livekit::JoinRequest {
    livekit::JoinRequest {
        client_info: Some(livekit::ClientInfo { protocol: 17, ..Default::default() }),
        connection_settings: Some(livekit::ConnectionSettings {
            auto_subscribe: true,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn wrap(request: &livekit::JoinRequest) -> String {
    let wrapped =
        livekit::WrappedJoinRequest { join_request: request.encode_to_vec(), ..Default::default() };
    BASE64_URL_SAFE.encode(wrapped.encode_to_vec())
}

/// An error says why it couldn't be.
fn open_socket(
    server: SocketAddr,
    token: &str,
    join_request: &str,
) -> Result<WebSocket<TcpStream>, String> {
    let stream = TcpStream::connect(server).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let url = format!("ws://{server}/rtc/v1?access_token={token}&join_request={join_request}");
    let (socket, _) = tungstenite::client(url, stream).map_err(|error| error.to_string())?;
    socket.get_ref().set_read_timeout(Some(GLANCE)).expect("a socket");
    Ok(socket)
}
