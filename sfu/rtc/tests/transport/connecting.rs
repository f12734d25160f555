//! From the first check to media, and the ways in which that fails.

use std::time::Duration;

use proto::{control::ConnectionFailure, data::ChannelSide};
use sfu_rtc::{Certificate, Event, Refused, Role, Transport};

use crate::{
    network::{CLIENT, Call, End, Link, Setup, ToldFingerprint, credentials, start_of_time},
    raw_client::RawClient,
};

fn failures(events: &[Event]) -> Vec<ConnectionFailure> {
    let failure = |event: &Event| {
        let Event::Failed(failure) = event else { return None };
        Some(*failure)
    };
    events.iter().filter_map(failure).collect()
}

#[test]
fn a_caller_connects_in_six_one_way_trips() {
    let mut call = Call::new(&Setup::default());
    call.run_for(Duration::from_millis(70));
    assert_eq!(call.server_events[0], Event::AddressVerified(call.client_address));
    assert!(call.server_events.contains(&Event::Connected));
    assert!(call.client_events.contains(&Event::Connected));
    assert_eq!(call.server.peer(), Some(call.client_address));
}

/// Where `use_srtp` (RFC 5764) has the first byte of its profiles, of which there are so many.
fn srtp_profiles_at(hello: &[u8], count: u8) -> usize {
    let head = [0, 14, 0, 2 * count + 3, 0, 2 * count];
    hello.windows(6).position(|bytes| bytes == head).unwrap() + 6
}

#[test]
fn aes_gcm_is_chosen_however_late_the_client_names_it() {
    let (sha1, gcm_128, gcm_256) = (1, 7, 8);
    for (named, chosen) in [
        ([sha1, gcm_128, gcm_256], gcm_256),
        ([sha1, sha1, gcm_128], gcm_128),
        ([sha1, sha1, sha1], sha1),
    ] {
        let mut client = RawClient::verified();
        let mut hello = client.hello();
        let at = srtp_profiles_at(&hello, 3);
        hello[at..at + 6].copy_from_slice(&named.map(u16::to_be_bytes).concat());
        let answer = client.say(&hello).concat();
        let at = srtp_profiles_at(&answer, 1);
        assert_eq!(answer[at..at + 2], chosen.to_be_bytes(), "{named:?}");
    }
}

#[test]
fn a_caller_connects_over_ipv6() {
    let setup = Setup {
        server_address: "[2001:db8::1]:7882",
        client_address: "[2001:db8::2]:50000",
        ..Setup::default()
    };
    let mut call = Call::new(&setup);
    call.run_for(Duration::from_millis(100));
    assert!(call.server_events.contains(&Event::Connected));
    assert!(call.client_events.contains(&Event::Connected));
}

#[test]
fn a_caller_connects_over_a_lossy_reordering_network() {
    for seed in 1..=40 {
        let link = Link {
            seed,
            loss_percent: 15,
            delay: Duration::from_millis(40),
            jitter: Duration::from_millis(80),
        };
        let mut call = Call::new(&Setup { link, ..Setup::default() });
        call.run_for(Duration::from_secs(10));
        assert!(call.server_events.contains(&Event::Connected), "seed {seed}");
        assert!(call.client_events.contains(&Event::Connected), "seed {seed}");
        for channel in proto::data::Channel::ALL {
            assert!(call.server_events.contains(&Event::ChannelOpen(channel)), "seed {seed}");
            assert!(call.client_events.contains(&Event::ChannelOpen(channel)), "seed {seed}");
        }
    }
}

#[test]
fn the_server_never_sends_first() {
    let now = start_of_time();
    let certificate = Certificate::generate().unwrap();
    let mut call = Call::new(&Setup::default());
    let silent = Role::Client { server: "203.0.113.9:9".parse().unwrap() };
    call.client = Transport::new(&certificate, silent, credentials("x"), ChannelSide::Remote, now);
    call.run_for(Duration::from_secs(60));
    assert!(call.sent.iter().all(|datagram| datagram.to == End::Server), "{:?}", call.sent);
    assert_eq!(failures(&call.server_events), [ConnectionFailure::NoStunReceived]);
}

#[test]
fn a_certificate_other_than_promised_is_never_believed() {
    let setup = Setup { told_fingerprint: ToldFingerprint::Wrong, ..Setup::default() };
    let mut call = Call::new(&setup);
    call.run_for(Duration::from_secs(20));
    assert!(!call.server_events.contains(&Event::Connected));
    assert_eq!(failures(&call.server_events), [ConnectionFailure::DtlsFingerprint]);
    assert_eq!(call.server.seal_rtp(&mut [0x80; 100], 12, 50, 0), None);
    let opened = call.server.open_rtp(CLIENT.parse().unwrap(), &mut [0x80; 100]);
    assert_eq!(opened, Err(Refused::NotKeyed));
}

#[test]
fn without_a_promise_no_certificate_is_believed() {
    let setup = Setup { told_fingerprint: ToldFingerprint::None, ..Setup::default() };
    let mut call = Call::new(&setup);
    call.run_for(Duration::from_secs(9));
    assert!(failures(&call.server_events).is_empty());
    assert_eq!(call.server.seal_rtp(&mut [0x80; 100], 12, 50, 0), None);
    call.run_for(Duration::from_secs(2));
    assert_eq!(failures(&call.server_events), [ConnectionFailure::DtlsFingerprint]);
}

#[test]
fn a_promise_that_comes_after_the_handshake_completes_it() {
    let setup = Setup { told_fingerprint: ToldFingerprint::None, ..Setup::default() };
    let mut call = Call::new(&setup);
    let certificate = Certificate::generate().unwrap();
    let role = Role::Client { server: call.server_address };
    let theirs = credentials("client");
    let now = call.now;
    call.client = Transport::new(&certificate, role, theirs.clone(), ChannelSide::Local, now);
    // The client knows everything: it is the server's answer that travels slowly.
    let ours = call.server_fingerprint();
    call.client.set_remote(Some(credentials("server")), ours);
    call.run_for(Duration::from_secs(1));
    assert!(!call.server_events.contains(&Event::Connected));

    call.server.set_remote(Some(theirs), certificate.fingerprint());
    call.run_for(Duration::from_secs(4));
    assert!(call.server_events.contains(&Event::Connected));
    assert!(call.server_events.iter().any(|event| matches!(event, Event::ChannelOpen(_))));
}

#[test]
fn a_handshake_that_stalls_is_given_up_after_ten_seconds() {
    let mut call = Call::new(&Setup::default());
    call.run_for(Duration::from_millis(35));
    assert!(call.server_events.contains(&Event::AddressVerified(call.client_address)));
    call.cut(|datagram| datagram.to == End::Server && datagram.is_dtls());
    call.run_for(Duration::from_secs(11));
    assert_eq!(failures(&call.server_events), [ConnectionFailure::DtlsTimeout]);
}

#[test]
fn after_failing_a_connection_is_silent() {
    let setup = Setup { told_fingerprint: ToldFingerprint::Wrong, ..Setup::default() };
    let mut call = Call::new(&setup);
    call.run_for(Duration::from_secs(2));
    assert_eq!(failures(&call.server_events).len(), 1);
    let answered = call.sent.iter().filter(|datagram| datagram.to == End::Client).count();
    call.run_for(Duration::from_secs(60));
    let answered_later = call.sent.iter().filter(|datagram| datagram.to == End::Client).count();
    assert_eq!(answered, answered_later);
    assert_eq!(call.drain(), call.drain());
}
