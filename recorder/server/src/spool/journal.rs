//! What a track's pages don't say: a line of JSON each, appended.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
};

use proto::{
    ids::Epoch,
    link::{LinkTrack, UnixMicros},
};
use recorder_core::{Begun, Gap, GapReason, Gaps};
use serde::{Deserialize, Serialize};

use crate::limits::JOURNAL_BYTES_MAX;

/// Whose voice a file holds, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) sid: String,
    pub(crate) participant: String,
    pub(crate) identity: String,
    pub(crate) name: String,
    /// When its first sample came, in microseconds since 1970.
    pub(crate) began: u64,
    /// Under which a recorder began it: names this piece of the track.
    #[serde(default)]
    pub(crate) epoch: u64,
}

impl About {
    pub(crate) fn new(track: &LinkTrack, begun: Begun, epoch: Epoch) -> Self {
        Self {
            sid: track.sid.to_string(),
            participant: track.participant.to_string(),
            identity: track.identity.as_str().to_owned(),
            name: track.name.clone(),
            began: begun.at.0,
            epoch: epoch.0,
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    pub(crate) fn began(&self) -> UnixMicros {
        UnixMicros(self.began)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    About(About),
    Gap {
        start: u64,
        samples: u64,
        reason: String,
    },
    /// The file is complete.
    End {
        samples: u64,
        unlisted: u64,
    },
}

impl From<Gap> for Line {
    fn from(gap: Gap) -> Self {
        let reason = gap.reason.as_str().to_owned();
        Self::Gap { start: gap.start, samples: gap.samples, reason }
    }
}

/// A journal as it was read.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) about: Option<About>,
    gaps: Vec<Gap>,
    /// Samples of a complete file.
    pub(super) end: Option<u64>,
    /// Bytes up to the end of the last whole line.
    pub(super) bytes: u64,
}

impl Journal {
    /// Reads whole lines; one that was torn ends it.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut journal = Self::default();
        let mut reader = BufReader::new(file.take(JOURNAL_BYTES_MAX));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let Ok(read) = serde_json::from_slice(&line) else { break };
            journal.take(read);
            journal.bytes += u64::try_from(line.len()).unwrap_or_default();
            line.clear();
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::About(about) => self.about = Some(about),
            Line::Gap { start, samples, reason } => {
                let reason = GapReason::named(&reason).unwrap_or(GapReason::Recorder);
                self.gaps.push(Gap { start, samples, reason });
            }
            Line::End { samples, .. } => self.end = Some(samples),
        }
    }

    /// The gaps in the first `samples` of the file: what was noted for pages that were never
    /// written doesn't count.
    pub(super) fn gaps_within(&self, samples: u64) -> Gaps {
        let mut gaps = Gaps::default();
        for gap in &self.gaps {
            let within = samples.saturating_sub(gap.start).min(gap.samples);
            // As the core merges them: silences around a packet of up to 60 ms are one.
            let refresh = 2_880;
            if within > 0 {
                gaps.push(Gap { samples: within, ..*gap }, refresh);
            }
        }
        gaps
    }
}

pub(super) fn append(mut file: &File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}
