//! Reads an input as a sequence of steps, for targets that have a state.

/// What is left of the input.
pub(crate) struct Script<'a> {
    bytes: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A length and that many bytes; what is missing at the end is no matter.
    pub(crate) fn chunk(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.number()?).min(self.bytes.len());
        let (chunk, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(chunk)
    }
}
