//! What has been received from each SSRC of one peer.

use std::collections::BTreeMap;

use proto::rtp::SeqNo;

use super::replay::ReplayWindow;
use crate::{error::Refused, limits::RECEIVE_SSRCS_MAX};

/// The counters of every SSRC that a packet was authentic of. A bounded number: an SSRC beyond
/// it is refused.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// By SSRC: extended sequence numbers, the rollover counter in their upper bits.
    rtp: BTreeMap<u32, ReplayWindow>,
    /// By SSRC: SRTCP indices.
    rtcp: BTreeMap<u32, ReplayWindow>,
}

impl Streams {
    /// Guesses the extended sequence number (RFC 3711 §3.3.1) and refuses a replay of it.
    pub(super) fn rtp_index(&self, ssrc: u32, sequence: SeqNo) -> Result<u64, Refused> {
        let Some(window) = self.rtp.get(&ssrc) else {
            return if self.rtp.len() < RECEIVE_SSRCS_MAX {
                Ok(u64::from(sequence.0))
            } else {
                Err(Refused::TooManySsrcs)
            };
        };
        let [.., low1, low0] = window.highest().to_be_bytes();
        let step = sequence.since(SeqNo(u16::from_be_bytes([low1, low0])));
        window
            .highest()
            .checked_add_signed(i64::from(step))
            .filter(|index| window.admits(*index))
            .ok_or(Refused::Replayed)
    }

    pub(super) fn note_rtp(&mut self, ssrc: u32, index: u64) {
        note(&mut self.rtp, ssrc, index);
    }

    pub(super) fn check_rtcp(&self, ssrc: u32, index: u32) -> Result<(), Refused> {
        match self.rtcp.get(&ssrc) {
            Some(window) if window.admits(index.into()) => Ok(()),
            Some(_) => Err(Refused::Replayed),
            None if self.rtcp.len() < RECEIVE_SSRCS_MAX => Ok(()),
            None => Err(Refused::TooManySsrcs),
        }
    }

    pub(super) fn note_rtcp(&mut self, ssrc: u32, index: u32) {
        note(&mut self.rtcp, ssrc, index.into());
    }
}

fn note(windows: &mut BTreeMap<u32, ReplayWindow>, ssrc: u32, index: u64) {
    windows
        .entry(ssrc)
        .and_modify(|window| window.note(index))
        .or_insert_with(|| ReplayWindow::starting_at(index));
}
