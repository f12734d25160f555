//! A sender whose every packet says which it is, a track that records it, and a reader.

use std::io::Cursor;

use bytes::Bytes;
use proto::link::{LinkEncoding, LinkPacket, LinkTrackId, UnixMicros};
use recorder_core::{Gap, GapReason, Summary, Track, TrackOutput, opus};

/// When every test begins, by the clock of the room's owner.
pub(crate) const START: UnixMicros = UnixMicros(1_700_000_000_000_000);
/// 20 ms of SILK, wide band, mono.
pub(crate) const TOC: u8 = 9 << 3;
pub(crate) const FRAME: u64 = 960;

pub(crate) fn at_ms(ms: u64) -> UnixMicros {
    UnixMicros(START.0 + ms * 1_000)
}

/// A 20 ms packet that can be told from every other.
pub(crate) fn voice(number: u64) -> Vec<u8> {
    [&[TOC][..], &number.to_be_bytes()].concat()
}

/// The packet of that number from a sender that never pauses.
pub(crate) fn packet(number: u64) -> LinkPacket {
    let timestamp = u32::try_from(number * FRAME % (1 << 32)).unwrap();
    custom(1_000 + number, timestamp, number * 20, &voice(number))
}

pub(crate) fn custom(index: u64, timestamp: u32, ms: u64, payload: &[u8]) -> LinkPacket {
    LinkPacket {
        track: LinkTrackId(1),
        received: at_ms(ms),
        index,
        timestamp,
        encoding: LinkEncoding::Opus,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// Everything a track gave out.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pages: Vec<Bytes>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) began: Option<UnixMicros>,
    pub(crate) summary: Option<Summary>,
}

impl Recorded {
    pub(crate) fn drain(&mut self, track: &mut Track) {
        loop {
            match track.poll_output() {
                TrackOutput::Begun(begun) => self.began = Some(begun.at),
                TrackOutput::Page(page) => {
                    self.bytes.extend_from_slice(&page);
                    self.pages.push(page);
                }
                TrackOutput::Gap(gap) => self.gaps.push(gap),
                TrackOutput::Finished(summary) => self.summary = summary,
                TrackOutput::Idle(_) => return,
            }
        }
    }

    /// The gaps as (start in ms, duration in ms, reason).
    pub(crate) fn gaps_ms(&self) -> Vec<(u64, u64, GapReason)> {
        let listed = self.summary.as_ref().unwrap().gaps.listed();
        listed.iter().map(|gap| (gap.start_ms(), gap.duration_ms(), gap.reason)).collect()
    }

    pub(crate) fn samples(&self) -> u64 {
        self.summary.as_ref().unwrap().samples
    }

    pub(crate) fn read(&self) -> File {
        File::read(&self.bytes)
    }
}

/// Records packets in the order of their arrival and ends the track.
pub(crate) fn record(packets: impl IntoIterator<Item = LinkPacket>) -> Recorded {
    let mut track = Track::new(7, START);
    let mut recorded = Recorded::default();
    for packet in packets {
        track.handle_packet(packet);
        recorded.drain(&mut track);
    }
    end(track, recorded)
}

pub(crate) fn end(mut track: Track, mut recorded: Recorded) -> Recorded {
    track.finish();
    recorded.drain(&mut track);
    recorded
}

/// A file as the crate `ogg` reads it.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) head: Vec<u8>,
    pub(crate) tags: Vec<u8>,
    /// Every packet with the sample at which it starts.
    pub(crate) packets: Vec<(u64, Vec<u8>)>,
    pub(crate) samples: u64,
}

impl File {
    /// Checks what holds for every file: pages that follow each other, granules that are the sum
    /// of what the packets say, one end.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut reader = ogg::PacketReader::new(Cursor::new(bytes));
        let head = reader.read_packet_expected().expect("an identification header");
        assert!(head.first_in_stream() && head.last_in_page());
        let tags = reader.read_packet_expected().expect("a comment header");
        assert!(tags.last_in_page());
        let (mut packets, mut samples, mut is_over) = (Vec::new(), 0, false);
        while let Some(packet) = reader.read_packet().expect("whole pages") {
            assert!(!is_over, "nothing follows the end");
            let length = opus::samples(&packet.data).expect("Opus");
            is_over = packet.last_in_stream();
            let granule = packet.absgp_page();
            let is_last = packet.last_in_page();
            packets.push((samples, packet.data));
            samples += length;
            assert!(!is_last || granule == samples, "a granule is the sum of its packets");
        }
        Self { head: head.data, tags: tags.data, packets, samples }
    }

    /// The voices among the packets: (start, number).
    pub(crate) fn voices(&self) -> Vec<(u64, u64)> {
        let voices = self.packets.iter().filter_map(|(start, packet)| {
            let number = packet.get(1..)?.first_chunk()?;
            Some((*start, u64::from_be_bytes(*number)))
        });
        voices.collect()
    }

    /// Samples of packets that hold no sound.
    pub(crate) fn silent_samples(&self) -> u64 {
        let silent = self.packets.iter().filter(|(_, packet)| packet.len() == 1);
        silent.map(|(_, packet)| opus::samples(packet).unwrap()).sum()
    }
}
