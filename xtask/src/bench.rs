//! `cargo xtask bench`: the program of `tests/performance/` against a release build.

use anyhow::Result;

use crate::process::{cargo, run, step, workspace};

/// Builds for release and measures.
pub(crate) fn bench() -> Result<()> {
    step("build for release", || {
        run(cargo().args(["build", "--release", "--package", "hearth-cli", "--quiet"]))
    })?;
    step("measure", || {
        let mut bench = cargo();
        bench.env("HEARTH_BIN", workspace().join("target/release/hearth"));
        run(bench.args(["bench", "--quiet", "--package", "hearth-tests", "--bench", "performance"]))
    })
}
