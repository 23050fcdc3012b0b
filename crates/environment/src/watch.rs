//! The task of an environment: waits for what comes from the sandbox, from the clock and from the pipe of the runtime.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_sandbox::{ProcessId, SandboxEvent};
use hearth_types::limits;
use tokio::net::unix::pipe;

use crate::environment::Environment;
use crate::event::Event;
use crate::extensions::ProgramNumber;
use crate::fatal_error::FatalError;

/// How late a deadline may be noticed before it is taken for certain that the service itself stood still, stopped by a signal
/// or by its host. Ours.
const STOOD_STILL: Duration = Duration::from_millis(100);

/// How long the service takes then to hear what has come meanwhile, before the deadline counts: an answer that a runtime gave
/// in time is not to be killed for being read late. Ours.
const CATCHES_UP: Duration = Duration::from_millis(500);

/// A deadline that was noticed late, and when it counts.
#[derive(Clone, Copy)]
struct Late {
    deadline: Instant,
    until: Instant,
}

impl Environment {
    /// Waits for the sandbox, output and deadlines until the environment is gone.
    pub(crate) async fn run(self: Arc<Self>, output: OwnedFd) {
        let output = match pipe::Receiver::from_owned_fd(output) {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(environment_id = %self.id, %error, "cannot watch an environment's output");
                self.feed(Event::SandboxLost);
                return;
            }
        };
        let mut late: Option<Late> = None;
        loop {
            let (deadline, phase) = {
                let mut inner = self.lock();
                inner.armed = inner.machine.deadline();
                (inner.armed, inner.machine.phase_name())
            };
            if phase == "Gone" {
                return;
            }
            late = late.filter(|late| Some(late.deadline) == deadline);
            let timer = async {
                match late.map(|late| late.until).or(deadline) {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.sandbox.next_event() => self.hear(event),
                ready = output.readable() => {
                    if let Err(error) = ready {
                        tracing::error!(environment_id = %self.id, %error, "lost an environment's output");
                        self.feed(Event::SandboxLost);
                    }
                    self.read_output(&output).await;
                }
                () = timer => {
                    let now = self.clock.now();
                    // Whether a quiet environment is frozen a bit later matters to nobody.
                    match deadline.filter(|_| late.is_none() && phase != "Ready") {
                        Some(deadline) if now.saturating_duration_since(deadline) >= STOOD_STILL => {
                            late = Some(Late { deadline, until: now + CATCHES_UP });
                        }
                        _ => drop(self.feed(Event::DeadlineReached)),
                    }
                }
                () = self.rearm.notified() => {}
            }
        }
    }

    fn hear(self: &Arc<Self>, event: SandboxEvent) {
        let generation = self.lock().generation;
        match event {
            SandboxEvent::Started { process } => match Origin::of(process, generation) {
                Origin::Runtime => drop(self.feed(Event::RuntimeStarted)),
                Origin::Extension(program) => drop(self.feed(Event::ExtensionStarted(program))),
                Origin::Earlier => {}
            },
            SandboxEvent::StartFailed { process, errno } => match Origin::of(process, generation) {
                Origin::Runtime => {
                    let error = FatalError::cannot_execute(&self.boot.shown_program, errno);
                    self.feed(Event::RuntimeStartFailed(error));
                }
                Origin::Extension(program) => {
                    self.feed(Event::ExtensionStartFailed { program, errno });
                }
                Origin::Earlier => {}
            },
            SandboxEvent::Exited { process, status, was_out_of_memory } => {
                match Origin::of(process, generation) {
                    Origin::Runtime => {
                        self.feed(Event::RuntimeExited { status, was_out_of_memory });
                    }
                    Origin::Extension(program) => {
                        self.record_usage(program, process);
                        self.feed(Event::ExtensionExited { program, status, was_out_of_memory });
                    }
                    Origin::Earlier => {}
                }
            }
            SandboxEvent::AllGone => drop(self.feed(Event::AllGone)),
            SandboxEvent::Lost => drop(self.feed(Event::SandboxLost)),
        }
    }

    /// Reads what a function has put out. When the log store has no room, the function waits in its pipe.
    async fn read_output(&self, output: &pipe::Receiver) {
        loop {
            let room = self.lock().telemetry.room_for_output();
            room.await;
            let mut guard = self.lock();
            let inner = &mut *guard;
            if inner.outputs.drain_runtime(&mut inner.telemetry) {
                continue;
            }
            // Tokio has to see for itself that the pipe is empty before it waits again. If it is not, a byte comes along.
            let mut byte = [0];
            match output.try_read(&mut byte) {
                Ok(1..) => inner.outputs.take(&byte, &mut inner.telemetry),
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// How many process numbers one start of everything takes: the runtime's, and those of its extensions.
const PROCESSES_A_GENERATION: u32 = 16;
const _: () = assert!(limits::EXTENSIONS_MAX < PROCESSES_A_GENERATION as usize);

pub(crate) fn runtime_process(generation: u32) -> ProcessId {
    ProcessId(generation * PROCESSES_A_GENERATION)
}

pub(crate) fn extension_process(generation: u32, program: ProgramNumber) -> ProcessId {
    ProcessId(generation * PROCESSES_A_GENERATION + 1 + program as u32)
}

/// Whose process it is.
enum Origin {
    Runtime,
    Extension(ProgramNumber),
    /// A process of an earlier start: it was killed, and its end is no news.
    Earlier,
}

impl Origin {
    fn of(process: ProcessId, generation: u32) -> Self {
        let ProcessId(number) = process;
        match (number / PROCESSES_A_GENERATION == generation, number % PROCESSES_A_GENERATION) {
            (false, _) => Self::Earlier,
            (true, 0) => Self::Runtime,
            (true, program) => Self::Extension(program as usize - 1),
        }
    }
}
