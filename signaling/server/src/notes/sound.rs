//! What an upload really is: which sound file, how long, and how loud when.
//!
//! The declared type is never trusted: files are told apart by their bytes and read to their very
//! end, so that what is something else behind the first page is refused. Nothing is decoded. The
//! level of compressed sound is taken from the size of its packets, which follows loudness in
//! every encoder that isn't forced to a constant rate.
//!
//! Memory is bounded, whatever the bytes say; time is linear in their number.

mod envelope;
mod mp4;
mod ogg;
mod opus;
mod source;
mod wav;
mod webm;

use std::{io, io::Read, time::Duration};

use self::source::Source;

/// A sound file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sound {
    pub(crate) kind: Kind,
    pub(crate) duration: Duration,
    /// Loudness over time, at most [`crate::limits::NOTE_POINTS_MAX`] points.
    pub(crate) waveform: Vec<u8>,
}

/// The files that a voice note may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OggOpus,
    WebmOpus,
    Mp4Aac,
    Wav,
}

/// Why an upload is no voice note.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoundError {
    /// It is something else.
    #[error("not one of the sound files we take")]
    Foreign,
    /// It begins like one, and then isn't.
    #[error("a sound file with a fault in it")]
    Broken,
    #[error("longer than a voice note may be")]
    TooLong,
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl Kind {
    const ALL: [Self; 4] = [Self::OggOpus, Self::WebmOpus, Self::Mp4Aac, Self::Wav];

    /// The kind that a `Content-Type` declares, parameters apart.
    pub(crate) fn declared(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        Self::ALL.into_iter().find(|kind| kind.names().contains(&essence.as_str()))
    }

    /// Names by which clients call it; the first is the one we use.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::OggOpus => &["audio/ogg", "application/ogg", "audio/opus"],
            Self::WebmOpus => &["audio/webm", "video/webm"],
            Self::Mp4Aac => &["audio/mp4", "audio/x-m4a", "audio/m4a", "audio/aac", "video/mp4"],
            Self::Wav => &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    pub(crate) fn codec(self) -> &'static str {
        match self {
            Self::OggOpus | Self::WebmOpus => "opus",
            Self::Mp4Aac => "aac",
            Self::Wav => "pcm",
        }
    }

    /// How a saved file ends.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::OggOpus => "ogg",
            Self::WebmOpus => "webm",
            Self::Mp4Aac => "m4a",
            Self::Wav => "wav",
        }
    }
}

/// Reads a whole file of `bytes` bytes.
pub(crate) fn read(file: impl Read, bytes: u64) -> Result<Sound, SoundError> {
    let mut source = Source::new(file, bytes);
    let start: [u8; 12] = source.array().map_err(|error| match error {
        SoundError::Broken => SoundError::Foreign,
        other @ (SoundError::Foreign | SoundError::TooLong | SoundError::Read(_)) => other,
    })?;
    let (kind, (duration, waveform)) = match start {
        [b'O', b'g', b'g', b'S', ..] => (Kind::OggOpus, ogg::read(&mut source, start)?),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => (Kind::WebmOpus, webm::read(&mut source, start)?),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => (Kind::Mp4Aac, mp4::read(&mut source, start)?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => {
            (Kind::Wav, wav::read(&mut source)?)
        }
        _ => return Err(SoundError::Foreign),
    };
    if duration.is_zero() {
        return Err(SoundError::Broken);
    }
    Ok(Sound { kind, duration, waveform })
}

/// What a reader of one kind of file finds out.
type Measured = (Duration, Vec<u8>);

#[cfg(test)]
mod tests;
