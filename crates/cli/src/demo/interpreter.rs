//! Which language the demo's function is written in: Node.js if this machine has one that is new enough, else Python.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hearth_types::Runtime;

/// The first Node.js with everything that the example and the runtime client use.
const NODE_MAJOR_MIN: u32 = 18;
/// The first Python 3 that the runtime client is written for.
const PYTHON_MINOR_MIN: u32 = 9;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the demo needs Node.js or Python: {node}; {python}")]
    NoInterpreter { node: Unsuitable, python: Unsuitable },
}

impl DemoError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoInterpreter { .. } => Some(
                "put `node` (18, 20, 22 or 24) or `python3` (3.9 or newer) on PATH and start the demo again",
            ),
        }
    }
}

/// Why an interpreter cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsuitable {
    #[error("`{0}` is not on PATH")]
    Missing(&'static str),
    #[error("`{}` does not say its version", .0.display())]
    Silent(PathBuf),
    #[error("`{}` is version {version}, for which AWS has no runtime that Hearth runs", path.display())]
    Version { path: PathBuf, version: String },
}

/// What the example is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    NodeJs,
    Python,
}

impl Language {
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::NodeJs => include_str!("../../../../examples/nodejs/index.mjs"),
            Self::Python => include_str!("../../../../examples/python/app.py"),
        }
    }

    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::NodeJs => "index.mjs",
            Self::Python => "app.py",
        }
    }

    pub(crate) const fn handler(self) -> &'static str {
        match self {
            Self::NodeJs => "index.handler",
            Self::Python => "app.handler",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::NodeJs => "node",
            Self::Python => "python3",
        }
    }

    /// Prints the version and the file that really runs: version managers put scripts on PATH.
    const fn question(self) -> [&'static str; 2] {
        match self {
            Self::NodeJs => ["-p", "process.versions.node + ' ' + process.execPath"],
            Self::Python => ["-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"],
        }
    }

    fn runtime(self, version: &str) -> Option<Runtime> {
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        let (first, second) = (numbers.next()??, numbers.next()??);
        let id = match self {
            Self::NodeJs if first >= NODE_MAJOR_MIN => format!("nodejs{first}.x"),
            Self::Python if first == 3 && second >= PYTHON_MINOR_MIN => format!("python3.{second}"),
            Self::NodeJs | Self::Python => return None,
        };
        Runtime::parse(&id).ok()
    }
}

/// An interpreter that is there.
#[derive(Debug)]
pub(crate) struct Interpreter {
    pub(crate) language: Language,
    pub(crate) runtime: Runtime,
    pub(crate) path: PathBuf,
}

/// Looks for Node.js, then for Python.
pub(crate) fn find(path: &OsStr) -> Result<Interpreter, DemoError> {
    let node = match find_one(Language::NodeJs, path) {
        Ok(found) => return Ok(found),
        Err(node) => node,
    };
    find_one(Language::Python, path).map_err(|python| DemoError::NoInterpreter { node, python })
}

fn find_one(language: Language, path: &OsStr) -> Result<Interpreter, Unsuitable> {
    let program = language.program();
    let found =
        std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| is_executable(file));
    let found = found.ok_or(Unsuitable::Missing(program))?;
    let answer =
        Command::new(&found).args(language.question()).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let answer = answer.ok().filter(|answer| answer.status.success());
    let answer = answer.and_then(|answer| String::from_utf8(answer.stdout).ok());
    let Some((version, executable)) = answer.as_deref().and_then(|answer| answer.trim().split_once(' '))
    else {
        return Err(Unsuitable::Silent(found));
    };
    match language.runtime(version) {
        Some(runtime) => Ok(Interpreter { language, runtime, path: executable.into() }),
        None => Err(Unsuitable::Version { path: found, version: version.to_owned() }),
    }
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A PATH with programs that answer as given.
    fn path_with(programs: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, answer) in programs {
            let file = folder.path().join(name);
            fs::write(&file, format!("#!/bin/sh\n{answer}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[test]
    fn node_is_preferred_and_the_file_behind_a_shim_is_taken() {
        let folder = path_with(&[("node", "echo 22.1.0 /real/node"), ("python3", "echo 3.11 /real/python")]);
        let found = find(folder.path().as_os_str()).unwrap();
        assert_eq!((found.runtime.as_str(), found.path.as_path()), ("nodejs22.x", Path::new("/real/node")));
    }

    #[test]
    fn a_node_without_a_runtime_at_aws_leaves_it_to_python() {
        for version in ["16.20.0", "23.1.0"] {
            let node = format!("echo {version} /real/node");
            let folder = path_with(&[("node", &node), ("python3", "echo 3.11 /real/python")]);
            assert_eq!(find(folder.path().as_os_str()).unwrap().runtime.as_str(), "python3.11");
        }
    }

    #[test]
    fn without_both_the_error_says_what_is_wrong_with_each() {
        let folder = path_with(&[("node", "exit 1")]);
        let error = find(folder.path().as_os_str()).unwrap_err();
        let text = error.to_string().replace(folder.path().to_str().unwrap(), "DIR");
        assert_eq!(
            text,
            "the demo needs Node.js or Python: `DIR/node` does not say its version; `python3` is not on PATH"
        );
        assert!(error.hint().unwrap().contains("PATH"));
    }
}
