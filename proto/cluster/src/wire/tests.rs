//! Every value survives the wire, and no bytes make it fall over.

mod arb;
mod epochs;

use std::collections::BTreeSet;

use prost::Message as _;
use proto::{
    control::{Command, ConnectionFailure, Event, OperationError, Reply},
    link::{LinkFrame, LinkPurpose, LinkRequest},
};

use super::MessageError;
use crate::message as pb;

fn damaged(
    u: &mut arbtest::arbitrary::Unstructured<'_>,
    mut bytes: Vec<u8>,
) -> arbtest::arbitrary::Result<Vec<u8>> {
    for _ in 0..u.int_in_range(1..=4)? {
        let at = u.choose_index(bytes.len().max(1))?;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = u.arbitrary()?;
        }
    }
    Ok(bytes)
}

fn sent<M: prost::Message + Default>(message: M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

#[test]
fn every_command_survives_the_wire() {
    let mut kinds = BTreeSet::new();
    arbtest::arbtest(|u| {
        for command in arb::commands(u)? {
            kinds.insert(arb::kind_of_command(&command));
            let message = sent(pb::Command::from(command.clone()));
            assert_eq!(Command::try_from(message), Ok(command));
        }
        Ok(())
    });
    assert_eq!(kinds, (0..arb::COMMAND_KINDS).collect());
}

#[test]
fn every_event_survives_the_wire() {
    let mut kinds = BTreeSet::new();
    arbtest::arbtest(|u| {
        for event in arb::events(u)? {
            kinds.insert(arb::kind_of_event(&event));
            let message = sent(pb::Event::from(event.clone()));
            assert_eq!(Event::try_from(message), Ok(event));
        }
        Ok(())
    });
    assert_eq!(kinds, (0..arb::EVENT_KINDS).collect());
}

#[test]
fn every_link_frame_survives_the_wire() {
    let mut kinds = BTreeSet::new();
    arbtest::arbtest(|u| {
        for purpose in [LinkPurpose::Recording, LinkPurpose::Relay] {
            let request = LinkRequest { room: arb::name(u)?, epoch: arb::epoch(u)?, purpose };
            let message = sent(pb::LinkRequest::from(request.clone()));
            assert_eq!(LinkRequest::try_from(message), Ok(request));
        }
        for frame in arb::frames(u)? {
            kinds.insert(arb::kind_of_frame(&frame));
            let message = sent(pb::LinkFrame::from(frame.clone()));
            assert_eq!(LinkFrame::try_from(message), Ok(frame));
        }
        Ok(())
    });
    assert_eq!(kinds, (0..arb::FRAME_KINDS).collect());
}

#[test]
fn no_bytes_are_worse_than_an_error() {
    arbtest::arbtest(|u| {
        let bytes: Vec<u8> = u.arbitrary()?;
        _ = pb::Command::decode(bytes.as_slice()).map(Command::try_from);
        _ = pb::Event::decode(bytes.as_slice()).map(Event::try_from);
        _ = pb::LinkFrame::decode(bytes.as_slice()).map(LinkFrame::try_from);
        Ok(())
    });
}

#[test]
fn damage_is_an_error_or_a_value_that_survives_in_its_turn() {
    arbtest::arbtest(|u| {
        for command in arb::commands(u)? {
            let bytes = damaged(u, pb::Command::from(command).encode_to_vec())?;
            let read = pb::Command::decode(bytes.as_slice()).ok().map(Command::try_from);
            if let Some(Ok(value)) = read {
                assert_eq!(Command::try_from(sent(pb::Command::from(value.clone()))), Ok(value));
            }
        }
        for frame in arb::frames(u)? {
            let bytes = damaged(u, pb::LinkFrame::from(frame).encode_to_vec())?;
            let read = pb::LinkFrame::decode(bytes.as_slice()).ok().map(LinkFrame::try_from);
            if let Some(Ok(value)) = read {
                let message = sent(pb::LinkFrame::from(value.clone()));
                assert_eq!(LinkFrame::try_from(message), Ok(value));
            }
        }
        Ok(())
    });
}

#[test]
fn a_message_of_a_later_release_is_an_error_that_says_so() {
    // Field 99, which no release has.
    let later = [0x9a, 0x06, 0x00];
    let command = pb::Command::decode(&later[..]).unwrap();
    assert_eq!(Command::try_from(command), Err(MessageError::Absent("command")));
    let event = pb::Event::decode(&later[..]).unwrap();
    assert_eq!(Event::try_from(event), Err(MessageError::Absent("event")));
    let frame = pb::LinkFrame::decode(&later[..]).unwrap();
    assert_eq!(LinkFrame::try_from(frame), Err(MessageError::Absent("frame")));
    let why = Err(MessageError::Unknown { field: "cause", value: 99 });
    assert_eq!(super::known::<pb::ConnectionFailure>("cause", 99), why);
    let unspecified = pb::ConnectionFailure::Unspecified;
    let cause: Result<ConnectionFailure, _> = unspecified.try_into();
    assert_eq!(cause, Err(MessageError::Absent("cause")));
}

#[test]
fn a_field_that_a_later_release_adds_is_passed_over() {
    let mut bytes = pb::Command::from(Command::Shutdown).encode_to_vec();
    bytes.extend([0x9a, 0x06, 0x00]);
    let command = pb::Command::decode(bytes.as_slice()).unwrap();
    assert_eq!(Command::try_from(command), Ok(Command::Shutdown));
}

#[test]
fn what_breaks_the_rules_of_its_field_is_refused() {
    let nameless = pb::LinkRequest { purpose: 1, ..Default::default() };
    assert_eq!(LinkRequest::try_from(nameless), Err(MessageError::Malformed("room")));
    let aimless = pb::LinkRequest { room: "demo".to_owned(), ..Default::default() };
    assert_eq!(LinkRequest::try_from(aimless), Err(MessageError::Absent("purpose")));
    let short = pb::event::What::Close(pb::Session { id: vec![1; 15] });
    let short = pb::Event { what: Some(short) };
    assert_eq!(Event::try_from(short), Err(MessageError::Malformed("session")));
    let outside = pb::LinkPacket {
        encoding: Some(pb::link_packet::Encoding::Red(5)),
        payload: vec![0; 4].into(),
        ..Default::default()
    };
    let frame = pb::link_frame::What::Packets(pb::LinkPackets { packets: vec![outside] });
    let frame = pb::LinkFrame { what: Some(frame) };
    assert_eq!(LinkFrame::try_from(frame), Err(MessageError::Malformed("primary block")));
    let join = pb::room_command::Action::Join(pb::Join::default());
    let join = pb::RoomCommand { room: "demo".to_owned(), epoch: 1, action: Some(join) };
    let join = pb::Command { what: Some(pb::command::What::Room(join)) };
    assert_eq!(Command::try_from(join), Err(MessageError::Absent("signal path")));
}

#[test]
fn a_refusal_keeps_its_words() {
    let refused: Result<Reply, OperationError> = Err(OperationError::Invalid("too long".into()));
    let message = pb::reply::Result::from(refused.clone());
    assert_eq!(message.try_into(), Ok(refused));
}
