//! Who is answered, where media goes, and when consent ends.

use std::{net::SocketAddr, time::Duration};

use aws_lc_rs::hmac;
use proto::{
    control::ConnectionFailure,
    ice::Credentials,
    stun::{Class, ConnectivityCheck, Message, TransactionId, Username},
};
use sfu_rtc::{Event, Output, Unbelieved};

use crate::network::{Call, End, Setup, credentials};

/// A check to `to` by `from`, signed with `to`'s password.
fn check(to: &Credentials, from: &str, use_candidate: bool) -> Vec<u8> {
    let check = ConnectivityCheck {
        transaction: TransactionId([7; 12]),
        username: Username { to: &to.ufrag, from },
        priority: 1,
        tie_breaker: 1,
        use_candidate,
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, to.pwd.as_bytes());
    check.write(|bytes| hmac::sign(&key, bytes).as_ref().try_into().unwrap())
}

/// Gives `datagram` to the server and returns its answers.
fn ask(call: &mut Call, from: SocketAddr, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
    call.server.handle_stun(from, datagram, call.now);
    let mut answers = Vec::new();
    loop {
        match call.server.poll_output() {
            Output::Datagram { to, bytes } => answers.push((to, bytes.to_vec())),
            Output::Event(event) => call.server_events.push(event),
            Output::Idle(_) => return answers,
        }
    }
}

fn elsewhere() -> SocketAddr {
    "203.0.113.66:6666".parse().unwrap()
}

#[test]
fn an_authentic_check_is_answered_with_its_address_and_no_more_bytes() {
    let mut call = Call::new(&Setup::default());
    let request = check(&credentials("server"), "client", false);
    let [(to, answer)] = &ask(&mut call, elsewhere(), &request)[..] else { panic!("no answer") };
    assert_eq!(*to, elsewhere());
    assert!(answer.len() <= request.len());
    let message = Message::parse(answer).unwrap();
    assert_eq!(message.class, Class::Success);
    assert_eq!(message.mapped, Some(elsewhere()));
    assert!(message.integrity.is_some() && message.has_fingerprint);
}

#[test]
fn a_check_that_is_not_believed_says_why() {
    let mut call = Call::new(&Setup::default());
    let server = credentials("server");
    let guessed = Credentials { pwd: "guessed by somebody".to_owned(), ..server.clone() };
    let stranger = Credentials { ufrag: "nobody".to_owned(), ..server.clone() };
    let torn = check(&server, "client", false)[..30].to_vec();
    for (datagram, why) in [
        (torn, Some(Unbelieved::Malformed)),
        (check(&guessed, "client", false), Some(Unbelieved::Integrity)),
        (check(&stranger, "client", false), Some(Unbelieved::Username)),
        (check(&server, "another", false), Some(Unbelieved::Username)),
        (check(&server, "client", false), None),
    ] {
        let answers = ask(&mut call, elsewhere(), &datagram);
        assert_eq!(call.server.unbelieved(), why);
        assert_eq!(answers.is_empty(), why.is_some(), "{why:?}");
    }
}

#[test]
fn an_ipv4_address_on_an_ipv6_socket_is_told_as_ipv4() {
    let mut call = Call::new(&Setup::default());
    let request = check(&credentials("server"), "client", false);
    let from = "[::ffff:198.51.100.7]:50000".parse().unwrap();
    let [(to, answer)] = &ask(&mut call, from, &request)[..] else { panic!("no answer") };
    assert_eq!(*to, from);
    let told = Message::parse(answer).unwrap().mapped;
    assert_eq!(told, Some("198.51.100.7:50000".parse().unwrap()));
}

#[test]
fn what_is_not_authentic_gets_no_answer() {
    let mut call = Call::new(&Setup::default());
    let good = check(&credentials("server"), "client", true);
    let mut wrong_password = credentials("server");
    wrong_password.pwd.push('!');
    let mut unsigned = good[..good.len() - 8 - 24].to_vec();
    let unsigned_len = u8::try_from(unsigned.len() - 20).unwrap();
    unsigned[3] = unsigned_len;
    let mut without_fingerprint = good[..good.len() - 8].to_vec();
    without_fingerprint[3] -= 8;
    let stories = [
        ("wrong password", check(&wrong_password, "client", true)),
        ("unknown ufrag", check(&credentials("somebody"), "client", true)),
        ("wrong sender", check(&credentials("server"), "mallory", true)),
        ("no integrity", unsigned),
        ("no fingerprint", without_fingerprint),
        ("nothing", Vec::new()),
    ];
    for (story, datagram) in stories {
        assert!(ask(&mut call, elsewhere(), &datagram).is_empty(), "{story}");
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        assert!(ask(&mut call, elsewhere(), &changed).is_empty(), "byte {at}");
    }
    assert!(call.server_events.is_empty());
    assert!(!ask(&mut call, elsewhere(), &good).is_empty());
}

#[test]
fn only_a_nomination_moves_the_peer() {
    let mut call = Call::connected();
    let home = call.client_address;
    ask(&mut call, elsewhere(), &check(&credentials("server"), "client", false));
    assert!(call.server_events.contains(&Event::AddressVerified(elsewhere())));
    assert_eq!(call.server.peer(), Some(home));

    ask(&mut call, elsewhere(), &check(&credentials("server"), "client", true));
    assert_eq!(call.server.peer(), Some(elsewhere()));
}

#[test]
fn an_address_is_announced_once_and_a_bounded_number_is_kept() {
    let mut call = Call::connected();
    call.server_events.clear();
    let request = check(&credentials("server"), "client", false);
    for port in 1..=100 {
        let from = SocketAddr::new(elsewhere().ip(), port);
        for _ in 0..2 {
            ask(&mut call, from, &request);
        }
        assert_eq!(call.server_events, [Event::AddressVerified(from)]);
        call.server_events.clear();
    }
    // The first of them had to make room; the one that media goes to had not.
    let first = SocketAddr::new(elsewhere().ip(), 1);
    let opened = call.server.open_rtp(first, &mut [0x80; 40]);
    assert_eq!(opened, Err(sfu_rtc::Refused::UnverifiedAddress));
    assert_eq!(call.server.peer(), Some(call.client_address));
    let opened = call.server.open_rtp(call.client_address, &mut [0x80; 40]);
    assert_eq!(opened, Err(sfu_rtc::Refused::Forged));
}

#[test]
fn consent_ends_thirty_seconds_after_the_last_check() {
    let mut call = Call::connected();
    call.cut(|datagram| datagram.to == End::Server && datagram.is_stun());
    call.run_for(Duration::from_secs(25));
    assert_eq!(call.server.peer(), Some(call.client_address));
    call.run_for(Duration::from_secs(10));
    assert_eq!(call.server.peer(), None);
    assert_eq!(call.server_events.last(), Some(&Event::Failed(ConnectionFailure::ConsentExpired)));
    assert_eq!(call.server.seal_rtp(&mut [0x80; 100], 12, 50, 0), None);
    // Checks that go on are too late.
    let request = check(&credentials("server"), "client", true);
    assert!(ask(&mut call, elsewhere(), &request).is_empty());
}

#[test]
fn a_call_goes_on_for_as_long_as_checks_come() {
    let mut call = Call::connected();
    call.run_for(Duration::from_secs(3_600));
    assert_eq!(call.server.peer(), Some(call.client_address));
    assert!(!call.server_events.iter().any(|event| matches!(event, Event::Failed(_))));
}

#[test]
fn after_a_restart_old_credentials_are_good_until_the_new_are_used() {
    let mut call = Call::connected();
    let home = call.client_address;
    let (old, new) = (credentials("server"), credentials("again"));
    call.server.restart_ice(new.clone());
    assert_eq!(ask(&mut call, home, &check(&old, "client", false)).len(), 1);
    assert_eq!(call.server.peer(), Some(home));

    call.server.set_remote(Some(credentials("moved")), [0; 32]);
    assert_eq!(ask(&mut call, home, &check(&old, "client", false)).len(), 1);
    assert_eq!(ask(&mut call, elsewhere(), &check(&new, "moved", true)).len(), 1);
    assert_eq!(call.server.peer(), Some(elsewhere()));
    assert!(ask(&mut call, home, &check(&old, "client", false)).is_empty());
    assert!(ask(&mut call, home, &check(&new, "client", false)).is_empty());
}

#[test]
fn a_caller_that_restarts_keeps_its_call() {
    let mut call = Call::connected();
    call.client_address = elsewhere();
    let (ours, theirs) = (credentials("server-2"), credentials("client-2"));
    let (server_print, client_print) = ([0; 32], [0; 32]);
    call.server.set_remote(Some(theirs.clone()), client_print);
    call.server.restart_ice(ours.clone());
    call.client.restart_ice(theirs);
    call.client.set_remote(Some(ours), server_print);
    call.run_for(Duration::from_secs(1));
    assert_eq!(call.server.peer(), Some(elsewhere()));
    let payload = b"still here".to_vec();
    let channel = proto::data::Channel::Reliable;
    call.client.send_data(channel, &payload, call.now).unwrap();
    call.run_for(Duration::from_secs(1));
    assert!(call.server_events.contains(&Event::Data { channel, payload }));
}
