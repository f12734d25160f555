//! The raw peers' own conversation: it notices what is missing, and outlives a signal connection.

use std::time::Duration;

use e2e::{
    proxy::Proxy,
    server::Server,
    talk::{Speaker, Talk},
};

/// How late a packet may be on a busy machine.
const LATE: Duration = Duration::from_millis(500);

fn speaker(server: &Server, proxy: &Proxy, identity: &str) -> Speaker {
    Speaker {
        identity: identity.to_owned(),
        token: server.token("room", identity).sign(),
        through: proxy.address(),
        back: proxy.address(),
    }
}

#[test]
fn peers_come_back_and_miss_nothing_when_their_signal_connections_are_cut() {
    let server = Server::start();
    let proxy = Proxy::before(server.address());
    let talk = Talk::of(vec![speaker(&server, &proxy, "ann"), speaker(&server, &proxy, "bob")]);
    proxy.cut();
    talk.wait_until_resumed(&[0, 1]);
    talk.wait_until_heard();
    e2e::wait(LATE);
    let record = talk.finish();
    record.assert_whole(LATE);
    assert_eq!(record.resumed, [1, 1]);
}

#[test]
fn a_conversation_misses_what_a_dead_server_did_not_forward() {
    let mut server = Server::start();
    let proxy = Proxy::before(server.address());
    let talk = Talk::of(vec![speaker(&server, &proxy, "ann"), speaker(&server, &proxy, "bob")]);
    server.crash_and_restart();
    e2e::wait(LATE);
    let record = talk.finish();
    let faults = record.faults(LATE);
    assert!(faults.len() == 2 && faults.iter().all(|one| one.contains("missing")), "{faults:?}");
}
