//! Signed URLs of the file store: made here, and judged here when they come back.
//!
//! What is signed is the text of the request itself: method, key, and the query as it was issued,
//! all but the signature that ends it. Whatever differs by a byte is another request.

use std::{
    collections::BTreeMap, fmt, fs, io, io::Write as _, ops::RangeInclusive,
    os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc, time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use service::{clock, random};
use tokio::time::timeout;

use super::{
    Filesystem,
    draft::{Draft, Published, sync_folder},
};
use crate::{
    Object,
    digest::Sha256,
    error::{PutError, StoreError},
    key::Key,
    limits::{SIGNED_LIFE_MAX, STALL_TIME},
    metrics::{Metrics, Operation, Outcome},
    signed::{SignGet, SignPut, SignedRequest, disposition},
};

/// The secret behind signed URLs of a file store.
#[derive(Clone)]
pub struct SigningKey(Arc<hmac::Key>);

/// Judges signed URLs and takes uploads, for whoever serves `/objects/…` over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    store: Filesystem,
    metrics: Metrics,
}

/// What a signed URL allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Get(GetLeave),
    Put(PutLeave),
}

/// Leave to read one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GetLeave {
    pub(crate) key: Key,
    pub(crate) content_type: String,
    pub(crate) content_disposition: String,
    /// Until when, since 1970.
    pub(crate) expires_at: Duration,
}

/// Leave to write one object of exactly this length, checksum and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PutLeave {
    pub(crate) key: Key,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256,
    pub(crate) content_type: String,
}

/// Why a URL opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the URL is not one that was signed for this method")]
    Signature,
    #[error("the signed URL has expired")]
    Expired,
}

/// Why an upload was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error(transparent)]
    Put(#[from] PutError),
    /// The sender went away, or stood still.
    #[error("the upload broke off")]
    Broken,
    /// So many uploads are under way that this one must wait.
    #[error("too many uploads at once")]
    Busy,
}

impl SigningKey {
    /// Uses this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// Uses the secret that the file at `path` keeps, so that URLs outlive a restart; makes one
    /// if there is none.
    pub fn kept_in(path: &Path) -> io::Result<Self> {
        let read = || fs::read(path).map(<[u8; 32]>::try_from);
        match read() {
            Ok(Ok(secret)) => return Ok(Self::new(&secret)),
            // Cut short by a crash: nothing was signed with it.
            Ok(Err(_)) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let secret: [u8; 32] = random::bytes().map_err(io::Error::other)?;
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Self::new(&secret))
    }

    fn sign(&self, method: &str, key: &str, query: &str) -> String {
        let tag = hmac::sign(&self.0, message(method, key, query).as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    fn verifies(&self, method: &str, key: &str, query: &str, signature: &str) -> bool {
        let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        hmac::verify(&self.0, message(method, key, query).as_bytes(), &tag).is_ok()
    }
}

/// No method, key or query that we issue holds a line break.
fn message(method: &str, key: &str, query: &str) -> String {
    format!("adda objects 1\n{method}\n{key}\n{query}")
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

pub(crate) fn sign_get(
    signing: &SigningKey,
    base: &str,
    key: &Key,
    get: &SignGet<'_>,
    now: Duration,
) -> SignedRequest {
    let expires_at = expiry(now, get.expires);
    let (kind, name) = (escape(get.content_type), escape(&disposition(get.filename)));
    let query = format!("expires={}&type={kind}&disposition={name}", expires_at.as_secs());
    let url = url(signing, base, "GET", key, &query);
    SignedRequest { method: "GET", url, headers: BTreeMap::new(), expires_at }
}

pub(crate) fn sign_put(
    signing: &SigningKey,
    base: &str,
    key: &Key,
    put: &SignPut<'_>,
    now: Duration,
) -> SignedRequest {
    let expires_at = expiry(now, put.expires);
    let (bytes, sha256, kind) = (put.bytes, put.sha256, escape(put.content_type));
    let seconds = expires_at.as_secs();
    let query = format!("expires={seconds}&bytes={bytes}&sha256={sha256}&type={kind}");
    let url = url(signing, base, "PUT", key, &query);
    let headers = BTreeMap::from([("content-type".to_owned(), put.content_type.to_owned())]);
    SignedRequest { method: "PUT", url, headers, expires_at }
}

fn url(signing: &SigningKey, base: &str, method: &str, key: &Key, query: &str) -> String {
    let signature = signing.sign(method, key.as_str(), query);
    format!("{base}/objects/{key}?{query}&signature={signature}")
}

fn expiry(now: Duration, life: Duration) -> Duration {
    Duration::from_secs(now.saturating_add(life.min(SIGNED_LIFE_MAX)).as_secs())
}

impl Door {
    pub(crate) fn new(store: Filesystem, metrics: Metrics) -> Self {
        Self { store, metrics }
    }

    /// Judges a request for `/objects/{key}?{query}`, both as they came over the wire.
    pub(crate) fn open(
        &self,
        method: &str,
        key: &str,
        query: &str,
        now: Duration,
    ) -> Result<Leave, Denied> {
        let signed = if method == "HEAD" { "GET" } else { method };
        let key: Key = key.parse().map_err(|_| Denied::Signature)?;
        let (query, signature) = query.rsplit_once("&signature=").ok_or(Denied::Signature)?;
        if !self.store.signing.verifies(signed, key.as_str(), query, signature) {
            return Err(Denied::Signature);
        }
        // Ours from here on: it reads as it was written.
        let fields: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, unescape(value)))
            .collect();
        let field = |name| fields.get(name).cloned().ok_or(Denied::Signature);
        let seconds = field("expires")?.parse().map_err(|_| Denied::Signature)?;
        let expires_at = Duration::from_secs(seconds);
        if expires_at <= now {
            return Err(Denied::Expired);
        }
        let content_type = field("type")?;
        if signed == "PUT" {
            let bytes = field("bytes")?.parse().map_err(|_| Denied::Signature)?;
            let sha256 = field("sha256")?.parse().map_err(|_| Denied::Signature)?;
            return Ok(Leave::Put(PutLeave { key, bytes, sha256, content_type }));
        }
        let content_disposition = field("disposition")?;
        Ok(Leave::Get(GetLeave { key, content_type, content_disposition, expires_at }))
    }

    pub(crate) fn store(&self) -> &Filesystem {
        &self.store
    }

    /// Reads an object, and counts that.
    pub(crate) async fn read(
        &self,
        key: &Key,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let started = clock::now();
        let result = self.store.get(key, range).await;
        let outcome = match &result {
            Ok(Some(_)) => Outcome::Ok,
            Ok(None) => Outcome::Missing,
            Err(error) => error.into(),
        };
        let took = clock::now().saturating_duration_since(started);
        self.metrics.count(Operation::Get, outcome, took);
        result
    }

    /// Takes an upload. `Ok` means that it would survive a power cut; `true` that it is new.
    pub(crate) async fn receive<E>(
        &self,
        leave: &PutLeave,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<bool, ReceiveError> {
        let started = clock::now();
        let taking = timeout(SIGNED_LIFE_MAX, self.take(leave, body));
        let result = taking.await.unwrap_or(Err(ReceiveError::Broken));
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(ReceiveError::Put(error)) => error.into(),
            Err(ReceiveError::Broken) => Outcome::Broken,
            Err(ReceiveError::Busy) => Outcome::Unavailable,
        };
        let took = clock::now().saturating_duration_since(started);
        self.metrics.count(Operation::Receive, outcome, took);
        result
    }

    async fn take<E>(
        &self,
        leave: &PutLeave,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<bool, ReceiveError> {
        let _slot = self.store.receiving.try_acquire().map_err(|_| ReceiveError::Busy)?;
        let mut draft = Draft::create(&self.store.incoming).await.map_err(PutError::from)?;
        let mut left = leave.bytes;
        loop {
            let next = timeout(STALL_TIME, body.next()).await;
            let Some(chunk) = next.map_err(|_| ReceiveError::Broken)? else { break };
            let chunk = chunk.map_err(|_| ReceiveError::Broken)?;
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(bytes).ok_or(PutError::Mismatch)?;
            draft.write(&chunk).await.map_err(PutError::from)?;
        }
        let objects = &self.store.objects;
        let published = draft.publish(objects, &leave.key, leave.sha256, leave.bytes).await?;
        Ok(published == Published::Created)
    }
}

/// Writes `text` for a query, byte by byte but for what is surely plain.
fn escape(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Undoes [`escape`].
fn unescape(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or(("", part));
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        arbtest::arbtest(|u| {
            let text: String = u.arbitrary()?;
            let escaped = escape(&text);
            assert!(escaped.is_ascii() && !escaped.contains(['&', '=', '\n', ' ']), "{escaped}");
            assert_eq!(unescape(&escaped), text);
            Ok(())
        });
    }
}
