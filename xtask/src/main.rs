//! The project's automation: `cargo xtask check`, `cargo xtask setup`, `cargo xtask test`,
//! `cargo xtask bench`.

mod bench;
mod check;
mod command;
mod report;
mod setup;
mod suite;
mod workspace;

use std::{env, io::stdout, process::ExitCode};

use report::Report;
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask check   format, lints, architecture, docs, unit, property and simulation tests
cargo xtask setup   install what the tests need (Debian as root; elsewhere: say what)
cargo xtask test    setup, check, release build, end-to-end tests: all there is
cargo xtask bench   the cost of forwarding, beside LiveKit's server under the same load
cargo xtask bench curve      … over listeners and rooms
cargo xtask bench capacity   … with two thousand participants, who come and go twice
cargo xtask bench delay      … and how long packets stay as a core gets busier
cargo xtask bench profile    … as a flame graph
cargo xtask bench allocations    what the forwarding threads allocate for a packet: nothing
cargo xtask bench drivers        whether another load driver finds the same costs";

fn main() -> ExitCode {
    let mut report = Report::new(Box::new(stdout()), env::var_os("CI").is_some());
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = match words.as_slice() {
        ["check"] => check::run,
        ["setup"] => setup::run,
        ["test"] => suite::run,
        ["bench"] => bench::compare,
        ["bench", "curve"] => bench::curve,
        ["bench", "capacity"] => bench::capacity,
        ["bench", "delay"] => bench::delay,
        ["bench", "profile"] => bench::profile,
        ["bench", "allocations"] => bench::allocations,
        ["bench", "drivers"] => bench::drivers,
        [] | ["help" | "--help" | "-h"] => {
            report.line(USAGE);
            return ExitCode::SUCCESS;
        }
        [other, ..] => {
            report.line(&format!("unknown command `{other}`; there are:\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match Workspace::find().and_then(|workspace| run(&workspace, &mut report)) {
        Ok(()) => report.close(),
        Err(error) => {
            report.line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
