//! Asking an interpreter something: running it for a moment and reading what it prints.
//!
//! Processes are `sandbox`'s business, with this exception: what runs here is an interpreter of the host with a script
//! of ours, before any function exists, and it must say which version it is.
#![allow(
    clippy::disallowed_methods,
    reason = "the one place outside of `sandbox` that starts processes, see above"
)]

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an interpreter may take to answer. Ours: a healthy one takes 10 to 500 ms, a hung shim must not hang us.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How much of an answer is read. Ours: answers are a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 65_536;

/// Variables that would make an interpreter answer for somebody else's settings.
const MISLEADING: &[&str] =
    &["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONNOUSERSITE", "NODE_OPTIONS", "NODE_PATH"];

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// It could not be started.
    #[error("it cannot be started: {0}")]
    NotStarted(String),
    /// It did not end in time, and was killed.
    #[error("it did not answer within {} s", ANSWER_LIMIT.as_secs())]
    TimedOut,
    /// It ended with an error.
    #[error("it ended with {0}")]
    Failed(String),
}

/// Runs `program` and returns what it printed. Blocks.
pub(crate) fn ask<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<String, AskError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for name in MISLEADING {
        command.env_remove(OsString::from(name));
    }
    let mut child = command.spawn().map_err(|error| AskError::NotStarted(error.to_string()))?;
    let stdout = child.stdout.take().expect("standard output was asked for three lines up");
    let (sender, receiver) = mpsc::sync_channel(1);
    // Ends when the pipe does: at the latest when a process that kept it open dies.
    thread::spawn(move || sender.send(read(stdout)));
    let answer = receiver.recv_timeout(ANSWER_LIMIT);
    if answer.is_err() {
        // It may have ended in this very moment: then there is nothing left to kill.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| AskError::Failed(error.to_string()))?;
    let answer = answer.map_err(|_| AskError::TimedOut)?;
    if !status.success() {
        return Err(AskError::Failed(status.to_string()));
    }
    answer.map_err(|error| AskError::Failed(error.to_string()))
}

fn read(stdout: impl Read) -> io::Result<String> {
    let mut answer = String::new();
    stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
