//! M4: media moves nobody's address (RTP Bleed).

use e2e::peer::{Manner, Peer};

use crate::{
    scene::{Scene, heard, stranger},
    witness::assert_hears,
};

#[test]
fn m4_media_from_another_address_is_neither_believed_nor_answered() {
    let scene = Scene::start();
    let mut victim = Peer::join(&scene.server, "theirs", "victim", Manner::with_ssrc(0x51c_0001));
    let mut friend = Peer::join(&scene.server, "theirs", "friend", Manner::with_ssrc(0xf21_0001));
    assert_hears(&mut victim, &mut friend, "at first");
    assert_hears(&mut friend, &mut victim, "at first");

    let thief = stranger();
    let mut stolen = Vec::new();
    for number in 0..50 {
        // The victim's own next packets, with their key, SSRC and number: all but the address.
        let voice = victim.seal(format!("stolen {number}").as_bytes());
        let mut report = Vec::new();
        proto::rtcp::write_receiver_report(&mut report, victim.manner.ssrc, &[]);
        proto::rtcp::write_cname(&mut report, victim.manner.ssrc, "victim");
        let report = victim.seal_rtcp(&report);
        thief.send_to(&voice, scene.media).expect("sent");
        thief.send_to(&report, scene.media).expect("sent");
        friend.say(format!("for the victim {number}").as_bytes());
        stolen.push(voice);
    }
    scene.assert_dropped(&[("address_unverified", 100), ("srtp", 0)]);
    friend.listen(std::time::Duration::from_millis(50));
    assert_eq!(heard(&friend, "stolen").len(), 0, "believed from an address that proved nothing");
    assert_eq!(scene.bytes_sent_to(&thief), 0, "media was sent to the thief");

    // The same packets are still good from where they belong: nothing was learnt from the thief.
    for packet in &stolen {
        victim.send_datagram(packet);
    }
    friend.wait("the victim's own packets", |friend| heard(friend, "stolen").len() == 50);
    victim.wait("the friend's packets", |victim| heard(victim, "for the victim").len() == 50);
    scene.assert_unharmed();
}

#[test]
fn m4_only_an_authentic_nomination_moves_media() {
    let scene = Scene::start();
    let mut victim = Peer::join(&scene.server, "theirs", "victim", Manner::with_ssrc(0x51c_0001));
    let mut friend = Peer::join(&scene.server, "theirs", "friend", Manner::with_ssrc(0xf21_0001));
    assert_hears(&mut friend, &mut victim, "at first");
    let (own, server) = victim.credentials();
    let names = crate::stun::Names { to: server.ufrag, from: own.ufrag };

    let thief = stranger();
    let forged = crate::stun::nomination(&names, "0123456789abcdefghijklmnop");
    thief.send_to(&forged, scene.media).expect("sent");
    for number in 0..20 {
        friend.say(format!("after the forgery {number}").as_bytes());
    }
    assert_eq!(scene.bytes_sent_to(&thief), 0);
    victim.wait("what was said", |victim| heard(victim, "after the forgery").len() == 20);

    // Who holds the password may move: that is what distinguishes the forgery.
    thief.send_to(&crate::stun::nomination(&names, &server.pwd), scene.media).expect("sent");
    scene.settle();
    friend.say(b"elsewhere");
    assert!(scene.bytes_sent_to(&thief) > 100, "an answer and media");
    scene.assert_unharmed();
}
