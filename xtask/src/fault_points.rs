//! `hearth-with-fault-points`: the program in a build whose fault points work, beside the ordinary one.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{cargo, run, workspace};

/// Builds it for `profile`, `debug` or `release`.
///
/// Features of a package are not part of a file's name, so that the ordinary build has to come after this one.
pub(crate) fn build(profile: &str) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "hearth-cli", "--features", "fault-points"]);
    if profile == "release" {
        build.arg("--release");
    }
    run(&mut build)?;
    let folder = workspace().join("target").join(profile);
    let (made, kept) = (folder.join("hearth"), folder.join("hearth-with-fault-points"));
    // Another file, not another name of it: Cargo writes over the old one.
    let new = folder.join("hearth-with-fault-points.new");
    fs::copy(&made, &new).with_context(|| format!("cannot copy `{}`", made.display()))?;
    fs::rename(&new, &kept).with_context(|| format!("cannot replace `{}`", kept.display()))
}

/// Runs the tests that need the fault points of a library in their own process.
pub(crate) fn test() -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "hearth-code", "--features", "fault-points"]);
    run(test.args(["--test", "fault_points"]))
}
