//! Timestamps that can't be true, and the time of arrival that stands in for them.

use recorder_core::{GapReason, Track};

use crate::bench::{FRAME, Recorded, START, at_ms, custom, end, packet, record, voice};

#[test]
fn a_silence_longer_than_the_circle_of_timestamps_keeps_its_length() {
    let day = 25 * 3_600 * 50;
    let numbers = (0..50).chain(day..day + 50);
    let packets = (0..).zip(numbers).map(|(index, number)| {
        let mut packet = packet(number);
        packet.index = index;
        packet
    });
    let recorded = record(packets);
    let file = recorded.read();
    assert_eq!(file.samples, (day + 50) * FRAME);
    assert_eq!(recorded.gaps_ms(), [(1_000, day * 20 - 1_000, GapReason::Dtx)]);
    let (pages, seconds) = (recorded.pages.len(), usize::try_from(day / 50).unwrap());
    assert!((seconds * 9 / 10..seconds * 11 / 10).contains(&pages), "a page a second: {pages}");
}

#[test]
fn timestamps_that_leap_don_t_move_the_voice() {
    for leap in [1_000_000_u32, 1 << 31, u32::MAX - 1_000_000] {
        let packets = (0..200_u64).map(|number| {
            let mut packet = packet(number);
            if number >= 100 {
                packet.timestamp = packet.timestamp.wrapping_add(leap);
            }
            packet
        });
        let recorded = record(packets);
        let file = recorded.read();
        assert!(file.voices().iter().all(|(start, number)| *start == number * FRAME), "{leap}");
        assert_eq!(file.voices().len(), 200);
    }
}

#[test]
fn a_file_never_runs_ahead_of_time() {
    // 60 ms of voice every 10 ms, with a clock to match: six times as fast as time.
    let packets = (0..2_000_u64).map(|number| {
        custom(number, u32::try_from(number * 2_880).unwrap(), number * 10, &[3 << 3, 1])
    });
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for packet in packets {
        track.handle_packet(packet);
        recorded.drain(&mut track);
    }
    assert!(track.stats().ahead > 1_000);
    let recorded = end(track, recorded);
    let seconds = recorded.samples() / 48_000;
    assert!((20..=23).contains(&seconds), "20 s became {seconds} s");
}

#[test]
fn a_burst_after_a_stall_is_where_it_was_spoken() {
    // Three seconds of voice are held up and come at once.
    let packets = (0..500_u64).map(|number| {
        let mut packet = packet(number);
        if (100..250).contains(&number) {
            packet.received = at_ms(5_000);
        }
        packet
    });
    let recorded = record(packets);
    assert_eq!((recorded.samples(), recorded.gaps_ms()), (500 * FRAME, Vec::new()));
}

#[test]
fn a_sender_that_stays_behind_is_placed_by_its_arrival() {
    // It stopped for ten seconds and its clock stopped with it, without a word.
    let packets = (0..500_u64).map(|number| {
        let mut packet = packet(number);
        if number >= 100 {
            packet.received = at_ms(number * 20 + 10_000);
        }
        packet
    });
    let recorded = record(packets);
    let truth = 500 * FRAME + 10 * 48_000;
    assert_eq!(recorded.samples(), truth);
    assert_eq!(recorded.gaps_ms().len(), 1);
}

#[test]
fn what_comes_after_a_cut_link_is_placed_by_its_arrival() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in 0..100 {
        track.handle_packet(packet(number));
        recorded.drain(&mut track);
    }
    track.interrupt(GapReason::Link);
    for number in 0..50 {
        let timestamp = 77 + u32::try_from(number * FRAME).unwrap();
        track.handle_packet(custom(number, timestamp, 5_000 + number * 20, &voice(200 + number)));
        recorded.drain(&mut track);
    }
    let recorded = end(track, recorded);
    assert_eq!(recorded.gaps_ms(), [(2_000, 3_000, GapReason::Link)]);
    assert_eq!(recorded.read().voices()[100], (250 * FRAME, 200));
}

#[test]
fn no_input_ends_the_process_and_every_file_reads() {
    arbtest::arbtest(|u| {
        let mut track = Track::new(7, START);
        let mut recorded = Recorded::default();
        let mut ms = 0;
        for _ in 0..u.int_in_range(0..=60)? {
            ms += u.int_in_range(0..=700)?;
            match u.int_in_range(0..=9)? {
                0 => track.handle_mute(u.arbitrary()?, at_ms(ms)),
                1 => track.interrupt(GapReason::Link),
                2 => track.handle_timeout(at_ms(ms)),
                _ => {
                    let payload: Vec<u8> = u.arbitrary()?;
                    let mut packet = custom(u.arbitrary()?, u.arbitrary()?, ms, &payload);
                    if u.ratio(1, 3)? {
                        packet.encoding =
                            proto::link::LinkEncoding::Red { primary: u.arbitrary()? };
                    }
                    if u.ratio(2, 3)? {
                        packet.index = u.int_in_range(0..=20)?;
                    }
                    track.handle_packet(packet);
                }
            }
            recorded.drain(&mut track);
        }
        let recorded = end(track, recorded);
        if let Some(summary) = &recorded.summary {
            let file = recorded.read();
            assert_eq!(file.samples, summary.samples);
            assert!(summary.samples <= (ms + 120 + 2_100) * 48, "{} in {ms} ms", summary.samples);
        }
        Ok(())
    });
}
