//! The servers themselves: what they promise the tests that start them.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use aws_lc_rs::{digest, hmac};
use parts::{Nginx, PATIENCE, Postgres, Process, Redis, S3};

#[test]
fn redis_comes_back_empty_on_its_port() {
    let mut redis = Redis::start();
    let ask = |redis: &Redis| redis.command("GET key").expect("an answer");
    assert_eq!(redis.command("SET key value").as_deref(), Some("+OK\r\n"));
    redis.process.pause();
    redis.process.resume();
    assert_eq!(ask(&redis), "$5\r\nvalue\r\n");
    redis.process.kill();
    assert_eq!(redis.command("GET key"), None);
    redis.start_again();
    assert_eq!(ask(&redis), "$-1\r\n");
}

#[test]
fn postgres_has_what_it_committed_after_kill_9() {
    let mut postgres = Postgres::start();
    assert!(postgres.new_database() != postgres.new_database());
    assert_eq!(postgres.query("CREATE TABLE kept AS SELECT 7 AS number"), "");
    assert_eq!(postgres.query("SHOW fsync"), "on");
    postgres.process.kill();
    postgres.start_again();
    assert_eq!(postgres.query("SELECT number FROM kept"), "7");
    assert!(postgres.process.stop().success());
}

#[test]
fn s3_takes_what_is_signed_and_refuses_what_is_not() {
    let mut s3 = S3::start();
    let [right, wrong] = [S3::SECRET_KEY, "another"].map(|secret| signed_put(&s3, "a/b", secret));
    let put = |target: &str| http(s3.address(), "PUT", target, "hello");
    assert!(put(&wrong).starts_with("HTTP/1.1 403"), "{}", put(&wrong));
    assert!(put("/adda/a/b").starts_with("HTTP/1.1 403"), "{}", put("/adda/a/b"));
    assert!(put(&right).starts_with("HTTP/1.1 200"), "{}", put(&right));
    assert_eq!(std::fs::read(s3.objects().join("a/b")).expect("a file"), b"hello");
    s3.process.kill();
    s3.start_again();
    assert!(http(s3.address(), "PUT", &right, "again").starts_with("HTTP/1.1 200"));
}

#[test]
fn nginx_passes_over_a_server_that_is_gone() {
    let gone = SocketAddr::from((Ipv4Addr::LOCALHOST, parts::free_port()));
    let nginx = Nginx::before(&[gone, answering(b"here")]);
    for _ in 0..4 {
        let answer = http(nginx.address(), "GET", "/", "");
        assert!(answer.contains("\r\nhere\r\n"), "{answer}");
    }
}

/// This test is two programs: the one that is killed starts a child and says its number.
#[test]
fn nothing_outlives_the_program_that_started_it() {
    const INNER: &str = "PARTS_INNER";
    let name = "nothing_outlives_the_program_that_started_it";
    if let Some(log) = env::var_os(INNER) {
        let child = Process::start("sleep", Path::new("sleep"), ["600"], &[], Path::new(&log));
        writeln!(std::io::stderr(), "child {}", child.id()).expect("written");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return;
    }
    let mut program = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(INNER, "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let lines = BufReader::new(program.stderr.take().expect("piped")).lines();
    let mut lines = lines.map_while(Result::ok);
    let child = lines.find_map(|line| line.strip_prefix("child ").map(str::to_owned));
    let child = child.expect("it starts a child");
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    assert!(is_there());
    program.kill().expect("it runs");
    program.wait().expect("it ends");
    let mut watch =
        Process::start("sleep", Path::new("sleep"), ["600"], &[], Path::new("/dev/null"));
    watch.wait_until("the last", || !is_there());
}

/// A server that gives every request this answer.
fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer);
        }
    });
    address
}

fn http(server: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The target of a presigned PUT, by the rules of Signature Version 4.
fn signed_put(s3: &S3, key: &str, secret: &str) -> String {
    let (date, time) = today();
    let scope = format!("{date}/{}/s3/aws4_request", S3::REGION);
    let path = format!("/{}/{key}", S3::BUCKET);
    let credential = format!("{}/{scope}", S3::ACCESS_KEY).replace('/', "%2F");
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}\
         &X-Amz-Expires=600&X-Amz-SignedHeaders=host"
    );
    let host = s3.address();
    let request = format!("PUT\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let sign = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let key = [date.as_str(), S3::REGION, "s3", "aws4_request", &text]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    format!("{path}?{query}&X-Amz-Signature={}", hex(&key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The date and the time of now, as signatures have them.
fn today() -> (String, String) {
    let output = Command::new("date").args(["-u", "+%Y%m%dT%H%M%SZ"]).output().expect("`date`");
    let time = String::from_utf8(output.stdout).expect("ASCII").trim().to_owned();
    let (date, _) = time.split_once('T').expect("date and time");
    (date.to_owned(), time)
}
