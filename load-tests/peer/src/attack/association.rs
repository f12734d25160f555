//! One end of an SCTP association on the crate `rtc-sctp`.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use anyhow::Result;
use bytes::Bytes;
use rtc::{
    sctp::{
        AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
        ServerConfig, TransportConfig,
    },
    shared::TransportProtocol,
};

/// DTLS tells ends apart, not addresses; the crate wants one nevertheless.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

/// An association, set up or on its way. Sans-IO: packets come in and go out as values.
pub struct Association {
    endpoint: Endpoint,
    inner: Option<(AssociationHandle, rtc::sctp::Association)>,
    outbox: VecDeque<Bytes>,
    is_connected: bool,
}

impl Association {
    /// Begins an association.
    pub fn connect(now: Instant) -> Result<Self> {
        let mut association = Self::new(None);
        let config = ClientConfig::new(TransportConfig::default());
        association.inner = Some(association.endpoint.connect(now, config, NOWHERE)?);
        association.drain(now);
        Ok(association)
    }

    /// Waits for the other end to begin one.
    #[must_use]
    pub fn accept() -> Self {
        Self::new(Some(Arc::new(ServerConfig::new(TransportConfig::default()))))
    }

    fn new(server: Option<Arc<ServerConfig>>) -> Self {
        let config = Arc::new(EndpointConfig::default());
        let endpoint = Endpoint::new(NOWHERE, TransportProtocol::UDP, config, server);
        Self { endpoint, inner: None, outbox: VecDeque::new(), is_connected: false }
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub fn handle_packet(&mut self, packet: Bytes, now: Instant) {
        match self.endpoint.handle(now, NOWHERE, None, packet) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.inner = Some((handle, association));
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some((_, association)) = &mut self.inner {
                    association.handle_event(event);
                }
            }
            Some(_) | None => {}
        }
        self.drain(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, association)) = &mut self.inner {
            association.handle_timeout(now);
        }
        self.drain(now);
    }

    /// Returns the next packet for the other end.
    pub fn poll_packet(&mut self) -> Option<Bytes> {
        self.outbox.pop_front()
    }

    fn drain(&mut self, now: Instant) {
        let Some((handle, association)) = &mut self.inner else { return };
        while let Some(event) = association.poll() {
            self.is_connected |= matches!(event, Event::Connected);
        }
        while let Some(event) = association.poll_endpoint_event() {
            self.endpoint.handle_event(*handle, event);
        }
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.message {
                self.outbox.extend(packets);
            }
        }
    }
}
