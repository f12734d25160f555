//! The secret that the processes of a pool share.

use std::{fmt, str::FromStr};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use tonic::{
    Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};

const HEADER: &str = "authorization";

/// `cluster.token`, checked. Who has it may do everything; it is never printed.
#[derive(Clone)]
pub struct Token(MetadataValue<Ascii>);

/// A text that can't serve as a cluster token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cluster.token must have {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} visible ASCII characters; `openssl rand -hex 32` makes a good one"
)]
pub struct InvalidToken;

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let fits = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {text}").parse().map_err(|_| InvalidToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub(crate) fn attach(&self, metadata: &mut MetadataMap) {
        metadata.insert(HEADER, self.0.clone());
    }

    pub(crate) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let given = metadata.get(HEADER).map_or(&b""[..], |value| value.as_encoded_bytes());
        verify_slices_are_equal(given, self.0.as_encoded_bytes())
            .map_err(|_| Status::unauthenticated("the cluster token is missing or another"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_short_or_unprintable_is_refused() {
        for bad in ["", "fifteen letters", "sixteen letters!\n", "গোপন গোপন গোপন গোপন"]
        {
            assert_eq!(bad.parse::<Token>().err(), Some(InvalidToken), "{bad:?}");
        }
        assert!("0123456789abcdef".parse::<Token>().is_ok());
    }

    #[test]
    fn only_the_same_token_passes() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        let other: Token = "0123456789abcdeF".parse().unwrap();
        let mut metadata = MetadataMap::new();
        assert!(token.check(&metadata).is_err());
        other.attach(&mut metadata);
        assert!(token.check(&metadata).is_err());
        token.attach(&mut metadata);
        assert!(token.check(&metadata).is_ok());
    }

    #[test]
    fn a_token_is_never_printed() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(!format!("{token:?}").contains("0123"));
    }
}
