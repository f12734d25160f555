//! M9: nobody speaks as another, or into another room.

use std::time::Duration;

use e2e::peer::{MID_EXTENSION, Manner, OPUS, Peer};

use crate::{
    scene::{ROOM, Scene, heard},
    witness::{ANN, BOB, assert_hears},
};

const TRIES: u32 = 20;
/// Packets that a listener's socket can surely hold.
const BURST: u32 = 20;

#[test]
fn m9_nobody_speaks_as_another_or_into_another_room() {
    let scene = Scene::start();
    let mut eve = Peer::join(&scene.server, ROOM, "eve", Manner::with_ssrc(0xe7e_0001));
    let mut far = Peer::join(&scene.server, "far", "far", Manner::with_ssrc(0xfa2_0001));
    let mut near = Peer::join(&scene.server, "far", "near", Manner::with_ssrc(0xfa2_0002));
    assert_hears(&mut far, &mut near, "at first");

    // The witnesses' SSRCs, one of another room, and one that nobody has.
    for ssrc in [ANN, BOB, far.manner.ssrc, 0x1234_5678] {
        for step in 0..TRIES {
            let packet = eve.seal_as(ssrc, OPUS, 50_000 + step, &[], b"spoofed");
            eve.send_datagram(&packet);
        }
    }
    // Mids: of a section in which she listens, of her data channels, and of none.
    for (ssrc, mid) in (0x8765_0000..).zip([b"0", b"3", b"9"]) {
        for step in 0..TRIES {
            let extension = [(MID_EXTENSION, mid.as_slice())];
            let packet = eve.seal_as(ssrc, OPUS, 60_000 + step, &extension, b"spoofed");
            eve.send_datagram(&packet);
        }
    }
    // Her own voice, as something she never offered.
    for payload_type in [0, 63, 96, 127] {
        for step in 0..TRIES {
            let at = 10_000 + 100 * u32::from(payload_type) + step;
            let packet = eve.seal_as(eve.manner.ssrc, payload_type, at, &[], b"spoofed");
            eve.send_datagram(&packet);
        }
    }
    let tries = u64::from(TRIES);
    scene.assert_dropped(&[("unsignalled", 7 * tries), ("payload_type", 4 * tries), ("srtp", 0)]);
    assert_hears(&mut near, &mut far, "after the spoofs");
    for listener in [&near, &far] {
        let own = ["near", "far"].map(|name| heard(listener, name).len()).iter().sum::<usize>();
        assert_eq!(own, listener.heard.len(), "{} heard another room", listener.identity);
    }
    scene.assert_unharmed();
}

#[test]
fn m9_who_speaks_as_herself_is_heard_in_her_room_alone() {
    let scene = Scene::start();
    let mut eve = Peer::join(&scene.server, ROOM, "eve", Manner::with_ssrc(0xe7e_0001));
    let mut far = Peer::join(&scene.server, "far", "far", Manner::with_ssrc(0xfa2_0001));
    let mut near = Peer::join(&scene.server, "far", "near", Manner::with_ssrc(0xfa2_0002));
    for number in 0..100 {
        eve.say(format!("eve {number}").as_bytes());
        far.say(format!("far {number}").as_bytes());
        if number % BURST == 0 {
            near.listen(Duration::from_millis(1));
        }
    }
    scene.settle();
    near.wait("far", |near| heard(near, "far 99").len() == 1);
    assert_eq!(near.heard.len(), heard(&near, "far").len(), "near heard another room");
    let foreign = scene.finish();
    let of_eve = foreign.iter().filter(|one| one.starts_with(b"eve ")).count();
    assert_eq!(of_eve, foreign.len(), "the witnesses heard another room");
    // Both heard her, but for what she said before they were given her track.
    assert!(of_eve > 100, "{of_eve}");
}

#[test]
fn m9_two_honest_speakers_may_have_chosen_the_same_ssrc() {
    let scene = Scene::start();
    // Even the one that a witness has, in their room.
    let same = Manner::with_ssrc(ANN);
    let mut ben = Peer::join(&scene.server, ROOM, "ben", same.clone());
    let mut amy = Peer::join(&scene.server, "far", "amy", same.clone());
    let mut tom = Peer::join(&scene.server, "far", "tom", same);
    assert_hears(&mut amy, &mut tom, "with the same SSRC");
    assert_hears(&mut tom, &mut amy, "with the same SSRC");
    for number in 0..100 {
        ben.say(format!("ben {number}").as_bytes());
        if number % BURST == 0 {
            ben.listen(Duration::from_millis(1));
        }
    }
    let ssrc_of = |start: &str| {
        let by_them = ben.heard.iter().find(|one| one.payload.starts_with(start.as_bytes()));
        by_them.expect("ben hears the witnesses").ssrc
    };
    assert_ne!(ssrc_of("ann says"), ssrc_of("bob says"), "a listener could not tell them apart");
    for listener in [&amy, &tom] {
        assert_eq!(heard(listener, "ben").len(), 0, "{} heard another room", listener.identity);
    }
    scene.assert_dropped(&[("unsignalled", 0), ("srtp", 0)]);
    let foreign = scene.finish();
    let of_ben = foreign.iter().filter(|one| one.starts_with(b"ben ")).count();
    assert!(of_ben > 100 && of_ben == foreign.len(), "{of_ben} of {}", foreign.len());
}
