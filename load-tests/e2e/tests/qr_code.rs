//! The QR code of `--lan`, as a camera sees it on a terminal.

#![expect(clippy::expect_used, reason = "what fails here fails the test that called it")]

use std::{
    fs::File,
    io::Read,
    iter::repeat_n,
    num::NonZero,
    sync::mpsc::{Receiver, channel},
    thread,
};

use e2e::{
    PATIENCE, enter_network, now,
    server::{adda, free_port},
};
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tempfile::TempDir;
use vt100::{Color, Parser, Screen};

/// The smallest terminal that is common.
const ROWS: NonZero<u16> = NonZero::new(24).expect("more than none");
const COLUMNS: NonZero<u16> = NonZero::new(80).expect("more than none");
/// The last thing that is printed.
const LAST: &str = "Ctrl-C stops it.";
/// Half a character cell is a square of so many pixels.
const SQUARE: usize = 5;

/// How a terminal shows what has no colour of its own, as grey: text and ground.
#[derive(Clone, Copy, Debug)]
struct Theme {
    text: u8,
    ground: u8,
}

const DARK: Theme = Theme { text: 220, ground: 12 };
const LIGHT: Theme = Theme { text: 30, ground: 250 };

/// Runs `adda dev --lan` on a terminal until it has printed everything; returns what the terminal
/// shows then, and all that was printed.
fn run_on_a_terminal() -> (Parser, String) {
    enter_network();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("a terminal");
    unlockpt(&terminal).expect("a terminal");
    let size = Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("a terminal");
    let path = ptsname(&terminal, Vec::new()).expect("a terminal");
    let path = path.into_string().expect("a path");
    let side = || File::options().read(true).write(true).open(&path).expect("a terminal");

    let (directory, port) = (TempDir::new().expect("a directory"), free_port().to_string());
    let data = directory.path().display().to_string();
    let mut command = adda(&["dev", "--lan", "--port", &port, "--data-dir", &data]);
    command.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
    let mut child = command.spawn().expect("it runs");
    let screen = shown(&read(File::from(terminal)));
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(id, Signal::INT).expect("it runs");
    child.wait().expect("it ends");
    screen
}

fn read(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, bytes) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            if sender.send(buffer.iter().take(length).copied().collect()).is_err() {
                return;
            }
        }
    });
    bytes
}

fn shown(bytes: &Receiver<Vec<u8>>) -> (Parser, String) {
    let (mut terminal, mut printed) = (Parser::new(ROWS, COLUMNS, 0), String::new());
    let deadline = now() + PATIENCE;
    while !terminal.screen().contents().contains(LAST) {
        let left = deadline.saturating_duration_since(now());
        let more = bytes.recv_timeout(left).expect(LAST);
        terminal.process(&more);
        printed.push_str(&String::from_utf8_lossy(&more));
    }
    (terminal, printed)
}

/// What the eye sees of a colour.
fn grey(color: Color, plain: u8) -> u8 {
    match color {
        Color::Default => plain,
        Color::Idx(0) => 0,
        Color::Idx(7) => 200,
        Color::Idx(8) => 100,
        Color::Idx(15) => 255,
        Color::Idx(_) | Color::Rgb(..) => 128,
    }
}

/// The screen as lines of grey pixels.
fn pixels(screen: &Screen, theme: Theme) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for row in 0..ROWS.get() {
        let cells: Vec<(u8, u8)> =
            (0..COLUMNS.get()).map(|column| halves(screen, row, column, theme)).collect();
        let upper = cells.iter().flat_map(|cell| [cell.0; SQUARE]).collect();
        let lower = cells.iter().flat_map(|cell| [cell.1; SQUARE]).collect();
        lines.extend(repeat_n(upper, SQUARE).chain(repeat_n(lower, SQUARE)));
    }
    lines
}

/// The upper and the lower half of one cell.
fn halves(screen: &Screen, row: u16, column: u16, theme: Theme) -> (u8, u8) {
    let cell = screen.cell(row, column).expect("on the screen");
    let text = grey(cell.fgcolor(), theme.text);
    let ground = grey(cell.bgcolor(), theme.ground);
    match cell.contents() {
        "" | " " => (ground, ground),
        "█" => (text, text),
        "▀" => (text, ground),
        "▄" => (ground, text),
        // Letters are somewhere between.
        _ => (text / 2 + ground / 2, text / 2 + ground / 2),
    }
}

fn scan(picture: &[Vec<u8>]) -> Vec<String> {
    let height = picture.len();
    let width = picture.first().map_or(0, Vec::len);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        picture.get(y).and_then(|line| line.get(x)).copied().unwrap_or_default()
    });
    let codes = prepared.detect_grids();
    codes.iter().filter_map(|code| code.decode().ok()).map(|(_, text)| text).collect()
}

#[test]
fn the_qr_code_of_lan_scans_on_a_dark_and_on_a_light_terminal() {
    let (terminal, printed) = run_on_a_terminal();
    let url = printed.split_whitespace().find(|word| word.starts_with("https://"));
    assert!(url.is_some_and(|url| url.ends_with("/call/demo")), "{printed}");
    for theme in [DARK, LIGHT] {
        let scanned = scan(&pixels(terminal.screen(), theme));
        assert_eq!(scanned, Vec::from_iter(url), "{theme:?}\n{printed}");
    }
}
