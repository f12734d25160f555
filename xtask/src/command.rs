//! Child processes: their output, their end, and a limit on how long they may take.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use crate::report::{Outcome, now};

/// What a child printed, both streams in the order of arrival, and how it ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) output: String,
}

/// Whether a child's lines are shown while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    OnFailure,
    AtOnce,
}

/// Returns a command in `directory` that reads nothing from the terminal.
pub(crate) fn command(program: &str, arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command
}

/// Runs `command` to its end, for at most `limit`.
pub(crate) fn finish(mut command: Command, limit: Duration, show: Show) -> Finished {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let program = command.get_program().to_string_lossy().into_owned();
            return Finished { success: false, output: format!("{program}: {error}") };
        }
    };
    let (lines, arrived) = channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, lines.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, lines);
    }
    let output = gather(&mut child, &arrived, limit, show);
    Finished { success: child.wait().is_ok_and(|status| status.success()), output }
}

/// Runs a command whose exit code is the verdict.
pub(crate) fn verdict(command: Command, limit: Duration) -> Outcome {
    let finished = finish(command, limit, Show::OnFailure);
    if finished.success { Outcome::PASSED } else { Outcome::failed(finished.output) }
}

/// Runs `cargo test …` and counts its tests. None at all is a failure: it proves nothing.
pub(crate) fn tests(command: Command, limit: Duration, show: Show) -> Outcome {
    judge(&finish(command, limit, show), show)
}

/// Runs `cargo test …` of whole programs, browsers among them, that play in real time on a machine
/// with other work. What fails, if it is little, is tried again twice, by name and alone; what
/// fails each time has failed. Says what needed another try. Not for what draws cases or controls
/// its clock: if that fails once, it has found something.
pub(crate) fn patient_tests(
    start: impl Fn(&[&str]) -> Command,
    limit: Duration,
    show: Show,
) -> Outcome {
    let mut latest = finish(start(&[]), limit, show);
    let mut passed = 0;
    for _ in 0..RETRIES_MAX {
        let failed = failed_names(&latest.output);
        if latest.success || failed.is_empty() || failed.len() > FAILURES_RETRIED_MAX {
            break;
        }
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), "tried again: {}", failed.join(", "));
        passed += count(&latest.output).0;
        let alone = ["--exact", "--test-threads", "1"];
        latest = finish(start(&[&alone[..], &failed].concat()), limit, show);
    }
    match judge(&latest, show) {
        Outcome::Passed { tests } => Outcome::Passed { tests: passed + tests },
        failure @ (Outcome::Failed { .. } | Outcome::Skipped { .. }) => failure,
    }
}

const RETRIES_MAX: u32 = 2;
/// More failures than this are no accident.
const FAILURES_RETRIED_MAX: usize = 8;

fn judge(finished: &Finished, show: Show) -> Outcome {
    let (passed, failures) = count(&finished.output);
    let tests = passed + failures;
    if finished.success && failures == 0 {
        return match tests {
            0 => Outcome::failed("no test was run"),
            _ => Outcome::Passed { tests },
        };
    }
    let why = if show == Show::AtOnce { String::new() } else { finished.output.clone() };
    Outcome::Failed { tests, failures, why }
}

/// The names in cargo's lines `test NAME ... FAILED`.
fn failed_names(output: &str) -> Vec<&str> {
    let lines = output.lines().filter_map(|line| line.strip_suffix(" ... FAILED"));
    lines.filter_map(|line| line.strip_prefix("test ")).collect()
}

fn forward(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

/// Collects lines until both streams end. A child over its limit is killed and says so.
fn gather(child: &mut Child, lines: &Receiver<String>, limit: Duration, show: Show) -> String {
    let deadline = now() + limit;
    let mut output = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(line) => {
                if show == Show::AtOnce {
                    use std::io::Write as _;
                    let _ = writeln!(std::io::stdout().lock(), "{line}");
                }
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => return output,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                output.push_str(&format!("ended after {} s, its limit\n", limit.as_secs()));
                return output;
            }
        }
    }
}

/// Adds up cargo's closing lines: `test result: ok. 3 passed; 0 failed; …`.
fn count(output: &str) -> (u32, u32) {
    let mut sums = (0, 0);
    for line in output.lines().filter(|line| line.starts_with("test result: ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let before = |word: &str| -> u32 {
            let pairs = words.iter().zip(words.iter().skip(1));
            let number = pairs.filter(|(_, name)| **name == word).map(|(number, _)| number).next();
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        sums.0 += before("passed;");
        sums.1 += before("failed;");
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        command("sh", &["-c", script], Path::new("/"))
    }

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_command_that_fails_is_shown_with_what_it_printed() {
        let outcome = verdict(shell("echo out; echo err >&2; exit 3"), SOON);
        let Outcome::Failed { why, .. } = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("out") && why.contains("err"), "{why}");
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure_that_names_it() {
        let outcome = verdict(command("no-such-program", &[], Path::new("/")), SOON);
        assert!(matches!(outcome, Outcome::Failed { why, .. } if why.contains("no-such-program")));
    }

    #[test]
    fn a_command_over_its_limit_is_ended() {
        let outcome = verdict(shell("exec cat /dev/zero > /dev/null"), Duration::from_millis(50));
        assert!(matches!(outcome, Outcome::Failed { why, .. } if why.contains("its limit")));
    }

    #[test]
    fn tests_are_added_up_over_several_programs() {
        let lines = "echo 'test result: ok. 3 passed; 0 failed; 0 ignored'\n\
                     echo 'test result: ok. 4 passed; 0 failed; 0 ignored'";
        assert_eq!(tests(shell(lines), SOON, Show::OnFailure), Outcome::Passed { tests: 7 });
    }

    #[test]
    fn a_run_without_a_test_proves_nothing() {
        let outcome = tests(shell("true"), SOON, Show::OnFailure);
        assert!(matches!(outcome, Outcome::Failed { why, .. } if why == "no test was run"));
    }

    /// Fails in its first run, and in its second unless told that this one passes.
    fn twice(second: &'static str) -> Outcome {
        let first = "printf 'test a::b ... FAILED\ntest result: FAILED. 3 passed; 1 failed; 0\n'; \
                     exit 101";
        let start = move |words: &[&str]| match words {
            [] => shell(first),
            ["--exact", "--test-threads", "1", "a::b"] => shell(second),
            other => panic!("{other:?}"),
        };
        patient_tests(start, SOON, Show::OnFailure)
    }

    #[test]
    fn what_fails_once_is_tried_again_by_name() {
        let outcome = twice("echo 'test result: ok. 1 passed; 0 failed; 0 ignored'");
        assert_eq!(outcome, Outcome::Passed { tests: 4 });
    }

    #[test]
    fn what_fails_each_time_has_failed() {
        let outcome = twice("echo 'test result: FAILED. 0 passed; 1 failed; 0'; exit 101");
        assert!(matches!(outcome, Outcome::Failed { failures: 1, .. }), "{outcome:?}");
    }

    #[test]
    fn a_failed_test_fails_the_step() {
        let lines = "echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored'; exit 101";
        let outcome = tests(shell(lines), SOON, Show::OnFailure);
        assert!(matches!(outcome, Outcome::Failed { tests: 4, failures: 1, .. }));
    }
}
