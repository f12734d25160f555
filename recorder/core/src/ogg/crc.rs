//! Ogg's checksum (RFC 3533 §6): CRC-32 with the polynomial 0x04c11db7, nothing reflected.

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0_u32;
    while index < 256 {
        let mut value = index << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = value >> 31;
            value = (value << 1) ^ (carry * 0x04c1_1db7);
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
};

/// Sums a page whose own field is zero.
pub(super) fn of(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, byte| over(sum, *byte))
}

pub(super) fn over(sum: u32, byte: u8) -> u32 {
    let [high, ..] = sum.to_be_bytes();
    sum << 8 ^ TABLE.get(usize::from(high ^ byte)).copied().unwrap_or_default()
}
