//! AWS's SDKs for durable functions, unmodified, for functions of the tests: `tests/clients/durable-requirements.txt` and
//! `durable-package.json` name them. They lie apart from the clients that drive the tests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::node::npm_install;
use crate::process::{cache, command, run, succeeds, workspace};
use crate::python;

/// Installs what is missing. Returns why the tests that need it are going to be skipped, if they are.
pub(crate) fn install() -> Result<Option<&'static str>> {
    let folder = cache().join("durable");
    fs::create_dir_all(&folder).context("cannot make a folder for the SDKs of durable functions")?;
    install_python(&folder.join("python"))?;
    if !succeeds(command("npm").arg("--version")) {
        return Ok(Some("there is no `npm` for the SDK for JavaScript"));
    }
    install_node(&folder.join("node"))?;
    Ok(None)
}

fn is_current(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join("installed.txt")).is_ok_and(|installed| installed == wanted)
}

fn begin(folder: &Path, list: &str) -> Result<Option<String>> {
    let list = workspace().join("tests/clients").join(list);
    let wanted = fs::read_to_string(&list).context("cannot read a list of packages")?;
    if is_current(folder, &wanted) {
        return Ok(None);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove old packages")?;
    }
    fs::create_dir_all(folder).context("cannot make a folder for packages")?;
    Ok(Some(wanted))
}

fn install_python(folder: &Path) -> Result<()> {
    const LIST: &str = "durable-requirements.txt";
    let Some(wanted) = begin(folder, LIST)? else { return Ok(()) };
    let mut pip = python::python()?.command();
    pip.env_remove("PYTHONPATH").env("PIP_ROOT_USER_ACTION", "ignore");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(folder);
    run(pip.arg("--requirement").arg(workspace().join("tests/clients").join(LIST)))?;
    fs::write(folder.join("installed.txt"), wanted).context("cannot note what was installed")
}

fn install_node(folder: &Path) -> Result<()> {
    let Some(wanted) = begin(folder, "durable-package.json")? else { return Ok(()) };
    fs::write(folder.join("package.json"), &wanted).context("cannot copy the list of npm packages")?;
    run(&mut npm_install(folder))?;
    fs::write(folder.join("installed.txt"), wanted).context("cannot note what was installed")
}
