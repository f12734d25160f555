//! One direction of RTP or RTCP under its session keys.

mod counter_mode;
mod gcm;

use counter_mode::CounterMode;
use gcm::Gcm;

use super::{
    RTCP_HEADER_LEN, RTCP_INDEX_LEN,
    keying::{Label, MasterKey, Profile},
};
use crate::error::Refused;

#[expect(clippy::large_enum_variant, reason = "held in place: a box would cost a cache miss")]
pub(super) enum Cipher {
    Gcm(Gcm),
    CounterMode(CounterMode),
}

/// Which session keys to derive.
#[derive(Clone, Copy)]
struct Labels {
    key: Label,
    authentication: Label,
    salt: Label,
}

impl Cipher {
    pub(super) fn for_rtp(profile: Profile, master: &MasterKey) -> Option<Self> {
        let labels = Labels {
            key: Label::RtpKey,
            authentication: Label::RtpAuthentication,
            salt: Label::RtpSalt,
        };
        Self::new(profile, master, labels)
    }

    pub(super) fn for_rtcp(profile: Profile, master: &MasterKey) -> Option<Self> {
        let labels = Labels {
            key: Label::RtcpKey,
            authentication: Label::RtcpAuthentication,
            salt: Label::RtcpSalt,
        };
        Self::new(profile, master, labels)
    }

    fn new(profile: Profile, master: &MasterKey, labels: Labels) -> Option<Self> {
        match profile {
            Profile::Aes256Gcm => Gcm::new_256(master, labels).map(Self::Gcm),
            Profile::Aes128Gcm => Gcm::new_128(master, labels).map(Self::Gcm),
            Profile::Aes128CmSha1 => CounterMode::new(master, labels).map(Self::CounterMode),
        }
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Refused> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtp(packet, header_len, ssrc, index),
            Self::CounterMode(mode) => mode.open_rtp(packet, header_len, ssrc, index),
        }
    }

    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtp(packet, header_len, plain_len, ssrc, index),
            Self::CounterMode(mode) => mode.seal_rtp(packet, header_len, plain_len, ssrc, index),
        }
    }

    /// Finds the word of E flag and index in a protected RTCP packet.
    pub(super) fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        let trailer_len = match self {
            Self::Gcm(_) => RTCP_INDEX_LEN,
            Self::CounterMode(_) => RTCP_INDEX_LEN + counter_mode::TAG_LEN,
        };
        let at = packet.len().checked_sub(trailer_len).filter(|at| *at >= RTCP_HEADER_LEN)?;
        Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?))
    }

    pub(super) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: u32,
    ) -> Result<usize, Refused> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtcp(packet, ssrc, word),
            Self::CounterMode(mode) => mode.open_rtcp(packet, ssrc, word),
        }
    }

    pub(super) fn seal_rtcp(
        &self,
        packet: &mut [u8],
        plain_len: usize,
        ssrc: u32,
        word: u32,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtcp(packet, plain_len, ssrc, word),
            Self::CounterMode(mode) => mode.seal_rtcp(packet, plain_len, ssrc, word),
        }
    }
}
