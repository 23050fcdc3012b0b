//! Counting tests from what the test runner prints, to end the run with one plain line.

use std::fmt;

/// How many tests passed, failed and were skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Reads a line of output: nextest's summary, or one of the closing lines of libtest, which add up.
    pub(crate) fn read(&mut self, line: &str) {
        // Of what a failed test has printed, which nextest shows indented, there are closing lines, too.
        let closing = line.strip_prefix("test result: ");
        let line = line.trim();
        let counts = match line.split_once(" tests run: ").or_else(|| line.split_once(" test run: ")) {
            Some((head, counts)) if head.starts_with("Summary [") => counts,
            _ => match closing {
                Some(counts) => counts.split_once(". ").map_or(counts, |(_, counts)| counts),
                None => return,
            },
        };
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" | "timed" => self.failed += number,
                "skipped" | "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Adds what was read from another stream.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts a failure that no closing line told of: a test program that died before it could print one.
    pub(crate) fn fail(&mut self) {
        self.failed = self.failed.max(1);
    }

    /// Counts tests that said themselves that they could not run. The runner took them for passed.
    pub(crate) fn skip(&mut self, number: u64) {
        self.passed = self.passed.saturating_sub(number);
        self.skipped += number;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> String {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally.to_string()
    }

    #[test]
    fn the_summary_of_nextest_is_read() {
        let output = "        PASS [   0.010s] hearth-types arn::tests::one\n\
                      ------------\n     Summary [  12.345s] 7 tests run: 4 passed (1 slow), 2 failed, 1 timed out, 3 skipped\n";
        assert_eq!(tally(output), "4 passed, 3 failed, 3 skipped");
        let output =
            format!("    test result: FAILED. 0 passed; 1 failed; 0 ignored; finished in 0.1s\n{output}");
        assert_eq!(tally(&output), "4 passed, 3 failed, 3 skipped");
    }

    #[test]
    fn the_closing_lines_of_cargo_test_add_up() {
        let output = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        assert_eq!(tally(output), "7 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_could_not_run_is_not_counted_as_passed() {
        let mut tally = Tally::default();
        tally.read("     Summary [   0.1s] 1 test run: 1 passed, 0 skipped");
        tally.skip(1);
        assert_eq!(tally.to_string(), "0 passed, 0 failed, 1 skipped");
    }
}
