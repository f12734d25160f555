//! Listeners that are no participants: what they hear, and what they are told.

use std::time::Duration;

use proto::{
    control::Operation,
    ids::Epoch,
    link::{LinkClosed, LinkEncoding, LinkFrame, LinkPurpose, LinkTrack, LinkTrackId, UnixMicros},
    livekit::{
        SubscriptionPermission, TrackPermission, TrackSource, signal_request::Message as Request,
        signal_response::Message,
    },
};
use sfu_core::{LinkId, Tap};

use crate::{client::Client, world::World};

use LinkPurpose::{Recording, Relay};

#[test]
fn a_link_hears_a_room_in_which_nobody_listens() {
    let (mut world, mut alice) = alone();
    let link = world.open_link(Recording);
    let track = started(&world.link_frames(link))[0].clone();
    assert_eq!(track.sid.to_string(), alice.track().sid);
    assert_eq!((track.identity.as_str(), &*track.participant_name), ("alice", "ALICE"));
    assert_eq!((track.source, track.muted), (TrackSource::Microphone, false));

    world.advance(Duration::from_millis(20));
    assert!(alice.speak(&mut world).is_empty(), "no participant listens");
    world.advance(Duration::from_millis(20));
    alice.speak(&mut world);
    let [first, second] = world.taps[..] else { panic!("{:?}", world.taps) };
    let timestamp = first.timestamp.wrapping_add(960);
    let received = UnixMicros(first.received.0 + 20_000);
    assert_eq!(second, Tap { index: first.index + 1, timestamp, received, ..first });
    assert_eq!((first.to, first.track, first.encoding), (link, track.id, LinkEncoding::Opus));
    assert!(track.at < first.received);
    assert_eq!(world.stats().packets_tapped, 2);
}

#[test]
fn a_link_is_told_of_what_is_there_and_of_what_comes_later() {
    let (mut world, alice) = alone();
    let link = world.open_link(Recording);
    let frames = world.link_frames(link);
    assert!(matches!(frames[0], LinkFrame::Opened { epoch: Epoch(1), .. }), "{frames:?}");
    assert_eq!(sids(&frames), [alice.track().sid]);

    let mut bob = Client::join(&mut world, "bob");
    assert!(world.link_frames(link).is_empty(), "who says nothing is of no interest");
    bob.publish(&mut world);
    let frames = world.link_frames(link);
    assert_eq!(sids(&frames), [bob.track().sid]);
    bob.speak(&mut world);
    assert_eq!(world.taps[0].track, started(&frames)[0].id);
}

#[test]
fn numbers_go_on_through_a_wrap() {
    let (mut world, mut alice) = alone();
    world.open_link(Recording);
    alice.sequence = 65_530;
    for _ in 0..20 {
        alice.speak(&mut world);
    }
    let indexes: Vec<u64> = world.taps.iter().map(|tap| tap.index).collect();
    assert!(indexes.windows(2).all(|pair| pair[1] == pair[0] + 1), "{indexes:?}");
}

#[test]
fn redundant_audio_says_where_its_newest_packet_starts() {
    let (mut world, mut alice) = alone();
    world.open_link(Recording);
    // One older block of three bytes, then the primary (RFC 2198 §3).
    let payload = [0x80 | 111, 0, 0, 3, 111, 1, 2, 3, 7, 7, 7];
    let packet = alice.packet_of(alice.track().ssrc, 63, 20, &payload);
    world.forward(alice.upstream(&world), &packet);
    assert_eq!(world.taps[0].encoding, LinkEncoding::Red { primary: 8 });
}

#[test]
fn a_muted_track_is_not_recorded_whatever_its_sender_sends() {
    let (mut world, mut alice) = alone();
    let link = world.open_link(Recording);
    alice.speak(&mut world);
    world.link_frames(link);
    alice.mute(&mut world, true);
    alice.speak(&mut world);
    alice.mute(&mut world, false);
    alice.speak(&mut world);
    let muted: Vec<bool> = world
        .link_frames(link)
        .iter()
        .map(|frame| match frame {
            LinkFrame::TrackMuted { muted, .. } => *muted,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(muted, [true, false]);
    let indexes: Vec<u64> = world.taps.iter().map(|tap| tap.index).collect();
    assert_eq!(indexes, [indexes[0], indexes[0] + 2]);
}

#[test]
fn a_link_opened_while_a_track_is_muted_is_told_so() {
    let (mut world, mut alice) = alone();
    alice.mute(&mut world, true);
    let link = world.open_link(Recording);
    assert!(started(&world.link_frames(link))[0].muted);
}

#[test]
fn a_track_ends_and_its_name_is_not_used_again() {
    let (mut world, mut alice) = alone();
    let link = world.open_link(Recording);
    let first = started(&world.link_frames(link))[0].id;
    alice.sections.last_mut().unwrap().direction = proto::sdp::Direction::Inactive;
    alice.negotiate(&mut world);
    assert_eq!(ended(&world.link_frames(link)), [first]);
    alice.speak(&mut world);
    assert!(world.taps.is_empty());

    alice.publish(&mut world);
    let again = started(&world.link_frames(link))[0].id;
    assert_ne!(again, first);
}

#[test]
fn who_leaves_takes_its_tracks_along() {
    let (mut world, alice) = alone();
    let link = world.open_link(Recording);
    let track = started(&world.link_frames(link))[0].id;
    world.admin(Operation::Remove { identity: alice.identity.clone() }).unwrap();
    assert_eq!(ended(&world.link_frames(link)), [track]);
}

#[test]
fn a_room_that_ends_closes_its_links_last() {
    let (mut world, _alice) = alone();
    let link = world.open_link(Recording);
    world.admin(Operation::Delete).unwrap();
    let frames = world.link_frames(link);
    assert_eq!(ended(&frames).len(), 1);
    assert_eq!(frames.last(), Some(&LinkFrame::Closed(LinkClosed::RoomEnded)));
    assert_eq!(world.stats().links, 0);
}

#[test]
fn a_link_keeps_no_room_alive() {
    let (mut world, alice) = alone();
    let link = world.open_link(Recording);
    world.admin(Operation::Remove { identity: alice.identity.clone() }).unwrap();
    world.advance(Duration::from_secs(25));
    assert_eq!(closed(&mut world, link), Some(LinkClosed::RoomEnded));
}

#[test]
fn a_link_is_refused_where_it_does_not_belong() {
    let mut world = World::new();
    let nowhere = world.open_link(Recording);
    assert_eq!(closed(&mut world, nowhere), Some(LinkClosed::NoSuchRoom));
    world.epoch = Epoch(5);
    let _alice = Client::join(&mut world, "alice");
    for asked in [Epoch(4), Epoch(6)] {
        world.epoch = asked;
        let link = world.open_link(Recording);
        let stale = LinkClosed::StaleEpoch { current: Epoch(5) };
        assert_eq!(closed(&mut world, link), Some(stale));
    }
    world.epoch = Epoch(5);
    let good = world.open_link(Recording);
    assert_eq!(closed(&mut world, good), None);
    assert_eq!(world.stats().links, 1);
}

#[test]
fn a_room_that_ended_is_refused_by_the_epoch_it_had() {
    let (mut world, _alice) = alone();
    world.admin(Operation::Delete).unwrap();
    let link = world.open_link(Recording);
    assert_eq!(closed(&mut world, link), Some(LinkClosed::NoSuchRoom));
    world.epoch = Epoch(0);
    let link = world.open_link(Recording);
    let stale = LinkClosed::StaleEpoch { current: Epoch(1) };
    assert_eq!(closed(&mut world, link), Some(stale));
}

#[test]
fn links_are_bounded_and_one_that_goes_makes_room() {
    let (mut world, _alice) = alone();
    let links: Vec<LinkId> = (0..17).map(|_| world.open_link(Relay)).collect();
    let refused: Vec<LinkId> = links
        .iter()
        .copied()
        .filter(|link| closed(&mut world, *link) == Some(LinkClosed::Refused))
        .collect();
    assert_eq!(refused, links[16..]);
    world.close_link(links[3]);
    let link = world.open_link(Relay);
    assert_eq!(closed(&mut world, link), None);
}

#[test]
fn a_higher_epoch_closes_links_and_says_which() {
    let (mut world, _alice) = alone();
    let link = world.open_link(Recording);
    world.epoch = Epoch(2);
    let mut bob = Client::join(&mut world, "bob");
    bob.publish(&mut world);
    let stale = LinkClosed::StaleEpoch { current: Epoch(2) };
    assert_eq!(closed(&mut world, link), Some(stale));
    bob.speak(&mut world);
    assert!(world.taps.is_empty());
    let link = world.open_link(Recording);
    assert_eq!(sids(&world.link_frames(link)), [bob.track().sid]);
}

#[test]
fn a_node_that_stops_refuses_its_links() {
    let (mut world, _alice) = alone();
    let link = world.open_link(Recording);
    world.command(proto::control::Command::Shutdown);
    assert_eq!(closed(&mut world, link), Some(LinkClosed::Refused));
}

#[test]
fn two_links_hear_the_same_and_one_that_closes_nothing() {
    let (mut world, mut alice) = alone();
    let (first, second) = (world.open_link(Recording), world.open_link(Relay));
    alice.speak(&mut world);
    let [one, two] = world.taps[..] else { panic!("{:?}", world.taps) };
    assert_eq!((one.to, two), (first, Tap { to: second, ..one }));

    world.close_link(first);
    world.link_frames(first);
    world.taps.clear();
    alice.speak(&mut world);
    alice.mute(&mut world, true);
    assert_eq!(world.taps.iter().map(|tap| tap.to).collect::<Vec<_>>(), [second]);
    assert!(world.link_frames(first).is_empty());
}

#[test]
fn nothing_reaches_a_link_of_another_room() {
    let (mut world, mut alice) = alone();
    let link = world.open_link(Recording);
    let mut join = Client::new(
        &mut world,
        "eve",
        proto::control::SignalPath::OneConnection,
        crate::client::CHROMIUM,
    );
    let request = join.join_request();
    world.act_in("other", proto::control::RoomAction::Join(Box::new(request)));
    join.follow(&mut world);
    alice.speak(&mut world);
    assert_eq!(started(&world.link_frames(link)).len(), 1);
    assert_eq!(world.taps.len(), 1);
}

#[test]
fn everybody_is_told_of_a_recording_and_of_nothing_else() {
    let (mut world, mut alice) = alone();
    let relay = world.open_link(Relay);
    assert!(recordings(&mut alice, &mut world).is_empty());
    let first = world.open_link(Recording);
    assert_eq!(recordings(&mut alice, &mut world), [true]);
    let bob = Client::join(&mut world, "bob");
    assert!(bob.joined.unwrap().room.unwrap().active_recording);
    let second = world.open_link(Recording);
    world.close_link(first);
    assert!(recordings(&mut alice, &mut world).iter().all(|active| *active));
    world.close_link(second);
    world.close_link(relay);
    assert_eq!(recordings(&mut alice, &mut world).last(), Some(&false));
}

#[test]
fn a_recording_hears_only_what_everybody_may_hear() {
    let (mut world, mut alice) = alone();
    let (recording, relay) = (world.open_link(Recording), world.open_link(Relay));
    let public = started(&world.link_frames(recording))[0].id;
    world.link_frames(relay);
    whisper(&mut alice, &mut world, "bob");
    assert_eq!(ended(&world.link_frames(recording)), [public]);
    alice.speak(&mut world);
    assert_eq!(world.taps.iter().map(|tap| tap.to).collect::<Vec<_>>(), [relay]);
    let late = world.open_link(Recording);
    assert!(started(&world.link_frames(late)).is_empty());

    world.taps.clear();
    let all_participants = true;
    let everybody = SubscriptionPermission { all_participants, ..Default::default() };
    alice.send(&mut world, Request::SubscriptionPermission(everybody));
    let again = started(&world.link_frames(recording))[0].id;
    alice.speak(&mut world);
    let tapped: Vec<_> = world.taps.iter().map(|tap| (tap.to, tap.track)).collect();
    assert_eq!(tapped, [(recording, again), (relay, again), (late, again)]);
}

#[test]
fn the_echo_callers_voice_is_in_no_link() {
    let mut world = World::new();
    let _alice = Client::join(&mut world, "alice");
    let link = world.open_link(Recording);
    world.call_echo().unwrap();
    let later = world.open_link(Recording);
    world.advance(Duration::from_secs(1));
    world.admin(Operation::Remove { identity: "echo-ada".to_owned() }).unwrap();
    assert_eq!(world.link_frames(link).len(), 1, "no more than that it is open");
    assert_eq!(world.link_frames(later).len(), 1);
    assert!(world.taps.is_empty());
}

fn alone() -> (World, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    (world, alice)
}

fn whisper(client: &mut Client, world: &mut World, to: &str) {
    let permission = TrackPermission {
        participant_identity: to.to_owned(),
        all_tracks: true,
        ..Default::default()
    };
    let request =
        SubscriptionPermission { all_participants: false, track_permissions: vec![permission] };
    client.send(world, Request::SubscriptionPermission(request));
}

fn started(frames: &[LinkFrame]) -> Vec<LinkTrack> {
    let started = frames.iter().filter_map(|frame| match frame {
        LinkFrame::TrackStarted(track) => Some(LinkTrack::clone(track)),
        _ => None,
    });
    started.collect()
}

fn sids(frames: &[LinkFrame]) -> Vec<String> {
    started(frames).iter().map(|track| track.sid.to_string()).collect()
}

fn ended(frames: &[LinkFrame]) -> Vec<LinkTrackId> {
    let ended = frames.iter().filter_map(|frame| match frame {
        LinkFrame::TrackEnded { track, .. } => Some(*track),
        _ => None,
    });
    ended.collect()
}

fn closed(world: &mut World, link: LinkId) -> Option<LinkClosed> {
    match world.link_frames(link).last() {
        Some(LinkFrame::Closed(why)) => Some(*why),
        _ => None,
    }
}

/// What a client was told of recordings since.
fn recordings(client: &mut Client, world: &mut World) -> Vec<bool> {
    client.follow(world);
    client.take(|message| match message {
        Message::RoomUpdate(update) => Some(update.room.as_ref()?.active_recording),
        _ => None,
    })
}
