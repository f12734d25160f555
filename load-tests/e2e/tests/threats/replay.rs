//! M7: no packet counts twice.

use std::time::Duration;

use e2e::peer::{Manner, Peer};

use crate::{
    scene::{Scene, heard},
    witness::assert_hears,
};

/// More than any replay window is wide.
const MANY: usize = 400;
/// Packets that a listener's socket can surely hold.
const BURST: usize = 20;

#[test]
fn m7_no_packet_is_forwarded_twice_at_once_later_or_over_a_rollover() {
    let scene = Scene::start();
    // Close to a rollover of the sequence number, which is crossed below.
    let manner = Manner { first_sequence: 65_300, ..Manner::with_ssrc(0x51c_0001) };
    let mut speaker = Peer::join(&scene.server, "theirs", "speaker", manner);
    let mut listener =
        Peer::join(&scene.server, "theirs", "listener", Manner::with_ssrc(0xf21_0001));
    assert_hears(&mut speaker, &mut listener, "at first");

    let mut captured = Vec::new();
    for number in 0..MANY {
        let packet = speaker.say(format!("once {number}").as_bytes());
        // At once, while it is the newest.
        speaker.send_datagram(&packet);
        captured.push(packet);
        if number % BURST == 0 {
            listener.listen(Duration::from_millis(1));
        }
    }
    // While some are within the window, others behind it, and most before the rollover.
    for packet in captured.iter().rev().chain(&captured) {
        speaker.send_datagram(packet);
    }
    scene.assert_dropped(&[("srtp", 3 * MANY as u64), ("unsignalled", 0)]);
    listener.wait("every packet", |listener| heard(listener, "once").len() >= MANY);
    listener.listen(Duration::from_millis(50));
    let said: Vec<_> = (0..MANY).map(|number| format!("once {number}").into_bytes()).collect();
    assert!(heard(&listener, "once") == said, "a replayed packet was forwarded, or one was lost");
    assert_hears(&mut speaker, &mut listener, "after the replay");
    scene.assert_unharmed();
}

#[test]
fn m7_no_report_is_believed_twice() {
    let scene = Scene::start();
    let mut eve = Peer::join(&scene.server, "theirs", "eve", Manner::with_ssrc(0xe7e_0001));
    let mut captured = Vec::new();
    for _ in 0..MANY {
        let mut report = Vec::new();
        proto::rtcp::write_receiver_report(&mut report, eve.manner.ssrc, &[]);
        proto::rtcp::write_cname(&mut report, eve.manner.ssrc, "eve");
        let report = eve.seal_rtcp(&report);
        eve.send_datagram(&report);
        eve.send_datagram(&report);
        captured.push(report);
    }
    scene.assert_dropped(&[("srtp", MANY as u64)]);
    captured.iter().for_each(|report| eve.send_datagram(report));
    scene.assert_dropped(&[("srtp", 2 * MANY as u64), ("malformed", 0)]);
    scene.assert_unharmed();
}

#[test]
fn m7_a_packet_of_one_session_is_worth_nothing_in_another() {
    let scene = Scene::start();
    let mut eve = Peer::join(&scene.server, "theirs", "eve", Manner::with_ssrc(0xe7e_0001));
    let captured: Vec<_> = (0..20).map(|_| eve.say(b"before")).collect();
    drop(eve);
    // The same person, SSRC and numbers, with keys of a new handshake.
    let eve = Peer::join(&scene.server, "theirs", "eve", Manner::with_ssrc(0xe7e_0001));
    captured.iter().for_each(|packet| eve.send_datagram(packet));
    scene.assert_dropped(&[("srtp", 20)]);
    scene.assert_unharmed();
}
