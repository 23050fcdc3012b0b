//! `cargo xtask bench`: the program of `tests/performance/` against a release build.

use anyhow::{Context, Result};

use crate::process::{cargo, run, step, workspace};

/// Builds for release and measures; `options` are for the program (see `tests/performance/options.rs`).
pub(crate) fn bench(options: &[&str]) -> Result<()> {
    step("build for release", || {
        run(cargo().args(["build", "--release", "--package", "hearth-cli", "--quiet"]))?;
        run(cargo().args([
            "bench",
            "--quiet",
            "--package",
            "hearth-tests",
            "--bench",
            "performance",
            "--no-run",
        ]))
    })?;
    step("measure", || {
        let mut bench = cargo();
        bench.env("HEARTH_BIN", workspace().join("target/release/hearth"));
        bench.args(["bench", "--quiet", "--package", "hearth-tests", "--bench", "performance", "--"]);
        run(bench.args(with_absolute_file(options)?))
    })
}

/// Cargo runs benchmarks in the folder of their package, so that a relative file would end up there.
fn with_absolute_file(options: &[&str]) -> Result<Vec<String>> {
    let mut is_file = false;
    let absolute = |option: &&str| {
        let path =
            is_file.then(|| std::path::absolute(option).with_context(|| format!("cannot find `{option}`")));
        is_file = *option == "--json";
        Ok(match path {
            Some(path) => path?.to_string_lossy().into_owned(),
            None => (*option).to_owned(),
        })
    };
    options.iter().map(absolute).collect()
}
