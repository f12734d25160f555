//! Every reader against files that other programs wrote, and against files that lie.

use super::*;

const OGG: &[u8] = include_bytes!("samples/note.ogg");
const WEBM: &[u8] = include_bytes!("samples/note.webm");
const LIVE_WEBM: &[u8] = include_bytes!("samples/live.webm");
const MP4: &[u8] = include_bytes!("samples/note.m4a");
const FRAGMENTED_MP4: &[u8] = include_bytes!("samples/fragments.m4a");
const WAV: &[u8] = include_bytes!("samples/note.wav");

/// What FFmpeg wrote: a second of a low tone, then a second of noise.
const SAMPLES: [(&str, &[u8], Kind); 6] = [
    ("Ogg", OGG, Kind::OggOpus),
    ("WebM", WEBM, Kind::WebmOpus),
    ("live WebM", LIVE_WEBM, Kind::WebmOpus),
    ("MP4", MP4, Kind::Mp4Aac),
    ("MP4 in fragments", FRAGMENTED_MP4, Kind::Mp4Aac),
    ("WAV", WAV, Kind::Wav),
];

fn read_bytes(bytes: &[u8]) -> Result<Sound, SoundError> {
    read(bytes, bytes.len() as u64)
}

fn is_foreign(bytes: &[u8]) -> bool {
    matches!(read_bytes(bytes), Err(SoundError::Foreign))
}

fn is_broken(bytes: &[u8]) -> bool {
    matches!(read_bytes(bytes), Err(SoundError::Broken))
}

#[test]
fn a_note_is_known_by_its_bytes_with_length_and_loudness() {
    for (name, bytes, kind) in SAMPLES {
        let sound = read_bytes(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sound.kind, kind, "{name}");
        let off = sound.duration.abs_diff(Duration::from_secs(2));
        // AAC comes in frames of 64 ms here, one of them before the sound.
        let most = if kind == Kind::Mp4Aac { 130 } else { 20 };
        assert!(off <= Duration::from_millis(most), "{name}: {:?}", sound.duration);
        let points = sound.waveform;
        assert!((19..=22).contains(&points.len()), "{name}: {points:?}");
        let mean = |points: &[u8]| points.iter().copied().map(u32::from).sum::<u32>() / 8;
        let (quiet, loud) = (mean(&points[1..9]), mean(&points[11..19]));
        assert!(loud > 60 && quiet < loud * 2 / 3, "{name}: {points:?}");
    }
}

#[test]
fn what_is_cut_off_is_broken() {
    for (name, bytes, _) in SAMPLES {
        for cut in [1, 100, bytes.len() / 2, bytes.len() - 13] {
            let cut = &bytes[..bytes.len() - cut];
            let read = read_bytes(cut);
            // What ends between two elements of a live stream has not been cut off.
            assert!(read.is_err() || name == "live WebM", "{name}: {read:?}");
        }
    }
}

#[test]
fn what_hides_behind_a_note_is_found() {
    let hidden: [&[u8]; 4] =
        [b"PK\x03\x04", b"<script>alert(1)</script>", b"MZ\x90\0\x03\0\0\0", WAV];
    for (name, bytes, _) in SAMPLES {
        for more in hidden {
            let read = read_bytes(&[bytes, more].concat());
            assert!(read.is_err(), "{name} and {:?}", &more[..4]);
        }
    }
}

#[test]
fn what_is_no_note_is_foreign() {
    let zoo: [&[u8]; 10] = [
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0",
        b"PK\x03\x04\x14\0\0\0\x08\0note.ogg",
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"RIFF\x24\x08\0\0AVI LIST\0\0\0\0GAB2",
        b"concat:/etc/passwd|/dev/null",
        b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0",
        b"short",
        b"",
    ];
    for bytes in zoo {
        assert!(is_foreign(bytes), "{:?}: {:?}", bytes, read_bytes(bytes));
    }
}

/// Writes a page of the stream that [`OGG`] is, with a true checksum.
fn page(flags: u8, granule: u64, sequence: u32, packet: &[u8]) -> Vec<u8> {
    let mut page = [b"OggS\0", &[flags][..], &granule.to_le_bytes(), b"adda"].concat();
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    let last = u8::try_from(packet.len() % 255).unwrap();
    let lacing = [vec![255; packet.len() / 255], vec![last]].concat();
    page.push(u8::try_from(lacing.len()).unwrap());
    page.extend(&lacing);
    page.extend(packet);
    let sum = ogg::tests::checksum(&page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

const HEAD: &[u8] = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0";
/// 20 ms of CELT.
const PACKET: &[u8] = &[19 << 3, 1, 2, 3];

fn ogg_ending_at(granule: u64) -> Vec<u8> {
    let head = page(2, 0, 0, HEAD);
    let tags = page(0, 0, 1, b"OpusTags\0\0\0\0\0\0\0\0");
    [head, tags, page(4, granule, 2, PACKET)].concat()
}

#[test]
fn an_ogg_that_claims_more_than_it_has_is_broken() {
    assert_eq!(read_bytes(&ogg_ending_at(960)).unwrap().duration, Duration::from_millis(20));
    assert!(is_broken(&ogg_ending_at(1 << 62)));
    assert!(is_broken(&ogg_ending_at(960 + 48_001)));
}

#[test]
fn an_ogg_of_several_streams_is_broken() {
    let twice = [ogg_ending_at(960), ogg_ending_at(960)].concat();
    assert!(is_broken(&twice));
    let other = ogg_ending_at(960);
    let mut foreign = page(0, 1920, 3, PACKET);
    foreign[14..18].copy_from_slice(b"evil");
    let mut bare = foreign.clone();
    bare[22..26].fill(0);
    foreign[22..26].copy_from_slice(&ogg::tests::checksum(&bare).to_le_bytes());
    assert!(is_broken(&[other, foreign].concat()));
    let many = ogg_ending_at(960).repeat(100_000);
    assert!(is_broken(&many));
}

#[test]
fn an_ogg_with_a_wrong_checksum_or_full_lacing_is_broken() {
    let mut flipped = OGG.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(is_broken(&flipped));
    // A packet that never ends.
    let mut endless = page(0, u64::MAX, 2, &[7; 255 * 254]);
    endless[26] = 254;
    let [head, tags] = [page(2, 0, 0, HEAD), page(0, 0, 1, b"OpusTags\0\0\0\0\0\0\0\0")];
    assert!(read_bytes(&[head, tags, endless].concat()).is_err());
}

#[test]
fn other_sound_in_the_same_container_is_foreign() {
    let vorbis = page(2, 0, 0, b"\x01vorbis\0\0\0\0\x02\x44\xac\0\0");
    assert!(is_foreign(&vorbis));
    let swap = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    assert!(is_foreign(&swap(WEBM, b"A_OPUS", b"A_AAC\0")));
    assert!(is_foreign(&swap(WEBM, b"webm", b"mkv1")));
    assert!(is_foreign(&swap(MP4, b"mp4a", b"avc1")));
    assert!(is_foreign(&swap(MP4, b"soun", b"vide")));
}

#[test]
fn an_mp4_of_boxes_in_boxes_is_broken() {
    let depth = 100_000_u32;
    let sizes = (1..=depth).rev().map(|level| (level * 8).to_be_bytes());
    let nested: Vec<u8> = sizes.flat_map(|size| [&size[..], b"mdia"].concat()).collect();
    let trak =
        [&u32::try_from(nested.len() + 8).unwrap().to_be_bytes()[..], b"trak", &nested].concat();
    let moov = [&u32::try_from(trak.len() + 8).unwrap().to_be_bytes()[..], b"moov", &trak].concat();
    assert!(is_broken(&[b"\0\0\0\x10ftypisom\0\0\0\0", &moov[..]].concat()));
}

#[test]
fn what_lasts_too_long_is_refused_before_it_is_read() {
    let second = 48_000 * 2;
    let bytes = 16 * 60 * second;
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(48_000_u32.to_le_bytes());
    wav.extend((48_000_u32 * 2).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(u32::to_le_bytes(bytes));
    let file = wav.chain(io::repeat(0).take(u64::from(bytes)));
    let read = read(file, 44 + u64::from(bytes));
    assert!(matches!(read, Err(SoundError::TooLong)), "{read:?}");
}

#[test]
fn no_bytes_make_a_reader_fail_in_any_other_way() {
    arbtest::arbtest(|u| {
        let (name, sample, _) = *u.choose(&SAMPLES)?;
        let mut bytes = sample.to_vec();
        for _ in 0..u.int_in_range(1..=8)? {
            let at = u.choose_index(bytes.len())?;
            bytes[at] = u.arbitrary()?;
        }
        bytes.truncate(u.int_in_range(0..=bytes.len())?);
        match read_bytes(&bytes) {
            Ok(sound) => assert!(sound.waveform.len() <= 256, "{name}"),
            Err(SoundError::Read(error)) => panic!("{name}: {error}"),
            Err(SoundError::Foreign | SoundError::Broken | SoundError::TooLong) => {}
        }
        Ok(())
    })
    .budget_ms(2_000);
}
