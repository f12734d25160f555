//! One file of what several recorders have of a track.

use std::{convert::Infallible, ops::Range};

use bytes::Bytes;
use proto::link::UnixMicros;
use recorder_core::{
    Gap, GapReason, Summary, Track,
    ogg::Channels,
    whole::{self, Piece},
};

use crate::bench::{FRAME, File, Recorded, START, end, packet, record};

/// What one recorder has: the packets of these numbers.
fn heard(numbers: Range<u64>) -> Recorded {
    record(numbers.map(packet))
}

fn piece(recorded: &Recorded) -> Piece<impl Iterator<Item = Result<Bytes, Infallible>> + use<>> {
    let packets = recorded.read().packets.into_iter();
    Piece {
        began: recorded.began.unwrap(),
        samples: recorded.samples(),
        gaps: recorded.summary.as_ref().unwrap().gaps.listed().to_vec(),
        packets: packets.map(|(_, packet)| Ok(Bytes::from(packet))),
    }
}

/// The file of all of these, the first of which counts most, and what is said of it.
fn join(pieces: &[&Recorded]) -> (File, Summary) {
    let mut bytes = Vec::new();
    let pieces = pieces.iter().map(|recorded| piece(recorded)).collect();
    let joined = whole::join(pieces, (7, Channels::Mono), |page| {
        bytes.extend_from_slice(&page);
        Ok(())
    });
    let Ok(summary) = joined;
    let file = File::read(&bytes);
    assert_eq!(file.samples, summary.samples);
    (file, summary)
}

fn gaps_ms(summary: &Summary) -> Vec<(u64, u64, GapReason)> {
    let gaps = summary.gaps.listed().iter();
    gaps.map(|gap| (gap.start_ms(), gap.duration_ms(), gap.reason)).collect()
}

fn at_their_places(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    numbers.into_iter().map(|number| (number * FRAME, number)).collect()
}

#[test]
fn two_lives_are_one_file_with_a_listed_hole_between_them() {
    let (first, second) = (heard(0..100), heard(250..300));
    let (file, summary) = join(&[&second, &first]);
    assert_eq!(file.voices(), at_their_places((0..100).chain(250..300)));
    assert_eq!(summary.samples, 300 * FRAME);
    assert_eq!(gaps_ms(&summary), [(2_000, 3_000, GapReason::Recorder)]);
}

#[test]
fn what_two_heard_is_in_the_file_once_and_the_first_counts() {
    let (first, second) = (heard(0..200), heard(150..300));
    for pieces in [[&first, &second], [&second, &first]] {
        let (file, summary) = join(&pieces);
        assert_eq!(file.voices(), at_their_places(0..300));
        assert_eq!((summary.samples, gaps_ms(&summary)), (300 * FRAME, Vec::new()));
    }
}

#[test]
fn at_a_seam_nothing_moves_what_follows() {
    let first = heard(0..100);
    let mut second = heard(100..200);
    // Its first packet was half a packet early.
    second.began = second.began.map(|began| UnixMicros(began.0 - 10_000));
    let (file, summary) = join(&[&first, &second]);
    let expected = at_their_places(0..100);
    let after = (101..200).map(|number| (number * FRAME - FRAME / 2, number));
    assert_eq!(file.voices(), expected.into_iter().chain(after).collect::<Vec<_>>());
    assert_eq!(summary.samples, 200 * FRAME - FRAME / 2);
}

#[test]
fn what_one_missed_is_taken_from_the_other() {
    // The one lost packets and was away for a second; the other was there from 1.5 s on.
    let came = (0..50).chain(60..80).chain(130..200);
    let torn = record(came.map(packet));
    let (file, summary) = join(&[&torn, &heard(75..140)]);
    assert_eq!(file.voices(), at_their_places((0..50).chain(60..200)));
    assert_eq!(gaps_ms(&summary), [(1_000, 200, GapReason::Loss)]);
}

#[test]
fn why_it_was_silent_is_told_by_whoever_was_there() {
    let mut track = Track::new(7, START);
    let mut muted = Recorded::default();
    for number in (0..50).chain(150..200) {
        let packet = packet(number);
        match number {
            50 | 150 => track.handle_mute(false, packet.received),
            49 => track.handle_mute(true, packet.received),
            _ => {}
        }
        track.handle_packet(packet);
        muted.drain(&mut track);
    }
    let muted = end(track, muted);
    let (file, summary) = join(&[&heard(250..260), &muted]);
    let (mute, away) = (muted.gaps_ms()[0], (4_000, 1_000, GapReason::Recorder));
    assert_eq!(mute.2, GapReason::Mute);
    assert_eq!(gaps_ms(&summary), [mute, away]);
    assert_eq!(file.voices(), at_their_places((0..50).chain(150..200).chain(250..260)));
}

#[test]
fn a_piece_that_was_taken_in_before_changes_nothing() {
    let (first, second) = (heard(0..100), heard(250..300));
    let mut bytes = Vec::new();
    let Ok(summary) =
        whole::join(vec![piece(&second), piece(&first)], (7, Channels::Mono), |page| {
            bytes.extend_from_slice(&page);
            Ok::<(), Infallible>(())
        });
    let once = Recorded {
        bytes,
        began: first.began,
        summary: Some(summary.clone()),
        ..Recorded::default()
    };
    let (again, summary_again) = join(&[&once, &second]);
    assert_eq!(again.voices(), once.read().voices());
    assert_eq!(summary_again, summary);
    let (more, summary) = join(&[&heard(150..200), &once]);
    assert_eq!(more.voices(), at_their_places((0..100).chain(150..200).chain(250..300)));
    let away = [(2_000, 1_000, GapReason::Recorder), (4_000, 1_000, GapReason::Recorder)];
    assert_eq!(gaps_ms(&summary), away);
}

#[test]
fn whatever_the_pieces_are_the_file_is_whole_and_its_gaps_are_in_order() {
    arbtest::arbtest(|u| {
        let mut pieces = Vec::new();
        for _ in 0..u.int_in_range(1..=4)? {
            let mut packets = Vec::new();
            for _ in 0..u.int_in_range(1..=5)? {
                let from = u.int_in_range(0..=400)?;
                packets.extend(from..from + u.int_in_range(1..=40)?);
            }
            packets.sort_unstable();
            packets.dedup();
            let mut recorded = record(packets.into_iter().map(packet));
            // Two recorders' clocks for one room are one, but for the first packet's detour.
            let detour = u.int_in_range(0..=60_000)?;
            recorded.began = recorded.began.map(|began| UnixMicros(began.0 + detour));
            pieces.push(recorded);
        }
        let (file, summary) = join(&pieces.iter().collect::<Vec<_>>());
        let mut end = 0;
        for Gap { start, samples, .. } in summary.gaps.listed() {
            assert!(*start >= end && *samples > 0, "{:?}", summary.gaps);
            end = start + samples;
        }
        let longest = pieces.iter().map(|piece| piece.samples()).max().unwrap();
        // Of a packet that another piece's sound cuts in two, nothing is left: 20 ms at most.
        assert!(file.samples + 960 > longest, "{} of {longest}", file.samples);
        let mut before = None;
        for (_, number) in file.voices() {
            // Where the one goes on for the other, they may differ by the detour.
            assert!(before.is_none_or(|before| number + 4 >= before), "out of order");
            before = Some(number);
        }
        Ok(())
    });
}
