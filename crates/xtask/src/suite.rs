//! Runs the workspace's tests and sums what they report.

use crate::process::{cargo, run, watch};
use crate::setup;
use anyhow::{Result, ensure};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// How many cases a property test generates in the long run; a usual run generates 256.
const LONG_CASES: &str = "10000";

/// Runs all tests after `setup`; `long` adds the release build and its tests with many more generated cases.
///
/// # Errors
/// When something is missing, a build fails, a test fails or none ran.
pub(crate) fn test(long: bool) -> Result<()> {
    setup::ssh_server();
    let server = setup::setup(setup::Detail::Needed)?;
    let mut total = Tally::default();
    let mut clean = run_tests(&mut tests(&server), &mut total)?;
    if long {
        run(&mut cargo(["build", "--quiet", "--workspace", "--release"]))?;
        clean &= run_tests(tests(&server).arg("--release").env("PROPTEST_CASES", LONG_CASES), &mut total)?;
    }
    println!("\n{total}");
    ensure!(total.failed == 0, "tests failed");
    ensure!(clean, "cargo test ended with an error although no test failed: see above");
    ensure!(total.passed > 0, "no test ran");
    Ok(())
}

fn tests(server: &Path) -> Command {
    let mut command = cargo(["test", "--quiet", "--workspace", "--no-fail-fast"]);
    command.env(setup::SERVER_FOLDER_VARIABLE, server);
    command
}

fn run_tests(command: &mut Command, total: &mut Tally) -> Result<bool> {
    let status = watch(command, |line| {
        println!("{line}");
        total.add(line);
    })?;
    Ok(status.success())
}

/// Results of all test programs together.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds a test program's closing line (`test result: ok. 3 passed; 0 failed; …`); other lines count for nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". ")) else { return };
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, word)| (number.parse::<u64>(), word)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                Some((Ok(number), "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        // House rules forbid ignored tests; an ignored example in the documentation still shows here.
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn closing_lines_are_summed_and_others_ignored() {
        let mut total = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test a ... FAILED",
            "test result: FAILED. 40 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "5 passed; said by somebody else",
        ] {
            total.add(line);
        }
        assert_eq!(total, Tally { passed: 43, failed: 2, ignored: 1 });
        assert_eq!(total.to_string(), "43 passed, 2 failed, 1 ignored");
    }

    #[test]
    fn closing_line_without_ignored_tests_is_short() {
        assert_eq!(Tally { passed: 7, failed: 0, ignored: 0 }.to_string(), "7 passed, 0 failed");
    }
}
