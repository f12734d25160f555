//! RTCP both ways, and the words for connection quality made of it.

use std::time::Duration;

use proto::{
    livekit::{ConnectionQuality, ConnectionQualityInfo, signal_response::Message},
    rtcp::{
        Compound, Packet, ReportBlock, SenderReport, write_receiver_report, write_sender_report,
    },
    rtp::RtpTime,
};
use sfu_core::TransportId;

use crate::{client::Client, world::World};

fn call() -> (World, Client, Client) {
    let mut world = World::new();
    let mut alice = Client::join(&mut world, "alice");
    alice.publish(&mut world);
    let bob = Client::join(&mut world, "bob");
    (world, alice, bob)
}

/// Speaks for a while, losing every packet of which `is_lost` says so.
fn talk(world: &mut World, client: &mut Client, millis: u64, is_lost: impl Fn(u64) -> bool) {
    for n in 0..millis / 20 {
        let packet = client.packet(127);
        if !is_lost(n) {
            world.forward(client.upstream(world), &packet);
        }
        world.advance(Duration::from_millis(20));
    }
}

struct Reports {
    sender: Vec<(u32, u64, RtpTime, u32)>,
    blocks: Vec<ReportBlock>,
    cnames: Vec<String>,
}

/// Takes what has been sent on `to` since.
fn reports(world: &mut World, to: TransportId) -> Reports {
    let mut reports = Reports { sender: Vec::new(), blocks: Vec::new(), cnames: Vec::new() };
    let sent = std::mem::take(&mut world.rtcp);
    for (_, bytes) in sent.iter().filter(|(id, _)| *id == to) {
        for packet in Compound::new(bytes) {
            match packet.unwrap() {
                Packet::SenderReport(it) => {
                    reports.sender.push((it.ssrc, it.ntp, it.timestamp, it.packets));
                    reports.blocks.extend(it.blocks());
                }
                Packet::ReceiverReport(it) => reports.blocks.extend(it.blocks()),
                Packet::SourceDescription(it) => {
                    let names =
                        it.cnames().map(|(_, name)| String::from_utf8(name.to_vec()).unwrap());
                    reports.cnames.extend(names);
                }
                other => panic!("{other:?} is relayed to nobody"),
            }
        }
    }
    reports
}

#[test]
fn a_listener_gets_a_sender_report_a_second_whose_clocks_agree() {
    let (mut world, mut alice, bob) = call();
    let to = bob.downstream(&world);
    talk(&mut world, &mut alice, 5_000, |_| false);
    let reports = reports(&mut world, to);
    assert!((4..=5).contains(&reports.sender.len()), "{}", reports.sender.len());
    let track = alice.track().sid;
    assert!(reports.sender.iter().all(|(ssrc, ..)| *ssrc == bob.remote[&track]));
    assert_eq!(reports.cnames[0], format!("{}|{track}", alice.sid()));
    for pair in reports.sender.windows(2) {
        let seconds = (pair[1].1 - pair[0].1) as f64 / 2_f64.powi(32);
        let units = f64::from(pair[1].2.since(pair[0].2));
        assert!((units - seconds * 48_000.0).abs() < 2.0, "{units} in {seconds} s");
        assert!(pair[1].3 > pair[0].3, "packets are counted");
    }
}

#[test]
fn sender_reports_follow_the_publishers_own_clock() {
    let (mut world, mut alice, bob) = call();
    let (from, to) = (alice.upstream(&world), bob.downstream(&world));
    let copy = alice.speak(&mut world)[0];
    let offset = copy.timestamp.wrapping_sub(alice.timestamp);
    // The packet was recorded 100 ms before it came.
    let mut packet = Vec::new();
    let time = RtpTime(alice.timestamp.wrapping_add(4_800));
    let report = SenderReport::new(alice.track().ssrc, 1 << 40, time, 1, 60);
    write_sender_report(&mut packet, &report, &[]);
    world.rtcp(from, &packet);
    world.advance(Duration::from_millis(1_000));
    let (_, _, told, _) = *reports(&mut world, to).sender.last().unwrap();
    let expected = RtpTime(time.0.wrapping_add(offset)).plus(48_000);
    assert!(told.since(expected).abs() < 480, "{}", told.since(expected));
}

#[test]
fn a_publisher_learns_what_was_lost_and_when_its_report_came() {
    let (mut world, mut alice, _bob) = call();
    let from = alice.upstream(&world);
    talk(&mut world, &mut alice, 1_000, |n| n % 5 == 3);
    let mut packet = Vec::new();
    let report = SenderReport::new(alice.track().ssrc, 0x0001_0002_0003_0004, RtpTime(0), 1, 1);
    write_sender_report(&mut packet, &report, &[]);
    world.rtcp(from, &packet);
    reports(&mut world, from);
    talk(&mut world, &mut alice, 1_000, |n| n % 5 == 3);
    let block = *reports(&mut world, from).blocks.last().unwrap();
    assert_eq!(block.ssrc, alice.track().ssrc);
    assert_eq!(block.last_sr, 0x0002_0003);
    let delay = f64::from(block.delay_since_last_sr) / 65_536.0;
    assert!(delay > 0.5 && delay <= 1.0, "{delay}");
    assert!((40..=62).contains(&block.fraction_lost), "{}", block.fraction_lost);
    assert!((15..=20).contains(&block.cumulative_lost), "{}", block.cumulative_lost);
    talk(&mut world, &mut alice, 2_000, |_| false);
    let block = *reports(&mut world, from).blocks.last().unwrap();
    assert_eq!(block.fraction_lost, 0, "what was reported once is not reported again");
}

#[test]
fn who_speaks_and_hears_gets_both_reports_in_one_packet() {
    let (mut world, mut alice, mut bob) = call();
    bob.publish(&mut world);
    alice.follow(&mut world);
    let to = alice.upstream(&world);
    for _ in 0..100 {
        alice.speak(&mut world);
        bob.speak(&mut world);
        world.advance(Duration::from_millis(20));
    }
    let packets = world.rtcp.iter().filter(|(id, _)| *id == to).count();
    let reports = reports(&mut world, to);
    assert_eq!((reports.sender.len(), reports.blocks.len()), (packets, packets));
    assert_eq!(reports.blocks[0].ssrc, alice.track().ssrc);
}

#[test]
fn a_long_way_round_makes_a_poor_connection() {
    let (mut world, mut alice, mut bob) = call();
    let to = bob.downstream(&world);
    for _ in 0..6 {
        talk(&mut world, &mut alice, 1_000, |_| false);
        let told = reports(&mut world, to);
        let Some((ssrc, ntp, ..)) = told.sender.last().copied() else { continue };
        world.advance(Duration::from_millis(950));
        let last_sr = u32::try_from(ntp >> 16 & 0xffff_ffff).unwrap();
        let mut packet = Vec::new();
        let block = ReportBlock { ssrc, last_sr, ..Default::default() };
        write_receiver_report(&mut packet, 1, &[block]);
        world.rtcp(to, &packet);
    }
    let told = qualities(&mut world, &mut bob);
    let mine = told.iter().rfind(|(sid, _)| sid == bob.sid()).unwrap().1;
    assert_eq!(mine, ConnectionQuality::Poor);
}

#[test]
fn a_connection_that_recovers_is_called_excellent_again() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 6_000, |n| n % 3 == 1);
    talk(&mut world, &mut alice, 10_000, |_| false);
    let told = qualities(&mut world, &mut bob);
    let words: Vec<_> =
        told.iter().filter(|(sid, _)| sid == alice.sid()).map(|(_, quality)| *quality).collect();
    assert_eq!(words.first(), Some(&ConnectionQuality::Poor));
    assert_eq!(words.last(), Some(&ConnectionQuality::Excellent));
}

#[test]
fn rtcp_about_others_streams_is_refused_and_nothing_is_relayed() {
    let (mut world, alice, bob) = call();
    let stolen = alice.track().ssrc;
    let from = bob.upstream(&world);
    let mut abuse = Vec::new();
    write_sender_report(&mut abuse, &SenderReport::new(stolen, 1, RtpTime(1), 9, 9), &[]);
    write_receiver_report(&mut abuse, 1, &[ReportBlock { ssrc: stolen, ..Default::default() }]);
    abuse.extend([0x81, 203, 0, 1]);
    abuse.extend(stolen.to_be_bytes());
    abuse.extend([0x81, 205, 0, 3, 0, 0, 0, 1]);
    abuse.extend(stolen.to_be_bytes());
    abuse.extend([0, 1, 0xff, 0xff]);
    world.rtcp(from, &abuse);
    world.rtcp(from, b"\x80\xc8 garbage");
    assert!(world.rtcp.is_empty());
    let stats = world.stats();
    assert_eq!((stats.rtcp_refused, stats.packets_malformed), (4, 1));
}

#[test]
fn a_good_connection_is_called_excellent_once() {
    let (mut world, mut alice, mut bob) = call();
    let (from, to) = (alice.upstream(&world), bob.downstream(&world));
    for _ in 0..20 {
        talk(&mut world, &mut alice, 1_000, |_| false);
        report_on(&mut world, &bob, &alice, 0);
        world.rtcp(from, &empty_report());
    }
    let told = qualities(&mut world, &mut bob);
    let words: Vec<_> = told.iter().map(|(_, quality)| *quality).collect();
    assert_eq!(words, [ConnectionQuality::Excellent; 2], "{to:?}");
    let whom: std::collections::BTreeSet<_> = told.iter().map(|(sid, _)| sid.clone()).collect();
    assert_eq!(whom, [alice.sid().to_owned(), bob.sid().to_owned()].into());
}

#[test]
fn a_publisher_that_loses_packets_is_called_poor_to_itself_and_to_listeners() {
    let (mut world, mut alice, mut bob) = call();
    for _ in 0..6 {
        talk(&mut world, &mut alice, 1_000, |n| n % 3 == 1);
        report_on(&mut world, &bob, &alice, 0);
    }
    let last = |told: Vec<(String, ConnectionQuality)>| {
        told.into_iter().rfind(|(sid, _)| sid == alice_sid(&alice)).unwrap().1
    };
    assert_eq!(last(qualities(&mut world, &mut bob)), ConnectionQuality::Poor);
    let told = qualities(&mut world, &mut alice);
    let mine = told.into_iter().rfind(|(sid, _)| sid == alice.sid()).unwrap().1;
    assert_eq!(mine, ConnectionQuality::Poor);
}

#[test]
fn a_listener_that_loses_packets_is_called_worse_only_to_itself() {
    let (mut world, mut alice, mut bob) = call();
    for _ in 0..6 {
        talk(&mut world, &mut alice, 1_000, |_| false);
        report_on(&mut world, &bob, &alice, 80);
    }
    let told = qualities(&mut world, &mut bob);
    let mine = told.iter().rfind(|(sid, _)| sid == bob.sid()).unwrap().1;
    assert_eq!(mine, ConnectionQuality::Poor);
    let told = qualities(&mut world, &mut alice);
    assert!(told.iter().all(|(sid, _)| sid == alice.sid()));
}

#[test]
fn a_client_that_falls_silent_altogether_is_called_lost() {
    let (mut world, mut alice, mut bob) = call();
    talk(&mut world, &mut alice, 6_000, |_| false);
    report_on(&mut world, &bob, &alice, 0);
    for _ in 0..18 {
        world.advance(Duration::from_secs(1));
        world.rtcp(bob.upstream(&world), &empty_report());
    }
    let told = qualities(&mut world, &mut bob);
    let last = told.into_iter().rfind(|(sid, _)| sid == alice.sid()).unwrap().1;
    assert_eq!(last, ConnectionQuality::Lost);
}

fn alice_sid(alice: &Client) -> &str {
    alice.sid()
}

/// A report of the listener's on how the speaker's track arrives.
fn report_on(world: &mut World, listener: &Client, speaker: &Client, fraction_lost: u8) {
    let ssrc = listener.remote[&speaker.track().sid];
    let mut packet = Vec::new();
    let block = ReportBlock { ssrc, fraction_lost, ..Default::default() };
    write_receiver_report(&mut packet, 1, &[block]);
    world.rtcp(listener.upstream(world), &packet);
}

fn empty_report() -> Vec<u8> {
    let mut packet = Vec::new();
    write_receiver_report(&mut packet, 1, &[]);
    packet
}

fn qualities(world: &mut World, client: &mut Client) -> Vec<(String, ConnectionQuality)> {
    client.follow(world);
    let updates = client.take(|message| match message {
        Message::ConnectionQuality(update) => Some(update.updates.clone()),
        _ => None,
    });
    let word = |info: ConnectionQualityInfo| (info.participant_sid.clone(), info.quality());
    updates.into_iter().flatten().map(word).collect()
}
