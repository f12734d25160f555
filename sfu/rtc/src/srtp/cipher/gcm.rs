//! AES-GCM (RFC 7714): the header is authenticated, the payload encrypted, the tag follows it.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::{Labels, MasterKey, RTCP_HEADER_LEN, RTCP_INDEX_LEN, Refused};
use crate::srtp::{RTCP_ENCRYPTED, keying::derive};

const TAG_LEN: usize = 16;

pub(in crate::srtp) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Gcm {
    pub(super) fn new_256(master: &MasterKey, labels: Labels) -> Option<Self> {
        let key: [u8; 32] = derive(master, labels.key)?;
        Self::from_session_key(&AES_256_GCM, &key, derive(master, labels.salt)?)
    }

    pub(super) fn new_128(master: &MasterKey, labels: Labels) -> Option<Self> {
        let key: [u8; 16] = derive(master, labels.key)?;
        Self::from_session_key(&AES_128_GCM, &key, derive(master, labels.salt)?)
    }

    fn from_session_key(algorithm: &'static Algorithm, key: &[u8], salt: [u8; 12]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, salt })
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Refused> {
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Refused::Malformed)?;
        if body.len() < TAG_LEN {
            return Err(Refused::Malformed);
        }
        let nonce = self.rtp_nonce(ssrc, index);
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(&*header), body)
            .map_err(|_| Refused::Forged)?;
        Ok(header_len + plain.len())
    }

    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let nonce = self.rtp_nonce(ssrc, index);
        let sealed = packet.get_mut(..plain_len + TAG_LEN)?;
        let (plain, tag) = sealed.split_at_mut_checked(plain_len)?;
        let (header, payload) = plain.split_at_mut_checked(header_len)?;
        let aad = Aad::from(&*header);
        let made = self.key.seal_in_place_separate_tag(nonce, aad, payload).ok()?;
        tag.copy_from_slice(made.as_ref());
        Some(plain_len + TAG_LEN)
    }

    pub(super) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: u32,
    ) -> Result<usize, Refused> {
        let end = packet.len().saturating_sub(RTCP_INDEX_LEN);
        let protected = packet.get_mut(..end).ok_or(Refused::Malformed)?;
        let (header, body) =
            protected.split_at_mut_checked(RTCP_HEADER_LEN).ok_or(Refused::Malformed)?;
        if body.len() < TAG_LEN {
            return Err(Refused::Malformed);
        }
        let nonce = self.rtcp_nonce(ssrc, word);
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(rtcp_aad(header, word)), body)
            .map_err(|_| Refused::Forged)?;
        Ok(RTCP_HEADER_LEN + plain.len())
    }

    pub(super) fn seal_rtcp(
        &self,
        packet: &mut [u8],
        plain_len: usize,
        ssrc: u32,
        word: u32,
    ) -> Option<usize> {
        let sealed_len = plain_len + TAG_LEN + RTCP_INDEX_LEN;
        let (plain, trailer) = packet.get_mut(..sealed_len)?.split_at_mut_checked(plain_len)?;
        let (header, payload) = plain.split_at_mut_checked(RTCP_HEADER_LEN)?;
        let aad = Aad::from(rtcp_aad(header, word));
        let nonce = self.rtcp_nonce(ssrc, word);
        let made = self.key.seal_in_place_separate_tag(nonce, aad, payload).ok()?;
        let (tag, index) = trailer.split_at_mut_checked(TAG_LEN)?;
        tag.copy_from_slice(made.as_ref());
        index.copy_from_slice(&word.to_be_bytes());
        Some(sealed_len)
    }

    /// RFC 7714 §8.1: two zero bytes, SSRC, rollover counter, sequence number; salted.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        self.nonce(u128::from(ssrc) << 48 | u128::from(index & 0xffff_ffff_ffff))
    }

    /// RFC 7714 §9.1: two zero bytes, SSRC, two zero bytes, 31-bit index; salted.
    fn rtcp_nonce(&self, ssrc: u32, word: u32) -> Nonce {
        self.nonce(u128::from(ssrc) << 48 | u128::from(word & !RTCP_ENCRYPTED))
    }

    fn nonce(&self, value: u128) -> Nonce {
        let [_, _, _, _, unsalted @ ..] = value.to_be_bytes();
        let mut nonce = self.salt;
        for (byte, value) in nonce.iter_mut().zip(unsalted) {
            *byte ^= value;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 7714 §9.2: the first eight bytes, then the word that is sent last.
fn rtcp_aad(header: &[u8], word: u32) -> [u8; RTCP_HEADER_LEN + RTCP_INDEX_LEN] {
    let mut aad = [0; RTCP_HEADER_LEN + RTCP_INDEX_LEN];
    let bytes = header.iter().copied().chain(word.to_be_bytes());
    for (slot, byte) in aad.iter_mut().zip(bytes) {
        *slot = byte;
    }
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::bytes;

    const SSRC: u32 = 0x5501_a0b2;
    const SEQUENCE: u64 = 0xf17b;
    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef";
    const RTCP_SSRC: u32 = 0x4d61_7273;
    const RTCP_WORD: u32 = 0x8000_05d4;

    /// Key 00 01 02 …, salt "Quid pro quo".
    fn gcm(algorithm: &'static Algorithm) -> Gcm {
        let key: Vec<u8> = (0..32).take(algorithm.key_len()).collect();
        Gcm::from_session_key(algorithm, &key, *b"Quid pro quo").unwrap()
    }

    fn assert_rtp(algorithm: &'static Algorithm, sealed: &str) {
        let (plain, sealed) = (bytes(RTP), bytes(sealed));
        let mut packet = plain.clone();
        packet.resize(sealed.len(), 0);
        let len = gcm(algorithm).seal_rtp(&mut packet, 12, plain.len(), SSRC, SEQUENCE);
        assert_eq!(len, Some(sealed.len()));
        assert_eq!(packet, sealed);
        let len = gcm(algorithm).open_rtp(&mut packet, 12, SSRC, SEQUENCE);
        assert_eq!(len, Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }

    fn assert_rtcp(algorithm: &'static Algorithm, sealed: &str) {
        let (plain, sealed) = (bytes(RTCP), bytes(sealed));
        let mut packet = plain.clone();
        packet.resize(sealed.len(), 0);
        let len = gcm(algorithm).seal_rtcp(&mut packet, plain.len(), RTCP_SSRC, RTCP_WORD);
        assert_eq!(len, Some(sealed.len()));
        assert_eq!(packet, sealed);
        let len = gcm(algorithm).open_rtcp(&mut packet, RTCP_SSRC, RTCP_WORD);
        assert_eq!(len, Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }

    #[test]
    fn rtp_is_sealed_as_in_rfc_7714_section_16() {
        assert_rtp(
            &AES_128_GCM,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        assert_rtp(
            &AES_256_GCM,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        );
    }

    #[test]
    fn rtcp_is_sealed_as_in_rfc_7714_section_17() {
        assert_rtcp(
            &AES_128_GCM,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        );
        assert_rtcp(
            &AES_256_GCM,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1
             110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        );
    }
}
