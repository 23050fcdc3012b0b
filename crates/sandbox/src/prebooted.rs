//! A sandbox in which the runtime's process has been started ahead of its Init, and waits.
//!
//! The runtime's client stops itself (`SIGSTOP`) before it does anything for its function. Whoever starts a process with
//! the very command that waits has that one go on; in all else this is the sandbox that it was made of. Nothing is handed
//! in and nothing is left behind: walls, limits, variables and descriptors are those of an ordinary start.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hearth_types::ProcessUsage;
use tokio::sync::Notify;

use crate::{
    Command, MemoryBytes, OpenSocket, Output, Paths, ProcessId, Sandbox, SandboxError, SandboxEvent,
};

/// By what the sandbox knows the process that waits. Environments count from 0 and never come here.
const WAITING: ProcessId = ProcessId(u32::MAX);
/// How long a runtime may take until it waits. Ours: what an Init may take.
const BOOT_LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile. Nobody waits for it.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// A sandbox with a runtime that waits for its Init.
pub struct Prebooted {
    inner: Box<dyn Sandbox>,
    command: Command,
    /// Its process on this host.
    process: HostProcess,
    state: Mutex<State>,
    /// Rung when an event is in the queue.
    queued: Notify,
}

struct State {
    waiting: Waiting,
    /// What is to be told of ourselves: at most one event for each start.
    events: VecDeque<SandboxEvent>,
}

/// What became of the process that was started ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// It waits for its Init.
    ForInit,
    /// It is the environment's, which knows it by this number.
    TakenAs(ProcessId),
    /// It has ended, or is about to.
    Over,
}

impl Prebooted {
    /// Starts `command`, with `wait` as its last argument, and returns once its process waits.
    pub async fn boot(inner: Box<dyn Sandbox>, command: Command, wait: &str) -> Result<Self, SandboxError> {
        let mut with_wait = command.clone();
        with_wait.arguments.push(wait.into());
        inner.start(WAITING, &with_wait, Output::Shared)?;
        match tokio::time::timeout(BOOT_LIMIT, until_it_waits(&*inner)).await {
            Ok(Some(process)) => {
                let state = State { waiting: Waiting::ForInit, events: VecDeque::new() };
                Ok(Self { inner, command, process, state: Mutex::new(state), queued: Notify::new() })
            }
            Ok(None) => Err(ended()),
            Err(_) => Err(SandboxError::Prepare {
                what: "a runtime ahead of its Init",
                source: io::ErrorKind::TimedOut.into(),
            }),
        }
    }

    /// Says whether the process still waits.
    pub fn is_waiting(&self) -> bool {
        self.lock().waiting == Waiting::ForInit && self.process.stands_still()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By what the sandbox below knows a process.
    fn below(&self, process: ProcessId) -> ProcessId {
        match self.lock().waiting {
            Waiting::TakenAs(taken) if taken == process => WAITING,
            Waiting::TakenAs(_) | Waiting::ForInit | Waiting::Over => process,
        }
    }

    /// What the environment is told of an event below, if anything.
    fn above(&self, event: SandboxEvent) -> Option<SandboxEvent> {
        let mut state = self.lock();
        match event {
            SandboxEvent::Exited { process: WAITING, status, was_out_of_memory } => {
                let waiting = state.waiting;
                state.waiting = Waiting::Over;
                match waiting {
                    Waiting::TakenAs(process) => {
                        Some(SandboxEvent::Exited { process, status, was_out_of_memory })
                    }
                    Waiting::ForInit | Waiting::Over => None,
                }
            }
            SandboxEvent::AllGone => {
                state.waiting = Waiting::Over;
                Some(event)
            }
            SandboxEvent::Started { .. }
            | SandboxEvent::StartFailed { .. }
            | SandboxEvent::Exited { .. }
            | SandboxEvent::Lost => Some(event),
        }
    }
}

/// Waits until the process has stopped itself. `None` when it has ended instead.
async fn until_it_waits(sandbox: &dyn Sandbox) -> Option<HostProcess> {
    match sandbox.next_event().await {
        SandboxEvent::Started { process: WAITING } => {}
        _ => return None,
    }
    let process = HostProcess::of(sandbox.pid(WAITING)?)?;
    loop {
        tokio::select! {
            biased;
            // Nothing else runs there: it has ended.
            _ = sandbox.next_event() => return None,
            () = tokio::time::sleep(LOOK_AFTER) => {}
        }
        if process.stands_still() {
            return Some(process);
        }
    }
}

fn ended() -> SandboxError {
    let source = io::Error::other("it ended before it waited");
    SandboxError::Prepare { what: "a runtime ahead of its Init", source }
}

impl Sandbox for Prebooted {
    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError> {
        // Of extensions, which have pipes of their own, the runtime knows nothing.
        if matches!(output, Output::Own(_)) {
            return self.inner.start(process, command, output);
        }
        let is_it = command.starts_the_same(&self.command) && self.is_waiting();
        if is_it {
            self.inner.go_on(WAITING)?;
            let mut state = self.lock();
            state.waiting = Waiting::TakenAs(process);
            state.events.push_back(SandboxEvent::Started { process });
            drop(state);
            self.queued.notify_one();
            return Ok(());
        }
        if self.lock().waiting == Waiting::ForInit {
            // Another command than what was foreseen, or it has ended: the ordinary start.
            self.lock().waiting = Waiting::Over;
            self.inner.kill(WAITING)?;
        }
        self.inner.start(process, command, output)
    }

    fn next_event(&self) -> BoxFuture<'_, SandboxEvent> {
        Box::pin(async {
            loop {
                // Before a wait, so that nothing is lost when one is cancelled.
                if let Some(event) = self.lock().events.pop_front() {
                    return event;
                }
                tokio::select! {
                    biased;
                    () = self.queued.notified() => {}
                    event = self.inner.next_event() => {
                        if let Some(event) = self.above(event) {
                            return self.after_what_is_queued(event);
                        }
                    }
                }
            }
        })
    }

    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.inner.terminate(self.below(process))
    }

    fn kill(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.inner.kill(self.below(process))
    }

    fn stop(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.inner.stop(self.below(process))
    }

    fn go_on(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.inner.go_on(self.below(process))
    }

    fn usage(&self, process: ProcessId) -> Option<ProcessUsage> {
        self.inner.usage(self.below(process))
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        self.inner.pid(self.below(process))
    }

    fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.inner.output()
    }

    fn log_fd(&self) -> i32 {
        self.inner.log_fd()
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        self.inner.extra_environment()
    }

    fn paths(&self) -> Paths {
        self.inner.paths()
    }

    fn runtime_api(&self) -> Option<TcpListener> {
        self.inner.runtime_api()
    }

    fn aws_api(&self) -> Option<TcpListener> {
        self.inner.aws_api()
    }

    fn sockets(&self) -> Option<OpenSocket> {
        self.inner.sockets()
    }

    fn kill_all(&self) -> Result<(), SandboxError> {
        self.inner.kill_all()
    }

    fn can_freeze(&self) -> bool {
        self.inner.can_freeze()
    }

    fn freeze(&self) -> Result<(), SandboxError> {
        self.inner.freeze()
    }

    fn thaw(&self) -> Result<(), SandboxError> {
        self.inner.thaw()
    }

    fn limit_cpu(&self) -> Result<(), SandboxError> {
        self.inner.limit_cpu()
    }

    fn memory_bytes_max(&self) -> u64 {
        self.inner.memory_bytes_max()
    }

    fn memory(&self) -> MemoryBytes {
        self.inner.memory()
    }
}

impl Prebooted {
    /// A start that was queued meanwhile came before what happened to the process.
    fn after_what_is_queued(&self, event: SandboxEvent) -> SandboxEvent {
        let mut state = self.lock();
        match state.events.pop_front() {
            None => event,
            Some(first) => {
                state.events.push_back(event);
                drop(state);
                self.queued.notify_one();
                first
            }
        }
    }
}

/// A process of this host, which is not mistaken for a later one of the same number.
struct HostProcess {
    pid: i32,
    started: String,
}

impl HostProcess {
    fn of(pid: i32) -> Option<Self> {
        let (_, started) = look(pid)?;
        Some(Self { pid, started })
    }

    /// Whether it lives and is stopped.
    fn stands_still(&self) -> bool {
        look(self.pid).is_some_and(|(state, started)| state == "T" && started == self.started)
    }
}

/// Reads the state of a process, and when it started.
fn look(pid: i32) -> Option<(String, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may have anything in it; the state is the third field and the start the twenty-second.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    Some((fields.next()?.to_owned(), fields.nth(18)?.to_owned()))
}
