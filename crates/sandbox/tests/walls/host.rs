//! A folder and an environment for one test, and programs that run in it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::{Command, ExitStatus, NetworkPolicy, Output, Sandbox, SandboxEvent, SandboxPlan};

use crate::RUNTIME;

/// A folder for one test.
pub(crate) struct Host(pub(crate) PathBuf);

impl Host {
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) async fn sandboxes(&self) -> NamespaceSandboxes {
        NamespaceSandboxes::start(&self.folder("run"), NetworkPolicy::None).await.unwrap()
    }

    pub(crate) fn plan(&self) -> SandboxPlan {
        // More than enough: these tests are about other limits.
        SandboxPlan { code: Some(self.folder("code")), memory_size_mb: 2_048, ..SandboxPlan::default() }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    Command {
        program: program.into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_directory: "/var/task".into(),
        restored_from: None,
    }
}

/// Calls of the kernel by number, as a function can make them that brings its own program.
pub(crate) const PREFACE: &str = r#"
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    return 'works' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(do):
    try:
        do()
        return 'works'
    except OSError as error:
        return errno.errorcode[error.errno]
"#;

pub(crate) fn python(script: &str) -> Command {
    command("/usr/bin/python3", &["-S", "-c", &format!("{PREFACE}\n{script}")])
}

pub(crate) async fn next(sandbox: &dyn Sandbox) -> SandboxEvent {
    tokio::time::timeout(Duration::from_secs(30), sandbox.next_event())
        .await
        .expect("the sandbox says something")
}

/// Runs a program to its end and returns what it wrote.
pub(crate) async fn run(sandbox: &dyn Sandbox, command: &Command) -> String {
    let (status, output) = finish(sandbox, command).await;
    assert_eq!(status, ExitStatus::Code(0), "{output}");
    output
}

pub(crate) async fn finish(sandbox: &dyn Sandbox, command: &Command) -> (ExitStatus, String) {
    sandbox.start(RUNTIME, command, Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let SandboxEvent::Exited { status, .. } = next(sandbox).await else { panic!("no exit") };
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    (status, String::from_utf8(output).unwrap())
}

/// Runs a script that prints `what answer` lines.
pub(crate) async fn answers(sandbox: &dyn Sandbox, script: &str) -> BTreeMap<String, String> {
    let output = run(sandbox, &python(script)).await;
    output
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(what, answer)| (what.into(), answer.into()))
        .collect()
}

pub(crate) async fn until(what: &str, reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::task::yield_now().await;
    }
}
