//! A real browser against a server: Debian's Chromium, driven by the scripts of `tests/clients/console/`.

use std::path::Path;
use std::process::Command;

use crate::programs::{Finished, finish, node_interpreter, skip, with_endpoint};
use crate::server::Server;
use crate::wait::repository;

/// Where Debian installs Chromium.
const CHROMIUM: &str = "/usr/bin/chromium";
/// Where npm puts what drives it.
const PACKAGES: &str = ".cache/console/node_modules";
/// Where pictures of pages go, to be looked at.
const PICTURES: &str = "target/console-pictures";

/// Says whether this machine has the browser and what drives it. If not, the test is noted as skipped.
#[must_use]
pub fn needs_browser() -> bool {
    if !Path::new(CHROMIUM).exists() {
        skip("there is no Chromium; `cargo xtask test` installs it where Debian's apt-get has it");
        return false;
    }
    let is_driven = ["playwright-core", "axe-core"]
        .iter()
        .all(|package| repository().join(PACKAGES).join(package).exists());
    if !is_driven {
        skip("playwright-core or axe-core is not in .cache/; `cargo xtask test` installs them where npm is");
    }
    is_driven
}

/// Runs a script of `tests/clients/console/`, which opens pages of the server in Chromium.
pub fn run_browser(server: &Server, script: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(node_interpreter());
    command.arg(repository().join("tests/clients/console").join(script)).args(arguments);
    command.env("NODE_PATH", repository().join(PACKAGES)).env("HEARTH_CHROMIUM", CHROMIUM);
    command.env("HEARTH_PICTURES", repository().join(PICTURES));
    finish(with_endpoint(&mut command, server))
}
