//! One peer connection on a socket of its own.

use std::{
    future, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Instant,
};

use anyhow::Context;
use proto::{data::ChannelSide, ice, rtp, sdp};
use sfu_rtc::{Event, Output, Role, Transport};
use tokio::net::UdpSocket;

use super::deafness;
use crate::{
    clock,
    limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_PER_TURN},
    random,
    worker::Crew,
};

/// Bytes that sealing may add.
pub(super) const SEAL_ROOM: usize = 32;

pub(super) struct Connection {
    local: ice::Credentials,
    channels: ChannelSide,
    remote: Option<sdp::Peer>,
    server: Option<SocketAddr>,
    live: Option<Live>,
    is_connected: bool,
    is_deaf: bool,
}

/// What there is once the server's address and credentials are known.
struct Live {
    socket: UdpSocket,
    transport: Transport,
}

impl Connection {
    pub(super) fn new(channels: ChannelSide) -> anyhow::Result<Self> {
        let local = ice::Credentials { ufrag: random::text::<4>()?, pwd: random::text::<16>()? };
        Ok(Self {
            local,
            channels,
            remote: None,
            server: None,
            live: None,
            is_connected: false,
            is_deaf: false,
        })
    }

    pub(super) fn local(&self) -> &ice::Credentials {
        &self.local
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Learns the server's credentials, and its address if the description has one.
    pub(super) fn learn(&mut self, session: &sdp::Session, crew: &Crew) -> anyhow::Result<()> {
        let peer = session.peer().context("the server's description has no transport")?;
        self.remote = Some(peer);
        let mut addresses = session.sections.iter().flat_map(|section| &section.candidates);
        if let Some(address) = addresses.next() {
            self.server = self.server.or(Some(*address));
        }
        self.open(crew)
    }

    pub(super) fn learn_address(&mut self, address: SocketAddr, crew: &Crew) {
        self.server = self.server.or(Some(address));
        // Without a socket there will be no connection, which is noticed in time.
        let _ = self.open(crew);
    }

    fn open(&mut self, crew: &Crew) -> anyhow::Result<()> {
        let (Some(remote), Some(server)) = (&self.remote, self.server) else { return Ok(()) };
        if let Some(live) = &mut self.live {
            live.transport.set_remote(Some(remote.ice.clone()), remote.fingerprint);
            return Ok(());
        }
        let socket = connected_socket(server).context("no UDP socket")?;
        let mut transport = Transport::new(
            &crew.certificate,
            Role::Client { server },
            self.local.clone(),
            self.channels,
            clock::now(),
        );
        transport.set_remote(Some(remote.ice.clone()), remote.fingerprint);
        self.live = Some(Live { socket, transport });
        Ok(())
    }

    pub(super) async fn readable(&self) -> anyhow::Result<()> {
        match &self.live {
            Some(live) => Ok(live.socket.readable().await?),
            None => future::pending().await,
        }
    }

    /// Reads what has arrived, up to one turn's worth, and hands on the voice in it.
    pub(super) fn receive(&mut self, mut on_packet: impl FnMut(&rtp::Packet<'_>)) {
        let (Some(live), Some(server)) = (&mut self.live, self.server) else { return };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_PER_TURN {
            let len = match live.socket.try_recv(&mut buffer) {
                Ok(len) => len,
                // A refusal by ICMP only means that the server isn't there yet, or any more.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(_) => return,
            };
            let Some(datagram) = buffer.get_mut(..len) else { return };
            match *datagram {
                [0..=3, ..] => live.transport.handle_stun(server, datagram, clock::now()),
                [20..=63, ..] => live.transport.handle_dtls(server, datagram, clock::now()),
                [128..=191, 192..=223, ..] => {
                    let _ = live.transport.open_rtcp(server, datagram);
                }
                [128..=191, ..] => {
                    let plain = live.transport.open_rtp(server, datagram);
                    let plain = plain.ok().and_then(|len| datagram.get(..len));
                    if let Some(Ok(packet)) = plain.map(rtp::Packet::parse) {
                        on_packet(&packet);
                    }
                }
                _ => {}
            }
        }
    }

    /// Has the kernel drop voice from now on.
    pub(super) fn go_deaf(&mut self) -> anyhow::Result<()> {
        if let Some(live) = &self.live
            && !self.is_deaf
        {
            deafness::set(&live.socket).context("no filter before the socket")?;
            self.is_deaf = true;
        }
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(live) = &mut self.live {
            live.transport.handle_timeout(now);
        }
    }

    /// Sends what the transport wants sent; returns when it wants to wake up.
    pub(super) fn drain(&mut self) -> anyhow::Result<Option<Instant>> {
        let Some(Live { socket, transport }) = &mut self.live else { return Ok(None) };
        loop {
            match transport.poll_output() {
                // What the socket doesn't take is lost, as it may be further on.
                Output::Datagram { bytes, .. } => drop(socket.try_send(bytes)),
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::Failed(failure)) => {
                    anyhow::bail!("the peer connection failed: {failure:?}")
                }
                Output::Event(
                    Event::ChannelOpen(_) | Event::Data { .. } | Event::AddressVerified(_),
                ) => {}
                Output::Idle(wake) => return Ok(wake),
            }
        }
    }

    /// Seals and sends the plain packet `packet[..plain_len]`; true if it went.
    pub(super) fn send_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        roc: u32,
    ) -> bool {
        let Some(Live { socket, transport }) = &mut self.live else { return false };
        let sealed = transport.seal_rtp(packet, header_len, plain_len, roc);
        let sealed = sealed.and_then(|len| packet.get(..len));
        sealed.is_some_and(|sealed| socket.try_send(sealed).is_ok())
    }

    /// Seals and sends a compound packet.
    pub(super) fn send_rtcp(&mut self, mut report: Vec<u8>) {
        let Some(Live { socket, transport }) = &mut self.live else { return };
        let plain_len = report.len();
        report.resize(plain_len + SEAL_ROOM, 0);
        let sealed = transport.seal_rtcp(&mut report, plain_len);
        if let Some(sealed) = sealed.and_then(|len| report.get(..len)) {
            drop(socket.try_send(sealed));
        }
    }
}

fn connected_socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
