//! One line per step while it runs, the remedy when it fails, and the closing count.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

/// What came of one step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// How many tests it ran; 0 for a step that is itself the test.
    Passed {
        tests: u32,
    },
    Failed {
        tests: u32,
        failures: u32,
        why: String,
    },
    /// A part is missing on this machine; `why` says how to get it.
    Skipped {
        why: String,
    },
}

impl Outcome {
    pub(crate) const PASSED: Self = Self::Passed { tests: 0 };

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { tests: 0, failures: 0, why: why.into() }
    }

    /// A check passes when it has nothing to say.
    pub(crate) fn of_findings(findings: &[String]) -> Self {
        if findings.is_empty() { Self::PASSED } else { Self::failed(findings.join("\n")) }
    }
}

/// Counts outcomes and tells them as they come.
pub(crate) struct Report {
    out: Box<dyn Write>,
    passed: u32,
    failed: u32,
    skipped: u32,
    /// On a build machine everything can be had, so what is skipped there was lost by mistake.
    skips_fail: bool,
}

impl Report {
    pub(crate) fn new(out: Box<dyn Write>, skips_fail: bool) -> Self {
        Self { out, passed: 0, failed: 0, skipped: 0, skips_fail }
    }

    /// Runs one step. `remedy` is printed when it fails.
    pub(crate) fn step(&mut self, name: &str, remedy: &str, run: impl FnOnce() -> Outcome) {
        self.start(name);
        let started = now();
        let outcome = run();
        self.finish(name, remedy, outcome, now().duration_since(started));
    }

    pub(crate) fn line(&mut self, text: &str) {
        // A closed pipe is the reader's wish to hear no more.
        let _ = writeln!(self.out, "{text}");
    }

    /// The closing line, alone on its own, and the exit code that goes with it.
    pub(crate) fn close(mut self) -> ExitCode {
        let Self { passed, failed, skipped, .. } = self;
        self.line(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn start(&mut self, name: &str) {
        let _ = write!(self.out, "{name:.<48} ");
        let _ = self.out.flush();
    }

    fn finish(&mut self, name: &str, remedy: &str, outcome: Outcome, took: Duration) {
        let seconds = took.as_secs_f32();
        match outcome {
            Outcome::Passed { tests: 0 } => {
                self.passed += 1;
                self.line(&format!("ok ({seconds:.1} s)"));
            }
            Outcome::Passed { tests } => {
                self.passed += tests;
                self.line(&format!("ok ({tests} tests, {seconds:.1} s)"));
            }
            Outcome::Failed { tests, failures, why } => {
                self.passed += tests.saturating_sub(failures);
                self.failed += failures.max(1);
                self.line(&format!("FAILED ({seconds:.1} s)\n{why}\n{name}: to mend it, {remedy}"));
            }
            Outcome::Skipped { why } if self.skips_fail => {
                self.failed += 1;
                self.line(&format!("FAILED: skipped, which CI doesn't allow\n{name}: {why}"));
            }
            Outcome::Skipped { why } => {
                self.skipped += 1;
                self.line(&format!("SKIPPED\n{name}: {why}"));
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only clock of this program: how long steps took"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(skips_fail: bool) -> Report {
        Report::new(Box::new(std::io::sink()), skips_fail)
    }

    #[test]
    fn what_was_found_is_a_failure() {
        let mut report = report(false);
        report.step("check", "mend it", || Outcome::of_findings(&["a.rs: wrong".to_owned()]));
        report.step("other", "mend it", || Outcome::of_findings(&[]));
        assert_eq!((report.passed, report.failed, report.skipped), (1, 1, 0));
        assert_eq!(report.close(), ExitCode::FAILURE);
    }

    #[test]
    fn tests_are_counted_one_by_one() {
        let mut report = report(false);
        report.step("unit", "", || Outcome::Passed { tests: 7 });
        report.step("e2e", "", || Outcome::Failed { tests: 5, failures: 2, why: String::new() });
        assert_eq!((report.passed, report.failed), (10, 2));
    }

    #[test]
    fn a_skip_is_named_on_a_desk_and_fails_on_a_build_machine() {
        let skip = || Outcome::Skipped { why: "no Go: install it".to_owned() };
        let mut desk = report(false);
        desk.step("go", "", skip);
        assert_eq!((desk.skipped, desk.failed), (1, 0));
        let mut machine = report(true);
        machine.step("go", "", skip);
        assert_eq!((machine.skipped, machine.failed), (0, 1));
    }
}
