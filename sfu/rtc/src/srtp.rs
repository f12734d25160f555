//! SRTP and SRTCP (RFC 3711), with the AES-GCM profiles of RFC 7714.
//!
//! A [`Session`] is keyed once by a DTLS handshake. What it would take to go on elsewhere is
//! plain: [`Keying`] and the counters of what was received; the ciphers are made from these.
//!
//! # Invariants
//!
//! - No counter or replay window moves before the packet's tag was verified.
//! - Sealing never draws a nonce twice: the caller owns each SSRC's extended sequence number,
//!   and the SRTCP index is stored before it is used.

mod cipher;
mod keying;
mod replay;
mod streams;

use std::num::NonZeroU32;

pub use keying::{Keying, MasterKey, Profile, Side};
use proto::rtp;

use self::{cipher::Cipher, streams::Streams};
use crate::error::Refused;

/// SRTCP: what precedes the encrypted part.
const RTCP_HEADER_LEN: usize = 8;
const RTCP_INDEX_LEN: usize = 4;
/// E: the packet is encrypted. The 31 bits below it are the index.
const RTCP_ENCRYPTED: u32 = 1 << 31;

/// Both directions of one keyed connection.
pub struct Session {
    rtp_out: Cipher,
    rtcp_out: Cipher,
    rtp_in: Cipher,
    rtcp_in: Cipher,
    received: Streams,
    /// The next SRTCP index; `None` once all 2³¹ are used.
    next_rtcp_index: Option<NonZeroU32>,
}

impl Session {
    /// Derives the session keys. `None` if a key's length is not its profile's.
    pub fn new(keying: &Keying) -> Option<Self> {
        let Keying { profile, local, remote } = keying;
        Some(Self {
            rtp_out: Cipher::for_rtp(*profile, local)?,
            rtcp_out: Cipher::for_rtcp(*profile, local)?,
            rtp_in: Cipher::for_rtp(*profile, remote)?,
            rtcp_in: Cipher::for_rtcp(*profile, remote)?,
            received: Streams::default(),
            next_rtcp_index: NonZeroU32::new(1),
        })
    }

    /// Verifies and decrypts in place; returns the length of the plain packet.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let header = rtp::Header::parse(packet).map_err(|_| Refused::Malformed)?;
        let (ssrc, sequence, header_len) = (header.ssrc, header.sequence, header.header_len);
        let index = self.received.rtp_index(ssrc, sequence)?;
        let plain_len = self.rtp_in.open_rtp(packet, header_len, ssrc, index)?;
        self.received.note_rtp(ssrc, index);
        Ok(plain_len)
    }

    /// Encrypts the packet `packet[..plain_len]` in place; returns the length with the tag. `roc`
    /// continues the sequence number upwards.
    pub fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        plain_len: usize,
        roc: u32,
    ) -> Option<usize> {
        let sequence = u16::from_be_bytes(*packet.get(2..)?.first_chunk()?);
        let ssrc = u32::from_be_bytes(*packet.get(8..)?.first_chunk()?);
        let index = u64::from(roc) << 16 | u64::from(sequence);
        self.rtp_out.seal_rtp(packet, header_len, plain_len, ssrc, index)
    }

    /// Verifies and decrypts a compound packet in place; returns its plain length.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let ssrc = rtcp_ssrc(packet).ok_or(Refused::Malformed)?;
        let word = self.rtcp_in.rtcp_index_word(packet).ok_or(Refused::Malformed)?;
        if word & RTCP_ENCRYPTED == 0 {
            return Err(Refused::Malformed);
        }
        let index = word & !RTCP_ENCRYPTED;
        self.received.check_rtcp(ssrc, index)?;
        let plain_len = self.rtcp_in.open_rtcp(packet, ssrc, word)?;
        self.received.note_rtcp(ssrc, index);
        Ok(plain_len)
    }

    /// Encrypts the compound `packet[..plain_len]` in place; returns the length with trailers.
    pub fn seal_rtcp(&mut self, packet: &mut [u8], plain_len: usize) -> Option<usize> {
        let index = self.next_rtcp_index?.get();
        let following = index.checked_add(1).filter(|next| next & RTCP_ENCRYPTED == 0);
        self.next_rtcp_index = following.and_then(NonZeroU32::new);
        let ssrc = rtcp_ssrc(packet.get(..plain_len)?)?;
        self.rtcp_out.seal_rtcp(packet, plain_len, ssrc, RTCP_ENCRYPTED | index)
    }
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, ssrc @ ..] = packet.first_chunk::<RTCP_HEADER_LEN>()?;
    (first >> 6 == 2).then(|| u32::from_be_bytes(*ssrc))
}
