//! Data packets between participants, and from the API.

use prost::Message as _;
use proto::{
    control::{Operation, SignalPath},
    data::Channel,
    livekit::{
        DataPacket, SendDataRequest, UserPacket,
        data_packet::{Kind, Value},
    },
};
use sfu_core::{TransportEvent, TransportId};

use crate::{
    client::{CHROMIUM, Client},
    world::World,
};

fn three(path: SignalPath) -> (World, Client, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join_as(&mut world, "alice", path, CHROMIUM);
    if path == SignalPath::TwoConnections {
        alice.negotiate(&mut world);
        alice.connect(&mut world);
    }
    let bob = Client::join_as(&mut world, "bob", path, CHROMIUM);
    let carol = Client::join_as(&mut world, "carol", path, CHROMIUM);
    (world, alice, bob, carol)
}

fn chat(to: &[&str]) -> DataPacket {
    let user = UserPacket {
        participant_sid: "PA_forged".to_owned(),
        payload: b"hello".to_vec(),
        topic: Some("chat".to_owned()),
        ..Default::default()
    };
    DataPacket {
        participant_identity: "forged".to_owned(),
        destination_identities: to.iter().map(|name| (*name).to_owned()).collect(),
        sequence: 3,
        value: Some(Value::User(user)),
        ..Default::default()
    }
}

fn received(world: &mut World) -> Vec<(TransportId, Channel, DataPacket)> {
    let data = std::mem::take(&mut world.data);
    let decoded = data
        .into_iter()
        .map(|(to, channel, payload)| (to, channel, DataPacket::decode(payload).unwrap()));
    decoded.collect()
}

#[test]
fn a_packet_for_all_reaches_all_but_its_sender_under_its_true_name() {
    for path in [SignalPath::OneConnection, SignalPath::TwoConnections] {
        let (mut world, alice, bob, carol) = three(path);
        world.data(alice.upstream(&world), Channel::Reliable, &chat(&[]).encode_to_vec());
        let received = received(&mut world);
        let mut to: Vec<TransportId> = received.iter().map(|(to, _, _)| *to).collect();
        to.sort();
        let mut others = [bob.downstream(&world), carol.downstream(&world)];
        others.sort();
        assert_eq!(to, others);
        for (_, channel, packet) in received {
            assert_eq!(channel, Channel::Reliable);
            assert_eq!(packet.participant_identity, "alice");
            assert_eq!(packet.participant_sid, alice.sid());
            assert_eq!(packet.sequence, 3);
            let Some(Value::User(user)) = packet.value else { panic!() };
            assert_eq!(user.participant_sid, alice.sid());
            assert_eq!(user.payload, b"hello");
        }
    }
}

#[test]
fn destinations_are_kept() {
    let (mut world, alice, bob, _carol) = three(SignalPath::OneConnection);
    world.data(alice.upstream(&world), Channel::Lossy, &chat(&["bob"]).encode_to_vec());
    let received = received(&mut world);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].0, bob.downstream(&world));
    assert_eq!(received[0].1, Channel::Lossy);
}

#[test]
fn a_packet_to_oneself_goes_nowhere() {
    let (mut world, alice, _bob, _carol) = three(SignalPath::OneConnection);
    world.data(alice.upstream(&world), Channel::Reliable, &chat(&["alice"]).encode_to_vec());
    assert!(world.data.is_empty());
}

#[test]
fn who_may_not_send_data_is_refused_and_counted() {
    let (mut world, _alice, _bob, _carol) = three(SignalPath::OneConnection);
    let mut mute = Client::new(&mut world, "mute", SignalPath::OneConnection, CHROMIUM);
    let mut join = mute.join_request();
    join.grants.video.as_mut().unwrap().can_publish_data = Some(false);
    join.publisher_offer = Some(mute.next_offer());
    mute.enter(&mut world, join);
    mute.connect(&mut world);
    let id = mute.upstream(&world);
    world.data(id, Channel::Reliable, &chat(&[]).encode_to_vec());
    world.data(id, Channel::Reliable, b"\xff\xff not a packet");
    assert!(world.data.is_empty());
    assert_eq!(world.stats().data_refused, 2);
}

#[test]
fn garbage_and_servers_words_are_refused() {
    let (mut world, alice, _bob, _carol) = three(SignalPath::OneConnection);
    let id = alice.upstream(&world);
    let speaker = DataPacket { value: Some(Value::Speaker(Default::default())), ..chat(&[]) };
    let huge = DataPacket {
        value: Some(Value::User(UserPacket { payload: vec![0; 70_000], ..Default::default() })),
        ..chat(&[])
    };
    for packet in [speaker, huge, DataPacket { value: None, ..chat(&[]) }] {
        world.data(id, Channel::Reliable, &packet.encode_to_vec());
    }
    world.data(id, Channel::DataTrack, &chat(&[]).encode_to_vec());
    assert!(world.data.is_empty());
    assert_eq!(world.stats().data_refused, 4);
}

#[test]
fn the_api_speaks_to_all_or_to_some_in_nobodys_name() {
    let (mut world, alice, bob, _carol) = three(SignalPath::OneConnection);
    let request =
        SendDataRequest { data: b"hi".to_vec(), topic: Some("t".to_owned()), ..Default::default() };
    world.admin(Operation::SendData(request.clone())).unwrap();
    let to_all = received(&mut world);
    assert_eq!(to_all.len(), 3);
    assert!(to_all[0].2.participant_identity.is_empty());
    let request = SendDataRequest {
        kind: Kind::Lossy.into(),
        destination_identities: vec!["bob".to_owned()],
        destination_sids: vec![alice.sid().to_owned()],
        ..request
    };
    world.admin(Operation::SendData(request)).unwrap();
    let to_some = received(&mut world);
    let mut to: Vec<TransportId> = to_some.iter().map(|(to, _, _)| *to).collect();
    to.sort();
    assert_eq!(to, [alice.downstream(&world), bob.downstream(&world)]);
    assert!(to_some.iter().all(|(_, channel, _)| *channel == Channel::Lossy));
}

/// Bob is there, and his channels are still opening.
fn opening() -> (World, Client, TransportId) {
    let mut world = World::new();
    let alice = Client::join(&mut world, "alice");
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let mut join = bob.join_request();
    join.publisher_offer = Some(bob.next_offer());
    bob.enter(&mut world, join);
    let id = bob.upstream(&world);
    world.transport(id, TransportEvent::Connected);
    (world, alice, id)
}

fn numbered(number: u32, bytes: usize) -> Vec<u8> {
    let user = UserPacket { payload: vec![7; bytes], ..Default::default() };
    let packet =
        DataPacket { sequence: number, value: Some(Value::User(user)), ..Default::default() };
    packet.encode_to_vec()
}

fn numbers(world: &mut World) -> Vec<u32> {
    received(world).into_iter().map(|(_, _, packet)| packet.sequence).collect()
}

#[test]
fn reliable_messages_wait_in_order_for_a_channel_that_is_opening() {
    let (mut world, alice, bob) = opening();
    let from = alice.upstream(&world);
    for number in 1..=200 {
        world.data(from, Channel::Reliable, &numbered(number, 100));
        world.data(from, Channel::Lossy, &numbered(number, 100));
    }
    assert!(world.data.is_empty());
    world.transport(bob, TransportEvent::ChannelOpen(Channel::Lossy));
    assert!(world.data.is_empty());
    world.transport(bob, TransportEvent::ChannelOpen(Channel::Reliable));
    world.data(from, Channel::Reliable, &numbered(201, 100));
    assert_eq!(numbers(&mut world), (1..=201).collect::<Vec<u32>>());
}

#[test]
fn what_waits_for_a_channel_is_bounded_in_messages_and_in_bytes() {
    for (bytes, most) in [(1, 512), (10_000, 6)] {
        let (mut world, alice, bob) = opening();
        let from = alice.upstream(&world);
        (0..600).for_each(|n| world.data(from, Channel::Reliable, &numbered(n, bytes)));
        world.transport(bob, TransportEvent::ChannelOpen(Channel::Reliable));
        assert_eq!(numbers(&mut world).len(), most);
    }
}
