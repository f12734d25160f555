//! M16: who has proved nothing gets no more bytes than they sent.

use e2e::peer::{Manner, OPUS, Peer};

use crate::{
    scene::{Scene, stranger},
    stun::{self, Names},
};

/// A whole ClientHello of DTLS 1.2 with one cipher suite and `use_srtp`.
fn client_hello() -> Vec<u8> {
    let extension = [0, 14, 0, 5, 0, 2, 0, 7, 0];
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0]);
    body.push(u8::try_from(extension.len()).expect("short"));
    body.extend(extension);
    let length = u8::try_from(body.len()).expect("short");
    let handshake = [&[1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length], body.as_slice()].concat();
    let length = u8::try_from(handshake.len()).expect("short");
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, length], handshake.as_slice()].concat()
}

#[test]
fn m16_who_has_proved_nothing_gets_no_more_bytes_than_they_sent() {
    let scene = Scene::start();
    let eve = Peer::join(&scene.server, "hers", "eve", Manner::with_ssrc(0xe7e_0001));
    let (own, server) = eve.credentials();
    let names = Names { to: server.ufrag, from: own.ufrag };
    let bare_stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], [9; 12].as_slice()].concat();
    let kinds: [(&str, Vec<u8>); 9] = [
        ("a bare STUN binding", bare_stun),
        ("a check with a wrong password", stun::good_check(&names, &"x".repeat(24))),
        ("a nomination with a wrong password", stun::nomination(&names, &"x".repeat(24))),
        ("a ClientHello", client_hello()),
        ("a DTLS alert", vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40]),
        ("DTLS 1.3 ciphertext", vec![0x2f; 60]),
        ("RTP", [[0x80, OPUS].as_slice(), &[1; 160]].concat()),
        ("RTCP", [[0x80, 200].as_slice(), &[1; 60]].concat()),
        ("TURN channel data", vec![0x40; 64]),
    ];
    for (what, datagram) in kinds {
        let socket = stranger();
        for _ in 0..20 {
            socket.send_to(&datagram, scene.media).expect("sent");
        }
        // The row allows as many as came in. There is no reason to send any.
        assert_eq!(scene.bytes_sent_to(&socket), 0, "{what}");
    }
    scene.assert_unharmed();
}
