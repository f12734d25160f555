//! Joining, publishing and hearing over one connection.

use proto::{
    control::{MediaStage, SignalPath, What},
    livekit::{participant_info, signal_response::Message},
    sdp::{Direction, Kind},
};
use sfu_core::{TransportAction, TransportEvent};

use crate::{
    client::{CHROMIUM, Client, FIREFOX, Own, OwnTrack},
    world::World,
};

#[test]
fn a_join_is_answered_by_what_sdks_need_in_the_order_they_need_it() {
    let mut world = World::new();
    let mut alice = Client::new(&mut world, "alice", SignalPath::OneConnection, CHROMIUM);
    let mut join = alice.join_request();
    join.publisher_offer = Some(alice.next_offer());
    alice.enter(&mut world, join);

    assert!(matches!(alice.log[..], [Message::Join(_), Message::Answer(_), Message::Trickle(_)]));
    assert_eq!(world.refreshed.len(), 1);
    let joined = alice.joined.as_ref().unwrap();
    let server = joined.server_info.as_ref().unwrap();
    assert_eq!((server.version.as_str(), server.debug_info.as_str()), ("1.13.3", "adda 0.1.0"));
    assert_eq!((joined.ping_interval, joined.ping_timeout), (5, 15));
    assert_eq!(joined.room.as_ref().unwrap().name, "demo");
    assert!(joined.fast_publish && !joined.subscriber_primary);
    let me = joined.participant.as_ref().unwrap();
    assert!(me.permission.as_ref().unwrap().can_publish);
    let mimes: Vec<_> = joined.enabled_publish_codecs.iter().map(|codec| &codec.mime).collect();
    assert_eq!(mimes, ["audio/opus", "audio/red"]);
}

#[test]
fn the_answer_can_be_used_as_it_is() {
    let mut world = World::new();
    let alice = Client::join(&mut world, "alice");

    let answer = alice.answer.as_ref().unwrap();
    assert!(answer.ice_lite);
    assert_eq!(answer.bundle.len(), 5);
    assert_eq!(answer.peer().unwrap().fingerprint, crate::world::FINGERPRINT);
    assert_eq!(answer.sections[0].candidates, [crate::world::CANDIDATE.parse().unwrap()]);
    assert!(answer.sections[0].end_of_candidates);
    let directions: Vec<_> = answer.sections.iter().map(|it| (it.kind, it.direction)).collect();
    assert_eq!(directions[..3], [(Kind::Audio, Direction::Inactive); 3]);
    assert_eq!(directions[3], (Kind::Video, Direction::Inactive));
    assert_eq!(directions[4].0, Kind::Application);
}

#[test]
fn candidates_name_the_first_section_that_lives() {
    let mut world = World::new();
    let mut alice = Client::new(&mut world, "alice", SignalPath::OneConnection, CHROMIUM);
    let mut join = alice.join_request();
    let mut offer = alice.next_offer();
    // As after a fallback: the first sections were given up, the rest go by later names.
    offer.sdp = offer.sdp.replacen("m=audio 9", "m=audio 0", 1);
    offer.sdp = offer.sdp.replace("BUNDLE 0 1", "BUNDLE seven").replace("a=mid:1", "a=mid:seven");
    join.publisher_offer = Some(offer);
    alice.enter(&mut world, join);
    let trickled = alice.take(|message| match message {
        Message::Trickle(trickle) => Some((trickle.candidate_init.clone(), trickle.r#final)),
        _ => None,
    });
    let [(init, true)] = &trickled[..] else { panic!("{trickled:?}") };
    assert!(init.contains(r#""sdpMid":"seven","sdpMLineIndex":1"#), "{init}");
    assert!(init.contains("192.0.2.1 7882 typ host"), "{init}");
}

#[test]
fn a_later_offer_may_number_the_codecs_otherwise() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let _bob = Client::join(&mut world, "bob");
    alice.dialect.opus = 96;
    alice.negotiate(&mut world);
    assert_eq!(alice.speak(&mut world).len(), 1);
}

#[test]
fn two_who_talk_hear_each_other_and_never_themselves() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let from_alice = alice.publish(&mut world);
    let mut bob = Client::join(&mut world, "bob");
    let from_bob = bob.publish(&mut world);
    alice.follow(&mut world);

    let copies = alice.speak(&mut world);
    assert_eq!(bob.heard(&world, &copies), [from_alice]);
    assert_eq!(copies.len(), 1, "nobody hears itself");
    let copies = bob.speak(&mut world);
    assert_eq!(alice.heard(&world, &copies), [from_bob]);
    assert_eq!(copies.len(), 1);
}

#[test]
fn a_publish_section_asks_for_red_first_and_dtx() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);

    let section = alice.answer.as_ref().unwrap().sections.last().unwrap();
    assert_eq!(section.direction, Direction::RecvOnly);
    let types: Vec<u8> = section.formats.iter().map(|format| format.payload_type).collect();
    assert_eq!(types, [63, 111]);
    let opus = section.formats[1].parameters.as_deref().unwrap();
    assert!(opus.contains("usedtx=1") && opus.contains("useinbandfec=1"), "{opus}");
}

#[test]
fn a_published_track_is_announced_with_what_the_description_says() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let mut bob = Client::join(&mut world, "bob");
    bob.follow(&mut world);
    bob.updates();
    let sid = alice.publish(&mut world);
    bob.follow(&mut world);

    let update = bob.updates().pop().unwrap();
    assert_eq!(update.identity, "alice");
    assert!(update.is_publisher);
    let track = &update.tracks[0];
    assert_eq!((track.sid.as_str(), track.mime_type.as_str()), (sid.as_str(), "audio/red"));
    assert_eq!(track.mid, "5");
    assert_eq!(track.codecs[0].cid, alice.track().cid);
    assert!(world.whats().iter().any(|what| matches!(what, What::TrackPublished { .. })));
}

#[test]
fn a_track_is_found_by_its_turn_when_the_browser_names_it_otherwise() {
    let mut world = World::new();
    let mut fox = Client::join_as(&mut world, "fox", SignalPath::OneConnection, FIREFOX);
    let sid = fox.publish(&mut world);
    let bob = Client::join(&mut world, "bob");

    assert_eq!(fox.speak(&mut world).len(), 1);
    let others = &bob.joined.as_ref().unwrap().other_participants;
    assert_eq!(others[0].tracks[0].sid, sid);
    assert_eq!(others[0].tracks[0].mime_type, "audio/opus");
    assert_eq!(others[0].tracks[0].codecs[0].sdp_cid, "{other}");
}

#[test]
fn tracks_are_told_apart_by_name_whatever_their_order() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let own = |cid: &str, sid: &str, ssrc| Own {
        kind: Kind::Audio,
        direction: Direction::SendOnly,
        track: Some(OwnTrack { cid: cid.to_owned(), sid: sid.to_owned(), ssrc }),
    };
    let first = alice.ask_for_track(&mut world, "first").unwrap();
    let second = alice.ask_for_track(&mut world, "second").unwrap();
    alice.sections.push(own("second", &second, 2));
    alice.sections.push(own("first", &first, 1));
    alice.negotiate(&mut world);
    let bob = Client::join(&mut world, "bob");
    let packet = alice.packet_of(1, 111, 20, &[1; 60]);
    let copies = world.forward(alice.upstream(&world), &packet);
    assert_eq!(bob.heard(&world, &copies), [first]);
    let packet = alice.packet_of(2, 111, 20, &[1; 60]);
    let copies = world.forward(alice.upstream(&world), &packet);
    assert_eq!(bob.heard(&world, &copies), [second]);
}

#[test]
fn a_promise_of_another_certificate_starts_over() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let mut offer = alice.next_offer();
    offer.sdp = offer.sdp.replace("CD:CD", "CD:CE");
    alice.send(&mut world, proto::livekit::signal_request::Message::Offer(offer));
    let leave = alice.leaves().remove(0);
    assert_eq!(leave.reason(), proto::livekit::DisconnectReason::StateMismatch);
    assert_eq!(leave.action(), proto::livekit::leave_request::Action::Reconnect);
}

#[test]
fn a_late_joiner_finds_present_tracks_in_the_answer_to_its_join() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let sid = alice.publish(&mut world);
    let mut bob = Client::join(&mut world, "bob");

    assert_eq!(bob.remote.keys().collect::<Vec<_>>(), [&sid]);
    assert_eq!(bob.requirements(), [] as [u32; 0]);
    let copies = alice.speak(&mut world);
    assert_eq!(bob.heard(&world, &copies), std::slice::from_ref(&sid));
    alice.follow(&mut world);
    let subscribed = alice.take(|message| match message {
        Message::TrackSubscribed(subscribed) => Some(subscribed.track_sid.clone()),
        _ => None,
    });
    assert_eq!(subscribed, [sid]);
}

#[test]
fn sections_are_asked_for_when_they_run_out_and_only_then() {
    let mut world = World::new();
    let mut bob = Client::join(&mut world, "bob");
    let mut speakers: Vec<Client> = Vec::new();
    for n in 0..5 {
        let mut speaker = Client::join(&mut world, &format!("speaker{n}"));
        speaker.publish(&mut world);
        speakers.push(speaker);
        bob.follow(&mut world);
    }

    assert_eq!(bob.requirements(), [0, 0, 0, 1, 1]);
    assert_eq!(bob.remote.len(), 5);
    for speaker in &mut speakers {
        let sid = speaker.track().sid;
        let copies = speaker.speak(&mut world);
        assert_eq!(bob.heard(&world, &copies), [sid]);
    }
}

#[test]
fn whoever_joins_a_crowd_asks_once_for_all_the_sections_it_lacks() {
    let mut world = World::new();
    let mut crowd: Vec<Client> =
        (0..5).map(|n| Client::join(&mut world, &format!("p{n}"))).collect();
    for speaker in &mut crowd {
        speaker.publish(&mut world);
    }
    let mut bob = Client::join(&mut world, "bob");

    assert_eq!(bob.requirements(), [2]);
    assert_eq!(bob.remote.len(), 5);
}

#[test]
fn a_section_whose_track_went_is_empty_once_and_then_used_again() {
    let mut world = World::new();
    let mut bob = Client::join(&mut world, "bob");
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    bob.follow(&mut world);
    assert_eq!(bob.answer.as_ref().unwrap().sections[0].direction, Direction::SendOnly);

    let last = alice.sections.last_mut().unwrap();
    last.direction = Direction::Inactive;
    last.track = None;
    alice.negotiate(&mut world);
    bob.follow(&mut world);
    assert_eq!(bob.answer.as_ref().unwrap().sections[0].direction, Direction::Inactive);
    assert!(bob.remote.is_empty());
    assert!(bob.updates().last().unwrap().tracks.is_empty());

    alice.publish(&mut world);
    bob.follow(&mut world);
    assert_eq!(bob.answer.as_ref().unwrap().sections[0].direction, Direction::SendOnly);
    assert_eq!(bob.sections.len(), 5, "no section was added");
    assert_eq!(alice.speak(&mut world).len(), 1);
}

#[test]
fn others_learn_of_a_newcomer_when_it_is_connected() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let mut join = bob.join_request();
    join.publisher_offer = Some(bob.next_offer());
    bob.enter(&mut world, join);
    alice.follow(&mut world);
    assert!(alice.updates().iter().all(|info| info.identity != "bob"));

    bob.connect(&mut world);
    alice.follow(&mut world);
    let update = alice.updates().pop().unwrap();
    assert_eq!(update.identity, "bob");
    assert_eq!(update.state(), participant_info::State::Active);
}

#[test]
fn a_listener_gets_nothing_before_it_is_connected() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let mut join = bob.join_request();
    join.publisher_offer = Some(bob.next_offer());
    bob.enter(&mut world, join);

    assert!(alice.speak(&mut world).is_empty());
    bob.connect(&mut world);
    assert_eq!(alice.speak(&mut world).len(), 1);
}

#[test]
fn an_offer_that_cannot_be_read_ends_the_session_with_a_word() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let mut offer = alice.next_offer();
    offer.sdp = "v=0\r\nnonsense".to_owned();
    alice.send(&mut world, proto::livekit::signal_request::Message::Offer(offer));

    assert_eq!(alice.leaves().len(), 1);
    assert!(world.closed.contains(&alice.session));
}

#[test]
fn a_client_that_never_connects_is_let_go_with_the_likely_cause() {
    let mut world = World::new();
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let mut join = bob.join_request();
    join.publisher_offer = Some(bob.next_offer());
    bob.enter(&mut world, join);
    let id = bob.upstream(&world);
    use proto::control::ConnectionFailure;
    world.transport(id, TransportEvent::Failed(ConnectionFailure::DtlsTimeout));
    assert!(world.closed.is_empty(), "it may try again");

    world.advance(std::time::Duration::from_secs(60));
    bob.follow(&mut world);
    assert_eq!(bob.leaves()[0].reason(), proto::livekit::DisconnectReason::JoinFailure);
    assert_eq!(world.transports[&id].last(), Some(&TransportAction::Close));
    let failed = world.whats().into_iter().find_map(|what| match what {
        What::ConnectionFailed { cause, .. } => Some(*cause),
        _ => None,
    });
    assert_eq!(failed, Some(ConnectionFailure::DtlsTimeout));
}

#[test]
fn signaling_learns_once_how_far_a_newcomers_media_came() {
    for path in [SignalPath::OneConnection, SignalPath::TwoConnections] {
        let mut world = World::new();
        let mut alice = Client::new(&mut world, "alice", path, CHROMIUM);
        let join = alice.join_request();
        alice.enter(&mut world, join);
        alice.publish(&mut world);
        assert_eq!(world.reached, []);

        for id in alice.transports(&world) {
            world.transport(id, TransportEvent::AddressVerified);
            world.transport(id, TransportEvent::AddressVerified);
        }
        assert_eq!(world.reached, [(alice.session, MediaStage::Ice)]);
        alice.connect(&mut world);
        alice.speak(&mut world);
        alice.speak(&mut world);
        let id = alice.upstream(&world);
        world.transport(id, TransportEvent::AddressVerified);
        let stages = [MediaStage::Ice, MediaStage::Dtls, MediaStage::FirstPacket];
        assert_eq!(world.reached, stages.map(|stage| (alice.session, stage)));
    }
}

#[test]
fn whoever_speaks_late_is_no_slow_joiner() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    world.advance(std::time::Duration::from_secs(61));
    alice.speak(&mut world);
    assert!(world.reached.iter().all(|(_, stage)| *stage < MediaStage::FirstPacket));
}
