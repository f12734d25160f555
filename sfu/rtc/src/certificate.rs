//! The certificate every DTLS handshake of this process shows.

use std::sync::Arc;

use aws_lc_rs::{digest, rand};
use dimpl::DtlsCertificate;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};

use crate::dtls;

/// A self-signed P-256 certificate. One serves a whole process.
#[derive(Clone)]
pub struct Certificate {
    pub(crate) dtls: Arc<DtlsCertificate>,
    /// What else every handshake shares; checked once, here.
    pub(crate) config: Arc<dimpl::Config>,
    fingerprint: [u8; 32],
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("no randomness for the certificate's serial number")]
    Randomness,
    #[error("signing the certificate failed")]
    Signing(#[from] rcgen::Error),
    #[error("the DTLS library refused its configuration")]
    Configuration(#[from] dimpl::Error),
}

impl Certificate {
    /// Makes a new key and certificate.
    pub fn generate() -> Result<Self, CertificateError> {
        // Firefox refuses two certificates with the same issuer and serial number.
        let mut serial = [0; 16];
        rand::fill(&mut serial).map_err(|_| CertificateError::Randomness)?;
        serial[0] &= 0x7f;

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "adda");
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params.self_signed(&key)?.der().to_vec();
        let fingerprint = sha256(&certificate);
        let dtls = Arc::new(DtlsCertificate { certificate, private_key: key.serialize_der() });
        Ok(Self { dtls, config: dtls::config()?, fingerprint })
    }

    /// The SHA-256 of the certificate: what `a=fingerprint` promises.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

/// Hashes a certificate as `a=fingerprint:sha-256` does.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (byte, hashed) in hash.iter_mut().zip(digest::digest(&digest::SHA256, der).as_ref()) {
        *byte = *hashed;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_certificates_differ() {
        let [one, other] = [(); 2].map(|()| Certificate::generate().unwrap());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.fingerprint(), sha256(&one.dtls.certificate));
    }
}
