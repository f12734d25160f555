//! Several files of one track become one.
//!
//! A track that one recorder after the other wrote down has a file of each. On the clock of the
//! room's owner every file has its place: put side by side they are the track, and where none has
//! sound, empty packets hold the place as everywhere. Where two have sound of the same time, the
//! one that is named first counts; the other's sound is heard where the first has none.

use bytes::Bytes;
use proto::link::UnixMicros;

use crate::{
    gap::{Gap, GapReason, Gaps},
    ogg::{Channels, Content, Stream},
    opus::{self, GRID, Toc},
    track::Summary,
};

/// One file of a track.
#[derive(Debug)]
pub struct Piece<I> {
    /// When its first sample came.
    pub began: UnixMicros,
    pub samples: u64,
    pub gaps: Vec<Gap>,
    /// Its Opus packets from the first, without the headers.
    pub packets: I,
}

/// A part of the track's time, and what is heard in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
    /// Whose packets fill it; nobody's where no recorder was there.
    piece: Option<usize>,
    /// Why there is no sound in it.
    silence: Option<GapReason>,
}

/// What two recorders' places for one sound may differ by is no hole: 20 ms.
const FRAME_SAMPLES: u64 = 960;

/// How much is to be known of a time without sound: the less, the later it is asked.
const SILENCES: [&[GapReason]; 2] = [
    &[GapReason::Mute, GapReason::Dtx, GapReason::Loss],
    &[GapReason::Link, GapReason::Spool, GapReason::Recorder],
];

/// Writes one file of all `pieces`, of which the first counts most, page by page to `write`.
///
/// # Errors
///
/// The first that reading or writing ends with.
pub fn join<I, E>(
    pieces: Vec<Piece<I>>,
    (serial, channels): (u32, Channels),
    mut write: impl FnMut(Bytes) -> Result<(), E>,
) -> Result<Summary, E>
where
    I: Iterator<Item = Result<Bytes, E>>,
{
    let origin = pieces.iter().map(|piece| piece.began).min().unwrap_or_default();
    let places: Vec<u64> = pieces.iter().map(|piece| place_of(piece.began, origin)).collect();
    let spans = plan(&pieces, &places);
    let (stream, headers) = Stream::start(serial, channels);
    write(headers)?;
    // Full band, until a packet says what fills a hole after it.
    let mut writer = Writer { stream, toc: Toc(31 << 3), write };
    let readers = pieces.into_iter().zip(places);
    let mut readers: Vec<_> = readers.map(|(piece, at)| Reader::new(piece.packets, at)).collect();
    let mut gaps = Gaps::default();
    for span in spans {
        let is_rounding = span.piece.is_none() && span.end - span.start < FRAME_SAMPLES;
        if let Some(reason) = span.silence.filter(|_| !is_rounding) {
            let gap = Gap { start: span.start, samples: span.end - span.start, reason };
            gaps.push(gap, 0);
        }
        let reader = span.piece.and_then(|piece| readers.get_mut(piece));
        if let Some(reader) = reader {
            while let Some((at, packet)) = reader.next_in(span)? {
                writer.put(at, &packet)?;
            }
        }
    }
    let samples = writer.finish()?;
    Ok(Summary { samples, gaps })
}

/// How many samples after `origin` it is, on the grid on which everything in a file lies.
fn place_of(at: UnixMicros, origin: UnixMicros) -> u64 {
    let micros = at.0.saturating_sub(origin.0);
    (micros.saturating_mul(48) / 1_000 + GRID / 2) / GRID * GRID
}

/// Says for all of the track's time what is heard in it.
fn plan<I>(pieces: &[Piece<I>], places: &[u64]) -> Vec<Span> {
    let mut spans = Vec::new();
    let placed = || pieces.iter().zip(places).enumerate();
    for (index, (piece, at)) in placed() {
        paint(&mut spans, sounds(piece, *at), index);
    }
    for reasons in SILENCES {
        for (index, (piece, at)) in placed() {
            paint(&mut spans, silences(piece, *at, reasons), index);
        }
    }
    let mut end = 0;
    let mut absent = Vec::new();
    for span in &spans {
        if span.start > end {
            let silence = Some(GapReason::Recorder);
            absent.push(Span { start: end, end: span.start, piece: None, silence });
        }
        end = end.max(span.end);
    }
    spans.extend(absent);
    spans.sort_by_key(|span| span.start);
    spans
}

/// Where a piece has sound.
fn sounds<I>(piece: &Piece<I>, at: u64) -> Vec<(u64, u64, Option<GapReason>)> {
    let mut sounds = Vec::new();
    let mut from = 0;
    for gap in &piece.gaps {
        sounds.push((at + from, at + gap.start.min(piece.samples), None));
        from = from.max(gap.start + gap.samples);
    }
    sounds.push((at + from, at + piece.samples, None));
    sounds
}

/// Where a piece has none for one of these reasons.
fn silences<I>(
    piece: &Piece<I>,
    at: u64,
    reasons: &[GapReason],
) -> Vec<(u64, u64, Option<GapReason>)> {
    let gaps = piece.gaps.iter().filter(|gap| reasons.contains(&gap.reason));
    let silence = |gap: &Gap| (at + gap.start, at + gap.start + gap.samples, Some(gap.reason));
    gaps.map(silence).collect()
}

/// Fills with these parts of a piece what nothing fills yet.
fn paint(spans: &mut Vec<Span>, parts: Vec<(u64, u64, Option<GapReason>)>, piece: usize) {
    let mut new = Vec::new();
    for (mut start, end, silence) in parts {
        let first = spans.partition_point(|span| span.end <= start);
        for taken in spans.iter().skip(first).take_while(|span| span.start < end) {
            if taken.start > start {
                new.push(Span { start, end: taken.start, piece: Some(piece), silence });
            }
            start = start.max(taken.end);
        }
        if start < end {
            new.push(Span { start, end, piece: Some(piece), silence });
        }
    }
    spans.extend(new);
    spans.sort_by_key(|span| span.start);
}

/// A piece's packets, each with its place in the whole.
struct Reader<I> {
    packets: I,
    at: u64,
    /// Read, and not wanted yet.
    ahead: Option<(u64, Bytes)>,
}

impl<I, E> Reader<I>
where
    I: Iterator<Item = Result<Bytes, E>>,
{
    fn new(packets: I, at: u64) -> Self {
        Self { packets, at, ahead: None }
    }

    /// The next packet most of which lies in `span`; those before are passed over.
    fn next_in(&mut self, span: Span) -> Result<Option<(u64, Bytes)>, E> {
        loop {
            let Some((at, packet)) = self.take()? else { return Ok(None) };
            let middle = at + opus::samples(&packet).unwrap_or_default() / 2;
            if middle >= span.end {
                self.ahead = Some((at, packet));
                return Ok(None);
            }
            if middle >= span.start {
                return Ok(Some((at, packet)));
            }
        }
    }

    fn take(&mut self) -> Result<Option<(u64, Bytes)>, E> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(packet) = self.packets.next().transpose()? else { return Ok(None) };
        let at = self.at;
        self.at += opus::samples(&packet).unwrap_or_default();
        Ok(Some((at, packet)))
    }
}

/// The file that is written.
struct Writer<W> {
    stream: Stream,
    /// The newest packet's first byte: what fills a hole after it is of its kind.
    toc: Toc,
    write: W,
}

impl<W, E> Writer<W>
where
    W: FnMut(Bytes) -> Result<(), E>,
{
    /// Puts a packet at its place, or nowhere if something is there.
    fn put(&mut self, at: u64, packet: &[u8]) -> Result<(), E> {
        let Ok(samples) = opus::samples(packet) else { return Ok(()) };
        if at < self.stream.samples() {
            return Ok(());
        }
        self.fill(at)?;
        let is_silence = packet.len() == 1;
        if !is_silence {
            self.toc = packet.first().map_or(self.toc, |first| Toc(*first));
        }
        self.push(packet, samples, if is_silence { Content::Silence } else { Content::Voice })
    }

    fn fill(&mut self, until: u64) -> Result<(), E> {
        while let Some((toc, samples)) =
            opus::empty_packet(self.toc, until.saturating_sub(self.stream.samples()))
        {
            self.push(&[toc.0], samples, Content::Silence)?;
        }
        Ok(())
    }

    fn push(&mut self, packet: &[u8], samples: u64, what: Content) -> Result<(), E> {
        self.stream.push(packet, samples, what).map_or(Ok(()), &mut self.write)
    }

    fn finish(mut self) -> Result<u64, E> {
        if self.stream.is_empty() {
            self.fill(self.stream.samples() + GRID)?;
        }
        (self.write)(self.stream.finish())?;
        Ok(self.stream.samples())
    }
}
