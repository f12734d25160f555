//! What a description says about its transport, and whose word counts.

use crate::{ice, sdp::Session};

/// The lines about ICE and DTLS of a session or a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportLines {
    pub ice: Option<ice::Credentials>,
    pub fingerprints: Vec<Fingerprint>,
    pub setup: Option<Setup>,
}

/// A promise about the author's certificate (`a=fingerprint`, RFC 8122).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    Sha256([u8; 32]),
    /// By a hash that we don't take: SHA-1, MD5, or one nobody uses. Never written.
    Other,
}

/// Who starts the DTLS handshake (`a=setup`, RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// An offerer leaves it to the answerer.
    ActPass,
    /// The author is the DTLS client.
    Active,
    /// The author is the DTLS server.
    Passive,
}

/// The one transport of a bundled session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub ice: ice::Credentials,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    pub setup: Setup,
}

/// Why a description that reads well gives no transport we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("no section that isn't rejected")]
    NoSection,
    #[error("sections outside the BUNDLE group")]
    NotBundled,
    #[error("no ICE credentials")]
    NoCredentials,
    #[error("no fingerprint")]
    NoFingerprint,
    #[error("no fingerprint by SHA-256")]
    WeakFingerprint,
    #[error("several fingerprints by SHA-256")]
    SeveralFingerprints,
}

impl Session {
    /// Returns the transport that all sections share: that of the first in the BUNDLE group,
    /// where what a section says goes before what the session says. `setup` is
    /// [`Setup::ActPass`] unless given.
    pub fn peer(&self) -> Result<Peer, TransportError> {
        let mut live = self.sections.iter().filter(|section| !section.is_rejected());
        let first = live.next().ok_or(TransportError::NoSection)?;
        let tagged = self
            .bundle
            .first()
            .and_then(|mid| self.sections.iter().find(|section| section.mid == *mid))
            .unwrap_or(first);
        if live.next().is_some() && !self.is_bundled() {
            return Err(TransportError::NotBundled);
        }
        let lines = &tagged.transport;
        let ice = lines.ice.as_ref().or(self.transport.ice.as_ref());
        let prints = if lines.fingerprints.is_empty() {
            &self.transport.fingerprints
        } else {
            &lines.fingerprints
        };
        Ok(Peer {
            ice: ice.ok_or(TransportError::NoCredentials)?.clone(),
            fingerprint: sha256_of(prints)?,
            setup: lines.setup.or(self.transport.setup).unwrap_or(Setup::ActPass),
        })
    }

    fn is_bundled(&self) -> bool {
        let bundle: std::collections::BTreeSet<_> = self.bundle.iter().collect();
        let mut live = self.sections.iter().filter(|section| !section.is_rejected());
        live.all(|section| bundle.contains(&section.mid))
    }
}

fn sha256_of(prints: &[Fingerprint]) -> Result<[u8; 32], TransportError> {
    let mut found = None;
    for print in prints {
        match (print, found) {
            (Fingerprint::Other, _) => {}
            (Fingerprint::Sha256(hash), None) => found = Some(*hash),
            (Fingerprint::Sha256(hash), Some(other)) if *hash == other => {}
            (Fingerprint::Sha256(_), Some(_)) => return Err(TransportError::SeveralFingerprints),
        }
    }
    let missing = if prints.is_empty() {
        TransportError::NoFingerprint
    } else {
        TransportError::WeakFingerprint
    };
    found.ok_or(missing)
}
