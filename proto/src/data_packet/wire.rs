//! The fields of a protobuf message as byte ranges: what it takes to copy those we don't know.

/// One field, key and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub number: u32,
    /// Key, length where there is one, content.
    pub whole: &'a [u8],
    /// What follows key and length.
    pub content: &'a [u8],
}

/// Splits a message into its fields. `None` unless every byte belongs to one; groups, which no
/// proto3 schema has, count as malformed.
pub(super) fn fields_of(mut bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (key, after_key) = varint(bytes)?;
        let (length, after_length) = match key & 7 {
            0 => (after_key.len().checked_sub(varint(after_key)?.1.len())?, after_key),
            1 => (8, after_key),
            2 => {
                let (length, rest) = varint(after_key)?;
                (usize::try_from(length).ok()?, rest)
            }
            5 => (4, after_key),
            _ => return None,
        };
        let (content, rest) = after_length.split_at_checked(length)?;
        let (whole, _) = bytes.split_at_checked(bytes.len().checked_sub(rest.len())?)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number != 0)?;
        fields.push(Field { number, whole, content });
        bytes = rest;
    }
    Some(fields)
}

/// Writes a length-delimited field.
pub(super) fn write_bytes(number: u32, content: &[u8], out: &mut Vec<u8>) {
    write_varint(u64::from(number) << 3 | 2, out);
    write_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let bits =
            u64::from(byte & 0x7F).checked_shl(u32::try_from(index).ok()?.checked_mul(7)?)?;
        value |= bits;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.extend((value & 0x7F | 0x80).to_le_bytes().first());
        value >>= 7;
    }
    out.extend(value.to_le_bytes().first());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_splits_into_the_same_field() {
        arbtest::arbtest(|u| {
            let number = u.int_in_range(1..=(1 << 29) - 1)?;
            let content = u.arbitrary::<&[u8]>()?;
            let mut bytes = Vec::new();
            write_bytes(number, content, &mut bytes);
            let field = Field { number, whole: &bytes, content };
            assert_eq!(fields_of(&bytes), Some(vec![field]));
            Ok(())
        });
    }

    #[test]
    fn fields_cover_every_byte_or_there_are_none() {
        arbtest::arbtest(|u| {
            let bytes = u.arbitrary::<&[u8]>()?;
            if let Some(fields) = fields_of(bytes) {
                let whole: Vec<u8> = fields.iter().flat_map(|field| field.whole).copied().collect();
                assert_eq!(whole, bytes);
            }
            Ok(())
        });
    }

    #[test]
    fn a_field_that_is_cut_short_is_malformed() {
        for bytes in [&[0x0A][..], &[0x0A, 2, 1], &[0x09, 0], &[0x0D, 0], &[0x08], &[0x08, 0x80]] {
            assert_eq!(fields_of(bytes), None, "{bytes:?}");
        }
        assert_eq!(fields_of(&[0x0B, 0x0C]), None, "a group");
        assert_eq!(fields_of(&[0x02, 0]), None, "field number zero");
        assert_eq!(fields_of(&[0xFF; 11]), None, "an endless varint");
    }
}
