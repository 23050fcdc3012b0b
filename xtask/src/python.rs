//! The Python packages of `tests/clients/requirements.txt`: boto3, the AWS CLI, and botocore's service models; and those of
//! `moto-requirements.txt` and `sam-requirements.txt` beside it, apart from them: a server that destinations are tested with,
//! and the AWS SAM CLI.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cache, command, run, succeeds, workspace};

/// An interpreter that can import the pinned packages.
pub(crate) struct Python {
    program: PathBuf,
    /// Set when the packages lie in a folder of their own, because this Python cannot make a venv.
    packages: Option<PathBuf>,
}

impl Python {
    /// Returns a command that starts the interpreter.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(&self.program);
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }
}

/// Installs the pinned packages unless they are there, and returns the interpreter that has them.
///
/// A venv is preferred. Debian splits `venv` off into a package of its own; without it, pip installs into a plain
/// folder, and without pip, `apt-get` is asked for `python3-venv`. The tests look for the same two folders.
pub(crate) fn python() -> Result<Python> {
    install("python", "tests/clients/requirements.txt")
}

/// The same for moto.
pub(crate) fn moto() -> Result<Python> {
    install("moto", "tests/clients/moto-requirements.txt")
}

/// The same for the AWS SAM CLI.
pub(crate) fn sam() -> Result<Python> {
    install("sam", "tests/clients/sam-requirements.txt")
}

fn install(folder: &str, requirements: &str) -> Result<Python> {
    let venv = cache().join(folder);
    let packages = cache().join(format!("{folder}-packages"));
    let requirements = workspace().join(requirements);
    let wanted = fs::read_to_string(&requirements).context("cannot read the list of Python packages")?;

    if is_current(&venv, &wanted) {
        return Ok(Python { program: venv.join("bin/python"), packages: None });
    }
    if is_current(&packages, &wanted) {
        return Ok(Python { program: "python3".into(), packages: Some(packages) });
    }
    if !succeeds(command("python3").arg("--version")) {
        bail!("`python3` is missing; install Python 3.9 or later");
    }

    remove(&venv)?;
    remove(&packages)?;
    let made = make_venv(&venv) || (!has_pip() && apt_get(&["python3-venv"]) && make_venv(&venv));
    let (folder, python) = if made {
        (venv.clone(), Python { program: venv.join("bin/python"), packages: None })
    } else if has_pip() {
        remove(&venv)?;
        (packages.clone(), Python { program: "python3".into(), packages: Some(packages) })
    } else {
        bail!("this Python has neither `venv` nor `pip`; install python3-venv");
    };

    let mut pip = python.command();
    pip.env_remove("PYTHONPATH").env("PIP_ROOT_USER_ACTION", "ignore");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    if let Some(packages) = &python.packages {
        pip.arg("--target").arg(packages);
    }
    run(pip.arg("--requirement").arg(&requirements))?;
    fs::write(folder.join("installed.txt"), wanted).context("cannot note what was installed")?;
    Ok(python)
}

/// Installs version 2 of the AWS CLI, which is in no package index for Python, where Debian has it. Without it, the tests
/// that need it say that they are skipped.
pub(crate) fn aws_cli_2() -> bool {
    let is_there = || {
        let version = command("/usr/bin/aws").arg("--version").output();
        version.is_ok_and(|output| output.stdout.starts_with(b"aws-cli/2."))
    };
    is_there() || (apt_get(&["awscli"]) && is_there())
}

/// Says whether `promtool` is there, having asked Debian for it. It comes with its server, which nobody needs.
pub(crate) fn promtool() -> bool {
    let is_there = || succeeds(command("promtool").arg("--version"));
    is_there() || (apt_get(&["prometheus"]) && is_there())
}

/// Asks `apt-get` for Debian packages. Says whether it worked; there may be no apt, or no right to use it.
pub(crate) fn apt_get(packages: &[&str]) -> bool {
    let apt = || {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        apt
    };
    succeeds(apt().arg("update"))
        && succeeds(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn make_venv(venv: &PathBuf) -> bool {
    succeeds(command("python3").args(["-m", "venv"]).arg(venv))
}

fn has_pip() -> bool {
    succeeds(command("python3").args(["-m", "pip", "--version"]))
}

fn is_current(folder: &std::path::Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join("installed.txt")).is_ok_and(|installed| installed == wanted)
}

fn remove(folder: &PathBuf) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))
}
