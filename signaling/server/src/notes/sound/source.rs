//! Bytes of an upload, read once from front to back.

use std::io::{self, Read};

use super::SoundError;

/// Where we are in a file. The first bytes can be put back once.
pub(super) struct Source<R> {
    file: R,
    /// Bytes that are there to be read again.
    again: Vec<u8>,
    left: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(file: R, bytes: u64) -> Self {
        Self { file, again: Vec::new(), left: bytes }
    }

    /// Goes back to before `bytes`, which were the last read.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.again = bytes.to_owned();
        self.left = self.left.saturating_add(count(bytes));
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Fills `to`. That the file ends before is its fault.
    pub(super) fn fill(&mut self, to: &mut [u8]) -> Result<(), SoundError> {
        self.left = self.left.checked_sub(count(to)).ok_or(SoundError::Broken)?;
        let from_again = self.again.len().min(to.len());
        let (first, rest) = to.split_at_mut_checked(from_again).ok_or(SoundError::Broken)?;
        for (to, from) in first.iter_mut().zip(self.again.drain(..from_again)) {
            *to = from;
        }
        self.file.read_exact(rest).map_err(|error| {
            let is_short = error.kind() == io::ErrorKind::UnexpectedEof;
            if is_short { SoundError::Broken } else { SoundError::Read(error) }
        })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SoundError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the next `bytes` bytes, unless that is more than `most`.
    pub(super) fn vec(&mut self, bytes: u64, most: usize) -> Result<Vec<u8>, SoundError> {
        let length = usize::try_from(bytes).ok().filter(|length| *length <= most);
        let mut read = vec![0; length.ok_or(SoundError::Broken)?];
        self.fill(&mut read)?;
        Ok(read)
    }

    pub(super) fn skip(&mut self, mut bytes: u64) -> Result<(), SoundError> {
        if bytes > self.left {
            return Err(SoundError::Broken);
        }
        let mut chunk = [0; 8 * 1024];
        while bytes > 0 {
            let step = usize::try_from(bytes).unwrap_or(usize::MAX).min(chunk.len());
            self.fill(chunk.get_mut(..step).unwrap_or_default())?;
            bytes = bytes.saturating_sub(u64::try_from(step).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
