//! When a track was muted, as far back as it matters.

use std::collections::VecDeque;

use proto::link::UnixMicros;

use crate::{gap::GapReason, limits::MUTES_MAX};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mutes(VecDeque<Mute>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mute {
    from: UnixMicros,
    to: Option<UnixMicros>,
}

impl Mutes {
    pub(super) fn set(&mut self, muted: bool, at: UnixMicros) {
        match self.0.back_mut() {
            Some(mute) if mute.to.is_none() => {
                if !muted {
                    mute.to = Some(at);
                }
            }
            Some(_) | None if muted => {
                if self.0.len() == MUTES_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(Mute { from: at, to: None });
            }
            Some(_) | None => {}
        }
    }

    /// Why a sender that lost no packet was silent; forgets what lies before.
    pub(super) fn reason_between(&mut self, from: Option<UnixMicros>, to: UnixMicros) -> GapReason {
        let from = from.unwrap_or(to);
        self.0.retain(|mute| mute.to.is_none_or(|end| end >= from));
        if self.0.iter().any(|mute| mute.from <= to) { GapReason::Mute } else { GapReason::Dtx }
    }
}
