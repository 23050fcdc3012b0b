//! The `bootstrap` of `examples/provided`: a program on the official `lambda_runtime` crate, for `provided.al2023`.
//!
//! It is a workspace of its own, so that the runtime client's dependencies stay out of our lock file.

use anyhow::Result;

use crate::process::{cache, cargo, run, workspace};

/// Builds it into `.cache/provided-target/release/bootstrap`, where the tests look for it.
pub(crate) fn build() -> Result<()> {
    let manifest = workspace().join("examples/provided/Cargo.toml");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    run(build.arg("--target-dir").arg(cache().join("provided-target")))
}
