//! Packets that come in another order, twice, not at all, or inside another.

use bytes::Bytes;
use proto::link::{LinkEncoding, LinkPacket};
use recorder_core::{GapReason, Track};

use crate::bench::{FRAME, Recorded, START, custom, end, packet, record, voice};

/// Packet `number` with the `count` before it repeated inside (RFC 2198).
fn red(number: u64, count: u64) -> LinkPacket {
    let mut payload = Vec::new();
    let older: Vec<u64> = (number.saturating_sub(count)..number).collect();
    for old in &older {
        let age = u16::try_from((number - old) * FRAME).unwrap();
        let length = u16::try_from(voice(*old).len()).unwrap();
        payload.push(0x80 | 111);
        payload.extend((u32::from(age) << 10 | u32::from(length)).to_be_bytes().get(1..).unwrap());
    }
    payload.push(111);
    older.iter().for_each(|old| payload.extend(voice(*old)));
    let primary = payload.len();
    payload.extend(voice(number));
    let encoding = LinkEncoding::Red { primary };
    LinkPacket { encoding, payload: Bytes::from(payload), ..packet(number) }
}

#[test]
fn whatever_the_network_does_each_packet_that_came_in_time_is_in_its_place() {
    arbtest::arbtest(|u| {
        // Packets of 20 ms that are delayed by up to 150 ms, lost or doubled.
        let mut arrivals: Vec<(u64, u64)> = Vec::new();
        let first: u64 = u.int_in_range(0..=4_500_000)?;
        for number in first..first + u.int_in_range(1..=150)? {
            let copies = *u.choose(&[1_u32, 1, 1, 1, 0, 2])?;
            for _ in 0..copies {
                arrivals.push((number * 20 + u.int_in_range(0..=150)?, number));
            }
        }
        arrivals.sort_unstable();
        let packets = arrivals.iter().map(|(ms, number)| LinkPacket {
            received: crate::bench::at_ms(*ms),
            ..packet(*number)
        });
        let recorded = record(packets);
        let mut numbers: Vec<u64> = arrivals.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let (Some(oldest), Some(newest)) = (numbers.first(), numbers.last()) else {
            assert!(recorded.bytes.is_empty());
            return Ok(());
        };
        let file = recorded.read();
        let expected: Vec<(u64, u64)> =
            numbers.iter().map(|number| ((number - oldest) * FRAME, *number)).collect();
        assert_eq!(file.voices(), expected);
        assert_eq!(file.samples, (newest - oldest + 1) * FRAME);
        let lost = newest - oldest + 1 - u64::try_from(numbers.len()).unwrap();
        let listed: u64 = recorded.gaps.iter().map(|gap| gap.samples).sum();
        assert_eq!(listed, lost * FRAME, "every gap is listed, and nothing else");
        assert_eq!(file.silent_samples(), listed);
        assert!(recorded.gaps.iter().all(|gap| gap.reason == GapReason::Loss));
        Ok(())
    });
}

#[test]
fn a_packet_later_than_all_others_wait_is_lost_and_counted() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in (0..5).chain(6..30) {
        track.handle_packet(packet(number));
        recorded.drain(&mut track);
    }
    track.handle_packet(packet(5));
    assert_eq!(track.stats().late, 1);
    track.handle_packet(packet(32));
    track.handle_packet(packet(32));
    assert_eq!(track.stats().late, 2, "so is one that comes again while it waits");
    let recorded = end(track, recorded);
    assert_eq!(recorded.gaps_ms(), [(100, 20, GapReason::Loss), (600, 40, GapReason::Loss)]);
}

#[test]
fn waiting_ends_by_the_clock_too() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in (0..50).chain(51..60) {
        track.handle_packet(packet(number));
    }
    recorded.drain(&mut track);
    let before = recorded.pages.len();
    track.handle_timeout(crate::bench::at_ms(51 * 20 + 200));
    recorded.drain(&mut track);
    assert!(recorded.pages.len() > before, "nobody else has to come");
}

#[test]
fn a_loss_that_a_later_packet_repeats_is_no_gap() {
    for lost in [&[5_u64][..], &[5, 6], &[5, 8, 9, 12]] {
        let came = (0..30).filter(|number| !lost.contains(number));
        let recorded = record(came.map(|number| red(number, 2)));
        let expected: Vec<(u64, u64)> = (0..30).map(|number| (number * FRAME, number)).collect();
        assert_eq!(recorded.read().voices(), expected, "lost {lost:?}");
        assert_eq!(recorded.gaps_ms(), []);
    }
}

#[test]
fn what_no_packet_repeats_stays_a_gap() {
    let came = (0..30).filter(|number| !(5..9).contains(number));
    let recorded = record(came.map(|number| red(number, 2)));
    assert_eq!(recorded.gaps_ms(), [(100, 40, GapReason::Loss)]);
    let numbers: Vec<u64> = recorded.read().voices().iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (0..5).chain(7..30).collect::<Vec<_>>());
}

#[test]
fn repeated_packets_never_stand_twice_in_a_file() {
    arbtest::arbtest(|u| {
        let mut arrivals: Vec<(u64, u64)> = Vec::new();
        for number in 0..u.int_in_range(1..=60)? {
            if !u.ratio(1, 3)? {
                arrivals.push((number * 20 + u.int_in_range(0..=120)?, number));
            }
        }
        arrivals.sort_unstable();
        let mut track = Track::new(7, START);
        let mut recorded = Recorded::default();
        for (ms, number) in &arrivals {
            let received = crate::bench::at_ms(*ms);
            track.handle_packet(LinkPacket { received, ..red(*number, u.int_in_range(0..=3)?) });
            recorded.drain(&mut track);
        }
        let recorded = end(track, recorded);
        if recorded.summary.is_some() {
            let voices = recorded.read().voices();
            let base = voices[0].1;
            for (start, number) in &voices {
                assert_eq!(*start, (number - base) * FRAME);
            }
            let came = arrivals.iter().filter(|(_, came)| *came >= base);
            assert!(came.clone().all(|(_, came)| voices.iter().any(|(_, one)| one == came)));
        }
        Ok(())
    });
}

#[test]
fn a_count_that_wraps_or_begins_again_loses_nothing() {
    // 2³² samples pass within this span.
    let wrapping = (4_473_900..4_474_200).map(packet);
    let recorded = record(wrapping);
    assert_eq!((recorded.samples(), recorded.gaps_ms()), (300 * FRAME, Vec::new()));

    let again = (0..50).map(|number| {
        custom(
            number,
            0x1234_5678 + u32::try_from(number * FRAME).unwrap(),
            120_000 + number * 20,
            &voice(number),
        )
    });
    let before = (5_900..6_000).map(packet);
    let recorded = record(before.chain(again));
    let voices = recorded.read().voices();
    assert_eq!(voices.len(), 150, "what waited and what came anew");
    assert_eq!(voices[100], (100 * FRAME, 0), "placed by its arrival");
}
