//! A room's link: who is recorded, from when to when.

use proto::{
    ids::{Epoch, ParticipantSid, RoomSid, TrackSid},
    link::{LinkFrame, LinkPacket, LinkTrack, LinkTrackId},
    livekit::TrackSource,
};
use recorder_core::{GapReason, Output, Recording};

use crate::bench::{START, at_ms, packet};

fn sid(number: u128) -> TrackSid {
    TrackSid::from_random(number)
}

fn started(id: u32, number: u128) -> LinkFrame {
    LinkFrame::TrackStarted(Box::new(LinkTrack {
        id: LinkTrackId(id),
        sid: sid(number),
        name: "microphone".to_owned(),
        source: TrackSource::Microphone,
        muted: false,
        participant: ParticipantSid::from_random(number),
        identity: format!("speaker-{number}").parse().unwrap(),
        participant_name: String::new(),
        at: START,
    }))
}

fn opened(ms: u64) -> LinkFrame {
    LinkFrame::Opened { sid: RoomSid::from_random(1), epoch: Epoch(1), at: at_ms(ms) }
}

fn spoken(id: u32, numbers: std::ops::Range<u64>) -> LinkFrame {
    let track = LinkTrackId(id);
    LinkFrame::Packets(numbers.map(|number| LinkPacket { track, ..packet(number) }).collect())
}

/// What came out: the tracks that began, and those that ended with their packets.
fn drain(recording: &mut Recording) -> (Vec<TrackSid>, Vec<(TrackSid, u64)>) {
    let (mut began, mut ended) = (Vec::new(), Vec::new());
    loop {
        match recording.poll_output() {
            Output::Begun { about, .. } => began.push(about.sid),
            Output::Finished { track, summary } => ended.push((track, summary.samples / 960)),
            Output::Page { .. } | Output::Gap { .. } => {}
            Output::Idle(_) => return (began, ended),
        }
    }
}

#[test]
fn each_track_has_a_file_from_its_first_packet_to_its_end() {
    let mut recording = Recording::new(0, START);
    recording.handle_frame(opened(0));
    recording.handle_frame(started(1, 1));
    recording.handle_frame(started(2, 2));
    recording.handle_frame(started(3, 3));
    recording.handle_frame(spoken(1, 0..50));
    recording.handle_frame(spoken(2, 20..100));
    recording.handle_frame(LinkFrame::TrackEnded { track: LinkTrackId(1), at: at_ms(1_000) });
    let (mut began, ended) = drain(&mut recording);
    began.sort_unstable();
    let mut expected = [sid(1), sid(2)];
    expected.sort_unstable();
    assert_eq!((began.as_slice(), ended), (&expected[..], vec![(sid(1), 50)]));

    recording.finish();
    assert_eq!(drain(&mut recording), (vec![], vec![(sid(2), 80)]));
    assert_eq!(recording.stats().written, 130);
    assert_eq!(recording.live_tracks(), 0);
}

#[test]
fn a_track_goes_on_over_a_new_link_and_one_that_is_gone_ends() {
    let mut recording = Recording::new(0, START);
    recording.handle_frame(opened(0));
    recording.handle_frame(started(1, 1));
    recording.handle_frame(started(2, 2));
    recording.handle_frame(spoken(1, 0..50));
    recording.handle_frame(spoken(2, 0..50));
    recording.handle_link_lost();
    recording.handle_frame(opened(3_000));
    recording.handle_frame(started(7, 1));
    recording.handle_frame(spoken(7, 150..200));
    recording.handle_timeout(at_ms(4_200));
    let mut gaps = Vec::new();
    loop {
        match recording.poll_output() {
            Output::Gap { track, gap } => {
                gaps.push((track, gap.start_ms(), gap.duration_ms(), gap.reason))
            }
            Output::Idle(_) => break,
            Output::Finished { .. } => panic!("a track ended with its link"),
            Output::Begun { .. } | Output::Page { .. } => {}
        }
    }
    assert_eq!(gaps, [(sid(1), 1_000, 2_000, GapReason::Link)]);

    recording.handle_timeout(at_ms(9_000));
    assert_eq!(drain(&mut recording).1, [(sid(2), 50)]);
    recording.finish();
    assert_eq!(drain(&mut recording).1, [(sid(1), 200)]);
}

#[test]
fn a_track_that_can_t_be_written_leaves_the_others_alone() {
    let mut recording = Recording::new(0, START);
    recording.handle_frame(opened(0));
    recording.handle_frame(started(1, 1));
    recording.handle_frame(started(2, 2));
    recording.handle_frame(spoken(1, 0..50));
    recording.handle_frame(spoken(2, 0..50));
    drain(&mut recording);
    recording.abandon(sid(1));
    recording.handle_frame(spoken(1, 50..100));
    recording.handle_frame(spoken(2, 50..100));
    recording.finish();
    assert_eq!(drain(&mut recording), (vec![], vec![(sid(2), 100)]));
}

#[test]
fn one_track_too_many_is_refused_and_counted() {
    let mut recording = Recording::new(0, START);
    recording.handle_frame(opened(0));
    for number in 0..520_u32 {
        recording.handle_frame(started(number, u128::from(number)));
    }
    assert_eq!((recording.live_tracks(), recording.refused_tracks()), (512, 8));
}
