//! What a voice packet carries here: whose it is.

use proto::rtp::red::Primary;

use crate::{PersonId, RoomId};

/// One packet's worth of somebody's voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Voice {
    pub room: RoomId,
    pub talker: PersonId,
    /// Counts a talker's packets over the whole story.
    pub count: u32,
}

impl Voice {
    pub(crate) fn write(self) -> Vec<u8> {
        let mut payload = b"adda".to_vec();
        payload.extend(self.room.0.to_be_bytes());
        payload.extend(self.talker.0.to_be_bytes());
        payload.extend(self.count.to_be_bytes());
        payload
    }

    /// As RED: the previous packet once more, then this one.
    pub(crate) fn write_red(self, opus: u8) -> Vec<u8> {
        let previous = Self { count: self.count.wrapping_sub(1), ..self }.write();
        // Offset 960 in 14 bits, length in 10.
        let [high, low] = u16::try_from(previous.len()).unwrap_or_default().to_be_bytes();
        let mut payload = vec![0x80 | opus, 0x0F, high & 0x03, low, opus];
        payload.extend(previous);
        payload.extend(self.write());
        payload
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(b"adda")?;
        let (room, rest) = rest.split_first_chunk()?;
        let (talker, rest) = rest.split_first_chunk()?;
        Some(Self {
            room: RoomId(u16::from_be_bytes(*room)),
            talker: PersonId(u16::from_be_bytes(*talker)),
            count: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }

    pub(crate) fn read_red(payload: &[u8]) -> Option<Self> {
        let primary = Primary::find(payload).ok()?;
        Self::read(payload.get(primary.offset..)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_reads_back_as_itself() {
        let voice = Voice { room: RoomId(1), talker: PersonId(2), count: 3 };
        assert_eq!(Voice::read(&voice.write()), Some(voice));
        assert_eq!(Voice::read_red(&voice.write_red(111)), Some(voice));
        assert_eq!(Voice::read(b"opus"), None);
    }
}
