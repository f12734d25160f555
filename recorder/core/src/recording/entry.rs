//! A track among the others of its recording.

use proto::link::{LinkTrack, UnixMicros};

use crate::track::Track;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) about: LinkTrack,
    pub(super) track: Track,
    /// Whether the present link has named it.
    pub(super) is_named: bool,
    /// Whether the shell has given up writing it.
    pub(super) is_abandoned: bool,
    pub(super) deadline: Option<UnixMicros>,
}

impl Entry {
    pub(super) fn new(about: LinkTrack, track: Track) -> Self {
        Self { about, track, is_named: true, is_abandoned: false, deadline: None }
    }
}
