//! The RTCP packets that we send. Each call appends one packet of a compound.

use super::{
    RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderReport,
    report::BLOCK_LEN,
};

const BLOCKS_MAX: usize = 31;

/// Appends a sender report with the first 31 of `blocks`.
pub fn write_sender_report(out: &mut Vec<u8>, report: &SenderReport<'_>, blocks: &[ReportBlock]) {
    write_header(out, SENDER_REPORT, blocks.len().min(BLOCKS_MAX), 24);
    out.extend(report.ssrc.to_be_bytes());
    out.extend(report.ntp.to_be_bytes());
    out.extend(report.timestamp.0.to_be_bytes());
    out.extend(report.packets.to_be_bytes());
    out.extend(report.octets.to_be_bytes());
    blocks.iter().take(BLOCKS_MAX).for_each(|block| block.write(out));
}

/// Appends a receiver report with the first 31 of `blocks`.
pub fn write_receiver_report(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    write_header(out, RECEIVER_REPORT, blocks.len().min(BLOCKS_MAX), 4);
    out.extend(ssrc.to_be_bytes());
    blocks.iter().take(BLOCKS_MAX).for_each(|block| block.write(out));
}

/// Appends a source description with one CNAME, of which at most 255 bytes are sent.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let cname = cname.as_bytes().get(..255).unwrap_or(cname.as_bytes());
    // SSRC, item header, name, and at least one zero byte.
    let body_len = (4 + 2 + cname.len() + 1).next_multiple_of(4);
    write_words(out, 0x81, SOURCE_DESCRIPTION, body_len / 4);
    let end = out.len() + body_len;
    out.extend(ssrc.to_be_bytes());
    out.extend([1, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(cname);
    out.resize(end, 0);
}

fn write_header(out: &mut Vec<u8>, payload_type: u8, blocks: usize, fixed_len: usize) {
    let count = u8::try_from(blocks).unwrap_or_default();
    write_words(out, 0x80 | count, payload_type, (fixed_len + blocks * BLOCK_LEN) / 4);
}

fn write_words(out: &mut Vec<u8>, first: u8, payload_type: u8, words: usize) {
    out.extend([first, payload_type]);
    out.extend(u16::try_from(words).unwrap_or(u16::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;
    use crate::rtp::RtpTime;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 7,
        fraction_lost: 3,
        cumulative_lost: -2,
        highest_sequence: 0x0001_fffe,
        jitter: 480,
        last_sr: 0x1234_5678,
        delay_since_last_sr: 65_536,
    };

    #[test]
    fn a_compound_of_reports_is_read_back() {
        let mut bytes = Vec::new();
        let sent = SenderReport::new(1, 0x0102_0304_0506_0708, RtpTime(960), 50, 6_000);
        write_sender_report(&mut bytes, &sent, &[BLOCK]);
        write_cname(&mut bytes, 1, "ada");
        write_receiver_report(&mut bytes, 2, &[BLOCK, BLOCK]);

        let read: Vec<_> = Compound::new(&bytes).map(Result::unwrap).collect();
        let [
            Packet::SenderReport(sender),
            Packet::SourceDescription(names),
            Packet::ReceiverReport(receiver),
        ] = read[..]
        else {
            panic!("{read:?}")
        };
        assert_eq!((sender.ssrc, sender.ntp), (1, 0x0102_0304_0506_0708));
        assert_eq!((sender.timestamp, sender.packets, sender.octets), (RtpTime(960), 50, 6_000));
        assert!(sender.blocks().eq([BLOCK]));
        assert!(names.cnames().eq([(1, &b"ada"[..])]));
        assert_eq!(receiver.ssrc, 2);
        assert!(receiver.blocks().eq([BLOCK, BLOCK]));
    }

    #[test]
    fn a_name_of_any_length_ends_in_zeros() {
        for len in 0..300 {
            let mut bytes = Vec::new();
            write_cname(&mut bytes, 1, &"x".repeat(len));
            let [Ok(Packet::SourceDescription(names))] =
                Compound::new(&bytes).collect::<Vec<_>>()[..]
            else {
                panic!("{len}")
            };
            let read: Vec<_> = names.cnames().collect();
            assert_eq!(read, [(1, "x".repeat(len.min(255)).as_bytes())]);
        }
    }

    #[test]
    fn more_blocks_than_fit_are_left_out() {
        let mut bytes = Vec::new();
        write_receiver_report(&mut bytes, 2, &[BLOCK; 40]);
        let [Ok(Packet::ReceiverReport(report))] = Compound::new(&bytes).collect::<Vec<_>>()[..]
        else {
            panic!("no report")
        };
        assert_eq!(report.blocks().count(), 31);
    }
}
