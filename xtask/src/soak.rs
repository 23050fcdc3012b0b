//! `cargo xtask soak`: the tests that have a long form, in that form.

use anyhow::Result;

use crate::process::{cargo, run, step};
use crate::{fault_points, provided, python};

/// The tests that ask `hearth_tests::rounds` how hard to try.
const LONG: &str = "binary(faults) or test(case_076) or test(case_131) or package(hearth-code) or (package(hearth-telemetry) and test(case_061))";

/// Runs them against a release build, one at a time; `filter` is a filter expression of nextest.
pub(crate) fn soak(filter: Option<&str>) -> Result<()> {
    step("Python packages", || python::python().map(drop))?;
    step("build the provided.al2023 example", provided::build)?;
    step("build with fault points", || fault_points::build("release"))?;
    step("build", || run(cargo().args(["build", "--release", "--quiet", "--package", "hearth-cli"])))?;
    let mut nextest = cargo();
    // Only the packages that have such tests: the others would be compiled for nothing.
    nextest.args(["nextest", "run", "--release"]);
    nextest.args(["--package", "hearth-tests", "--package", "hearth-code", "--package", "hearth-telemetry"]);
    nextest.args([
        "--no-fail-fast",
        "--config-file",
        "xtask/nextest.toml",
        "--profile",
        "soak",
        "--no-capture",
    ]);
    nextest.args(["--filterset", filter.unwrap_or(LONG)]).env("HEARTH_SOAK", "1");
    step("soak", || run(&mut nextest))
}
