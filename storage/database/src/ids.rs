//! Ids of what is stored: UUIDs of version 7, whose order is the order of their making.

use std::{fmt, str::FromStr};

use proto::link::UnixMicros;

/// Text that is no id of ours, or an id written in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Makes an id of a time and 128 random bits, of which it keeps 74.
            pub fn new(at: UnixMicros, random: u128) -> Self {
                Self(uuid_v7(at, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let digits = text.replace('-', "");
                let id = u128::from_str_radix(&digits, 16).map(Self).map_err(|_| InvalidId)?;
                // One spelling per id.
                if id.to_string() == text { Ok(id) } else { Err(InvalidId) }
            }
        }
    };
}

id! {
    /// One recording of a room.
    RecordingId
}
id! {
    /// One voice note.
    NoteId
}

/// RFC 9562 §5.7: 48 bits of milliseconds, the version, 12 random bits, the variant, 62 more.
fn uuid_v7(UnixMicros(at): UnixMicros, random: u128) -> u128 {
    const VERSION: u128 = 7 << 76;
    const VARIANT: u128 = 0b10 << 62;
    const RANDOM: u128 = (0xfff << 64) | (u128::MAX >> 66);
    let milliseconds = u128::from(at / 1000) & (u128::MAX >> 80);
    (milliseconds << 80) | VERSION | VARIANT | (random & RANDOM)
}

fn write_uuid(id: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let group = |shift: u32, bits: u32| (id >> shift) & (u128::MAX >> (128 - bits));
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        group(96, 32),
        group(80, 16),
        group(64, 16),
        group(48, 16),
        group(0, 48)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_the_rfc_shows_it() {
        // RFC 9562, appendix A.6.
        let random = (0xcc3 << 64) | (0x18c4_dc0c_0c07_398f);
        let id = NoteId::new(UnixMicros(0x017f_22e2_79b0 * 1000 + 999), random);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn later_ids_sort_after_earlier_ones_as_text() {
        let earlier = NoteId::new(UnixMicros(1_000), u128::MAX);
        let later = NoteId::new(UnixMicros(2_000), 0);
        assert!(earlier < later && earlier.to_string() < later.to_string());
    }

    #[test]
    fn another_spelling_is_refused() {
        let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        for bad in [&id.to_uppercase(), &id.replace('-', ""), &id[1..], "", "../../etc"] {
            assert_eq!(bad.parse::<NoteId>(), Err(InvalidId), "{bad}");
        }
    }
}
