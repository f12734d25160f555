//! The header of a packet that we send.

use super::{FIXED_HEADER_LEN, RtpTime, SeqNo};

/// A header to be written: no CSRCs, no padding, extensions in the one-byte form.
#[derive(Clone, Copy, Debug)]
pub struct NewHeader<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: SeqNo,
    pub timestamp: RtpTime,
    pub ssrc: u32,
    /// Ids 1 to 14 with values of 1 to 16 bytes.
    pub extensions: &'a [(u8, &'a [u8])],
}

impl NewHeader<'_> {
    /// Writes the header to the front of `buffer` and returns its length.
    ///
    /// `None` if `buffer` is too short, or an extension has no one-byte form.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let has_extensions = !self.extensions.is_empty();
        let fixed = buffer.first_chunk_mut::<FIXED_HEADER_LEN>()?;
        let [seq0, seq1] = self.sequence.0.to_be_bytes();
        let [time0, time1, time2, time3] = self.timestamp.0.to_be_bytes();
        let [ssrc0, ssrc1, ssrc2, ssrc3] = self.ssrc.to_be_bytes();
        let first = 0x80 | u8::from(has_extensions) << 4;
        let second = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        *fixed =
            [first, second, seq0, seq1, time0, time1, time2, time3, ssrc0, ssrc1, ssrc2, ssrc3];
        if has_extensions { self.write_extensions(buffer) } else { Some(FIXED_HEADER_LEN) }
    }

    fn write_extensions(&self, buffer: &mut [u8]) -> Option<usize> {
        let elements: usize = self.extensions.iter().map(|(_, value)| value.len() + 1).sum();
        let words = elements.div_ceil(4);
        let start = FIXED_HEADER_LEN + 4;
        let [words0, words1] = u16::try_from(words).ok()?.to_be_bytes();
        buffer.get_mut(FIXED_HEADER_LEN..start)?.copy_from_slice(&[0xbe, 0xde, words0, words1]);

        let mut rest = buffer.get_mut(start..start + words * 4)?;
        for (id, value) in self.extensions {
            let encoded_len = u8::try_from(value.len().checked_sub(1)?).ok()?;
            if !(1..=14).contains(id) || encoded_len > 15 {
                return None;
            }
            let (element, after) = rest.split_at_mut_checked(value.len() + 1)?;
            let (head, body) = element.split_first_mut()?;
            *head = id << 4 | encoded_len;
            body.copy_from_slice(value);
            rest = after;
        }
        rest.fill(0);
        Some(start + words * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Packet;
    use super::*;

    fn header<'a>(extensions: &'a [(u8, &'a [u8])]) -> NewHeader<'a> {
        NewHeader {
            marker: true,
            payload_type: 111,
            sequence: SeqNo(65_535),
            timestamp: RtpTime(0x0102_0304),
            ssrc: 0xdead_beef,
            extensions,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut buffer = [0xff; 64];
        for extensions in [&[][..], &[(1, &[0x85][..])], &[(4, b"abc"), (14, &[7; 16])]] {
            let len = header(extensions).write(&mut buffer).unwrap();
            let packet = Packet::parse(&buffer[..len]).unwrap();
            assert!(packet.marker);
            assert_eq!(packet.payload_type, 111);
            assert_eq!(packet.sequence, SeqNo(65_535));
            assert_eq!(packet.timestamp, RtpTime(0x0102_0304));
            assert_eq!(packet.ssrc, 0xdead_beef);
            assert_eq!(packet.header_len, len);
            assert!(packet.extensions.iter().eq(extensions.iter().copied()));
        }
    }

    #[test]
    fn an_extension_without_a_one_byte_form_is_not_written() {
        let mut buffer = [0; 64];
        for (id, value) in [(0, &[1][..]), (15, &[1]), (1, &[]), (1, &[0; 17])] {
            assert_eq!(header(&[(id, value)]).write(&mut buffer), None);
        }
    }

    #[test]
    fn a_buffer_too_short_is_told() {
        let extensions: &[(u8, &[u8])] = &[(1, &[0x85])];
        for len in 0..20 {
            assert_eq!(header(extensions).write(&mut vec![0; len]), None, "{len} bytes");
        }
        assert_eq!(header(extensions).write(&mut [0; 20]), Some(20));
    }
}
