//! Silence of every kind keeps its place and has its reason.

use recorder_core::{GapReason, Track};

use crate::bench::{FRAME, Recorded, START, at_ms, custom, end, packet, record, voice};

/// Packets of a sender that counts on but doesn't speak in between.
fn with_silence(
    numbers: impl IntoIterator<Item = u64>,
) -> impl Iterator<Item = proto::link::LinkPacket> {
    (0..).zip(numbers).map(|(index, number)| {
        let mut packet = packet(number);
        packet.index = index;
        packet
    })
}

#[test]
fn an_encoder_that_has_nothing_to_say_leaves_one_gap() {
    // DTX: a packet every 400 ms (libopus), counted without holes.
    let quiet = (1..=5).map(|step| 10 + step * 20);
    let recorded = record(with_silence((0..10).chain(quiet).chain(111..130)));
    let file = recorded.read();
    assert_eq!(file.samples, 130 * FRAME);
    assert!(file.voices().iter().all(|(start, number)| *start == number * FRAME));
    assert_eq!(recorded.gaps_ms(), [(200, 2_000, GapReason::Dtx)]);
}

#[test]
fn a_mute_is_a_gap_that_says_so() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    let mut packets = with_silence((0..100).chain(400..450));
    for packet in packets.by_ref().take(100) {
        track.handle_packet(packet);
        recorded.drain(&mut track);
    }
    track.handle_mute(true, at_ms(2_000));
    track.handle_mute(false, at_ms(7_990));
    for packet in packets {
        track.handle_packet(packet);
        recorded.drain(&mut track);
    }
    let recorded = end(track, recorded);
    assert_eq!(recorded.gaps_ms(), [(2_000, 6_000, GapReason::Mute)]);
    assert_eq!(recorded.read().samples, 450 * FRAME);
}

#[test]
fn what_a_muted_sender_counted_on_saying_is_no_loss() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in 0..100 {
        track.handle_packet(packet(number));
    }
    track.handle_mute(true, at_ms(2_000));
    track.handle_mute(false, at_ms(3_000));
    for number in 151..200 {
        track.handle_packet(packet(number));
        recorded.drain(&mut track);
    }
    let recorded = end(track, recorded);
    assert_eq!(recorded.gaps_ms(), [(2_000, 1_020, GapReason::Mute)]);
}

#[test]
fn a_clock_that_stood_still_while_muted_is_not_believed() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in 0..50 {
        track.handle_packet(packet(number));
    }
    track.handle_mute(true, at_ms(1_000));
    track.handle_mute(false, at_ms(3_601_000));
    for number in 50..100 {
        track.handle_packet(proto::link::LinkPacket {
            received: at_ms(number * 20 + 3_600_000),
            ..packet(number)
        });
        recorded.drain(&mut track);
    }
    let recorded = end(track, recorded);
    assert_eq!(recorded.gaps_ms(), [(1_000, 3_600_000, GapReason::Mute)]);
}

#[test]
fn what_was_lost_and_what_was_never_sent_are_told_apart() {
    // Three packets lost, then silence: 25 numbers missing, of which the sender counted three.
    let mut late: Vec<_> = with_silence((0..10).chain(35..60)).collect();
    late.iter_mut().skip(10).for_each(|packet| packet.index += 3);
    let recorded = record(late);
    assert_eq!(recorded.gaps_ms(), [(200, 60, GapReason::Loss), (260, 440, GapReason::Dtx)]);
}

#[test]
fn packets_of_every_length_keep_time() {
    // Configuration, code and count of frames with the samples of a packet.
    let shapes: [(u8, &[u8], u64); 9] = [
        (16 << 3, &[1], 120),
        (17 << 3, &[1], 240),
        (28 << 3 | 2 << 3, &[1], 480),
        (15 << 3, &[1], 960),
        (2 << 3, &[1], 1_920),
        (3 << 3, &[1], 2_880),
        (3 << 3 | 1, &[1, 1], 5_760),
        (9 << 3 | 3, &[3, 1, 1, 1], 2_880),
        (16 << 3 | 3, &[0x80 | 2, 1, 9, 9], 240),
    ];
    for (toc, rest, samples) in shapes {
        let payload = [&[toc], rest].concat();
        let came = (0..400_u64).filter(|number| number % 50 != 17);
        let packets = came.map(|number| {
            let timestamp = u32::try_from(number * samples).unwrap().wrapping_add(u32::MAX - 9_000);
            custom(number, timestamp, number * samples / 48, &payload)
        });
        let recorded = record(packets);
        let file = recorded.read();
        assert_eq!(file.samples, 400 * samples, "{toc:#x}");
        assert_eq!(recorded.gaps.len(), 8, "{toc:#x}");
        let lost = |gap: &recorder_core::Gap| {
            gap.samples == samples && gap.start % (50 * samples) == 17 * samples
        };
        assert!(recorded.gaps.iter().all(lost), "{toc:#x}: {:?}", recorded.gaps);
    }
}

#[test]
fn a_shift_that_no_frame_can_fill_is_made_up_for_later() {
    // The sender's clock slips by 1 ms (48 samples) every ten packets: fifty times.
    let packets = (0..500_u64).map(|number| {
        let timestamp = u32::try_from(number * FRAME + number / 10 * 48).unwrap();
        custom(number, timestamp, number * 20 + number / 10, &voice(number))
    });
    let recorded = record(packets);
    let truth = 500 * FRAME + 49 * 48;
    let samples = recorded.read().samples;
    assert!(samples <= truth && truth - samples < 120, "{samples} for {truth}");
    assert_eq!(recorded.gaps_ms(), [], "less than a frame is no gap");
}
