//! The echo caller's clip: Opus packets out of the Ogg file that the executable carries.

use bytes::Bytes;

const CLIP: &[u8] = include_bytes!("../assets/greeting.ogg");

/// Returns the clip's packets of 20 ms, without the two that describe the stream.
pub(crate) fn packets() -> Vec<Bytes> {
    const HEADER_PACKETS: usize = 2;
    read_ogg(CLIP).into_iter().skip(HEADER_PACKETS).map(Bytes::from).collect()
}

/// Splits a single Ogg stream into packets (RFC 3533 §6). Stops where the file makes no sense.
fn read_ogg(mut file: &[u8]) -> Vec<Vec<u8>> {
    const FIXED_LEN: usize = 27;
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    while let Some((header, rest)) = file.split_at_checked(FIXED_LEN) {
        if !header.starts_with(b"OggS") {
            break;
        }
        let segments = header.last().copied().map_or(0, usize::from);
        let Some((lacing, mut body)) = rest.split_at_checked(segments) else { break };
        for length in lacing {
            let Some((segment, after)) = body.split_at_checked(usize::from(*length)) else {
                return packets;
            };
            packet.extend_from_slice(segment);
            body = after;
            // A packet goes on for as long as its segments are full.
            if *length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        file = body;
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clip_is_a_few_seconds_of_opus() {
        let all = read_ogg(CLIP);
        assert!(all[0].starts_with(b"OpusHead") && all[1].starts_with(b"OpusTags"));

        let packets = packets();
        assert!((100..=400).contains(&packets.len()), "{} packets", packets.len());
        // The table of RFC 6716 §3.1: configurations whose frames last 20 ms, one frame a packet.
        for packet in &packets {
            let toc = packet[0];
            assert!([1, 5, 9, 13, 15, 19, 23, 27, 31].contains(&(toc >> 3)), "{toc:08b}");
            assert_eq!(toc & 0b11, 0, "{toc:08b}");
        }
    }

    #[test]
    fn a_cut_file_gives_the_packets_before_the_cut() {
        let whole = read_ogg(CLIP);
        for cut in [0, 20, 60, CLIP.len() / 2] {
            let part = read_ogg(&CLIP[..cut]);
            assert!(part.len() < whole.len() && whole.starts_with(&part));
        }
    }
}
