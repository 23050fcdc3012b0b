//! Finding the interpreter of exactly the version that a runtime names: the one that the operator has named, else the one
//! of an installed runtime package, else the host's.
//!
//! A version that is not there is an error that says the way out; never another version in its place.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hearth_types::{Runtime, RuntimeFamily};

use crate::ask::{AskError, ask};
use crate::packages::{install_command, is_run};

/// Why a runtime cannot be used on this host, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// A sentence for the user: what is missing, and the way out.
    pub reason: String,
}

/// An interpreter that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// The real program, not a shim.
    pub(crate) program: PathBuf,
    /// Such as `3.11.7`.
    pub(crate) version: String,
    /// What only one of the languages has.
    pub(crate) language: Language,
}

impl Interpreter {
    /// Returns the files and folders that it consists of, those that exist: its program, and the libraries beside it.
    /// Not the whole folder that it is installed in, which may be somebody's home.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.program.clone()];
        let real = self.program.canonicalize().unwrap_or_else(|_| self.program.clone());
        if let Some(of_real) = prefix(&real) {
            files.extend([of_real.join("lib"), of_real.join("lib64")]);
            // It looks for them from where it is started, which may be beside a link to that folder. Not beside a link to
            // the program alone: there are other people's things.
            let as_named = prefix(&self.program).filter(|as_named| *as_named != of_real);
            if let Some(as_named) =
                as_named.filter(|path| path.canonicalize().is_ok_and(|path| path == of_real))
            {
                files.extend([as_named.join("lib"), as_named.join("lib64")]);
            }
        }
        if let Language::Python { site_paths, is_virtual } = &self.language {
            // Of what `site` adds only folders of packages: a `.pth` file may name anything.
            let of_packages =
                |path: &&PathBuf| path.ends_with("site-packages") || path.ends_with("dist-packages");
            let site_paths: Vec<PathBuf> = site_paths.iter().map(PathBuf::from).collect();
            files.extend(site_paths.iter().filter(of_packages).cloned());
            if let (Some(prefix), true) = (prefix(&self.program), *is_virtual) {
                files.extend([prefix.join("pyvenv.cfg"), prefix.join("lib"), prefix.join("lib64")]);
            }
        }
        files.push(real);
        files.retain(|file| file.is_absolute() && file.exists());
        files
    }
}

/// The folder that has the program in its `bin`.
fn prefix(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    if folder.ends_with("bin") { folder.parent() } else { None }
}

/// What is known of an interpreter besides its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Language {
    NodeJs {
        /// Whether it knows the two options that Lambda switches off up to Node.js 22.
        has_module_options: bool,
    },
    Python {
        /// What `site` adds to the path.
        site_paths: Vec<String>,
        /// Whether it is of a virtual environment, which only `site` sets up.
        is_virtual: bool,
    },
}

/// What interpreters have answered, so that none is asked twice in one search.
#[derive(Debug, Default)]
pub(crate) struct Asked(HashMap<PathBuf, Result<Interpreter, AskError>>);

/// Where interpreters are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Interpreters {
    named: BTreeMap<Runtime, PathBuf>,
    path: OsString,
}

const NODE_QUESTION: &str = "console.log(['hearth', process.execPath, process.versions.node, \
     process.allowedNodeEnvironmentFlags.has('--experimental-require-module') && \
     process.allowedNodeEnvironmentFlags.has('--experimental-detect-module')].join('\\n'))";

// Asked without `site`, which is then run, to see what it adds. Files of packages may print while it runs. The working
// directory of the server, an empty entry that `site` would spell out, is no place of a function's modules.
const PYTHON_QUESTION: &str = "import sys
sys.path = [path for path in sys.path if path]
before = list(sys.path)
import site
site.main()
added = [path for path in sys.path if path and path not in before]
print('\\nhearth', sys.executable, '%d.%d.%d' % sys.version_info[:3], sys.prefix != sys.base_prefix, *added, sep='\\n')";

impl Interpreters {
    /// Looks first at the programs that are named, then along `path`.
    pub(crate) fn new(named: BTreeMap<Runtime, PathBuf>, path: OsString) -> Self {
        Self { named, path }
    }

    /// Whether the operator has named the interpreter of a runtime.
    pub(crate) fn is_named(&self, runtime: Runtime) -> bool {
        self.named.contains_key(&runtime)
    }

    /// Finds the interpreter of a runtime; `packaged` is the one of its package. Blocks: candidates are run.
    pub(crate) fn find(
        &self,
        runtime: Runtime,
        packaged: Option<&Path>,
        asked: &mut Asked,
    ) -> Result<Interpreter, Unavailable> {
        if !is_run(runtime) {
            return Err(Unavailable { reason: format!("Hearth does not run {runtime}") });
        }
        let wanted = match runtime.family() {
            RuntimeFamily::NodeJs { major } => {
                Wanted { runtime, language: "Node.js", prefix: format!("{major}.") }
            }
            RuntimeFamily::Python { minor } => {
                Wanted { runtime, language: "Python", prefix: format!("3.{minor}.") }
            }
            RuntimeFamily::Provided | RuntimeFamily::Other => {
                return Err(Unavailable { reason: format!("Hearth does not run {runtime}") });
            }
        };
        if let Some(program) = self.named.get(&runtime) {
            return wanted.check_named(program, asked);
        }
        if let Some(program) = packaged {
            return wanted.check_packaged(program, asked);
        }
        let mut seen = Vec::new();
        for candidate in self.candidates(runtime) {
            match wanted.ask(&candidate, asked) {
                Ok(found) if found.version.starts_with(&wanted.prefix) => return Ok(found),
                Ok(found) => seen.push(found),
                Err(error) => tracing::debug!(program = %candidate.display(), %error, "not an interpreter"),
            }
        }
        Err(wanted.not_found(&seen))
    }

    /// Returns what exists along the path: names with a version first, and real programs before shims of version
    /// managers, whose answer depends on where they are asked.
    fn candidates(&self, runtime: Runtime) -> Vec<PathBuf> {
        let names = match runtime.family() {
            RuntimeFamily::NodeJs { major } => vec![format!("node{major}"), "node".into(), "nodejs".into()],
            RuntimeFamily::Python { minor } => vec![format!("python3.{minor}"), "python3".into()],
            RuntimeFamily::Provided | RuntimeFamily::Other => vec![],
        };
        let mut programs = Vec::new();
        let mut scripts = Vec::new();
        let folders = self.folders();
        for name in names {
            for folder in &folders {
                let candidate = folder.join(&name);
                match kind_of(&candidate) {
                    Some(Kind::Program) => programs.push(candidate),
                    Some(Kind::Script) => scripts.push(candidate),
                    None => {}
                }
            }
        }
        programs.append(&mut scripts);
        programs
    }

    /// Returns the folders of the path, each once: `/bin` often is `/usr/bin`, and asking a program takes its time.
    fn folders(&self) -> Vec<PathBuf> {
        let mut seen = HashSet::new();
        let is_new = |folder: &PathBuf| seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone()));
        std::env::split_paths(&self.path).filter(is_new).collect()
    }
}

struct Wanted {
    runtime: Runtime,
    language: &'static str,
    /// What the version begins with, such as `3.11.`.
    prefix: String,
}

impl Wanted {
    fn version(&self) -> &str {
        self.prefix.trim_end_matches('.')
    }

    fn ask(&self, program: &Path, asked: &mut Asked) -> Result<Interpreter, AskError> {
        let known = asked.0.entry(program.to_owned());
        known.or_insert_with(|| self.ask_now(program)).clone()
    }

    fn ask_now(&self, program: &Path) -> Result<Interpreter, AskError> {
        let nonsense = || AskError::Failed("an answer that makes no sense".to_owned());
        match self.runtime.family() {
            RuntimeFamily::NodeJs { .. } => {
                let answer = ask(program, &["-e", NODE_QUESTION])?;
                parse_node(&answer).ok_or_else(nonsense)
            }
            RuntimeFamily::Python { .. } | RuntimeFamily::Provided | RuntimeFamily::Other => {
                let answer = ask(program, &["-S", "-c", PYTHON_QUESTION])?;
                parse_python(&answer).ok_or_else(nonsense)
            }
        }
    }

    fn check_packaged(&self, program: &Path, asked: &mut Asked) -> Result<Interpreter, Unavailable> {
        let shown = program.display();
        match self.ask(program, asked) {
            Ok(found) if found.version.starts_with(&self.prefix) => Ok(found),
            Ok(found) => Err(self.unavailable(&format!(
                "`{shown}` was installed for it, and is {} {}",
                self.language, found.version
            ))),
            Err(error) => Err(self.unavailable(&format!("`{shown}` was installed for it, but {error}"))),
        }
    }

    fn check_named(&self, program: &Path, asked: &mut Asked) -> Result<Interpreter, Unavailable> {
        let shown = program.display();
        match self.ask(program, asked) {
            Ok(found) if found.version.starts_with(&self.prefix) => Ok(found),
            Ok(found) => Err(self.unavailable(&format!(
                "`{shown}` is {} {}, and {} {} is needed; name another with --interpreter {}=/path/to/{}",
                self.language,
                found.version,
                self.language,
                self.version(),
                self.runtime,
                self.program(),
            ))),
            Err(error) => Err(self.unavailable(&format!("`{shown}` was named for it, but {error}"))),
        }
    }

    fn not_found(&self, seen: &[Interpreter]) -> Unavailable {
        let mut versions: Vec<_> = seen.iter().map(|found| found.version.as_str()).collect();
        versions.dedup();
        let instead = match versions.as_slice() {
            [] => String::new(),
            versions => format!(" (found {})", versions.join(", ")),
        };
        let command = install_command(self.runtime);
        let name = format!("--interpreter {}=/path/to/{}", self.runtime, self.program());
        let way_out = match self.runtime.family() {
            RuntimeFamily::NodeJs { .. } => format!("run {command}, or name one with {name}"),
            // No package registry has Python itself.
            RuntimeFamily::Python { .. } | RuntimeFamily::Provided | RuntimeFamily::Other => {
                format!("put it there, or name one with {name}, then run {command}")
            }
        };
        self.unavailable(&format!(
            "{} {} was not found on PATH{instead}; {way_out}",
            self.language,
            self.version(),
        ))
    }

    fn program(&self) -> &'static str {
        if self.language == "Node.js" { "node" } else { "python3" }
    }

    fn unavailable(&self, why: &str) -> Unavailable {
        Unavailable { reason: format!("no interpreter of {} on this host: {why}", self.runtime) }
    }
}

fn parse_node(answer: &str) -> Option<Interpreter> {
    let mut lines = answer.lines().skip_while(|line| *line != "hearth").skip(1);
    let program = PathBuf::from(lines.next()?);
    let version = lines.next()?.to_owned();
    let has_module_options = lines.next()? == "true";
    program.is_absolute().then_some(Interpreter {
        program,
        version,
        language: Language::NodeJs { has_module_options },
    })
}

fn parse_python(answer: &str) -> Option<Interpreter> {
    let mut lines = answer.lines().skip_while(|line| *line != "hearth").skip(1);
    let program = PathBuf::from(lines.next()?);
    let version = lines.next()?.to_owned();
    let is_virtual = lines.next()? == "True";
    let site_paths = lines.map(str::to_owned).collect();
    program.is_absolute().then_some(Interpreter {
        program,
        version,
        language: Language::Python { site_paths, is_virtual },
    })
}

enum Kind {
    Program,
    Script,
}

/// Says what an executable file is; `None` if there is none.
fn kind_of(path: &Path) -> Option<Kind> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return None;
    }
    let mut start = [0; 2];
    let is_script =
        File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!";
    Some(if is_script { Kind::Script } else { Kind::Program })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(runtime: &str, named: Option<&str>, path: &Path) -> Result<Interpreter, String> {
        let runtime = Runtime::parse(runtime).unwrap();
        let named = named.map(|program| (runtime, PathBuf::from(program))).into_iter().collect();
        Interpreters::new(named, path.as_os_str().to_owned())
            .find(runtime, None, &mut Asked::default())
            .map_err(|error| error.reason)
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("hearth-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn script(&self, name: &str, text: &str) {
            let path = self.0.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_interpreter_that_is_missing_is_named_with_the_way_out() {
        let empty = Folder::new("none");
        assert_eq!(
            find("nodejs22.x", None, &empty.0).unwrap_err(),
            "no interpreter of nodejs22.x on this host: Node.js 22 was not found on PATH; run `hearth runtimes \
             install nodejs22.x`, or name one with --interpreter nodejs22.x=/path/to/node"
        );
        assert_eq!(
            find("python3.12", None, &empty.0).unwrap_err(),
            "no interpreter of python3.12 on this host: Python 3.12 was not found on PATH; put it there, or name \
             one with --interpreter python3.12=/path/to/python3, then run `hearth runtimes install python3.12`"
        );
        for never in ["java21", "nodejs16.x", "python3.7"] {
            assert_eq!(find(never, None, &empty.0).unwrap_err(), format!("Hearth does not run {never}"));
        }
    }

    #[test]
    fn another_version_is_not_taken() {
        let folder = Folder::new("other");
        folder.script("node", "echo hearth; echo /real/node; echo 20.1.0; echo true");
        assert_eq!(
            find("nodejs22.x", None, &folder.0).unwrap_err(),
            "no interpreter of nodejs22.x on this host: Node.js 22 was not found on PATH (found 20.1.0); run \
             `hearth runtimes install nodejs22.x`, or name one with --interpreter nodejs22.x=/path/to/node"
        );
        let named = folder.0.join("node");
        let error = find("nodejs22.x", named.to_str(), &folder.0).unwrap_err();
        assert!(error.contains("is Node.js 20.1.0, and Node.js 22 is needed"), "{error}");
    }

    #[test]
    fn a_shim_is_resolved_to_the_program_behind_it() {
        let folder = Folder::new("shim");
        folder.script(
            "python3.11",
            "echo noise; echo hearth; echo /real/python3.11; echo 3.11.7; echo False; echo /site",
        );
        let found = find("python3.11", None, &folder.0).unwrap();
        assert_eq!(found.program, Path::new("/real/python3.11"));
        assert_eq!(
            found.language,
            Language::Python { site_paths: vec!["/site".to_owned()], is_virtual: false }
        );
    }

    #[test]
    fn a_candidate_that_fails_is_passed_over() {
        let (broken, good) = (Folder::new("broken"), Folder::new("good"));
        broken.script("node", "exit 127");
        good.script("node", "echo hearth; echo /real/node; echo 22.3.0; echo true");
        let path = std::env::join_paths([&broken.0, &good.0]).unwrap();
        assert_eq!(find("nodejs22.x", None, Path::new(&path)).unwrap().version, "22.3.0");
    }
}
