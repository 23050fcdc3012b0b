//! Running npm, pip and Python for an installation, and telling what went wrong when they fail.
//!
//! Processes are `sandbox`'s business, with this exception and the one of `ask.rs`: these run before any function exists,
//! for the operator, with the operator's rights and settings.
#![allow(clippy::disallowed_methods, reason = "package managers are started here, see above")]

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{InstallError, Progress, Watcher};

/// How long one program may take. Ours: half a gigabyte over a slow line; what hangs longer hangs for ever.
const PROGRAM_LIMIT: Duration = Duration::from_secs(20 * 60);
/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the size of what has come is added up: it reads folders of some thousand files.
const MEASURE_EVERY: Duration = Duration::from_millis(250);
/// How much output of a program is kept. Ours: errors are a few kilobytes; the rest is read and forgotten.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// How long a message of a program may be in an error.
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// What npm and pip say when the network is not there.
const OFFLINE: &[&str] = &[
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "EHOSTUNREACH",
    "ERR_SOCKET_TIMEOUT",
    "ENOTCACHED",
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Network is unreachable",
];

/// Where programs are found, and who watches them.
pub(super) struct Programs<'a> {
    pub(super) path: &'a OsStr,
    /// Where they put what is temporary: it goes with the installation, and counts as progress.
    pub(super) temporary: &'a Path,
    pub(super) watcher: &'a Watcher,
}

/// One run of a program.
pub(super) struct Run<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// Its arguments.
    pub(super) arguments: Vec<&'a OsStr>,
    /// Where it runs, and what it fills: its size is the progress.
    pub(super) folder: &'a Path,
    /// What it brings, as errors call it.
    pub(super) what: &'a str,
    /// What it does, as progress calls it.
    pub(super) step: String,
    /// About how many bytes it brings, if known.
    pub(super) bytes_total: Option<u64>,
}

impl Programs<'_> {
    /// Finds a program along the path.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.path).map(|folder| folder.join(name)).find(|program| {
            program.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        })
    }

    /// Runs a program to its end and returns its standard output.
    pub(super) fn run(&self, run: Run<'_>) -> Result<String, InstallError> {
        let shown = run.program.display().to_string();
        let failed = |message: String| InstallError::Program {
            program: shown.clone(),
            what: run.what.to_owned(),
            message,
        };
        let mut command = Command::new(run.program);
        command.args(&run.arguments).current_dir(run.folder).env("PATH", self.path);
        command.env("TMPDIR", self.temporary);
        for (name, value) in SETTINGS {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let stdout = collect(child.stdout.take().expect("standard output was asked for"));
        let stderr = collect(child.stderr.take().expect("standard error was asked for"));
        let status = self.watch(&mut child, &run);
        if status.is_err() {
            // It may have ended in this very moment: then there is nothing left to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
        let status = status?.map_err(&failed)?;
        let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        if status.success() {
            return Ok(stdout);
        }
        let message = message(&stderr);
        if OFFLINE.iter().any(|sign| stderr.contains(sign)) {
            return Err(InstallError::Offline { program: shown, what: run.what.to_owned(), message });
        }
        let how = if message.is_empty() { "no message".to_owned() } else { message };
        Err(failed(format!("ended with {status}: {how}")))
    }

    /// Waits for the end, and tells how far it is. The inner error is the program's, the outer one ends it.
    fn watch(
        &self,
        child: &mut std::process::Child,
        run: &Run<'_>,
    ) -> Result<Result<ExitStatus, String>, InstallError> {
        let started = Instant::now();
        let mut measured: Option<Instant> = None;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Ok(status)),
                Ok(None) => {}
                Err(error) => return Ok(Err(format!("cannot be waited for: {error}"))),
            }
            if self.watcher.cancelled.load(Ordering::Relaxed) {
                return Err(InstallError::Stopped);
            }
            if started.elapsed() > PROGRAM_LIMIT {
                return Err(InstallError::Program {
                    program: run.program.display().to_string(),
                    what: run.what.to_owned(),
                    message: format!("did not end within {} minutes", PROGRAM_LIMIT.as_secs() / 60),
                });
            }
            if measured.is_none_or(|at| at.elapsed() > MEASURE_EVERY) {
                measured = Some(Instant::now());
                let bytes_done = bytes_below(run.folder) + bytes_below(self.temporary);
                let bytes_total = run.bytes_total;
                (self.watcher.progress)(Progress { step: run.step.clone(), bytes_done, bytes_total });
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// What the operator's own settings of the package managers must not change.
const SETTINGS: &[(&str, &str)] = &[
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
    ("PIP_USER", "0"),
];

/// Returns how many bytes the files below a folder have; what vanishes meanwhile has none.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |metadata| metadata.len()),
            _ => 0,
        })
        .sum()
}

/// Reads all that a program writes, and keeps the end of it.
fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut bytes = [0; 8192];
        loop {
            match from.read(&mut bytes) {
                Ok(length @ 1..) => {
                    kept.extend_from_slice(&bytes[..length]);
                    if kept.len() > 2 * OUTPUT_BYTES_MAX {
                        kept.drain(..kept.len() - OUTPUT_BYTES_MAX);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return String::from_utf8_lossy(&kept).into_owned(),
            }
        }
    })
}

/// Makes one line of what a program wrote to standard error: its errors, without its prefix before each line.
fn message(stderr: &str) -> String {
    let is_noise = |line: &str| {
        line.is_empty() || line.starts_with("A complete log of this run") || line.starts_with("errno ")
    };
    let lines = || stderr.lines().map(str::trim);
    let errors: Vec<&str> = lines()
        .filter_map(|line| {
            ["npm error", "npm ERR!", "ERROR:", "error:"].iter().find_map(|prefix| line.strip_prefix(prefix))
        })
        .map(str::trim)
        .filter(|line| !is_noise(line))
        .collect();
    let chosen = if errors.is_empty() {
        lines().rfind(|line| !is_noise(line)).unwrap_or_default().to_owned()
    } else {
        errors.join("; ")
    };
    let visible: String = chosen.chars().filter(|character| !character.is_control()).collect();
    match visible.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &visible[..end]),
        None => visible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_manager_complains_of_becomes_one_line() {
        let npm = "npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error request failed, no such host\n\
                   npm error A complete log of this run can be found in: /home/ada/.npm/_logs/x.log\n";
        assert_eq!(message(npm), "code ENOTFOUND; request failed, no such host");
        let pip = "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution\n";
        assert_eq!(message(pip), "Could not find a version; No matching distribution");
        assert_eq!(message("Segmentation\n\nfault \x1b[0m\n"), "fault [0m");
        assert_eq!(message(""), "");
        assert_eq!(message(&"x".repeat(1_000)).chars().count(), MESSAGE_CHARACTERS_MAX + 1);
    }
}
