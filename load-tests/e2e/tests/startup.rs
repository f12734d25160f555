//! How the executable starts, stops and refuses to start.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    process::{Child, Output, Stdio},
    time::Duration,
};

use e2e::{
    PATIENCE, enter_network, http, now,
    peer::{Manner, Peer},
    server::{self, Server, adda, free_port},
};
use proto::livekit::{DisconnectReason, signal_response};
use tempfile::TempDir;

/// Runs the executable, which must give up soon, and returns the one line that it says.
fn refusal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    enter_network();
    let mut command = adda(arguments);
    command.envs(environment.iter().copied());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let Output { status, stdout, stderr } = output(child);
    assert!(!status.success(), "{arguments:?} was taken");
    assert_eq!(String::from_utf8_lossy(&stdout), "", "{arguments:?}");
    let text = String::from_utf8_lossy(&stderr).trim_end().to_owned();
    assert_eq!(text.lines().count(), 1, "{arguments:?} is answered by one line, not by:\n{text}");
    text
}

/// Waits for the end of a process that may wrongly have started to serve.
fn output(mut child: Child) -> Output {
    let deadline = now() + PATIENCE;
    while child.try_wait().expect("a child").is_none() {
        if now() > deadline {
            child.kill().expect("it runs");
            panic!("it serves");
        }
        e2e::wait(Duration::from_millis(10));
    }
    child.wait_with_output().expect("its output")
}

fn directory() -> TempDir {
    TempDir::new().expect("a directory")
}

fn assert_names(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "`{line}` doesn't name {part}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    enter_network();
    let (directory, port) = (directory(), free_port());
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("free");
    let data = directory.path().display().to_string();
    let line = refusal(&["dev", "--port", &port.to_string(), "--data-dir", &data], &[]);
    assert_names(&line, &[&port.to_string(), "--port"]);
}

#[test]
fn a_taken_media_port_is_named_with_the_remedy() {
    enter_network();
    let (directory, port) = (directory(), free_port());
    let media = port + 2;
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, media)).expect("free");
    let data = directory.path().display().to_string();
    let line = refusal(&["dev", "--port", &port.to_string(), "--data-dir", &data], &[]);
    assert_names(&line, &[&media.to_string(), "--port"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let directory = directory();
    let file = directory.path().join("a-file");
    fs::write(&file, "in the way").expect("written");
    let below = file.join("data").display().to_string();
    for data in [below.as_str(), "/proc/adda-data"] {
        let port = free_port().to_string();
        let line = refusal(&["dev", "--port", &port, "--data-dir", data], &[]);
        assert_names(&line, &[data]);
    }
}

#[test]
fn a_data_directory_in_use_is_refused_by_name() {
    let server = Server::start();
    let data = server.data_directory().display().to_string();
    let port = free_port().to_string();
    let line = refusal(&["dev", "--port", &port, "--data-dir", &data], &[]);
    assert_names(&line, &[&data]);
}

#[test]
fn an_unknown_flag_is_named() {
    let line = refusal(&["dev", "--no-such-flag"], &[]);
    assert_names(&line, &["--no-such-flag", "--help"]);
    assert_names(&refusal(&["no-such-command"], &[]), &["no-such-command"]);
    assert_names(&refusal(&["dev", "--port", "many"], &[]), &["--port", "many"]);
}

#[test]
fn an_unknown_config_key_is_named_with_the_nearest_known_one() {
    let directory = directory();
    let file = directory.path().join("adda.toml");
    fs::write(&file, "prot = 7880\n").expect("written");
    let path = file.display().to_string();
    assert_names(&refusal(&["dev", "--config", &path], &[]), &["prot", "port", &path]);
    fs::write(&file, "port = \n").expect("written");
    assert_names(&refusal(&["dev", "--config", &path], &[]), &[&path, "line 1"]);
    assert_names(&refusal(&["dev"], &[("ADDA_PROT", "7880")]), &["ADDA_PROT"]);
}

#[test]
fn it_listens_within_a_second() {
    enter_network();
    let (directory, port) = (directory(), free_port());
    let data = directory.path().display().to_string();
    let mut command = adda(&["dev", "--port", &port.to_string(), "--data-dir", &data]);
    let started = now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let ready = || http::request(address, "GET", "/readyz", &[], "");
    while !ready().is_ok_and(|answer| answer.status == 200) && now() < started + PATIENCE {
        e2e::wait(Duration::from_millis(2));
    }
    let took = now().duration_since(started);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    report(&format!("ready after {took:.0?}"));
    assert!(took < Duration::from_secs(1), "ready after {took:?}");
}

#[test]
fn it_ends_within_two_seconds_and_tells_the_participants_why() {
    let mut server = Server::start();
    let mut ann = Peer::join(&server, "room", "ann", Manner::with_ssrc(0xa11_0001));
    let started = now();
    server.interrupt();
    ann.wait("farewell", |ann| ann.ended);
    let told = ann.saw(|message| {
        let shutdown = DisconnectReason::ServerShutdown;
        matches!(message, signal_response::Message::Leave(leave) if leave.reason() == shutdown)
    });
    assert!(told, "the participant was not told why: {:?}", ann.signals);
    let status = server.ended();
    let took = now().duration_since(started);
    report(&format!("ended after {took:.0?}"));
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}");
}

#[test]
fn every_address_that_it_prints_works() {
    let mut server = Server::start();
    let log = server.log();
    let urls = log.split(['"', ' ', '\n']).filter(|word| word.starts_with("http://"));
    let urls: Vec<&str> = urls.collect();
    assert!(urls.len() >= 3, "it prints too few addresses:\n{log}");
    for url in urls {
        let (_, rest) = url.split_once("://").expect("a URL");
        let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = format!("/{}", path.trim_end_matches('.'));
        let answer = http::request(server.address(), "GET", &path, &[], "").expect("an answer");
        assert_eq!(answer.status, 200, "{url}");
    }
    let sdk = format!("ws://localhost:{}", server.address().port());
    assert!(log.contains(&sdk) && log.contains("devkey"), "{log}");
}

#[test]
fn health_and_readiness_tell_about_this_process() {
    let server = Server::start();
    let ask = |path| http::request(server.address(), "GET", path, &[], "").expect("an answer");
    assert_eq!(ask("/healthz").status, 200);
    let ready = ask("/readyz");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &serde_json::json!(true)));
    assert_eq!(ask("/startupz").status, 200);
    assert!(ask("/metrics").body.contains("adda_rooms"));
    let missing = ask("/no/such/page");
    assert_eq!(missing.status, 404, "{}", missing.body);
    assert!(!server::is_livekit());
}

/// Shown with the test's result, whatever comes of it.
fn report(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "measured: {text}");
}
