//! Relaying data packets: the sender is who we say, the rest is what the sender said.

use prost::Message as _;
use proto::{
    data_packet::{DataPacketError, Incoming},
    limits::{DATA_PACKET_BYTES_MAX, DESTINATIONS_MAX},
    livekit::{DataPacket, RpcAck, UserPacket, data_packet::Value},
};

fn user() -> UserPacket {
    UserPacket {
        payload: b"hello".to_vec(),
        topic: Some("chat".into()),
        participant_sid: "PA_liar".into(),
        participant_identity: "liar".into(),
        destination_identities: vec!["carol".into()],
        destination_sids: vec!["PA_dave".into()],
        ..UserPacket::default()
    }
}

fn packet(value: Value) -> DataPacket {
    DataPacket {
        value: Some(value),
        participant_sid: "PA_liar".into(),
        participant_identity: "liar".into(),
        destination_identities: vec!["bob".into()],
        sequence: 7,
        ..DataPacket::default()
    }
}

/// Field 200, a string: what some later schema might add.
const LATER: &[u8] = b"\xC2\x0C\x05later";

#[test]
fn the_sender_is_who_we_say() {
    let bytes = packet(Value::User(user())).encode_to_vec();
    let stamped = Incoming::parse(&bytes).unwrap().stamped("PA_alice", "alice");

    let truth = UserPacket {
        participant_sid: "PA_alice".into(),
        participant_identity: "alice".into(),
        ..user()
    };
    let expected = DataPacket {
        participant_sid: "PA_alice".into(),
        participant_identity: "alice".into(),
        ..packet(Value::User(truth))
    };
    assert_eq!(DataPacket::decode(stamped.clone()), Ok(expected));
    assert!(!stamped.windows(4).any(|window| window == b"liar"), "the lie is gone");
}

#[test]
fn what_we_do_not_know_travels_on() {
    let mut user_bytes = user().encode_to_vec();
    user_bytes.extend_from_slice(LATER);
    let mut bytes = vec![0x12, u8::try_from(user_bytes.len()).unwrap()];
    bytes.extend_from_slice(&user_bytes);
    bytes.extend_from_slice(LATER);

    let stamped = Incoming::parse(&bytes).unwrap().stamped("PA_alice", "alice");
    let copies = stamped.windows(LATER.len()).filter(|window| *window == LATER).count();
    assert_eq!(copies, 2, "one of the packet, one of its body");
    assert!(DataPacket::decode(stamped).is_ok());
}

#[test]
fn a_body_that_a_later_schema_added_travels_on() {
    let stamped = Incoming::parse(LATER).unwrap().stamped("PA_a", "a");
    assert!(stamped.starts_with(LATER));
}

#[test]
fn destinations_are_gathered_from_packet_and_body() {
    let bytes = packet(Value::User(user())).encode_to_vec();
    let incoming = Incoming::parse(&bytes).unwrap();
    assert_eq!(incoming.destination_identities().collect::<Vec<_>>(), ["bob", "carol"]);
    assert_eq!(incoming.destination_sids().collect::<Vec<_>>(), ["PA_dave"]);
    assert_eq!(incoming.packet().sequence, 7);

    let ack = packet(Value::RpcAck(RpcAck { request_id: "r".into() })).encode_to_vec();
    let incoming = Incoming::parse(&ack).unwrap();
    assert_eq!(incoming.destination_identities().collect::<Vec<_>>(), ["bob"]);
    assert_eq!(incoming.destination_sids().count(), 0);
}

#[test]
fn malformed_packets_are_refused() {
    let refused = |bytes: &[u8]| Incoming::parse(bytes).unwrap_err();
    let ack = packet(Value::RpcAck(RpcAck::default())).encode_to_vec();
    let two = [ack.clone(), packet(Value::User(user())).encode_to_vec()].concat();
    let twice = packet(Value::User(user())).encode_to_vec().repeat(2);

    assert_eq!(refused(&ack[..ack.len() - 1]), DataPacketError::Malformed);
    assert_eq!(refused(b"\x12\xFF"), DataPacketError::Malformed);
    assert_eq!(refused(b"\x12\x02\x08"), DataPacketError::Malformed, "the body is cut short");
    assert_eq!(refused(b"\x22\x01\xFF"), DataPacketError::Malformed, "an identity that isn't text");
    assert_eq!(refused(b"\xC3\x0C\xC4\x0C"), DataPacketError::Malformed, "a group");
    assert_eq!(refused(&two), DataPacketError::SeveralBodies);
    assert_eq!(refused(&twice), DataPacketError::SeveralBodies);
    assert_eq!(refused(&vec![0; DATA_PACKET_BYTES_MAX + 1]), DataPacketError::TooLong);

    let crowd = vec!["x".into(); DESTINATIONS_MAX + 1];
    let crowd = DataPacket { destination_identities: crowd, ..DataPacket::default() };
    assert_eq!(refused(&crowd.encode_to_vec()), DataPacketError::TooManyDestinations);
}

#[test]
fn any_bytes_are_relayed_readably_or_refused() {
    arbtest::arbtest(|u| {
        let mut bytes = packet(Value::User(user())).encode_to_vec();
        for _ in 0..u.int_in_range(1..=6)? {
            let at = u.choose_index(bytes.len())?;
            bytes[at] = u.arbitrary()?;
        }
        if let Ok(incoming) = Incoming::parse(&bytes) {
            let relayed = DataPacket::decode(incoming.stamped("PA_a", "a")).unwrap();
            assert_eq!(relayed.participant_identity, "a");
            assert_eq!(relayed.participant_sid, "PA_a");
        }
        Ok(())
    });
}
