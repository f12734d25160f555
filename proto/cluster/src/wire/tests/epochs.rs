//! Whoever says something of a room says under which epoch, and isn't listened to without one.

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    control::{Command, Event},
    ids::Epoch,
    link::{LinkClosed, LinkFrame, LinkPurpose, LinkRequest},
};

use super::{arb, sent};
use crate::{message as pb, wire::MessageError};

const SCHEMA: &str = include_str!("../../../schema/cluster.proto");
/// What a token allows names a room and claims nothing of it.
const CLAIMS_NOTHING: &str = "VideoGrant";
const WITHOUT: MessageError = MessageError::Absent("epoch");

/// The schema's messages, each with its fields as type and name. Those of a `oneof` are the
/// message's own.
fn messages() -> BTreeMap<&'static str, Vec<[&'static str; 2]>> {
    let mut messages: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut of = None;
    for line in SCHEMA.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["message", name, ..] => of = Some(name),
            ["enum" | "service", ..] => of = None,
            ["optional" | "repeated", kind, name, "=", ..] | [kind, name, "=", ..] => {
                messages.entry(of.unwrap_or_default()).or_default().push([kind, name]);
            }
            _ => {}
        }
    }
    messages
}

#[test]
fn every_message_that_names_a_room_has_an_epoch_that_is_no_option() {
    let messages = messages();
    let of_rooms: BTreeSet<&str> = messages
        .iter()
        .filter(|(name, fields)| fields.contains(&["string", "room"]) && **name != CLAIMS_NOTHING)
        .map(|(name, _)| *name)
        .chain(["LinkOpened"])
        .collect();
    assert!(of_rooms.len() >= 5, "the schema was not understood: {of_rooms:?}");
    for name in of_rooms {
        let has_epoch =
            messages[name].iter().any(|field| matches!(field, ["uint64", "epoch" | "current"]));
        assert!(has_epoch, "{name} speaks of a room and not of its epoch");
    }
    assert!(
        !SCHEMA.contains("optional uint64 epoch") && !SCHEMA.contains("optional uint64 current")
    );
}

#[test]
fn a_command_for_a_room_without_an_epoch_is_refused() {
    let mut count = 0;
    arbtest::arbtest(|u| {
        for command in arb::commands(u)? {
            let mut message = pb::Command::from(command);
            if let Some(pb::command::What::Room(command)) = &mut message.what {
                command.epoch = 0;
                assert_eq!(Command::try_from(sent(message)), Err(WITHOUT));
                count += 1;
            }
        }
        Ok(())
    });
    assert!(count > 0);
}

#[test]
fn an_event_of_a_room_without_an_epoch_is_refused() {
    let mut counts = [0; 2];
    arbtest::arbtest(|u| {
        for event in arb::events(u)? {
            let mut message = pb::Event::from(event);
            match &mut message.what {
                Some(pb::event::What::StaleEpoch(stale)) => {
                    stale.current = 0;
                    counts[0] += 1;
                }
                Some(pb::event::What::Happened(happening)) => {
                    happening.epoch = 0;
                    counts[1] += 1;
                }
                Some(_) | None => continue,
            }
            assert_eq!(Event::try_from(sent(message)), Err(WITHOUT));
        }
        Ok(())
    });
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn a_link_without_an_epoch_is_refused_on_both_sides() {
    let room = "demo".parse().unwrap();
    let request = LinkRequest { room, epoch: Epoch(0), purpose: LinkPurpose::Recording };
    assert_eq!(LinkRequest::try_from(sent(pb::LinkRequest::from(request))), Err(WITHOUT));

    let stale = LinkFrame::Closed(LinkClosed::StaleEpoch { current: Epoch(0) });
    assert_eq!(LinkFrame::try_from(sent(pb::LinkFrame::from(stale))), Err(WITHOUT));
    let mut count = 0;
    arbtest::arbtest(|u| {
        for frame in arb::frames(u)? {
            if let LinkFrame::Opened { sid, at, .. } = frame {
                let opened = LinkFrame::Opened { sid, epoch: Epoch(0), at };
                assert_eq!(LinkFrame::try_from(sent(pb::LinkFrame::from(opened))), Err(WITHOUT));
                count += 1;
            }
        }
        Ok(())
    });
    assert!(count > 0);
}
