//! What an operator types at a server that runs.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail the test")]

use std::process::Output;

use e2e::{
    PATIENCE, now,
    peer::{Manner, Peer},
    server::{Server, adda},
};
use serde_json::Value;

const ROOM: &str = "stand-up";

fn run(server: &Server, words: &[&str]) -> Output {
    let url = server.url();
    adda(&[words, &["--url", &url]].concat()).output().expect("it runs")
}

/// What a command that succeeds prints.
fn said(server: &Server, words: &[&str]) -> String {
    let output = run(server, words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

fn json(server: &Server, words: &[&str]) -> Value {
    let text = said(server, &[words, &["-o", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The words of the table's only row below its head.
fn row(table: &str) -> Vec<String> {
    let lines: Vec<&str> = table.lines().collect();
    let [_head, row] = lines[..] else { panic!("one row: {table}") };
    row.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn nodes_and_rooms_are_listed_as_a_table_and_as_json() {
    let server = Server::start();
    assert!(said(&server, &["room", "ls"]).starts_with("ROOM"));
    let _ann = Peer::join(&server, ROOM, "ann", Manner::with_ssrc(0xa11_0001));
    let _bob = Peer::join(&server, ROOM, "bob", Manner::with_ssrc(0xb0b_0001));

    let room = row(&said(&server, &["room", "ls"]));
    assert_eq!(room[..4], [ROOM, "2", "2", "no"]);
    let listed = json(&server, &["room", "ls"]);
    assert_eq!(listed["rooms"][0]["name"], ROOM);

    // Heartbeats tell that it is there, and how many people are.
    let deadline = now() + PATIENCE;
    let heard = || json(&server, &["node", "ls"])["nodes"][0]["participants"] == 2;
    while !heard() {
        assert!(now() < deadline, "{}", said(&server, &["node", "ls"]));
        e2e::wait(std::time::Duration::from_millis(100));
    }
    let node = row(&said(&server, &["node", "ls"]));
    assert!(node[1].contains("signaling") && node[1].contains("sfu"), "{node:?}");
    assert!(node.contains(&"ready".to_owned()) && node.contains(&"2".to_owned()), "{node:?}");
}

#[test]
fn a_room_is_recorded_by_a_command_and_another_ends_it() {
    let server = Server::start();
    let mut ann = Peer::join(&server, ROOM, "ann", Manner::with_ssrc(0xa11_0001));
    let started = said(&server, &["room", "record", ROOM]);
    // It says itself how it is ended.
    let (_, rest) = started.split_once("; adda ").expect("what ends it");
    let (stop, _) = rest.split_once(" ends it").expect("what ends it");
    let stop: Vec<&str> = stop.split(' ').collect();
    let id = *stop.last().expect("an id");
    // Her voice makes it a recording of something.
    let deadline = now() + PATIENCE;
    while row(&said(&server, &["room", "ls"]))[3] != "yes" {
        assert!(now() < deadline, "never recorded");
        ann.say(b"on the record");
    }
    (0..50).for_each(|_| {
        ann.say(b"on the record");
        ann.listen(std::time::Duration::from_millis(20));
    });
    assert_eq!(said(&server, &stop), format!("{id} of {ROOM} ends; its files follow\n"));
    let deadline = now() + PATIENCE;
    while row(&said(&server, &["room", "ls"]))[3] != "no" {
        assert!(now() < deadline, "recorded on");
    }
    let again = run(&server, &["room", "record", ROOM, "--stop", "R_unknown"]);
    assert!(!again.status.success());
    let errors = String::from_utf8_lossy(&again.stderr);
    assert!(errors.contains("404") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn a_server_that_is_not_there_and_a_wrong_secret_are_told_apart_with_what_to_do() {
    let server = Server::start();
    let port = e2e::server::free_port();
    let nobody = adda(&["node", "ls", "--url", &format!("ws://127.0.0.1:{port}")]).output();
    let nobody = String::from_utf8(nobody.expect("it runs").stderr).expect("text");
    assert!(nobody.contains("is the server running there (--url)?"), "{nobody}");
    let refused = run(&server, &["node", "ls", "--secret", "wrong"]);
    assert!(!refused.status.success());
    let refused = String::from_utf8(refused.stderr).expect("text");
    assert!(refused.contains("refused key \"devkey\" (--key, --secret)"), "{refused}");
}
