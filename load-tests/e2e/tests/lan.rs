//! `adda dev --lan`: HTTPS for phones, beside the HTTP of this machine.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use e2e::{
    caller::{Caller, Microphone},
    http,
    server::Server,
};

const ANN_HZ: u32 = 600;
const BOB_HZ: u32 = 900;
/// An address of this machine answers, or refuses, well within it.
const AT_HOME: Duration = Duration::from_millis(500);

fn certificate(server: &Server) -> Vec<u8> {
    fs::read(server.data_directory().join("lan-certificate.json")).expect("a certificate")
}

#[test]
fn chromium_calls_by_https_on_7443_and_http_stays_on_this_machine() {
    let mut server = Server::start_with(&["--lan"]);
    let printed = server.printed();
    let url = printed.split_whitespace().find(|word| word.starts_with("https://"));
    let url = url.expect("a URL for phones").to_owned();
    let rest = url.trim_start_matches("https://").split_once('/');
    let (address, path) = rest.expect("a path");
    let address: SocketAddr = address.parse().expect("an address and a port");
    assert!(address.port() == 7443 && !address.ip().is_loopback(), "{url}");

    // Elsewhere than on loopback, a browser gives its microphone to HTTPS alone.
    let phone = Caller::open_url(&url, Microphone::Tone(ANN_HZ));
    let desk = Caller::open(&server, "demo", Microphone::Tone(BOB_HZ));
    phone.join("Ann");
    desk.join("Bob");
    _ = (desk.hear(ANN_HZ), phone.hear(BOB_HZ));

    let port = server.address().port();
    for host in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let target = format!("/{path}");
        let answer = http::request((host, port).into(), "GET", &target, &[], "");
        assert_eq!(answer.expect("an answer").status, 200, "{host}");
    }
    let outside = SocketAddr::new(address.ip(), port);
    let reached = TcpStream::connect_timeout(&outside, AT_HOME);
    assert!(reached.is_err(), "what is in the clear can be reached at {outside}");

    let before = certificate(&server);
    server.crash_and_restart();
    assert_eq!(certificate(&server), before, "whoever accepted it would be warned again");
}
