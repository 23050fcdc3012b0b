//! Every numbered case of what can go wrong has a test that is named after it: `case_041_…`.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::workspace;

/// The cases that must have a test. A number is added with its test and never taken away.
const AUTOMATED: &[RangeInclusive<u16>] = &[1..=29, 31..=134];

/// Fails when a case of [`AUTOMATED`] has no test, and says how many tests have a number.
pub(crate) fn check() -> Result<()> {
    let mut found = BTreeSet::new();
    for folder in ["crates", "tests"] {
        collect(&workspace().join(folder), &mut found)?;
    }
    let wanted: BTreeSet<u16> = AUTOMATED.iter().cloned().flatten().collect();
    let missing: Vec<String> = wanted.difference(&found).map(u16::to_string).collect();
    if !missing.is_empty() {
        bail!("no test is named after the cases {}", missing.join(", "));
    }
    println!("    {} cases have a test of their number, {} must", found.len(), wanted.len());
    Ok(())
}

fn collect(folder: &Path, found: &mut BTreeSet<u16>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            found.extend(text.lines().flat_map(cases_of));
        }
    }
    Ok(())
}

/// The numbers in the name of a test: `fn case_037_038_a_response…` has two.
fn cases_of(line: &str) -> Vec<u16> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    let Some(name) = line.strip_prefix("fn case_") else { return Vec::new() };
    name.split('_').map_while(|part| (part.len() == 3).then(|| part.parse().ok()).flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::cases_of;

    #[test]
    fn the_numbers_of_a_test_are_in_its_name() {
        assert_eq!(cases_of("    fn case_037_038_a_response_of_100_bytes() {"), [37, 38]);
        assert_eq!(cases_of("async fn case_120_power_loss() {"), [120]);
        assert!(cases_of("fn case_of_a_number() {").is_empty());
        assert!(cases_of("// fn case_041_commented_out() {").is_empty());
    }
}
