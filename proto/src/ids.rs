//! Names of things on the wire. Each is its own type, so that one can't be passed for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest room name or identity accepted, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// A name or id that breaks its own rules: empty, too long, or the wrong shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name is empty, longer than {NAME_BYTES_MAX} bytes, or holds control characters")]
pub struct InvalidName;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
                if fits && !text.chars().any(char::is_control) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName)
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// What a room is called by the people who meet in it. Chosen by the app.
    RoomName
}
name! {
    /// Who somebody is, as the app's token says (`sub`). One live participant a room has it.
    Identity
}
name! {
    /// One SFU or signaling node of a pool.
    NodeId
}

macro_rules! sid {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; SID_DIGITS]);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id of 128 random bits. They must come from a secure source.
            pub fn from_random(bits: u128) -> Self {
                Self(digits_of(bits))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::PREFIX)?;
                f.write_str(std::str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidSid;

            fn from_str(text: &str) -> Result<Self, InvalidSid> {
                let digits = text.strip_prefix(Self::PREFIX).ok_or(InvalidSid)?.as_bytes();
                let digits: [u8; SID_DIGITS] = digits.try_into().map_err(|_| InvalidSid)?;
                if digits.iter().all(|digit| ALPHABET.contains(digit)) {
                    Ok(Self(digits))
                } else {
                    Err(InvalidSid)
                }
            }
        }
    };
}

/// Text that is no id of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidSid;

/// Digits after the prefix: 22 of 58 hold 128 bits.
const SID_DIGITS: usize = 22;

/// Base 58: no digit looks like another when read aloud from a log.
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn digits_of(mut bits: u128) -> [u8; SID_DIGITS] {
    let base = ALPHABET.len() as u128;
    std::array::from_fn(|_| {
        let digit = usize::try_from(bits % base).unwrap_or_default();
        bits /= base;
        ALPHABET.get(digit).copied().unwrap_or(b'1')
    })
}

sid! {
    /// One life of a room, from its first participant or its creation to its end.
    RoomSid, "RM_"
}
sid! {
    /// One participant for the life of one session; a full reconnect gets another.
    ParticipantSid, "PA_"
}
sid! {
    /// One published track. The letters tell people reading logs: audio from a microphone.
    TrackSid, "TR_AM"
}

/// The right to own a room: of two who claim it, the one with the higher epoch is right.
///
/// Granted by compare-and-set in the database; every sink refuses one lower than it has seen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One signalling connection (a WebSocket). Unique for the life of the pool: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself() {
        arbtest::arbtest(|u| {
            let sid = ParticipantSid::from_random(u.arbitrary()?);
            assert_eq!(sid.to_string().parse(), Ok(sid));
            Ok(())
        });
    }

    #[test]
    fn different_bits_make_different_ids() {
        assert_ne!(RoomSid::from_random(u128::MAX), RoomSid::from_random(u128::MAX - 1));
        assert_ne!(RoomSid::from_random(0), RoomSid::from_random(58_u128.pow(21)));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let room = RoomSid::from_random(7).to_string();
        assert_eq!(room.parse::<ParticipantSid>(), Err(InvalidSid));
    }

    #[test]
    fn a_name_has_bounds() {
        assert!("demo".parse::<RoomName>().is_ok());
        assert!("আড্ডা *?[a-z]".parse::<RoomName>().is_ok());
        for bad in ["", "a\r\nb", "\0", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(bad.parse::<RoomName>(), Err(InvalidName), "{bad:?}");
        }
    }
}
