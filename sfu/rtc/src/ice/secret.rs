//! One side's credentials, with the key that its password is.

use aws_lc_rs::{constant_time, hmac};
use proto::{
    ice,
    stun::{IntegrityTag, Message},
};

pub(super) struct Secret {
    credentials: ice::Credentials,
    key: hmac::Key,
}

impl Secret {
    pub(super) fn new(credentials: ice::Credentials) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, credentials.pwd.as_bytes());
        Self { credentials, key }
    }

    pub(super) fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }

    pub(super) fn is(&self, credentials: &ice::Credentials) -> bool {
        self.credentials == *credentials
    }

    /// Was `message` signed with this password? One without signature was not.
    pub(super) fn signed(&self, message: &Message<'_>) -> bool {
        let Some(integrity) = message.integrity else { return false };
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&integrity.start);
        context.update(integrity.rest);
        let tag = context.sign();
        constant_time::verify_slices_are_equal(tag.as_ref(), integrity.tag).is_ok()
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> IntegrityTag {
        let tag = hmac::sign(&self.key, bytes);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::bytes;

    /// RFC 5769 §2.1.
    const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e20746573
        7420636c69656e74002400046e0001ff80290008932ff9b151263b3600060009
        6576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249
        c1b571a280280004e57a3bcf";

    fn secret(pwd: &str) -> Secret {
        Secret::new(ice::Credentials { ufrag: "evtj".to_owned(), pwd: pwd.to_owned() })
    }

    #[test]
    fn the_sample_request_of_rfc_5769_is_authentic_under_its_password_alone() {
        let request = bytes(SAMPLE_REQUEST);
        let message = Message::parse(&request).unwrap();
        assert!(secret("VOkJxbRl1RmTxUk/WvJxBt").signed(&message));
        assert!(!secret("VOkJxbRl1RmTxUk/WvJxBT").signed(&message));
    }
}
