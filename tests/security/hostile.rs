//! The hostile functions, the server that they run on, and a neighbour that must not notice.
//!
//! Operations that all of them know:
//!
//! ```text
//!   syscall NUMBER ARGUMENT…     open PATH r|w|c         write PATH TEXT      grep PATH PREFIX     list PATH
//!   pids                         fds                     connect HOST PORT    unix PATH|@NAME      socket F T P
//!   kill PID SIGNAL              hunt PIDS               setns PATH           raise LIMIT          link TARGET PATH
//!   int80                        memfd                   run PROGRAM WORD…    crash                pid
//!   spin THREADS MS              linger                  bomb threads|forks   descriptors KIND N   heap MB
//!   http HOST PORT PATH          sleep MS (not in Node.js)
//! ```
//!
//! And the one in Python besides:
//!
//! ```text
//!   fill PATH MB                 tree PATH FOLDERS FILES flood STREAM N BYTES line MB              count LINES
//!   daemon SECONDS
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hearth_tests::{
    Answer, Function, NewFunction, Package, Server, Settings, eventually, needs_node, needs_root, python,
    repository, skip,
};
use serde_json::{Value, json};

use crate::leftovers::Traces;

/// What the hostile function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
    C,
}

/// What no function may ever see: it stands in the server's environment, and in a neighbour's.
pub(crate) const CANARY: &str = "a-secret-of-the-server";

impl Language {
    /// Says whether functions of this kind can be made here. If not, the test is noted as skipped.
    pub(crate) fn is_here(self) -> bool {
        needs_root() && native().is_some() && (self != Self::Node || needs_node())
    }

    /// Describes the hostile function in this language.
    pub(crate) fn function(self, name: &str) -> NewFunction {
        let native = native().expect("`is_here` was asked before");
        let own = |file: &str| fs::read(repository().join("tests/security/packages").join(file)).unwrap();
        let package = Package::new().program("id", fs::read("/usr/bin/id").unwrap());
        let (runtime, handler, package) = match self {
            Self::Python => ("python3.11", "app.handler", package.file("app.py", own("app.py"))),
            Self::Node => ("nodejs20.x", "index.handler", package.file("index.mjs", own("index.mjs"))),
            Self::C => ("provided.al2023", "main", package.program("bootstrap", native)),
        };
        let package = package.program("native", native);
        NewFunction::new(name, runtime, handler, package).timeout(60).with("MemorySize", 512)
    }
}

/// The program in C, compiled once for each version of its source; `None`, and the test is noted as skipped, where there
/// is no compiler.
fn native() -> Option<&'static [u8]> {
    static NATIVE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let compiled = NATIVE.get_or_init(|| compile().map_err(|why| skip(&why)).ok());
    compiled.as_deref()
}

fn compile() -> Result<Vec<u8>, String> {
    let source = repository().join("tests/security/native/hostile.c");
    let folder = repository().join(".cache/hostile");
    fs::create_dir_all(&folder).unwrap();
    let name = sha256_of(&fs::read(&source).unwrap());
    let program: PathBuf = folder.join(&name);
    if !program.exists() {
        // Tests run at the same time; each compiles to a place of its own, and the first name that is there stays.
        let new = folder.join(format!("{name}.{}", std::process::id()));
        let compiler = Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&new).arg(&source).output();
        let output = compiler.map_err(|error| format!("no C compiler: {error}"))?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&new, &program).unwrap();
    }
    Ok(fs::read(&program).unwrap())
}

fn sha256_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The server under attack, with a neighbour that has secrets and must go on undisturbed.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) language: Language,
}

impl Host {
    /// Starts a server with a hostile function in this language and a neighbour.
    pub(crate) fn start(language: Language) -> Self {
        Self::start_with(language, |new| new)
    }

    /// The same, with a hostile function that is changed before.
    pub(crate) fn start_with(language: Language, change: impl FnOnce(NewFunction) -> NewFunction) -> Self {
        let server = walled().start();
        server.create(change(language.function("hostile")));
        let source = "
import os
open('/tmp/own', 'w').write('of the neighbour')
def handler(event, context):
    return [os.getpid(), open('/tmp/own').read()]
";
        let secret = json!({ "Variables": { "SECRET": CANARY } });
        // One processor: what it has to wait for is then not its own share.
        let new = python("neighbour", source).with("Environment", secret).with("MemorySize", 1_769);
        let neighbour = server.create(new);
        assert_eq!(neighbour.invoke("{}").success()[1], "of the neighbour");
        Self { server, language }
    }

    pub(crate) fn hostile(&self) -> Function<'_> {
        self.server.function("hostile")
    }

    pub(crate) fn neighbour(&self) -> Function<'_> {
        self.server.function("neighbour")
    }

    /// The process of the neighbour, as the host sees it.
    pub(crate) fn neighbour_pid(&self) -> u64 {
        self.neighbour().environments()[0]["pid"].as_u64().unwrap()
    }

    /// Has operations carried out and returns the answers.
    pub(crate) fn attack(&self, operations: &[&str]) -> Vec<String> {
        let answers = self.call(&operations.join(";")).success();
        let answers = answers.as_array().unwrap().iter().map(|answer| answer.as_str().unwrap().to_owned());
        let answers: Vec<String> = answers.collect();
        assert_eq!(answers.len(), operations.len(), "{answers:?}");
        answers
    }

    /// Has operations carried out, whatever comes out of it.
    pub(crate) fn call(&self, operations: &str) -> Answer {
        self.hostile().invoke(json!({ "do": operations }).to_string())
    }

    /// Carries out every attack of a table, and checks that each was answered as it should, and harmed nobody.
    pub(crate) fn expect(&self, table: &[Attack]) {
        let before = Calm::of(self);
        let operations: Vec<&str> = table.iter().map(|attack| attack.operation.as_str()).collect();
        let answers = self.attack(&operations);
        let wrong: Vec<String> = table
            .iter()
            .zip(&answers)
            .filter(|(attack, answer)| !attack.expected.split('|').any(|expected| expected == *answer))
            .map(|(attack, answer)| {
                format!(
                    "case {}: `{}` gives {answer}, not {}",
                    attack.case, attack.operation, attack.expected
                )
            })
            .collect();
        assert!(wrong.is_empty(), "{:?}:\n{}", self.language, wrong.join("\n"));
        before.goes_on(self);
    }

    /// Deletes the hostile function and checks that nothing of it is left on this host.
    pub(crate) fn leaves_nothing(&self) {
        assert_eq!(self.hostile().invoke("{}").success(), json!([]));
        let traces = eventually("its processes are known", || {
            let traces = Traces::of(&self.server, "hostile");
            (!traces.users().is_empty()).then_some(traces)
        });
        self.hostile().delete();
        traces.go_away();
    }
}

/// One line of a table: the numbered case, what is tried, and what it must give (several, divided by `|`).
pub(crate) struct Attack {
    pub(crate) case: u16,
    pub(crate) operation: String,
    pub(crate) expected: &'static str,
}

pub(crate) fn attack(case: u16, operation: impl Into<String>, expected: &'static str) -> Attack {
    Attack { case, operation: operation.into(), expected }
}

/// How things were before an attack.
pub(crate) struct Calm {
    neighbour: Value,
}

impl Calm {
    pub(crate) fn of(host: &Host) -> Self {
        Self { neighbour: host.neighbour().invoke("{}").success() }
    }

    /// A plain call of the function works, the neighbour has noticed nothing, and the server answers.
    pub(crate) fn goes_on(&self, host: &Host) {
        assert_eq!(host.hostile().invoke("{}").success(), json!([]));
        host.neighbour().wait_until_all_are_ready();
        assert_eq!(host.neighbour().invoke("{}").success(), self.neighbour, "the neighbour lives on");
        assert_eq!(host.neighbour().environments().len(), 1);
        assert_eq!(host.server.http("GET", "/_hearth/health", b"").status, 200);
    }
}

/// Calls a function so often and returns how long the call took that `share` of all did not exceed.
pub(crate) fn percentile(function: &Function<'_>, calls: usize, share: f64) -> Duration {
    let mut all: Vec<Duration> = (0..calls)
        .map(|_| {
            let started = Instant::now();
            function.invoke("{}").success();
            started.elapsed()
        })
        .collect();
    all.sort();
    all[((calls as f64 * share) as usize).min(calls - 1)]
}

/// A server with walls whose own environment holds a secret.
pub(crate) fn walled() -> Settings {
    Settings::new().arguments(&["--isolation", "namespaces"]).variable("CANARY", CANARY)
}

/// Makes a test of a check for each language: `python`, `node` and `c`, in a module of the check's name.
macro_rules! in_each_language {
    ($($(#[$attribute:meta])* fn $name:ident($host:ident: &Host) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            fn check($host: &Host) $body

            fn run(language: Language) {
                if language.is_here() {
                    check(&Host::start(language));
                }
            }

            #[test]
            fn python() {
                run(Language::Python);
            }

            #[test]
            fn node() {
                run(Language::Node);
            }

            #[test]
            fn c() {
                run(Language::C);
            }
        }
    )*};
}
pub(crate) use in_each_language;
