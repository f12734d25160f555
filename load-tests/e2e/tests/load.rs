//! `adda load` against the running server: real callers by the dozen, and what they measured.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use e2e::server::{Server, adda};
use serde_json::Value;

/// Runs the driver with `arguments` besides where the server is, and returns its report.
fn load(server: &Server, arguments: &[&str]) -> Value {
    let (url, pid) = (server.url(), server.id().to_string());
    let place = ["load", "-o", "json", "--url", &url, "--pid", &pid];
    let output = adda(&[&place[..], arguments].concat()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn everybody_hears_everything(path: &[&str]) {
    let server = Server::start();
    let shape = ["--rooms", "3", "--talkers", "2", "--listeners", "3", "--rate", "50"];
    let pace = ["--warm-up", "1", "--window", "2"];
    let report = load(&server, &[&shape[..], &pace, path].concat());

    let joined = number(&report, "/joins/joined");
    assert!((joined - 15.0).abs() < 0.5, "{joined} of 15 joined: {report:#}");
    let heard = number(&report, "/joins/streams_heard");
    assert!((heard - 18.0).abs() < 0.5, "{heard} of 18 streams heard: {report:#}");
    // 18 streams of 50 packets a second, over two seconds. One may be on its way at the end.
    let delivered = number(&report, "/windows/0/packets_delivered");
    assert!((1_700.0..1_900.0).contains(&delivered), "{delivered} delivered: {report:#}");
    assert!(number(&report, "/windows/0/loss_percent") < 2.0, "{report:#}");
    assert!(number(&report, "/windows/0/server/cpu_us_per_packet") > 0.0, "{report:#}");
}

#[test]
fn the_load_tester_fills_rooms_over_one_connection() {
    everybody_hears_everything(&[]);
}

#[test]
fn the_load_tester_fills_rooms_over_two_connections() {
    everybody_hears_everything(&["--v0"]);
}

#[test]
fn of_the_load_testers_listeners_only_the_sampled_read_on() {
    let server = Server::start();
    let shape = ["--rooms", "2", "--talkers", "2", "--listeners", "3", "--sample", "1"];
    let report = load(&server, &[&shape[..], &["--warm-up", "1", "--window", "2"]].concat());

    let heard = number(&report, "/joins/streams_heard");
    assert!((heard - 12.0).abs() < 0.5, "all hear everybody once: {report:#}");
    // One listener in each of two rooms, two talkers, 50 packets a second, two seconds.
    let delivered = number(&report, "/windows/0/packets_delivered");
    assert!((370.0..430.0).contains(&delivered), "{delivered} delivered: {report:#}");
    assert!(number(&report, "/windows/0/loss_percent") < 3.0, "{report:#}");
    assert!(number(&report, "/joins/failed") < 0.5, "nobody is lost by it: {report:#}");
}

#[test]
fn the_load_tester_says_why_nobody_could_join() {
    let server = Server::start();
    let url = server.url();
    let output = adda(&["load", "--url", &url, "--secret", "another"]).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nobody could join") && said.contains("401"), "{said}");
}
