//! AES in counter mode with HMAC-SHA1 of 80 bits (RFC 3711 §4): the tag is sent last.

use aes::{
    Aes128,
    cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper},
};
use aws_lc_rs::{constant_time, hmac};
use ctr::{CtrCore, flavors::Ctr128BE};

use super::{Labels, MasterKey, RTCP_HEADER_LEN, RTCP_INDEX_LEN, Refused};
use crate::srtp::{RTCP_ENCRYPTED, keying::derive};

pub(super) const TAG_LEN: usize = 10;

pub(in crate::srtp) struct CounterMode {
    cipher: Aes128,
    authentication: hmac::Key,
    salt: [u8; 14],
}

impl CounterMode {
    pub(super) fn new(master: &MasterKey, labels: Labels) -> Option<Self> {
        let key: [u8; 16] = derive(master, labels.key)?;
        let authentication: [u8; 20] = derive(master, labels.authentication)?;
        Some(Self {
            cipher: Aes128::new(&key.into()),
            authentication: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &authentication),
            salt: derive(master, labels.salt)?,
        })
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Refused> {
        let end = packet.len().checked_sub(TAG_LEN).filter(|end| *end >= header_len);
        let (protected, tag) =
            end.and_then(|end| packet.split_at_mut_checked(end)).ok_or(Refused::Malformed)?;
        self.verify(protected, &roc(index), tag)?;
        let payload = protected.get_mut(header_len..).ok_or(Refused::Malformed)?;
        self.apply_keystream(payload, ssrc, index);
        Ok(protected.len())
    }

    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let sealed = packet.get_mut(..plain_len + TAG_LEN)?;
        let (protected, tag) = sealed.split_at_mut_checked(plain_len)?;
        self.apply_keystream(protected.get_mut(header_len..)?, ssrc, index);
        self.sign(protected, &roc(index), tag)?;
        Some(plain_len + TAG_LEN)
    }

    pub(super) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: u32,
    ) -> Result<usize, Refused> {
        let end = packet.len().checked_sub(TAG_LEN + RTCP_INDEX_LEN);
        let end = end.filter(|end| *end >= RTCP_HEADER_LEN).ok_or(Refused::Malformed)?;
        let (protected, trailer) = packet.split_at_mut_checked(end).ok_or(Refused::Malformed)?;
        let (index, tag) = trailer.split_at_checked(RTCP_INDEX_LEN).ok_or(Refused::Malformed)?;
        self.verify(protected, index, tag)?;
        let payload = protected.get_mut(RTCP_HEADER_LEN..).ok_or(Refused::Malformed)?;
        self.apply_keystream(payload, ssrc, u64::from(word & !RTCP_ENCRYPTED));
        Ok(protected.len())
    }

    pub(super) fn seal_rtcp(
        &self,
        packet: &mut [u8],
        plain_len: usize,
        ssrc: u32,
        word: u32,
    ) -> Option<usize> {
        let sealed_len = plain_len + RTCP_INDEX_LEN + TAG_LEN;
        let (protected, trailer) = packet.get_mut(..sealed_len)?.split_at_mut_checked(plain_len)?;
        let payload = protected.get_mut(RTCP_HEADER_LEN..)?;
        self.apply_keystream(payload, ssrc, u64::from(word & !RTCP_ENCRYPTED));
        let (index, tag) = trailer.split_at_mut_checked(RTCP_INDEX_LEN)?;
        index.copy_from_slice(&word.to_be_bytes());
        self.sign(protected, index, tag)?;
        Some(sealed_len)
    }

    /// RFC 3711 §4.1.1: salt, SSRC and packet index, each shifted to its place.
    fn apply_keystream(&self, payload: &mut [u8], ssrc: u32, index: u64) {
        let [_, _, salt @ ..] = (u128::from(ssrc) << 48 | u128::from(index)).to_be_bytes();
        let mut iv = [0; 16];
        for (byte, (value, salt)) in iv.iter_mut().zip(salt.iter().zip(self.salt)) {
            *byte = value ^ salt;
        }
        let core = CtrCore::<&Aes128, Ctr128BE>::inner_iv_init(&self.cipher, &iv.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(payload);
    }

    fn mac(&self, protected: &[u8], trailer: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.authentication);
        context.update(protected);
        context.update(trailer);
        context.sign()
    }

    fn sign(&self, protected: &[u8], trailer: &[u8], tag: &mut [u8]) -> Option<()> {
        tag.copy_from_slice(self.mac(protected, trailer).as_ref().get(..TAG_LEN)?);
        Some(())
    }

    fn verify(&self, protected: &[u8], trailer: &[u8], tag: &[u8]) -> Result<(), Refused> {
        let mac = self.mac(protected, trailer);
        let expected = mac.as_ref().get(..TAG_LEN).ok_or(Refused::Forged)?;
        constant_time::verify_slices_are_equal(expected, tag).map_err(|_| Refused::Forged)
    }
}

/// The rollover counter, which is authenticated but not sent.
fn roc(index: u64) -> [u8; 4] {
    let [_, _, roc0, roc1, roc2, roc3, _, _] = index.to_be_bytes();
    [roc0, roc1, roc2, roc3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hex::bytes, srtp::keying::Label};

    #[test]
    fn the_keystream_is_that_of_rfc_3711_b2() {
        let key: [u8; 16] = bytes("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let salt = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let authentication = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[]);
        let mode = CounterMode { cipher: Aes128::new(&key.into()), authentication, salt };
        let mut keystream = vec![0; 0xff02 * 16];
        mode.apply_keystream(&mut keystream, 0, 0);
        assert_eq!(
            keystream[..48],
            bytes(
                "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB
                 41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
        assert_eq!(
            keystream[0xfeff * 16..],
            bytes(
                "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE
                 6A2CC3787889374FBEB4C81B17BA6C44"
            )
        );
    }

    /// The packets that libsrtp, the reference implementation, checks itself against.
    #[test]
    fn packets_are_sealed_as_the_reference_implementation_does() {
        let master = MasterKey {
            key: bytes("E1F97A0D3E018BE0D64FA32C06DE4139"),
            salt: bytes("0EC675AD498AFEEBB6960B3AABE6"),
        };
        let rtp = Labels {
            key: Label::RtpKey,
            authentication: Label::RtpAuthentication,
            salt: Label::RtpSalt,
        };
        let mut packet = [&bytes("800f1234decafbadcafebabe")[..], &[0xab; 16], &[0; 10]].concat();
        let mode = CounterMode::new(&master, rtp).unwrap();
        assert_eq!(mode.seal_rtp(&mut packet, 12, 28, 0xcafe_babe, 0x1234), Some(38));
        assert_eq!(
            packet,
            bytes("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
        );

        let rtcp = Labels {
            key: Label::RtcpKey,
            authentication: Label::RtcpAuthentication,
            salt: Label::RtcpSalt,
        };
        let mut packet = [&bytes("81c8000bcafebabe")[..], &[0xab; 16], &[0; 14]].concat();
        let mode = CounterMode::new(&master, rtcp).unwrap();
        assert_eq!(mode.seal_rtcp(&mut packet, 24, 0xcafe_babe, 0x8000_0001), Some(38));
        assert_eq!(
            packet,
            bytes("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798")
        );
    }
}
