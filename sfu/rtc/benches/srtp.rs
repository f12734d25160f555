//! What it costs to seal and open one packet of sound, by SRTP profile.

#![expect(clippy::unwrap_used, reason = "a bench that is wrong may panic")]

use divan::{Bencher, counter::ItemsCount};
use proto::rtp::{NewHeader, RtpTime, SeqNo};
use sfu_rtc::srtp::{Keying, Profile, Session, Side};

/// Opus at 48 kbit/s, 20 ms a packet, behind a header with one extension.
const HEADER_LEN: usize = 20;
const PLAIN_LEN: usize = HEADER_LEN + 120;
const ROOM: usize = PLAIN_LEN + 16;
/// Listeners that one packet is sealed for, each under its own key.
const LISTENERS: usize = 50;
const PROFILES: [Profile; 3] = [Profile::Aes256Gcm, Profile::Aes128Gcm, Profile::Aes128CmSha1];

fn main() {
    divan::main();
}

fn session(profile: Profile, side: Side, seed: u8) -> Session {
    let exported = vec![seed; (profile.key_len() + profile.salt_len()) * 2];
    Session::new(&Keying::from_exported(profile, side, &exported).unwrap()).unwrap()
}

fn packet(index: u64) -> [u8; ROOM] {
    let mut packet = [0xab; ROOM];
    let [.., high, low] = index.to_be_bytes();
    let header = NewHeader {
        marker: false,
        payload_type: 111,
        sequence: SeqNo(u16::from_be_bytes([high, low])),
        timestamp: RtpTime(960),
        ssrc: 7,
        extensions: &[(1, &[0x85])],
    };
    header.write(&mut packet).unwrap();
    packet
}

fn seal(session: &Session, packet: &mut [u8], index: u64) -> usize {
    let roc = u32::try_from(index >> 16).unwrap();
    session.seal_rtp(packet, HEADER_LEN, PLAIN_LEN, roc).unwrap()
}

#[divan::bench(args = PROFILES)]
fn seal_for_fifty_listeners(bencher: Bencher<'_, '_>, profile: Profile) {
    let sessions: Vec<Session> =
        (0..LISTENERS).map(|n| session(profile, Side::Server, u8::try_from(n).unwrap())).collect();
    let plain = packet(1);
    let mut arena = vec![[0; ROOM]; LISTENERS];
    bencher.counter(ItemsCount::new(LISTENERS)).bench_local(|| {
        for (session, slot) in sessions.iter().zip(&mut arena) {
            *slot = plain;
            divan::black_box(seal(session, slot, 1));
        }
    });
}

#[divan::bench(args = PROFILES)]
fn open(bencher: Bencher<'_, '_>, profile: Profile) {
    let talker = session(profile, Side::Client, 1);
    let mut server = session(profile, Side::Server, 1);
    let mut index = 0;
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| {
            index += 1;
            let mut packet = packet(index);
            let len = seal(&talker, &mut packet, index);
            (packet, len)
        })
        .bench_local_refs(|(packet, len)| {
            let sealed = packet.get_mut(..*len).unwrap();
            assert_eq!(server.open_rtp(sealed), Ok(PLAIN_LEN));
        });
}
