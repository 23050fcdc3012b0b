//! Runtime packages on disk: interpreter, libraries with the AWS SDK, and a manifest that says what they are.
//!
//! ```text
//! runtimes/packages/nodejs22.x.json   the manifest: a package is there when this is
//!          objects/<sha256>           its archives, as durable as the code of functions
//!          trees/<sha256>/            what they unpack to: `bin/node`, or what AWS has in /var/runtime
//! ```
//!
//! The default package of a runtime is only a manifest: it names the host's interpreter, which is not copied. This module
//! reads and checks; `install.rs` makes packages.

pub(crate) mod archive;
pub(crate) mod manifest;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hearth_types::{Runtime, RuntimeFamily};

use crate::interpreters::Interpreter;
use manifest::{Archive, FORMAT, InterpreterPart, Manifest, path_of, sha256_of};

/// A runtime package that is there and is not what was installed.
#[derive(Debug, thiserror::Error)]
#[error("the runtime package of {runtime} is damaged: `{}` {problem}", path.display())]
pub struct Damaged {
    /// Of which runtime.
    pub runtime: Runtime,
    /// Which file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl Damaged {
    /// What to do about it.
    pub(crate) fn way_out(&self) -> String {
        format!("{}; {} puts it right", self, install_command(self.runtime))
    }
}

/// Returns the command that installs a runtime, as texts show it.
pub(crate) fn install_command(runtime: Runtime) -> String {
    format!("`hearth runtimes install {runtime}`")
}

/// A package that was found intact.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) manifest: Manifest,
    /// The interpreter, if the package brings one.
    pub(crate) program: Option<PathBuf>,
    /// What stands where AWS has `/var/runtime`, if the package brings libraries.
    pub(crate) libraries: Option<PathBuf>,
}

impl Package {
    /// Whether it has anything that was installed.
    pub(crate) fn is_installed(&self) -> bool {
        self.manifest.archives().next().is_some()
    }
}

/// The packages of a data folder.
#[derive(Debug)]
pub(crate) struct PackageFolder {
    folder: PathBuf,
    /// The trees whose program has been checked since this process began: it takes a third of a second.
    verified: Mutex<HashSet<PathBuf>>,
}

impl PackageFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, verified: Mutex::default() }
    }

    /// Returns where everything of the packages is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns where an archive is unpacked.
    pub(crate) fn tree(&self, archive: &Archive) -> PathBuf {
        self.folder.join("trees").join(&archive.sha256)
    }

    /// Reads the manifest of a runtime; `None` if there is none.
    pub(crate) fn manifest(&self, runtime: Runtime) -> Result<Option<Manifest>, Damaged> {
        let path = path_of(&self.folder, runtime);
        let damaged = |problem: String| Damaged { runtime, path: path.clone(), problem };
        let manifest = Manifest::read(&path).map_err(|error| damaged(with_source(&error)))?;
        match &manifest {
            Some(manifest) if manifest.architecture != std::env::consts::ARCH => Err(damaged(format!(
                "is for {}, and this machine is {}",
                manifest.architecture,
                std::env::consts::ARCH
            ))),
            _ => Ok(manifest),
        }
    }

    /// Finds the package of a runtime and checks it; `None` if there is none. Blocks, the first time for long.
    pub(crate) fn open(&self, runtime: Runtime) -> Result<Option<Package>, Damaged> {
        let Some(manifest) = self.manifest(runtime)? else { return Ok(None) };
        let program = match (&manifest.interpreter.archive, &manifest.interpreter.program_sha256) {
            (Some(archive), Some(sha256)) => {
                let tree = self.tree(archive);
                check_unpacked(runtime, &tree)?;
                let program = tree.join(PROGRAM);
                self.verify(&program, sha256).map_err(|problem| Damaged {
                    runtime,
                    path: program.clone(),
                    problem,
                })?;
                Some(program)
            }
            (None, _) | (_, None) => None,
        };
        let libraries = match &manifest.libraries {
            Some(libraries) => {
                let tree = self.tree(&libraries.archive);
                check_unpacked(runtime, &tree)?;
                Some(tree)
            }
            None => None,
        };
        Ok(Some(Package { manifest, program, libraries }))
    }

    /// Checks a program against its digest, once.
    fn verify(&self, program: &Path, sha256: &str) -> Result<(), String> {
        if self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains(program) {
            return Ok(());
        }
        match sha256_of(program) {
            Ok(found) if found == sha256 => {}
            Ok(_) => return Err("is not what was installed: its digest is another".to_owned()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(program.to_owned());
        Ok(())
    }

    /// Has the program of a tree checked again.
    pub(crate) fn forget(&self, tree: &Path) {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).remove(&tree.join(PROGRAM));
    }

    /// Writes down which of the host's interpreters a runtime uses. Nothing depends on it but people.
    pub(crate) fn note_host(&self, runtime: Runtime, interpreter: &Interpreter, package: Option<&Package>) {
        let part = InterpreterPart {
            version: interpreter.version.clone(),
            source: host_source(&interpreter.program),
            archive: None,
            program_sha256: None,
        };
        let manifest = match package {
            Some(package) if package.manifest.interpreter == part => return,
            // A package that brings an interpreter keeps it, also while another is named for its runtime.
            Some(package) if package.program.is_some() => return,
            Some(package) => Manifest { interpreter: part, ..package.manifest.clone() },
            None => new_manifest(runtime, part),
        };
        if let Err(error) = manifest.write(&path_of(&self.folder, runtime)) {
            tracing::warn!(%runtime, %error, "cannot write the manifest of the default runtime package");
        }
    }
}

/// The interpreter in its tree.
pub(crate) const PROGRAM: &str = "bin/node";

/// Returns the source of an interpreter that is the host's.
pub(crate) fn host_source(program: &Path) -> String {
    format!("host {}", program.display())
}

/// Returns a manifest of an interpreter alone.
pub(crate) fn new_manifest(runtime: Runtime, interpreter: InterpreterPart) -> Manifest {
    Manifest {
        format: FORMAT,
        runtimes: vec![runtime.to_string()],
        architecture: std::env::consts::ARCH.to_owned(),
        interpreter,
        libraries: None,
        made_at_ms: 0,
        digest: String::new(),
    }
}

/// Marks a tree as unpacked since this machine started. Trees are copies of their archives, so they are not synced: what
/// was unpacked before is unpacked anew, as the code of functions is.
pub(crate) fn mark_unpacked(tree: &Path) -> io::Result<()> {
    fs::write(mark_of(tree), boot_id())
}

/// Whether a tree was unpacked since this machine started.
pub(crate) fn is_marked(tree: &Path) -> bool {
    fs::read_to_string(mark_of(tree)).is_ok_and(|marked| marked == boot_id())
}

fn check_unpacked(runtime: Runtime, tree: &Path) -> Result<(), Damaged> {
    let problem = if !tree.is_dir() {
        "is not there"
    } else if !is_marked(tree) {
        "is of before this machine was restarted, and could not be unpacked again"
    } else {
        return Ok(());
    };
    Err(Damaged { runtime, path: tree.to_owned(), problem: problem.to_owned() })
}

/// Returns the file with the mark of a tree.
pub(crate) fn mark_of(tree: &Path) -> PathBuf {
    tree.with_extension("boot-id")
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// Says whether Hearth has what it takes to run this runtime, given an interpreter.
pub(crate) fn is_run(runtime: Runtime) -> bool {
    match runtime.family() {
        RuntimeFamily::NodeJs { major } => major >= NODE_MAJOR_MIN,
        RuntimeFamily::Python { minor } => minor >= PYTHON_MINOR_MIN,
        RuntimeFamily::Provided => true,
        RuntimeFamily::Other => false,
    }
}

/// The first Node.js that the runtime client is written for.
const NODE_MAJOR_MIN: u32 = 18;
/// The first Python 3 that the runtime client is written for.
const PYTHON_MINOR_MIN: u32 = 8;

/// Writes an error and its causes on a line.
pub(crate) fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::runtimes::{Runtimes, Settings};

    #[test]
    fn the_default_package_notes_the_hosts_interpreter_and_copies_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (bin, data_dir) = (folder.path().join("bin"), folder.path().join("data"));
        fs::create_dir(&bin).unwrap();
        let runtime = Runtime::parse("nodejs22.x").unwrap();
        let used = |version: &str| {
            let script = format!("#!/bin/sh\necho hearth; echo /real/node; echo {version}; echo true\n");
            fs::write(bin.join("node"), script).unwrap();
            fs::set_permissions(bin.join("node"), fs::Permissions::from_mode(0o755)).unwrap();
            let settings = Settings {
                data_dir: data_dir.clone(),
                path: bin.clone().into(),
                interpreters: BTreeMap::new(),
            };
            Runtimes::new(settings).prepare(runtime).unwrap();
            Manifest::read(&path_of(&data_dir.join("runtimes"), runtime)).unwrap().unwrap()
        };
        let first = used("22.3.0");
        assert_eq!(first.runtimes, ["nodejs22.x"]);
        assert_eq!(first.interpreter.source, "host /real/node");
        assert_eq!((first.interpreter.version.as_str(), first.archives().count()), ("22.3.0", 0));
        assert_eq!(used("22.3.0"), first, "it is written once");
        assert_eq!(used("22.4.0").interpreter.version, "22.4.0");
    }
}
