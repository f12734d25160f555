//! The file itself: headers, pages, what is left when its writer dies.

use recorder_core::{GapReason, Gaps, Resumed, Track, ogg};

use crate::bench::{FRAME, File, Recorded, START, TOC, at_ms, custom, end, packet, record, voice};

#[test]
fn what_was_said_is_in_the_file_unchanged_and_in_its_place() {
    let recorded = record((0..500).map(packet));
    let file = recorded.read();
    let expected: Vec<(u64, u64)> = (0..500).map(|number| (number * FRAME, number)).collect();
    assert_eq!(file.voices(), expected);
    assert_eq!(file.samples, 500 * FRAME);
    assert_eq!((recorded.samples(), recorded.gaps_ms()), (500 * FRAME, Vec::new()));
    assert_eq!(recorded.began, Some(START));
}

#[test]
fn the_headers_are_those_of_rfc_7845() {
    let file = record((0..3).map(packet)).read();
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    assert_eq!(file.head, head, "one channel, 312 samples of pre-skip, 48 kHz, no gain");
    assert_eq!(file.tags, b"OpusTags\x04\0\0\0adda\0\0\0\0");
    let stereo = (0..3).map(|number| {
        custom(number, u32::try_from(number * FRAME).unwrap(), number * 20, &[TOC | 4, 1])
    });
    assert_eq!(record(stereo).read().head[9], 2, "two channels");
}

#[test]
fn a_page_is_complete_every_100_ms() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for number in 0..500 {
        track.handle_packet(packet(number));
        recorded.drain(&mut track);
        let given_out = u64::try_from(recorded.pages.len()).unwrap().saturating_sub(1) * 5;
        assert!(given_out + 16 > number, "a crash loses more than 300 ms at packet {number}");
    }
    let recorded = end(track, recorded);
    assert_eq!(recorded.pages.len(), 1 + 100, "headers, and five packets a page");
}

#[test]
fn a_track_that_never_spoke_has_no_file() {
    let recorded = record([]);
    assert!(recorded.bytes.is_empty() && recorded.summary.is_none());
}

#[test]
fn a_payload_that_is_no_opus_is_left_out_and_counted() {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    let broken = [&[][..], &[TOC | 3], &[TOC | 1, 9], &[TOC; 2_049]];
    for (at, payload) in (1..).zip(broken) {
        track.handle_packet(custom(1_000 + at, 960, at * 20, payload));
    }
    track.handle_packet(packet(0));
    track.handle_packet(packet(5));
    assert_eq!(track.stats().malformed, 4);
    recorded.drain(&mut track);
    let recorded = end(track, recorded);
    assert_eq!(recorded.read().voices(), [(0, 0), (5 * FRAME, 5)]);
    assert_eq!(recorded.gaps_ms(), [(20, 80, GapReason::Loss)]);
}

#[test]
fn a_file_that_was_cut_anywhere_goes_on_after_its_last_whole_page() {
    let mut track = Track::new(7, START);
    let mut before = Recorded::default();
    for number in 0..100 {
        track.handle_packet(packet(number));
        before.drain(&mut track);
    }
    arbtest::arbtest(|u| {
        let headers = before.pages[0].len() + before.pages[1].len();
        let cut = u.int_in_range(headers..=before.bytes.len())?;
        let last = ogg::last_page(&before.bytes[..cut]).expect("a page");
        assert!(cut - last.end < before.pages[2].len() + 8, "only what is torn is lost");

        let left = Resumed { began: START, last, gaps: Gaps::default() };
        let mut track = Track::resume(left, GapReason::Recorder, at_ms(3_000));
        let mut after =
            Recorded { bytes: before.bytes[..last.end].to_vec(), ..Recorded::default() };
        for number in 150..200 {
            track.handle_packet(packet(number));
            after.drain(&mut track);
        }
        let after = end(track, after);
        let kept = last.granule / FRAME;
        let file = after.read();
        let expected: Vec<(u64, u64)> =
            (0..kept).chain(150..200).map(|number| (number * FRAME, number)).collect();
        assert_eq!(file.voices(), expected);
        assert_eq!(after.gaps_ms(), [(kept * 20, (150 - kept) * 20, GapReason::Recorder)]);
        Ok(())
    });
}

#[test]
fn a_cut_file_with_nothing_to_add_gets_its_end() {
    let mut track = Track::new(7, START);
    let mut before = Recorded::default();
    for number in 0..100 {
        track.handle_packet(packet(number));
        before.drain(&mut track);
    }
    let last = ogg::last_page(&before.bytes).expect("a page");
    assert!(!last.is_final);
    let left = Resumed { began: START, last, gaps: Gaps::default() };
    let track = Track::resume(left, GapReason::Recorder, at_ms(3_000));
    let after = end(track, Recorded { bytes: before.bytes, ..Recorded::default() });
    assert!(ogg::last_page(&after.bytes).unwrap().is_final);
    // One more packet, of 2.5 ms: readers warn of a page without any.
    assert_eq!(File::read(&after.bytes).samples, last.granule + 120);
    assert_eq!((after.samples(), after.gaps_ms()), (last.granule + 120, Vec::new()));
}

#[test]
fn bytes_that_are_no_page_are_no_place_to_go_on() {
    let good = record((0..50).map(packet)).bytes;
    assert_eq!(ogg::last_page(&[]), None);
    assert_eq!(ogg::last_page(b"OggS"), None);
    arbtest::arbtest(|u| {
        let mut bytes = good.clone();
        let at = u.choose_index(bytes.len())?;
        bytes[at] ^= 1 << u.int_in_range(0..=7)?;
        if let Some(last) = ogg::last_page(&bytes) {
            assert!(last.end <= bytes.len());
            let is_whole = last.end < bytes.len() || at + 70 < bytes.len();
            assert!(is_whole, "a damaged page was taken for whole: {at} of {}", bytes.len());
        }
        Ok(())
    });
}

#[test]
fn a_packet_of_every_size_reads_back() {
    let packets = (0..50_u64).map(|number| {
        let mut payload = voice(number);
        payload.resize(9 + usize::try_from(number).unwrap() * 25, 0xaa);
        custom(number, u32::try_from(number * FRAME).unwrap(), number * 20, &payload)
    });
    let sizes: Vec<usize> =
        record(packets).read().packets.iter().map(|(_, packet)| packet.len()).collect();
    let expected: Vec<usize> = (0..50).map(|number| 9 + number * 25).collect();
    assert_eq!(sizes, expected);
}
