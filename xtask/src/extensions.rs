//! Extensions that others wrote, for the tests of ours: `examples/extensions` on AWS's clients for Rust, and AWS's Lambda
//! Web Adapter as it is published.
//!
//! Both have dependencies of their own, which stay out of our lock file.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{cache, cargo, run, workspace};

/// The last one that was published; 1.0.0 is not out yet.
const WEB_ADAPTER: &str = "1.0.0-rc1";

/// Builds the examples beside `bootstrap` of `examples/provided`, with which they share dependencies, and the adapter into
/// `.cache/web-adapter/bin/`, once.
pub(crate) fn build() -> Result<()> {
    let target = cache().join("provided-target");
    let manifest = workspace().join("examples/extensions/Cargo.toml");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    run(build.arg("--target-dir").arg(&target))?;

    let folder = cache().join("web-adapter");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|version| version == WEB_ADAPTER) {
        return Ok(());
    }
    let mut install = cargo();
    // Its own profile optimizes across all crates, which takes minutes and changes nothing that we test.
    install.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    install.args([
        "install",
        "--quiet",
        "--locked",
        "--force",
        "lambda_web_adapter",
        "--version",
        WEB_ADAPTER,
    ]);
    run(install.arg("--root").arg(&folder).arg("--target-dir").arg(&target))?;
    fs::write(installed, WEB_ADAPTER).context("cannot note the version of the Lambda Web Adapter")
}
