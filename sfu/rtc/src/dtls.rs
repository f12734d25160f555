//! The DTLS connection: handshake, keys for SRTP, and the records that carry SCTP.
//!
//! Its owner feeds it only what came from a verified address, which is why the server asks for
//! no cookie. [`Dtls::keying`] gives keys only against the fingerprint that signaling promised.

use std::{sync::Arc, time::Instant};

use dimpl::{Config, DtlsCertificate, Output, SrtpProfile};

use crate::{
    certificate::{Certificate, sha256},
    limits::{
        DTLS_DATAGRAM_BYTES_MAX, DTLS_DATAGRAMS_QUEUED_MAX, DTLS_MTU_BYTES, HANDSHAKE_RETRIES,
        HANDSHAKE_RETRY_FIRST, HANDSHAKE_TIMEOUT,
    },
    srtp::{Keying, Profile, Side},
};

/// Enough for every datagram we make; a record of data may need more.
const OUTPUT_BYTES: usize = 2_048;

pub(crate) struct Dtls {
    inner: dimpl::Dtls,
    side: Side,
    peer_certificate: Option<[u8; 32]>,
    keying: Option<Keying>,
    is_connected: bool,
    wake: Option<Instant>,
}

/// What a DTLS connection asks of its owner.
pub(crate) enum Step {
    Datagram(Vec<u8>),
    Data(Vec<u8>),
    /// The peer has closed the connection.
    Closed,
    Idle,
}

/// The connection can't go on.
#[derive(Debug)]
pub(crate) enum Failure {
    Timeout,
    Other,
}

impl From<dimpl::Error> for Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library has dozens, all final")]
    fn from(error: dimpl::Error) -> Self {
        match error {
            dimpl::Error::Timeout(_) => Self::Timeout,
            _ => Self::Other,
        }
    }
}

/// How far a handshake has come.
pub(crate) enum Proof {
    Pending,
    Good(Keying),
    /// The certificate is not the one that was promised.
    Mismatch,
}

/// What all handshakes of a process share.
pub(crate) fn config() -> Result<Arc<Config>, dimpl::Error> {
    let config = Config::builder()
        .use_server_cookie(false)
        .require_client_certificate(true)
        .mtu(DTLS_MTU_BYTES)
        .max_queue_rx(DTLS_DATAGRAMS_QUEUED_MAX)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .flight_start_rto(HANDSHAKE_RETRY_FIRST)
        .flight_retries(HANDSHAKE_RETRIES)
        .build()?;
    Ok(Arc::new(config))
}

impl Dtls {
    pub(crate) fn new(certificate: &Certificate, side: Side, now: Instant) -> Self {
        let Certificate { dtls, config, .. } = certificate;
        let mut inner = dimpl::Dtls::new_12(Arc::clone(config), DtlsCertificate::clone(dtls), now);
        inner.set_active(side == Side::Client);
        Self { inner, side, peer_certificate: None, keying: None, is_connected: false, wake: None }
    }

    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), Failure> {
        if datagram.len() > DTLS_DATAGRAM_BYTES_MAX {
            return Ok(());
        }
        self.inner.handle_timeout(now)?;
        Ok(self.inner.handle_packet(datagram)?)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        Ok(self.inner.handle_timeout(now)?)
    }

    /// Queues one record. Poll to [`Step::Idle`] before the next: records sent together would
    /// share a datagram, of which some clients read only the first.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.inner.send_application_data(data)?;
        Ok(())
    }

    pub(crate) fn poll(&mut self) -> Step {
        let mut stack = [0; OUTPUT_BYTES];
        let mut heap = Vec::new();
        loop {
            let buffer: &mut [u8] = if heap.is_empty() { &mut stack } else { &mut heap };
            match self.inner.poll_output(buffer) {
                Output::Packet(bytes) => return Step::Datagram(bytes.to_vec()),
                Output::ApplicationData(bytes) => return Step::Data(bytes.to_vec()),
                Output::BufferTooSmall { needed } => heap.resize(needed, 0),
                Output::PeerCert(der) => self.peer_certificate = Some(sha256(der)),
                Output::Connected => self.is_connected = true,
                Output::KeyingMaterial(exported, profile) => {
                    self.keying = profile_of(profile)
                        .and_then(|profile| Keying::from_exported(profile, self.side, &exported));
                }
                Output::CloseNotify => return Step::Closed,
                Output::Timeout(wake) => {
                    self.wake = Some(wake);
                    return Step::Idle;
                }
                _ => return Step::Idle,
            }
        }
    }

    /// Compares the peer's certificate with `promised`; gives the keys, once, if it is the one.
    pub(crate) fn keying(&mut self, promised: [u8; 32]) -> Proof {
        match self.peer_certificate {
            Some(shown) if shown != promised => Proof::Mismatch,
            Some(_) if self.is_connected => self.keying.take().map_or(Proof::Pending, Proof::Good),
            Some(_) | None => Proof::Pending,
        }
    }

    /// When to call [`Self::handle_timeout`], told after [`Step::Idle`]. Only a handshake has
    /// timers.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.wake.filter(|_| !self.is_connected)
    }

    /// Has the handshake ended well, whoever the peer is?
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }
}

fn profile_of(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::Aes256Gcm),
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::Aes128Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1),
        _ => None,
    }
}
