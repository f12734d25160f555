//! Choosing what to hear, and being allowed to.

use proto::{
    control::SignalPath,
    livekit::{
        SubscriptionPermission, TrackPermission, UpdateSubscription, UpdateTrackSettings,
        signal_request::Message as Request, signal_response::Message,
    },
};

use crate::{
    client::{CHROMIUM, Client, FIREFOX},
    world::World,
};

fn call() -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let bob = Client::join(&mut world, "bob");
    (world, alice, bob)
}

#[test]
fn who_does_not_subscribe_by_itself_hears_what_it_asks_for() {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    let track = alice.publish(&mut world);
    let mut bob = Client::new(&mut world, "bob", SignalPath::OneConnection, CHROMIUM);
    let mut join = bob.join_request();
    join.auto_subscribe = false;
    join.publisher_offer = Some(bob.next_offer());
    bob.enter(&mut world, join);
    bob.connect(&mut world);
    assert!(alice.speak(&mut world).is_empty());

    subscribe(&mut bob, &mut world, &track, true);
    let copies = alice.speak(&mut world);
    assert_eq!(bob.heard(&world, &copies), [track]);
}

#[test]
fn a_track_that_is_not_there_is_refused_by_name() {
    let (mut world, _alice, mut bob) = call();
    subscribe(&mut bob, &mut world, "TR_nothing", true);
    let refused = bob.take(|message| match message {
        Message::SubscriptionResponse(response) => Some(response.track_sid.clone()),
        _ => None,
    });
    assert_eq!(refused, ["TR_nothing"]);
}

#[test]
fn a_paused_player_gets_no_packets_and_misses_no_number() {
    let (mut world, mut alice, mut bob) = call();
    let before = alice.speak(&mut world)[0].sequence;
    set_disabled(&mut bob, &mut world, &alice.track().sid, true);
    for _ in 0..200 {
        assert!(alice.speak(&mut world).is_empty());
    }
    set_disabled(&mut bob, &mut world, &alice.track().sid, false);
    assert_eq!(alice.speak(&mut world)[0].sequence, before.wrapping_add(1));
    assert!(bob.requirements().is_empty(), "nothing was negotiated");
}

#[test]
fn a_publisher_chooses_its_audience() {
    let (mut world, mut alice, mut bob) = call();
    let mut carol = Client::join(&mut world, "carol");
    assert_eq!(alice.speak(&mut world).len(), 2);
    permissions(&mut bob);

    let only_carol = TrackPermission {
        participant_identity: "carol".to_owned(),
        all_tracks: true,
        ..Default::default()
    };
    let request =
        SubscriptionPermission { all_participants: false, track_permissions: vec![only_carol] };
    alice.send(&mut world, Request::SubscriptionPermission(request));
    bob.follow(&mut world);
    carol.follow(&mut world);
    let copies = alice.speak(&mut world);
    assert_eq!(carol.heard(&world, &copies), [alice.track().sid]);
    assert_eq!(copies.len(), 1);
    assert_eq!(permissions(&mut bob), [(alice.track().sid, false)]);

    let request = SubscriptionPermission { all_participants: true, ..Default::default() };
    alice.send(&mut world, Request::SubscriptionPermission(request));
    bob.follow(&mut world);
    assert_eq!(alice.speak(&mut world).len(), 2);
    assert_eq!(permissions(&mut bob), [(alice.track().sid, true)]);
}

#[test]
fn a_client_that_brings_no_sections_is_not_asked_forever() {
    let mut world = World::new();
    let mut crowd: Vec<Client> =
        (0..5).map(|n| Client::join(&mut world, &format!("speaker{n}"))).collect();
    for speaker in &mut crowd {
        speaker.publish(&mut world);
    }
    let mut bob = Client::join(&mut world, "bob");
    bob.follows = false;
    let mut carol = Client::join(&mut world, "carol");
    carol.publish(&mut world);
    for _ in 0..10 {
        bob.negotiate(&mut world);
    }
    bob.follow(&mut world);
    assert!(bob.requirements().len() < 5);
}

fn permissions(client: &mut Client) -> Vec<(String, bool)> {
    client.take(|message| match message {
        Message::SubscriptionPermissionUpdate(it) => Some((it.track_sid.clone(), it.allowed)),
        _ => None,
    })
}

fn subscribe(client: &mut Client, world: &mut World, track: &str, subscribe: bool) {
    let update =
        UpdateSubscription { track_sids: vec![track.to_owned()], subscribe, ..Default::default() };
    client.send(world, Request::Subscription(update));
}

fn set_disabled(client: &mut Client, world: &mut World, track: &str, disabled: bool) {
    let settings =
        UpdateTrackSettings { track_sids: vec![track.to_owned()], disabled, ..Default::default() };
    client.send(world, Request::TrackSetting(settings));
}

#[test]
fn firefox_gets_no_packet_of_a_further_track_before_it_knows_of_it() {
    let mut world = World::new();
    let mut fox = Client::join_as(&mut world, "fox", SignalPath::OneConnection, FIREFOX);
    let mut alice = Client::join(&mut world, "alice");
    let first = alice.publish(&mut world);
    fox.follow(&mut world);
    let copies = alice.speak(&mut world);
    assert_eq!(fox.heard(&world, &copies), [first], "nothing else could take its packets");

    let mut bob = Client::join(&mut world, "bob");
    let second = bob.publish(&mut world);
    fox.follows = false;
    fox.follow(&mut world);
    fox.negotiate(&mut world);
    assert!(fox.remote.contains_key(&second));
    fox.requirements();
    let copies = bob.speak(&mut world);
    assert!(fox.heard(&world, &copies).is_empty());

    // An ICE restart may have abandoned the offer that was answered.
    fox.ufrag.push('x');
    fox.negotiate(&mut world);
    assert_eq!(fox.requirements(), [0]);
    let copies = bob.speak(&mut world);
    assert!(fox.heard(&world, &copies).is_empty());

    fox.negotiate(&mut world);
    let copies = bob.speak(&mut world);
    assert_eq!(fox.heard(&world, &copies), [second]);
    assert!(fox.requirements().is_empty());
}
