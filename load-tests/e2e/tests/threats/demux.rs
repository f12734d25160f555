//! M1: what isn't ours reaches no parser, and is counted (RFC 7983).

use e2e::peer::{Manner, Peer};

use crate::scene::{Scene, stranger};

/// One first byte, then anything, in every length that is odd in some way.
fn datagrams(first: u8) -> impl Iterator<Item = Vec<u8>> {
    (1..=20).chain([1500]).map(move |length| {
        let mut datagram = vec![0x5a; length];
        datagram[0] = first;
        datagram
    })
}

/// Lengths in [`datagrams`].
const LENGTHS: u64 = 21;

#[test]
fn m1_datagrams_of_every_first_byte_and_length_are_counted_and_never_answered() {
    let scene = Scene::start();
    let socket = stranger();
    for first in 0..=255_u8 {
        socket.send_to(&[], scene.media).expect("sent");
        for datagram in datagrams(first) {
            socket.send_to(&datagram, scene.media).expect("sent");
        }
        // The most that UDP can carry: the kernel cuts it, whatever it begins with.
        socket.send_to(&vec![first; 65_507], scene.media).expect("sent");
        // So that no buffer overflows: what is dropped there isn't counted.
        scene.settle();
    }
    assert_eq!(scene.bytes_sent_to(&socket), 0);
    let [stun, dtls, rtp] = [4, 44, 64];
    // A single byte is no media: the second tells RTP from RTCP.
    scene.assert_dropped(&[
        ("protocol_unknown", (256 - stun - dtls - rtp) * LENGTHS + rtp + 256 + 256),
        ("stun_unknown", stun * LENGTHS),
        ("address_unverified", dtls * LENGTHS + rtp * (LENGTHS - 1)),
        ("srtp", 0),
        ("malformed", 0),
    ]);
    scene.assert_unharmed();
}

#[test]
fn m1_an_address_that_is_believed_gets_no_further_with_foreign_protocols() {
    let scene = Scene::start();
    let eve = Peer::join(&scene.server, "hers", "eve", Manner::with_ssrc(0xe7e_0001));
    // Channel data (64 to 79) belongs to a TURN port; here it is as foreign as the rest.
    let foreign = (4..=19).chain(64..=127).chain(192..=255);
    for first in foreign.clone() {
        datagrams(first).for_each(|datagram| eve.send_datagram(&datagram));
        scene.settle();
    }
    let media = 128..=191;
    for first in media.clone() {
        datagrams(first).for_each(|datagram| eve.send_datagram(&datagram));
        scene.settle();
    }
    scene.assert_dropped(&[
        ("protocol_unknown", foreign.count() as u64 * LENGTHS + media.clone().count() as u64),
        ("srtp", media.count() as u64 * (LENGTHS - 1)),
        ("address_unverified", 0),
        ("malformed", 0),
    ]);
    // What looks like DTLS or STUN costs her at most her own connection.
    for first in (0..=3).chain(20..=63) {
        datagrams(first).for_each(|datagram| eve.send_datagram(&datagram));
        scene.settle();
    }
    scene.assert_unharmed();
}
