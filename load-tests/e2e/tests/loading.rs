//! The pages on a network that loses their files, and in a browser that keeps nothing for them:
//! nobody is left with a page that does nothing.

use e2e::{
    caller::{Caller, Microphone},
    server::Server,
};

/// Every page, with a control that only its modules bring to life.
const PAGES: [(&str, &str); 3] =
    [("call/room", "#join-mic"), ("notes/room", "#join"), ("admin", "#token-form button")];
const NAME_OR_TOKEN: &str = "#join-view input";
/// All of them need it, by way of others.
const MODULE: &str = "text.js";
const ALWAYS: u32 = 1_000;
const ANN_HZ: u32 = 600;

fn open(server: &Server, page: &str, files: &[&str], times: u32) -> Caller {
    Caller::open_losing(server.address(), page, Microphone::None, files, times)
}

#[test]
fn chromium_gets_a_page_whose_module_was_lost_once() {
    let server = Server::start();
    for (page, control) in PAGES {
        let ann = open(&server, &format!("{page}#token=kept"), &[MODULE], 1);
        ann.wait_for(control);
        ann.wait_for_no("#loading");
        assert!(ann.url().ends_with("#token=kept") || page == "admin", "{}", ann.url());
    }
}

#[test]
fn chromium_says_that_a_page_did_not_load_and_gets_it_by_a_button() {
    let server = Server::start();
    for (page, control) in PAGES {
        let ann = open(&server, page, &[MODULE], ALWAYS);
        // At once, and not only because time has passed.
        ann.wait_for("#loading[data-failed] #not-loaded");
        assert!(ann.text("#not-loaded").contains("did not load"), "{page}");
        ann.wait_for_no(control);
        // Nor does its form send itself anywhere.
        ann.submit("#join-view form");
        ann.wait_for("#not-loaded");
        assert!(ann.url().ends_with(page), "{}", ann.url());

        ann.lose_nothing();
        ann.press("#not-loaded button");
        ann.wait_for(control);
        ann.wait_for_no("#loading");
    }
}

#[test]
fn chromium_says_so_though_no_script_came_at_all() {
    let server = Server::start();
    let ann = open(&server, "call/room#token=kept", &["load.js", "call.js"], ALWAYS);
    ann.wait_for("#not-loaded");
    ann.lose_nothing();
    ann.press("#not-loaded button");
    ann.wait_for(NAME_OR_TOKEN);
    ann.wait_for_no("#loading");
    assert!(ann.url().ends_with("#token=kept"), "{}", ann.url());
}

#[test]
fn chromium_calls_though_it_keeps_nothing() {
    let server = Server::start();
    let address = server.address();
    let ann = Caller::open_keeping_nothing(address, "call/room", Microphone::Tone(ANN_HZ));
    assert!(!ann.keeps(), "its browser keeps something");
    let bob = Caller::open(&server, "room", Microphone::None);
    bob.join_to_listen("Bob");
    ann.join("Ann");
    _ = bob.hear(ANN_HZ);
}

#[test]
fn chromium_plays_notes_though_it_keeps_nothing() {
    let server = Server::start();
    let address = server.address();
    let ann = Caller::open_page(address, "notes/room", Microphone::Tone(ANN_HZ));
    let bob = Caller::open_keeping_nothing(address, "notes/room", Microphone::None);
    assert!(!bob.keeps(), "his browser keeps something");
    bob.come_in("Bob");
    // A note that isn't on the disk before it leaves might be lost: it says that it takes none.
    bob.wait_for("#notice-disk");
    bob.wait_for("#hold:disabled");

    ann.come_in("Ann");
    ann.wait_for("#empty");
    ann.hold("#hold", 1_500, (0, 0));
    bob.wait_for(".unheard");
    bob.press(".note .play");
    bob.wait_for_no(".unheard");
    // What he chooses holds as long as the page is open.
    for speed in ["1.5×", "2×"] {
        bob.press(".note .speed");
        bob.wait_for_words(".note .speed", speed);
    }
}
