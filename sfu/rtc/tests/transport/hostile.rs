//! Clients that passed STUN and then misbehave: they may hurt nobody but themselves.

use std::time::Duration;

use proto::control::ConnectionFailure;
use sfu_rtc::Event;

use crate::{allocations::measure, network::Call, raw_client::RawClient};

/// One DTLS record with one byte of a ClientHello of 60,000.
fn hello_fragment(offset: u32) -> Vec<u8> {
    let [_, high, middle, low] = offset.to_be_bytes();
    let [_, size_high, size_middle, size_low] = 60_000_u32.to_be_bytes();
    let mut record = vec![22, 0xfe, 0xfd, 0, 0];
    record.extend([0, 0, 0, high, middle, low]);
    record.extend([0, 13]);
    record.extend([1, size_high, size_middle, size_low, 0, 0, high, middle, low, 0, 0, 1, 0x5a]);
    record
}

#[test]
fn sixty_thousand_fragments_of_a_hello_cost_little() {
    for fragments_per_datagram in [1, 40] {
        let mut client = RawClient::verified();
        let offsets: Vec<u32> = (0..60_000).collect();
        let usage = measure(|| {
            for offsets in offsets.chunks(fragments_per_datagram) {
                let datagram: Vec<u8> =
                    offsets.iter().flat_map(|offset| hello_fragment(*offset)).collect();
                assert!(client.say(&datagram).is_empty(), "answered");
            }
        });
        assert!(usage.peak_bytes < 64 * 1_024, "{usage:?}");
        assert!(usage.count < 60_000 * 20, "{usage:?}");
        client.now += Duration::from_secs(11);
        client.server.handle_timeout(client.now);
        client.drain_server();
        let failed = |event: &Event| matches!(event, Event::Failed(_));
        assert!(client.events.iter().any(failed), "{:?}", client.events);
    }
}

#[test]
fn a_hello_of_sixteen_megabytes_and_fragments_that_overlap_are_not_gathered() {
    for fragment_len in [1_400, 60_000_u16] {
        let mut client = RawClient::verified();
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend((12 + fragment_len).to_be_bytes());
        // A ClientHello of 16 MB.
        record.extend([1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
        record.extend(fragment_len.to_be_bytes());
        record.resize(13 + 12 + usize::from(fragment_len), 0x5a);
        let usage = measure(|| {
            for offset in 0..2_000_u16 {
                record[9..11].copy_from_slice(&offset.to_be_bytes());
                record[20..22].copy_from_slice(&offset.to_be_bytes());
                client.say(&record);
            }
        });
        assert!(usage.peak_bytes < 64 * 1_024, "{usage:?}");
    }
}

#[test]
fn a_message_longer_than_agreed_is_not_handed_on() {
    let mut client = RawClient::associated();
    let mut open = vec![3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0];
    open.extend(b"_reliable");
    client.send_message(50, open);
    for len in [64 * 1_024 + 1, 64 * 1_024] {
        client.send_message(53, vec![7; len]);
    }
    client.send_message(53, b"after".to_vec());
    let received: Vec<usize> = client
        .events
        .iter()
        .filter_map(
            |event| if let Event::Data { payload, .. } = event { Some(payload) } else { None },
        )
        .map(Vec::len)
        .collect();
    assert_eq!(received, [64 * 1_024, 5]);
}

#[test]
fn a_channel_that_we_do_not_know_is_not_opened() {
    let mut client = RawClient::associated();
    let mut open = vec![3, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0];
    open.extend(b"chat");
    client.send_message(50, open);
    client.send_message(53, b"hello?".to_vec());
    assert!(client.sctp.get_next_message().is_none(), "acknowledged");
    assert!(!client.events.iter().any(|event| matches!(event, Event::Data { .. })));
}

#[test]
fn garbage_before_the_hello_does_not_keep_a_caller_out() {
    let mut client = RawClient::verified();
    for first in 20..64_u8 {
        for len in [1, 2, 13, 14, 200, 1_500, 3_000] {
            client.say(&vec![first; len]);
        }
    }
    client.dtls.handle_timeout(client.now).unwrap();
    for _ in 0..20 {
        client.exchange();
    }
    assert!(client.events.contains(&Event::Connected), "{:?}", client.events);
}

#[test]
fn dtls_from_an_address_that_was_not_verified_reaches_nothing() {
    let mut client = RawClient::verified();
    let home = std::mem::replace(&mut client.address, "203.0.113.66:6666".parse().unwrap());
    client.dtls.handle_timeout(client.now).unwrap();
    client.exchange();
    for offset in 0..100 {
        assert!(client.say(&hello_fragment(offset)).is_empty());
    }
    let fatal_alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40];
    assert!(client.say(&fatal_alert).is_empty());
    client.now += Duration::from_secs(11);
    client.server.handle_timeout(client.now);
    assert!(client.drain_server().is_empty());
    // Not even the clock of the handshake has started.
    assert_eq!(client.events, [Event::AddressVerified(home)]);
}

#[test]
fn a_forged_forward_tsn_costs_nothing_and_its_association_goes_on() {
    let mut client = RawClient::associated();
    let usage = measure(|| {
        for skip in [1, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0] {
            let packet = forward_tsn(&client, skip);
            client.say_in_sctp(&packet);
        }
    });
    assert!(usage.count < 10_000, "{usage:?}");
    assert!(usage.peak_bytes < 256 * 1_024, "{usage:?}");
    assert!(!client.events.iter().any(|event| matches!(event, Event::Failed(_))));
}

/// A FORWARD-TSN that skips `skip` numbers beyond our first.
fn forward_tsn(client: &RawClient, skip: u32) -> Vec<u8> {
    // The first packet after INIT has the tag that the server wants.
    let template = &client.sent[1];
    let initial_tsn = u32::from_be_bytes(client.sent[0][28..32].try_into().unwrap());
    let mut packet = template[..8].to_vec();
    packet.extend([0; 4]);
    packet.extend([192, 0, 0, 8]);
    packet.extend(initial_tsn.wrapping_add(skip).to_be_bytes());
    let sum = crc32c(&packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
    packet
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 }
        })
    })
}

#[test]
fn an_authentic_close_ends_the_connection() {
    let mut client = RawClient::associated();
    client.dtls.close().unwrap();
    client.exchange();
    assert_eq!(client.events.last(), Some(&Event::Failed(ConnectionFailure::ConsentExpired)));
}

#[test]
fn whatever_arrives_time_moves_on_and_strangers_hear_nothing() {
    arbtest::arbtest(|u| {
        let mut client = RawClient::verified();
        let stranger = "203.0.113.66:6666".parse().unwrap();
        let honest = client.check_bytes();
        while !u.is_empty() {
            client.now += Duration::from_millis(u.int_in_range(0..=4_000)?);
            let from = if u.arbitrary()? { client.address } else { stranger };
            let mut bytes: Vec<u8> = u.arbitrary()?;
            let now = client.now;
            match u.int_in_range(0..=5_u8)? {
                0 => client.server.handle_stun(from, &bytes, now),
                1 => client.server.handle_stun(client.address, &honest, now),
                2 => client.server.handle_dtls(from, &bytes, now),
                3 => client.server.handle_dtls(from, &hello_fragment(u.arbitrary()?), now),
                4 => assert!(client.server.open_rtp(from, &mut bytes).is_err()),
                _ => assert!(client.server.open_rtcp(from, &mut bytes).is_err()),
            }
            client.settle(stranger);
        }
        Ok(())
    });
}

#[test]
fn media_is_sealed_and_opened_without_an_allocation() {
    let mut call = Call::connected();
    let header = proto::rtp::NewHeader {
        marker: false,
        payload_type: 111,
        sequence: proto::rtp::SeqNo(0),
        timestamp: proto::rtp::RtpTime(0),
        ssrc: 9,
        extensions: &[],
    };
    let mut packet = [0xab; 200];
    header.write(&mut packet).unwrap();
    let from = call.client_address;
    let mut round = |sequence: u16| {
        let mut copy = packet;
        copy[2..4].copy_from_slice(&sequence.to_be_bytes());
        let len = call.client.seal_rtp(&mut copy, 12, 172, 0).unwrap();
        assert_eq!(call.server.open_rtp(from, &mut copy[..len]), Ok(172));
    };
    round(0);
    let usage = measure(|| (1..1_000).for_each(round));
    assert_eq!(usage.count, 0);
}
