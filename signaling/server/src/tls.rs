//! The certificate that `--lan` shows, so that phones allow a microphone.
//!
//! Kept in the data directory: whoever has accepted it once is not asked again until it expires
//! or the machine's addresses change.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};

use anyhow::Context as _;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde::{Deserialize, Serialize};
use service::{clock, data_dir::DataDir};

use crate::limits::{CERTIFICATE_LIFE, CERTIFICATE_RENEWAL};

/// What the certificate file holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    names: Vec<String>,
    expires: u64,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Returns a TLS configuration that is good for `names` (host names and addresses), with a
/// self-signed certificate from the data directory, made if there is none that fits.
pub fn lan(data_dir: &DataDir, names: &[String]) -> anyhow::Result<Arc<ServerConfig>> {
    let path = data_dir.path().join("lan-certificate.json");
    let stored = match read(&path) {
        Some(stored) if fits(&stored, names) => stored,
        Some(_) | None => {
            let made = make(names).context("making a certificate")?;
            write(&path, &made).with_context(|| format!("writing {}", path.display()))?;
            made
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(stored.key));
    let mut tls = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()?
    .with_no_client_auth()
    .with_single_cert(vec![CertificateDer::from(stored.certificate)], key)
    .with_context(|| format!("using {}: delete it to have another made", path.display()))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn read(path: &Path) -> Option<Stored> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn fits(stored: &Stored, names: &[String]) -> bool {
    let renewal = clock::unix_time().saturating_add(CERTIFICATE_RENEWAL);
    stored.names == names && stored.expires > renewal.as_secs()
}

fn make(names: &[String]) -> anyhow::Result<Stored> {
    let now = clock::unix_time();
    let expires = now.saturating_add(CERTIFICATE_LIFE);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "adda on the local network");
    params.not_before = date_time_ymd(1970, 1, 1) + now;
    params.not_after = date_time_ymd(1970, 1, 1) + expires;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Stored {
        names: names.to_vec(),
        expires: expires.as_secs(),
        certificate: certificate.der().to_vec(),
        key: key.serialize_der(),
    })
}

fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(stored)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_kept_until_the_names_change() {
        let parent = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(parent.path()).unwrap();
        let path = parent.path().join("lan-certificate.json");
        let names = ["localhost".to_owned(), "192.168.1.7".to_owned()];

        lan(&data_dir, &names).unwrap();
        let first = fs::read(&path).unwrap();
        lan(&data_dir, &names).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);

        lan(&data_dir, &["localhost".to_owned()]).unwrap();
        assert_ne!(fs::read(&path).unwrap(), first);
    }
}
