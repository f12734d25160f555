//! The page for operators, on a server that works: what it shows, and a recording that it starts.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use e2e::{
    caller::{Caller, Microphone},
    server::{Server, adda},
};

/// What `adda token create --operator` prints.
fn operator_token() -> String {
    let output = adda(&["token", "create", "--operator"]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn chromium_shows_an_operator_the_pool_and_records_a_room() {
    let server = Server::start();
    let ann = Caller::open(&server, "stand-up", Microphone::Tone(600));
    ann.join("Ann");
    ann.wait_for("#call-echo");

    let page = Caller::open_page(server.address(), "admin", Microphone::None);
    page.fill("#token", &operator_token());
    page.press("#token-form button");
    page.wait_for("#nodes tr");
    assert!(page.text("#nodes").contains("signaling, sfu, recorder"), "{}", page.text("#nodes"));
    page.wait_for("#findings [data-kind=good]");
    page.wait_for("#rooms tr");
    assert_eq!(page.text("#rooms th"), "stand-up");
    assert_eq!(page.text("#rooms td"), "1", "Ann is in it");

    page.press("[data-action=record-stand-up]");
    page.wait_for("#recordings .cell-state[data-kind=warn]");
    page.press("[data-action=record-stand-up]");
    page.wait_for("#recordings .cell-state[data-kind=good]");
}

#[test]
fn chromium_is_refused_without_an_operators_token() {
    let server = Server::start();
    let page = Caller::open_page(server.address(), "admin", Microphone::None);
    page.fill("#token", &server.token("stand-up", "ann").sign());
    page.press("#token-form button");
    page.wait_for("#token-error");
    assert!(page.text("#token-error").contains("operator"), "{}", page.text("#token-error"));
}

#[test]
fn chromium_shows_the_pool_though_it_keeps_nothing() {
    let server = Server::start();
    let page = Caller::open_keeping_nothing(server.address(), "admin", Microphone::None);
    assert!(!page.keeps(), "its browser keeps something");
    page.fill("#token", &operator_token());
    page.press("#token-form button");
    page.wait_for("#nodes tr");
}
