//! How the executable starts, stops and refuses to start.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use e2e::{
    PATIENCE, enter_network, http, now,
    peer::{Manner, Peer},
    server::{self, Server, adda, free_port},
};
use proto::livekit::{DisconnectReason, signal_response};
use serde_json::json;
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
        assert_names(&line, &[data, "--data-dir"]);
    }
}

#[test]
fn a_data_directory_in_use_is_refused_by_name() {
    let server = Server::start();
    let data = server.data_directory().display().to_string();
    let port = free_port().to_string();
    let line = refusal(&["dev", "--port", &port, "--data-dir", &data], &[]);
    assert_names(&line, &[&data, &server.id().to_string(), "--data-dir"]);
}

#[test]
fn an_unknown_flag_is_named() {
    let line = refusal(&["dev", "--no-such-flag"], &[]);
    assert_names(&line, &["--no-such-flag", "--help"]);
    assert_names(&refusal(&["no-such-command"], &[]), &["no-such-command"]);
    assert_names(&refusal(&["dev", "--port", "many"], &[]), &["--port", "many"]);
}

/// Names that are kept for later: whoever sets one today is told, not left to wonder.
#[test]
fn what_does_nothing_yet_is_refused() {
    assert_names(&refusal(&["dev", "--webhook", "http://localhost:1"], &[]), &["--webhook"]);
    assert_names(&refusal(&["dev", "--turn-port", "3478"], &[]), &["--turn-port"]);
    assert_names(&refusal(&["serve", "--role", "turn"], &[]), &["--role", "turn"]);
    assert_names(&refusal(&["node", "drain", "sfu-1"], &[]), &["drain"]);
    assert_names(&refusal(&["dev"], &[("ADDA_TURN_SECRET", "x")]), &["ADDA_TURN_SECRET"]);
    let directory = directory();
    let file = directory.path().join("adda.toml");
    fs::write(&file, "[turn]\nlisten = \"0.0.0.0:3478\"\n").expect("written");
    let path = file.display().to_string();
    assert_names(&refusal(&["dev", "--config", &path], &[]), &["turn.listen", &path]);
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

/// A process that ends with its test.
struct Running(Child);

impl Running {
    /// Starts it and waits until it is ready on `port`; returns how long that took.
    fn start(mut command: Command, port: u16) -> (Self, Duration) {
        let started = now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let running = Self(child);
        while status((Ipv4Addr::LOCALHOST, port).into()) != Some(200) && now() < started + PATIENCE
        {
            e2e::wait(Duration::from_millis(2));
        }
        (running, now().duration_since(started))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `/readyz` at `address` answers, if anything does.
fn status(address: SocketAddr) -> Option<u16> {
    http::request(address, "GET", "/readyz", &[], "").ok().map(|answer| answer.status)
}

#[test]
fn it_listens_within_a_second() {
    enter_network();
    let (directory, port) = (directory(), free_port());
    let data = directory.path().display().to_string();
    let command = adda(&["dev", "--port", &port.to_string(), "--data-dir", &data]);
    let (_running, took) = Running::start(command, port);
    report(&format!("ready after {took:.0?}"));
    assert!(took < Duration::from_secs(1), "ready after {took:?}");
}

#[test]
fn without_a_command_it_serves_this_machine_alone_and_keeps_to_one_directory() {
    enter_network();
    let (directory, port) = (directory(), free_port());
    let [here, elsewhere] = ["here", "elsewhere"].map(|name| directory.path().join(name));
    for folder in [&here, &elsewhere] {
        fs::create_dir(folder).expect("made");
    }
    let mut command = adda(&["--port", &port.to_string()]);
    command.current_dir(&here).env("HOME", &elsewhere).env("TMPDIR", &elsewhere);
    let (running, _) = Running::start(command, port);
    assert_eq!(status((Ipv4Addr::LOCALHOST, port).into()), Some(200));
    assert_eq!(status((Ipv6Addr::LOCALHOST, port).into()), Some(200));
    let outside = SocketAddr::from((e2e::OUTSIDE, port));
    let reached = TcpStream::connect_timeout(&outside, Duration::from_millis(500));
    assert!(reached.is_err(), "another machine could reach it");
    drop(running);
    assert_eq!(names_in(&here), ["adda-data"]);
    assert_eq!(names_in(&elsewhere), [""; 0]);
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_restart_finds_the_rooms_that_were_made_however_it_ended() {
    let mut server = Server::start();
    let kept = json!({ "name": "kept", "metadata": "of the first life", "empty_timeout": 3_600 });
    server.moderate("kept", "CreateRoom", &kept);
    // It is there as soon as the server says that it is ready.
    let assert_there = |server: &Server| {
        let listed = server.moderate("kept", "ListRooms", &json!({}));
        let rooms = listed["rooms"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = rooms.iter().map(|room| (&room["name"], &room["metadata"])).collect();
        assert_eq!(found, [(&kept["name"], &kept["metadata"])]);
    };
    server.interrupt();
    assert!(server.ended().success());
    server.restart();
    assert_there(&server);
    server.crash_and_restart();
    assert_there(&server);
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
    let (port, log) = (server.address().port(), server.printed());
    let urls = log.split(['"', ' ', '\n']).filter(|word| word.starts_with("http://"));
    let urls: Vec<&str> = urls.collect();
    assert!(urls.len() >= 3, "it prints too few addresses:\n{log}");
    for url in urls {
        let (_, rest) = url.split_once("://").expect("a URL");
        let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = format!("/{}", path.trim_end_matches('.'));
        // A browser tries either for `localhost`.
        for host in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let answer = http::request((host, port).into(), "GET", &path, &[], "");
            assert_eq!(answer.expect("an answer").status, 200, "{url} at {host}");
        }
    }
    for what in ["/call/demo", "/healthz", "/metrics"] {
        assert!(log.contains(&format!("http://localhost:{port}{what}")), "{what} in {log}");
    }
    let sdk = log.lines().find(|line| line.contains(&format!("ws://localhost:{port} ")));
    let words: Vec<&str> = sdk.expect("a line for SDKs").split_whitespace().collect();
    assert!(words.ends_with(&["key", "devkey", "secret", "secret"]), "{words:?}");
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
