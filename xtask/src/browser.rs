//! Chromium, and the npm packages of `tests/clients/console/package.json` that drive it.

use std::path::Path;

use anyhow::Result;

use crate::node::packages;
use crate::process::{command, succeeds};
use crate::python::apt_get;

/// Where Debian installs it.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Installs what is missing. Returns why the tests that need a browser are skipped, if they are.
pub(crate) fn install() -> Result<Option<&'static str>> {
    if !succeeds(command("npm").arg("--version")) {
        return Ok(Some("there is no `npm` for what drives a browser"));
    }
    packages("tests/clients/console/package.json", "console")?;
    let is_there = || Path::new(CHROMIUM).exists();
    // Text in pictures needs a font.
    if is_there() || (apt_get(&["chromium", "fonts-dejavu-core"]) && is_there()) {
        return Ok(None);
    }
    Ok(Some("apt-get could not install `chromium`"))
}
