//! The older path: a publisher connection of the client's, a subscriber connection of ours.

use proto::{
    control::SignalPath,
    livekit::{
        SessionDescription, client_info, signal_request::Message as Request,
        signal_response::Message,
    },
    sdp::{Direction, Kind, Session, Setup},
};
use sfu_core::TransportAction;

use crate::{
    client::{CHROMIUM, Client, FIREFOX, GO},
    world::World,
};

const V0: SignalPath = SignalPath::TwoConnections;

#[test]
fn we_offer_at_once_with_the_channels_on_our_side() {
    let mut world = World::new();
    let mut alice = Client::new(&mut world, "alice", V0, CHROMIUM);
    alice.follows = false;
    let join = alice.join_request();
    alice.enter(&mut world, join);

    assert!(matches!(alice.log[..], [Message::Join(_), Message::Offer(_), Message::Trickle(_)]));
    assert!(alice.joined.as_ref().unwrap().subscriber_primary);
    let offer = offers(&mut alice).remove(0);
    assert!(offer.id > 0);
    let session = Session::parse(offer.sdp.as_bytes()).unwrap();
    assert_eq!(session.sections.len(), 1);
    assert_eq!(session.sections[0].kind, Kind::Application);
    let actions = world.transports.values().next().unwrap();
    assert!(matches!(
        actions[0],
        TransportAction::Open { channels: proto::data::ChannelSide::Local, .. }
    ));
}

#[test]
fn two_on_the_older_path_hear_each_other() {
    for dialect in [CHROMIUM, FIREFOX, GO] {
        let mut world = World::new();
        let mut alice = Client::join_as(&mut world, "alice", V0, dialect);
        let from_alice = alice.publish(&mut world);
        alice.connect(&mut world);
        let mut bob = Client::join_as(&mut world, "bob", V0, dialect);
        let from_bob = bob.publish(&mut world);
        bob.connect(&mut world);
        alice.follow(&mut world);

        let copies = alice.speak(&mut world);
        assert_eq!(bob.heard(&world, &copies), [from_alice]);
        let copies = bob.speak(&mut world);
        assert_eq!(alice.heard(&world, &copies), [from_bob]);
    }
}

#[test]
fn both_paths_meet_in_one_room() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let from_alice = alice.publish(&mut world);
    let mut bob = Client::join_v0(&mut world, "bob");
    let from_bob = bob.publish(&mut world);
    alice.follow(&mut world);

    let copies = alice.speak(&mut world);
    assert_eq!(bob.heard(&world, &copies), [from_alice]);
    let copies = bob.speak(&mut world);
    assert_eq!(alice.heard(&world, &copies), [from_bob]);
}

#[test]
fn one_offer_is_under_way_at_a_time_and_the_next_says_the_rest() {
    let mut world = World::new();
    let mut bob = Client::join_v0(&mut world, "bob");
    let first = offers(&mut bob).remove(0).id;
    bob.follows = false;
    let mut speakers: Vec<Client> =
        (0..3).map(|n| Client::join(&mut world, &format!("speaker{n}"))).collect();
    for speaker in &mut speakers {
        speaker.publish(&mut world);
    }
    bob.follow(&mut world);
    let waiting = offers(&mut bob);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].id, first + 1);
    assert_eq!(waiting[0].mid_to_track_id.len(), 1);

    bob.follows = true;
    answer(&mut bob, &mut world, &waiting[0]);
    assert_eq!(offers(&mut bob).len(), 1, "one more offer tells of the two others");
    assert_eq!(bob.remote.len(), 3);
}

#[test]
fn an_answer_to_no_offer_changes_nothing() {
    let mut world = World::new();
    let mut bob = Client::join_v0(&mut world, "bob");
    let offer = offers(&mut bob).remove(0);
    let before = world.transports.clone();
    answer(&mut bob, &mut world, &offer);
    answer(&mut bob, &mut world, &SessionDescription { id: offer.id + 7, ..offer.clone() });
    assert_eq!(world.transports, before);
    assert_eq!(world.stats().signals_refused, 2);
}

#[test]
fn an_unpublished_track_empties_its_section_and_the_next_one_takes_it() {
    let mut world = World::new();
    let mut bob = Client::join_v0(&mut world, "bob");
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    bob.follow(&mut world);
    let section = |bob: &Client| bob.offer.as_ref().unwrap().sections[1].direction;
    assert_eq!(section(&bob), Direction::SendOnly);

    let last = alice.sections.last_mut().unwrap();
    (last.direction, last.track) = (Direction::Inactive, None);
    alice.negotiate(&mut world);
    bob.follow(&mut world);
    assert_eq!(section(&bob), Direction::Inactive);

    alice.publish(&mut world);
    bob.follow(&mut world);
    assert_eq!(section(&bob), Direction::SendOnly);
    assert_eq!(bob.offer.as_ref().unwrap().sections.len(), 2);
}

#[test]
fn pion_is_told_to_start_the_handshake() {
    let mut world = World::new();
    let mut go = Client::new(&mut world, "go", V0, GO);
    let mut join = go.join_request();
    join.client.sdk = client_info::Sdk::Go.into();
    go.enter(&mut world, join);
    assert_eq!(go.offer.as_ref().unwrap().peer().unwrap().setup, Setup::Passive);
    let js = Client::join_v0(&mut world, "js");
    assert_eq!(js.offer.as_ref().unwrap().peer().unwrap().setup, Setup::ActPass);
}

#[test]
fn a_listener_without_red_gets_the_primary_alone() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let _go = Client::join_as(&mut world, "go", V0, GO);
    let _js = Client::join_v0(&mut world, "js");

    let mut red = vec![0x80 | 111, 0x0f, 0, 4, 111];
    red.extend([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let ssrc = alice.track().ssrc;
    let packet = alice.packet_of(ssrc, 63, 20, &red);
    let copies = world.forward(alice.upstream(&world), &packet);
    let mut ways: Vec<_> = copies.iter().map(|copy| (copy.payload_type, copy.payload)).collect();
    ways.sort_by_key(|(payload_type, _)| *payload_type);
    use sfu_core::PayloadPart::{From, Whole};
    assert_eq!(ways, [(63, Whole), (111, From(9))]);
}

fn offers(client: &mut Client) -> Vec<SessionDescription> {
    client.take(|message| match message {
        Message::Offer(offer) => Some(offer.clone()),
        _ => None,
    })
}

fn answer(client: &mut Client, world: &mut World, offer: &SessionDescription) {
    client.offer = Some(Session::parse(offer.sdp.as_bytes()).unwrap());
    let answer = SessionDescription {
        r#type: "answer".to_owned(),
        sdp: client.answer_to(client.offer.as_ref().unwrap()),
        id: offer.id,
        ..Default::default()
    };
    client.send(world, Request::Answer(answer));
}
