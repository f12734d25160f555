//! What the executable tells operators, line by line, of what happens in its rooms.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use e2e::{
    http,
    peer::{Manner, Peer, Promise},
    server::Server,
};
use serde_json::{Value, json};

const ROOM: &str = "room";

/// Somebody whose certificate is not the one she promised.
fn liar() -> Manner {
    let lines = format!("a=fingerprint:sha-256 {}\r\n", ["AB"; 32].join(":"));
    Manner { promise: Promise::Lines(lines), ..Manner::with_ssrc(0xe7e_0001) }
}

/// The line that says so of her or him, with the ids that every such line has.
fn line_of<'a>(lines: &'a [Value], event: &str, identity: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["event"] == event && line["participant"] == identity);
    let line = found.unwrap_or_else(|| panic!("no {event} of {identity} in {lines:#?}"));
    assert_eq!(line["room"], ROOM, "{line}");
    for id in ["participant_sid", "trace_id", "node"] {
        assert!(line[id].as_str().is_some_and(|id| id.len() > 3), "no {id} in {line}");
    }
    line
}

/// Dashboards and alerts know what was counted by these names.
fn assert_counts(server: &Server) {
    let answer = http::request(server.address(), "GET", "/metrics", &[], "");
    let metrics = answer.expect("metrics").body;
    for name in [
        "forward_delay_seconds_count",
        "ice_failures_total",
        "join_duration_seconds_count",
        "participants",
        "rooms",
        "rtp_bytes_total",
        "rtp_dropped_total",
        "rtp_packets_total",
        "tracks",
        "ws_connections",
    ] {
        let begins = |line: &str| {
            let rest = line.strip_prefix("adda_").and_then(|line| line.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        assert!(metrics.lines().any(begins), "no adda_{name} in:\n{metrics}");
    }
    for stage in ["validate", "signal", "ice", "dtls"] {
        let line = format!("adda_join_duration_seconds_count{{stage=\"{stage}\"}} ");
        let counted = metrics.lines().find_map(|it| it.strip_prefix(&line));
        assert!(counted.is_some_and(|it| it != "0"), "no {line}in:\n{metrics}");
    }
}

#[test]
fn each_join_leave_and_failed_connection_is_a_line_with_ids_and_no_address() {
    let mut server = Server::start();
    let mut ann = Peer::join(&server, ROOM, "ann", Manner::with_ssrc(0xa11_0001));
    let mut eve = Peer::signal(&server, ROOM, "eve", liar());
    eve.wait("her dismissal", |eve| eve.ended);
    let token = server.token(ROOM, "ann").sign();
    server.moderate(ROOM, "RemoveParticipant", &json!({ "room": ROOM, "identity": "ann" }));
    ann.wait("the removal", |ann| ann.ended);
    assert_counts(&server);
    server.interrupt();
    assert!(server.ended().success());

    let log = server.log_until("\"stopped\"");
    // What isn't JSON is the banner, which is for people.
    let machine: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
    let lines: Vec<Value> =
        machine.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    line_of(&lines, "participant_joined", "ann");
    line_of(&lines, "track_published", "ann");
    assert_eq!(line_of(&lines, "participant_left", "ann")["reason"], "PARTICIPANT_REMOVED");
    let failed = line_of(&lines, "connection_failed", "eve");
    assert_eq!(failed["cause"], "dtls_fingerprint");
    assert!(failed["advice"].as_str().is_some_and(|advice| advice.len() > 20), "{failed}");

    let signature = token.rsplit('.').next().expect("a signature");
    let ports = [ann.local_address().port(), eve.local_address().port()].map(|it| format!(":{it}"));
    let secrets = ["127.0.0.1", "10.77.0.1", "fd77::1", "[::1]", signature, &ports[0], &ports[1]];
    for line in machine {
        let told = secrets.iter().find(|secret| line.contains(**secret));
        assert_eq!(told, None, "{line}");
    }
}
