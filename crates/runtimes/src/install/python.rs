//! What comes from PyPI: the AWS SDK for Python. No registry of packages has the interpreter itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::error::at;
use super::programs::{Programs, Run};
use crate::interpreters::Interpreter;

/// Brings packages to `tree`, compiled for `interpreter`, and returns all that are there then.
pub(super) fn libraries(
    programs: &Programs<'_>,
    interpreter: &Interpreter,
    wanted: &[String],
    tree: &Path,
) -> Result<BTreeMap<String, String>, InstallError> {
    let what = "the AWS SDK for Python";
    let (program, before) = pip(programs, interpreter, what, tree)?;
    let minor: String = interpreter.version.split('.').take(2).collect::<Vec<_>>().join(".");
    let mut arguments = before;
    // Wheels only: nothing of theirs is executed, and a pip of any Python can do it.
    for argument in ["install", "--quiet", "--no-compile", "--only-binary=:all:", "--python-version", &minor]
    {
        arguments.push(argument.into());
    }
    arguments.push("--target".into());
    arguments.push(tree.into());
    arguments.extend(wanted.iter().map(OsString::from));
    programs.run(Run {
        program: &program,
        arguments: arguments.iter().map(OsString::as_os_str).collect(),
        folder: tree,
        what,
        step: format!("downloading {what} with pip"),
        bytes_total: None,
    })?;
    // Programs of packages, which nobody can call here.
    match fs::remove_dir_all(tree.join("bin")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(tree)(error)),
        _ => {}
    }
    compile(programs, interpreter, what, tree)?;
    let packages = packages(tree).map_err(at(tree))?;
    match wanted.iter().find(|wanted| !packages.contains_key(*wanted)) {
        Some(missing) => Err(InstallError::Unexpected {
            what: what.to_owned(),
            problem: format!("pip brought no `{missing}`"),
        }),
        None => Ok(packages),
    }
}

/// Compiles everything, never to be compared with its source again: functions start with `-B`, so an environment that
/// found nothing compiled would compile the SDK at each cold start, a second or more.
fn compile(
    programs: &Programs<'_>,
    interpreter: &Interpreter,
    what: &str,
    tree: &Path,
) -> Result<(), InstallError> {
    let mut arguments: Vec<&OsStr> =
        ["-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-p", "/var/runtime", "-s"]
            .map(OsStr::new)
            .into();
    arguments.extend([tree.as_os_str(), tree.as_os_str()]);
    let step = format!("compiling {what}");
    programs
        .run(Run { program: &interpreter.program, arguments, folder: tree, what, step, bytes_total: None })
        .map(drop)
}

/// Finds pip: the interpreter's own, else any on the path.
fn pip(
    programs: &Programs<'_>,
    interpreter: &Interpreter,
    what: &str,
    folder: &Path,
) -> Result<(PathBuf, Vec<OsString>), InstallError> {
    let module: Vec<OsString> = vec!["-m".into(), "pip".into()];
    let has_pip = |program: &Path| {
        let arguments = ["-m", "pip", "--version"].map(OsStr::new).into();
        let step = "looking for pip".to_owned();
        programs.run(Run { program, arguments, folder, what, step, bytes_total: None })
    };
    let own = has_pip(&interpreter.program);
    if let Err(InstallError::Stopped) = own {
        return Err(InstallError::Stopped);
    }
    if own.is_ok() {
        return Ok((interpreter.program.clone(), module));
    }
    if let Some(pip) = ["pip3", "pip"].iter().find_map(|name| programs.find(name)) {
        return Ok((pip, vec![]));
    }
    Err(InstallError::ProgramMissing { program: "pip", what: what.to_owned() })
}

/// Returns the packages of a folder and their versions, from `NAME-VERSION.dist-info`.
fn packages(tree: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut packages = BTreeMap::new();
    for entry in fs::read_dir(tree)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some((name, version)) = name.strip_suffix(".dist-info").and_then(|name| name.split_once('-')) {
            packages.insert(name.to_owned(), version.to_owned());
        }
    }
    Ok(packages)
}
