//! The page of voice notes in a real browser: what was held is heard by somebody else.

use e2e::{
    caller::{Caller, Microphone},
    notes::Notes,
    recording::{Heard, hear},
    server::Server,
};

const ROOM: &str = "room";
const ANN_HZ: u32 = 600;
const HOLD: &str = "#hold";
const SENT: &str = ".note[data-id]";

fn open(server: &Server, name: &str, microphone: Microphone) -> Caller {
    let page = Caller::open_page(server.address(), &format!("notes/{ROOM}"), microphone);
    page.come_in(name);
    page.wait_for(HOLD);
    page
}

#[test]
fn chromium_sends_what_was_held_and_another_page_plays_it() {
    let server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    let bob = open(&server, "Bob", Microphone::None);
    ann.wait_for("#empty");
    ann.hold(HOLD, 2_500, (0, 0));
    ann.wait_for(SENT);

    let notes = Notes::of(&server, ROOM, "checker");
    let [note] = &notes.all()[..] else { panic!("one note") };
    let id = note["id"].as_str().expect("an id");
    let sound = hear(&notes.content(id).expect("an answer").raw, &[ANN_HZ]);
    let tones = sound.iter().filter(|one| **one == Heard::Tone(ANN_HZ)).count();
    assert!(tones >= 15, "1.5 s of the tone at least: {sound:?}");

    bob.wait_for(SENT);
    assert!(bob.text(".note .name").contains("Ann"), "{}", bob.text(".note .name"));
    bob.wait_for(".unheard");
    bob.press(".note .play");
    bob.wait_for(".bar-of-sound.played");
    bob.wait_for_no(".unheard");
}

#[test]
fn chromium_keeps_what_was_cancelled_or_too_short_to_itself() {
    let server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    ann.wait_for("#empty");
    ann.hold(HOLD, 100, (0, 0));
    ann.wait_for("#notice-recorder");
    ann.hold(HOLD, 1_500, (-160, 0));
    ann.wait_for("#notice-recorder");
    // A note that is sent afterwards shows that the others had their time.
    ann.hold(HOLD, 1_500, (0, 0));
    ann.wait_for(SENT);
    assert_eq!(Notes::of(&server, ROOM, "checker").all().len(), 1);
}

#[test]
fn chromium_records_by_key_and_without_holding() {
    let server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    ann.wait_for("#empty");
    ann.hold_key(HOLD, "Space", 1_500);
    ann.wait_for(SENT);
    // Slid up, it goes on until it is sent.
    ann.hold(HOLD, 1_000, (0, -110));
    ann.wait_for("#cancel");
    ann.press(HOLD);
    ann.wait_for(&format!("{SENT}:nth-child(2)"));
}

#[test]
fn chromium_keeps_a_note_that_the_server_did_not_take_and_sends_it_later() {
    let mut server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    ann.wait_for("#empty");
    server.crash();
    ann.hold(HOLD, 1_500, (0, 0));
    ann.wait_for(".note[data-key][data-state=failed]");
    server.restart();
    // Somebody who closed the tab comes back to it.
    ann.reload();
    ann.come_in("Ann");
    ann.wait_for(SENT);
    assert_eq!(ann.count(".note"), 1);
}

#[test]
fn chromium_shows_a_notes_length_and_shape_and_plays_from_anywhere_in_it() {
    let server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    ann.wait_for("#empty");
    ann.hold(HOLD, 2_500, (0, 0));
    ann.wait_for(SENT);
    let note = Notes::of(&server, ROOM, "checker").all().remove(0);
    // Rounded, as the page does.
    let seconds = (note["durationMs"].as_u64().expect("a length") + 500) / 1_000;
    assert!(seconds >= 2, "{note}");
    assert_eq!(ann.text(".note .time"), format!("0:0{seconds}"));
    let level = |bar: &str| -> f64 {
        let level = ann.drawn(&format!(".bar-of-sound:{bar}"), None, "--level");
        level.trim().parse().expect("a number")
    };
    assert!(level("nth-child(24)") > 0.3, "a tone is no silence: {}", level("nth-child(24)"));

    // By key: to its end, and back by five seconds, which is its start.
    let bar = ".note .waveform";
    assert!(ann.tab_to(bar), "the focus is not seen");
    ann.strike(&["End"]);
    // A browser's idea of the length may be a little shorter than the server's.
    ann.wait_for(".bar-of-sound:nth-child(45).played");
    ann.strike(&["ArrowLeft"]);
    ann.wait_for(&format!("{bar}[aria-valuenow='0']"));
    ann.wait_for_no(".bar-of-sound.played");
    // By pointer: the middle of what is drawn.
    ann.hold(&format!("{bar} .bar-of-sound:nth-child(24)"), 20, (0, 0));
    ann.wait_for(".bar-of-sound:nth-child(20).played");
    ann.wait_for_no(".bar-of-sound:nth-child(30).played");
}

#[test]
fn chromium_cancels_by_escape() {
    let server = Server::start();
    let ann = open(&server, "Ann", Microphone::Tone(ANN_HZ));
    ann.wait_for("#empty");
    // Slid up, so that it goes on without a hand.
    ann.hold(HOLD, 1_500, (0, -110));
    ann.wait_for("#cancel");
    ann.strike(&["Escape"]);
    ann.wait_for_no("#cancel");
    ann.hold(HOLD, 1_500, (0, 0));
    ann.wait_for(SENT);
    assert_eq!(Notes::of(&server, ROOM, "checker").all().len(), 1);
}
