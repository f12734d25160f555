//! The header extension block (RFC 8285), in either form.

use crate::be::u8_at;

const ONE_BYTE_PROFILE: u16 = 0xbede;
/// The low four bits are the sender's own ("appbits").
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// One packet's header extensions, found by the id that was negotiated for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a> {
    form: Form,
    block: &'a [u8],
}

#[derive(Clone, Copy, Debug, Default)]
enum Form {
    OneByte,
    TwoByte,
    #[default]
    Unknown,
}

impl<'a> Extensions<'a> {
    pub(super) fn new(profile: u16, block: &'a [u8]) -> Self {
        let form = match profile {
            ONE_BYTE_PROFILE => Form::OneByte,
            other if other & 0xfff0 == TWO_BYTE_PROFILE => Form::TwoByte,
            _ => Form::Unknown,
        };
        Self { form, block }
    }

    /// Returns the first element with this id. Elements after a malformed one are not seen.
    pub fn get(&self, id: u8) -> Option<&'a [u8]> {
        self.iter().find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    /// Every well-formed element, in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let (form, mut rest) = (self.form, self.block);
        std::iter::from_fn(move || {
            // Zero bytes between elements are padding.
            let padding = rest.iter().take_while(|byte| **byte == 0).count();
            rest = rest.get(padding..)?;
            let (id, start, len) = match form {
                Form::OneByte => one_byte_element(rest)?,
                Form::TwoByte => (u8_at(rest, 0)?, 2, usize::from(u8_at(rest, 1)?)),
                Form::Unknown => return None,
            };
            let value = rest.get(start..start + len)?;
            rest = rest.get(start + len..)?;
            Some((id, value))
        })
    }
}

fn one_byte_element(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = u8_at(bytes, 0)?;
    let id = first >> 4;
    // Id 15 ends the block (RFC 8285 §4.2); id 0 with a length is no element of ours either.
    (id != 15 && id != 0).then_some((id, 1, usize::from(first & 0x0f) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_values_by_id() {
        let one = Extensions::new(0xbede, &[0x10, 0x85, 0, 0x42, b'a', b'b', b'c', 0]);
        assert_eq!(one.get(1), Some(&[0x85][..]));
        assert_eq!(one.get(4), Some(&b"abc"[..]));
        assert_eq!(one.get(2), None);

        let two = Extensions::new(0x1003, &[0x10, 0, 0x44, 3, b'a', b'b', b'c', 0]);
        assert_eq!(two.get(0x10), Some(&b""[..]));
        assert_eq!(two.get(0x44), Some(&b"abc"[..]));
    }

    #[test]
    fn a_length_that_lies_hides_what_follows() {
        let one = Extensions::new(0xbede, &[0x10, 0x85, 0x4f, 0x10]);
        assert_eq!(one.get(1), Some(&[0x85][..]));
        assert_eq!(one.get(4), None);

        let two = Extensions::new(0x1000, &[1, 9, 1, 1]);
        assert_eq!(two.get(1), None);
    }

    #[test]
    fn id_15_ends_the_block() {
        let one = Extensions::new(0xbede, &[0xf0, 0x00, 0x10, 0x85]);
        assert_eq!(one.iter().count(), 0);
    }

    #[test]
    fn an_unknown_profile_has_no_elements() {
        assert_eq!(Extensions::new(0x1234, &[0x10, 0x85]).iter().count(), 0);
    }
}
