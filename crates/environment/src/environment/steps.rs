//! Records the steps of an environment, each with what was put out before it and the memory used.

use std::time::{Duration, Instant};

use hearth_sandbox::Sandbox;
use hearth_telemetry::LifecycleEvent;
use hearth_types::ColdStart;

use super::actions::Afterwards;
use super::{Environment, Inner};
use crate::machine::Event;
use crate::watch::extension_process;

/// A call below this touches at most a few MB: a page fault takes about 0.1 to 0.25 µs a KiB.
const SHORT_CALL: Duration = Duration::from_millis(1);
/// How old the reading of memory may be after a short call.
const MEMORY_FRESH: Duration = Duration::from_millis(100);

impl Environment {
    /// Records a step; before the end of a phase, what was put out during it.
    pub(super) fn record_step(
        &self,
        inner: &mut Inner,
        at: Instant,
        mut event: LifecycleEvent,
        afterwards: &mut Afterwards,
    ) {
        match &mut event {
            LifecycleEvent::InvokeDone { memory_bytes_max, status, .. } => {
                *memory_bytes_max = match status.error_type() {
                    // Whoever ran out of memory has had all of it.
                    Some("Runtime.OutOfMemory") => u64::from(self.record.facts.memory_size_mb) << 20,
                    Some(_) | None => inner.memory_bytes_max(&*self.sandbox, at),
                };
                // Mostly the runtime was done in this very moment, and everything has been read.
                if inner.drained_at != Some(at) {
                    inner.outputs.drain(&mut inner.telemetry);
                }
                inner.outputs.flush(&mut inner.telemetry);
            }
            LifecycleEvent::RuntimeDone { .. } => {
                inner.outputs.drain(&mut inner.telemetry);
                inner.drained_at = Some(at);
            }
            LifecycleEvent::InitDone { .. } => {
                inner.memory_bytes_max = self.sandbox.memory_bytes_max();
                inner.memory_measured_at = Some(at);
                inner.outputs.drain(&mut inner.telemetry);
                // Init has the CPU that it needs; from now on the function's share counts.
                if let Err(error) = self.sandbox.limit_cpu() {
                    tracing::error!(environment_id = %self.id, %error, "cannot limit the CPU of an environment");
                    afterwards.follow_up = Some(Event::SandboxLost);
                }
            }
            LifecycleEvent::ResetDone => {
                while inner.outputs.drain(&mut inner.telemetry) {}
                inner.outputs.finish(&mut inner.telemetry);
            }
            LifecycleEvent::ShutdownDone => {
                inner.outputs.drain(&mut inner.telemetry);
                inner.outputs.finish(&mut inner.telemetry);
            }
            // What was put out while the code was loaded comes before what is told of that.
            LifecycleEvent::RuntimeInitDone { .. } | LifecycleEvent::ExtensionReported { .. } => {
                inner.outputs.drain(&mut inner.telemetry);
            }
            LifecycleEvent::InvokeStarted { why_cold, particulars, .. } => {
                inner.invoke_started_at = Some(at);
                if let (Some(caller), Some(reason)) = (&mut inner.caller, why_cold) {
                    let (reason, particulars) = (*reason, particulars.clone());
                    caller.why_cold = Some(ColdStart { reason, particulars });
                }
            }
            // Who has to wait for Init again may get the error of Init as the answer, before anything else.
            LifecycleEvent::InitStarted { .. } => {
                if let (Some(caller), Some(waiting)) = (&mut inner.caller, inner.machine.waiting()) {
                    caller.why_cold.clone_from(&waiting.why_cold);
                }
            }
            // The last moment in which what they have started can be told from what others have.
            LifecycleEvent::ResetStarted { .. } | LifecycleEvent::ShutdownStarted { .. } => {
                for program in 0..self.boot.extensions.len() {
                    let _ = self.sandbox.usage(extension_process(inner.generation, program));
                }
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::Frozen
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::FaultInjected { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::ExtensionGone { .. } => {}
        }
        let ends_invocation = matches!(event, LifecycleEvent::InvokeDone { .. });
        inner.telemetry.take(at, event);
        if ends_invocation {
            inner.finish_caller(afterwards);
        }
    }
}

impl Inner {
    /// Returns the largest memory used so far. The kernel keeps the mark, and reading it costs as much as a tenth of a
    /// short call; after one so short that it can have touched a few MB at most, a fresh enough reading is good enough.
    fn memory_bytes_max(&mut self, sandbox: &dyn Sandbox, at: Instant) -> u64 {
        let was_short = self.invoke_started_at.is_some_and(|started| at - started < SHORT_CALL);
        let is_fresh = self.memory_measured_at.is_some_and(|measured| at - measured < MEMORY_FRESH);
        if !(was_short && is_fresh) {
            self.memory_bytes_max = sandbox.memory_bytes_max();
            self.memory_measured_at = Some(at);
        }
        self.memory_bytes_max
    }
}
