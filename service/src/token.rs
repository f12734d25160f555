//! Access tokens: LiveKit's HS256 JWTs, signed and verified the same way by every role.
//!
//! A token names its key (`iss`); nothing else in it chooses how it is verified. Header fields
//! that would (`kid`, `jku`, `jwk`, `x5u`, `x5c`) are never followed, `crit` and `b64` are
//! refused. No error repeats the token.

mod claims;
mod strict_json;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use proto::grants::Grants;
use serde::Deserialize;

pub use claims::Claims;

use crate::{
    limits::{KEY_NAME_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_LEEWAY},
    random::{self, NoRandomness},
};

/// The API keys this process accepts and signs with.
#[derive(Clone)]
pub struct Keys {
    secrets: BTreeMap<String, Secret>,
}

#[derive(Clone)]
struct Secret {
    verifying: DecodingKey,
    signing: EncodingKey,
}

/// Why a token was refused. Each is the bearer's to mend; none repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("token is no signed JWT")]
    Malformed,
    #[error("token's header asks for something other than HS256")]
    Header,
    #[error("API key {0} is unknown")]
    UnknownKey(KeyName),
    #[error("token signature is invalid")]
    Signature,
    #[error("token claims can't be read, or one is there twice")]
    Claims,
    #[error("token is meant for another audience")]
    Audience,
    #[error("token is expired")]
    Expired,
    #[error("token is not valid yet")]
    NotYet,
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("API key {0} is unknown")]
    UnknownKey(KeyName),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("signing failed")]
    Failed(#[from] jsonwebtoken::errors::Error),
}

/// The name of an API key as somebody claimed it, cut down to what may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(Box<str>);

/// When a signed token is good.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// From then on (since 1970).
    pub from: Duration,
    /// Until then (since 1970).
    pub until: Duration,
}

impl Keys {
    /// Takes pairs of API key and secret.
    pub fn new<K: Into<String>, S: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (K, S)>) -> Self {
        let secrets = pairs.into_iter().map(|(key, secret)| (key.into(), secret.as_ref().into()));
        Self { secrets: secrets.collect() }
    }

    /// The key to sign with when no other is asked for: the first by name.
    pub fn first(&self) -> Option<&str> {
        self.secrets.keys().next().map(String::as_str)
    }

    /// Verifies signature and time, and returns what the token says.
    pub fn verify(&self, token: &str, now: Duration) -> Result<Claims, VerifyError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(VerifyError::TooLong);
        }
        let payload = check_form(token)?;
        let issuer: Issuer =
            serde_json::from_slice(&payload).map_err(|_| VerifyError::Malformed)?;
        let secret = self
            .secrets
            .get(&issuer.iss)
            .ok_or_else(|| VerifyError::UnknownKey(KeyName::new(&issuer.iss)))?;
        check_signature(token, &secret.verifying)?;
        strict_json::check(&payload).map_err(|_| VerifyError::Claims)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| VerifyError::Claims)?;
        check_use(&claims, now)?;
        Ok(claims)
    }

    /// Signs `grants` with the secret of `key`.
    pub fn sign(&self, key: &str, grants: Grants, validity: Validity) -> Result<String, SignError> {
        let secret =
            self.secrets.get(key).ok_or_else(|| SignError::UnknownKey(KeyName::new(key)))?;
        let from = validity.from.as_secs();
        let claims = Claims {
            issuer: key.to_owned(),
            expires: validity.until.as_secs(),
            not_before: Some(from),
            issued: Some(from),
            id: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
            audience: None,
            grants,
        };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret.signing)?)
    }
}

/// The header, as far as it may change what a token means.
#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    typ: Option<String>,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// Header parameters that change how the rest is to be read (RFC 7515 §4.1.11, RFC 7797).
const REFUSED_PARAMETERS: [&str; 3] = ["crit", "b64", "zip"];

/// Checks everything that can be known without a key, and returns the payload's bytes.
fn check_form(token: &str) -> Result<Vec<u8>, VerifyError> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(VerifyError::Malformed);
    };
    let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::Malformed);
    let header = decode(header)?;
    let parameters = strict_json::check(&header).map_err(|_| VerifyError::Malformed)?;
    let refused: BTreeSet<&str> = REFUSED_PARAMETERS.into();
    if parameters.iter().any(|name| refused.contains(name.as_str())) {
        return Err(VerifyError::Header);
    }
    let header: TokenHeader =
        serde_json::from_slice(&header).map_err(|_| VerifyError::Malformed)?;
    let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if header.alg != "HS256" || !is_jwt {
        return Err(VerifyError::Header);
    }
    decode(payload)
}

/// Checks the signature alone, over the text as it came: no header field has a say in it.
fn check_signature(token: &str, key: &DecodingKey) -> Result<(), VerifyError> {
    let (text, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
    match jsonwebtoken::crypto::verify(signature, text.as_bytes(), key, Algorithm::HS256) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(VerifyError::Signature),
    }
}

fn check_use(claims: &Claims, now: Duration) -> Result<(), VerifyError> {
    let (earliest, latest) = (now.saturating_sub(TOKEN_LEEWAY), now.saturating_add(TOKEN_LEEWAY));
    if claims.audience.is_some() {
        return Err(VerifyError::Audience);
    }
    if claims.expires <= earliest.as_secs() {
        return Err(VerifyError::Expired);
    }
    let starts = [claims.not_before, claims.issued];
    if starts.into_iter().flatten().any(|start| start > latest.as_secs()) {
        return Err(VerifyError::NotYet);
    }
    Ok(())
}

impl KeyName {
    fn new(claimed: &str) -> Self {
        let is_name = claimed.len() <= KEY_NAME_BYTES_MAX
            && claimed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        Self(if is_name { claimed } else { "(not a key name)" }.into())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&[u8]> for Secret {
    fn from(secret: &[u8]) -> Self {
        Self {
            verifying: DecodingKey::from_secret(secret),
            signing: EncodingKey::from_secret(secret),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
