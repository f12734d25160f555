//! SRTP through whole connections: replays, wraps, forgeries.

use proto::rtp::{NewHeader, RtpTime, SeqNo};
use sfu_rtc::Refused;

use crate::network::Call;

const SSRC: u32 = 0x1234_5678;

/// A packet with a header of 12 bytes and room for any tag, and its plain length.
fn plain(ssrc: u32, sequence: u16) -> (Vec<u8>, usize) {
    let header = NewHeader {
        marker: false,
        payload_type: 111,
        sequence: SeqNo(sequence),
        timestamp: RtpTime(u32::from(sequence) * 960),
        ssrc,
        extensions: &[],
    };
    let mut packet = vec![0xab; 132];
    header.write(&mut packet).unwrap();
    let len = packet.len();
    packet.resize(len + 32, 0);
    (packet, len)
}

/// What the client would send as number `index` of its stream.
fn sealed(call: &Call, ssrc: u32, index: u64) -> Vec<u8> {
    let sequence = u16::try_from(index & 0xffff).unwrap();
    let (mut packet, plain_len) = plain(ssrc, sequence);
    let roc = u32::try_from(index >> 16).unwrap();
    let len = call.client.seal_rtp(&mut packet, 12, plain_len, roc).unwrap();
    packet.truncate(len);
    packet
}

fn open(call: &mut Call, packet: &[u8]) -> Result<usize, Refused> {
    let from = call.client_address;
    call.server.open_rtp(from, &mut packet.to_vec())
}

#[test]
fn what_one_side_seals_the_other_opens() {
    let mut call = Call::connected();
    let mut packet = sealed(&call, SSRC, 7);
    let (original, plain_len) = plain(SSRC, 7);
    assert_ne!(packet[12..plain_len], original[12..plain_len]);
    let from = call.client_address;
    assert_eq!(call.server.open_rtp(from, &mut packet), Ok(plain_len));
    assert_eq!(packet[..plain_len], original[..plain_len]);

    let (mut packet, plain_len) = plain(SSRC, 9);
    let len = call.server.seal_rtp(&mut packet, 12, plain_len, 0).unwrap();
    let from = call.server_address;
    assert_eq!(call.client.open_rtp(from, &mut packet[..len]), Ok(plain_len));
}

#[test]
fn a_stream_that_starts_at_65500_crosses_two_wraps_without_a_loss() {
    let mut call = Call::connected();
    for index in 65_500..65_500 + 2 * 65_536 + 100 {
        let packet = sealed(&call, SSRC, index);
        assert!(open(&mut call, &packet).is_ok(), "index {index}");
    }
}

#[test]
fn packets_that_overtake_each_other_at_a_wrap_are_all_opened() {
    let mut call = Call::connected();
    let late = |index: u64| if index.is_multiple_of(5) { index + 12 } else { index };
    let mut order: Vec<u64> = (65_400..65_700).collect();
    order.sort_by_key(|index| late(*index));
    for index in order {
        let packet = sealed(&call, SSRC, index);
        assert!(open(&mut call, &packet).is_ok(), "index {index}");
    }
}

#[test]
fn a_packet_is_opened_once() {
    let mut call = Call::connected();
    let packets: Vec<_> = (0..300).map(|index| sealed(&call, SSRC, index)).collect();
    for packet in &packets {
        assert!(open(&mut call, packet).is_ok());
        assert_eq!(open(&mut call, packet), Err(Refused::Replayed));
    }
    for packet in &packets {
        assert_eq!(open(&mut call, packet), Err(Refused::Replayed));
    }
    // After a wrap the same sequence numbers stand for other packets.
    for index in (300..70_000).step_by(1_000) {
        let packet = sealed(&call, SSRC, index);
        assert!(open(&mut call, &packet).is_ok());
    }
    for packet in &packets {
        assert!(open(&mut call, packet).is_err());
    }
}

#[test]
fn a_changed_byte_is_noticed_and_changes_nothing() {
    let mut call = Call::connected();
    let first = sealed(&call, SSRC, 1);
    assert!(open(&mut call, &first).is_ok());
    let second = sealed(&call, SSRC, 2);
    for at in 0..second.len() {
        let mut changed = second.clone();
        changed[at] ^= 0x04;
        assert!(open(&mut call, &changed).is_err(), "byte {at}");
    }
    for len in 0..second.len() {
        assert!(open(&mut call, &second[..len]).is_err(), "{len} bytes");
    }
    assert!(open(&mut call, &second).is_ok());
}

#[test]
fn forged_sequence_numbers_do_not_move_the_rollover_counter() {
    let mut call = Call::connected();
    for index in 0..1_000 {
        let packet = sealed(&call, SSRC, index);
        assert!(open(&mut call, &packet).is_ok());
        for jump in [32_768, 32_767, 60_000, 200] {
            let mut forged = packet.clone();
            let far = u16::try_from((index + jump) & 0xffff).unwrap();
            forged[2..4].copy_from_slice(&far.to_be_bytes());
            assert!(open(&mut call, &forged).is_err());
        }
    }
}

#[test]
fn a_stranger_who_knows_a_packet_is_still_a_stranger() {
    let mut call = Call::connected();
    let mut packet = sealed(&call, SSRC, 1);
    let stranger = "203.0.113.66:6666".parse().unwrap();
    let opened = call.server.open_rtp(stranger, &mut packet);
    assert_eq!(opened, Err(Refused::UnverifiedAddress));
    assert_eq!(call.server.peer(), Some(call.client_address));
}

#[test]
fn one_connection_has_a_bounded_number_of_ssrcs() {
    let mut call = Call::connected();
    for ssrc in 1..=64 {
        let packet = sealed(&call, ssrc, 1);
        assert!(open(&mut call, &packet).is_ok());
    }
    let one_more = sealed(&call, 65, 1);
    assert_eq!(open(&mut call, &one_more), Err(Refused::TooManySsrcs));
    let known = sealed(&call, 64, 2);
    assert!(open(&mut call, &known).is_ok());
}

#[test]
fn rtcp_is_opened_once_and_only_unchanged() {
    let mut call = Call::connected();
    let report = {
        let mut report = Vec::new();
        proto::rtcp::write_receiver_report(&mut report, SSRC, &[]);
        proto::rtcp::write_cname(&mut report, SSRC, "ada");
        report
    };
    let from = call.client_address;
    for _ in 0..300 {
        let mut sealed = report.clone();
        sealed.resize(report.len() + 32, 0);
        let len = call.client.seal_rtcp(&mut sealed, report.len()).unwrap();
        sealed.truncate(len);
        for at in 0..len {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            assert!(call.server.open_rtcp(from, &mut changed).is_err(), "byte {at}");
        }
        let mut opened = sealed.clone();
        assert_eq!(call.server.open_rtcp(from, &mut opened), Ok(report.len()));
        assert_eq!(opened[..report.len()], report);
        assert_eq!(call.server.open_rtcp(from, &mut sealed), Err(Refused::Replayed));
    }
}

#[test]
fn no_bytes_end_the_process() {
    let mut call = Call::connected();
    let from = call.client_address;
    arbtest::arbtest(|u| {
        let mut bytes: Vec<u8> = u.arbitrary()?;
        bytes.truncate(2_000);
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | (*first & 0x3f);
        }
        assert!(call.server.open_rtp(from, &mut bytes.clone()).is_err());
        assert!(call.server.open_rtcp(from, &mut bytes).is_err());
        Ok(())
    });
}
