//! A room's recording, whose link says whatever the input says.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::{
    ids::{Epoch, ParticipantSid, RoomSid, TrackSid},
    link::{LinkClosed, LinkEncoding, LinkFrame, LinkPacket, LinkTrack, LinkTrackId, UnixMicros},
    livekit::TrackSource,
};
use recorder_core::{Output, Recording, ogg};

use crate::script::Script;

/// Tracks an input may name: few, so that it names the same again.
const TRACKS: u8 = 4;

/// What is known of the files so far.
#[derive(Default)]
struct Files {
    granules: BTreeMap<TrackSid, u64>,
}

pub(crate) fn recording(input: &[u8]) {
    let mut script = Script::new(input);
    let mut at = UnixMicros(1_700_000_000_000_000);
    let mut recording = Recording::new(1, at);
    let mut files = Files::default();
    while let Some(()) = step(&mut script, &mut recording, &mut at) {
        files.drain(&mut recording);
    }
    recording.finish();
    files.drain(&mut recording);
    assert_eq!(recording.live_tracks(), 0, "every track ends");
}

fn step(script: &mut Script<'_>, recording: &mut Recording, at: &mut UnixMicros) -> Option<()> {
    let what = script.byte()?;
    let (what, number) = (what / TRACKS, what % TRACKS);
    let track = LinkTrackId(u32::from(number));
    at.0 += u64::from(script.number()?) * 100;
    match what % 10 {
        0 => recording.handle_frame(LinkFrame::Opened {
            sid: RoomSid::from_random(1),
            epoch: Epoch(1),
            at: *at,
        }),
        1 => recording.handle_frame(started(number, *at)?),
        2 => recording.handle_frame(LinkFrame::TrackEnded { track, at: *at }),
        3 => {
            let muted = script.byte()? & 1 == 1;
            recording.handle_frame(LinkFrame::TrackMuted { track, muted, at: *at });
        }
        4 => recording.handle_link_lost(),
        5 => recording.handle_timeout(*at),
        6 => recording.abandon(TrackSid::from_random(number.into())),
        7 => recording.handle_frame(LinkFrame::Closed(LinkClosed::TooSlow)),
        _ => recording.handle_frame(LinkFrame::Packets(vec![packet(script, track, *at)?])),
    }
    Some(())
}

fn started(number: u8, at: UnixMicros) -> Option<LinkFrame> {
    Some(LinkFrame::TrackStarted(Box::new(LinkTrack {
        id: LinkTrackId(u32::from(number)),
        sid: TrackSid::from_random(number.into()),
        name: String::new(),
        source: TrackSource::Microphone,
        muted: false,
        participant: ParticipantSid::from_random(number.into()),
        identity: "somebody".parse().ok()?,
        participant_name: String::new(),
        at,
    })))
}

fn packet(script: &mut Script<'_>, track: LinkTrackId, received: UnixMicros) -> Option<LinkPacket> {
    let index = u64::from(script.number()?);
    let timestamp = u32::from(script.number()?) << 16 | u32::from(script.number()?);
    let primary = script.byte()?;
    let encoding = if primary == 0 {
        LinkEncoding::Opus
    } else {
        LinkEncoding::Red { primary: usize::from(primary) }
    };
    let payload = Bytes::copy_from_slice(script.chunk()?);
    Some(LinkPacket { track, received, index, timestamp, encoding, payload })
}

impl Files {
    fn drain(&mut self, recording: &mut Recording) {
        loop {
            match recording.poll_output() {
                Output::Begun { about, .. } => {
                    self.granules.insert(about.sid, 0);
                }
                Output::Page { track, page } => self.on_page(track, &page),
                Output::Gap { .. } => {}
                Output::Finished { track, summary } => {
                    let granule = self.granules.remove(&track);
                    assert_eq!(granule, Some(summary.samples), "the file is as long as it says");
                }
                Output::Idle(_) => return,
            }
        }
    }

    fn on_page(&mut self, track: TrackSid, page: &[u8]) {
        let last = ogg::last_page(page);
        assert!(last.is_some_and(|last| last.end == page.len()), "nothing but whole pages");
        let granule = last.map_or(0, |last| last.granule);
        let before = self.granules.insert(track, granule);
        assert!(before.is_some_and(|before| granule >= before), "time goes forward from a start");
    }
}
