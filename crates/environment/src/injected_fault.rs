//! Faults that are injected on purpose, so that authors of functions and extensions see what happens then.
//!
//! | do | what happens to the process |
//! |---|---|
//! | `fail` | nothing: the phase ends with an error as if it had reported one |
//! | `hang` | it is stopped (`SIGSTOP`), and what it has asked for meanwhile is not answered |
//! | `delay` | the same, for a while |
//! | `kill`, `oom` | it is killed (`SIGKILL`); `oom` is told as if memory had run out |
//!
//! A fault is taken where it happens and nowhere else, so that each that was taken has happened. The machine asks
//! [`Faults`], which answers from memory: the machine stays without I/O, and a test says itself what goes wrong when.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use hearth_telemetry::LifecycleEvent;
use hearth_types::{ColdReason, ExtensionName, ExtensionState, FaultDeed, FaultPhase, InjectedFault};

use crate::event::Action;
use crate::extensions::ProgramNumber;
use crate::fatal_error::FatalError;
use crate::machine::{Machine, Phase};

/// Where a fault could be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPoint<'a> {
    /// What begins.
    pub phase: FaultPhase,
    /// Whom it would hit; `None`: the runtime.
    pub extension: Option<&'a ExtensionName>,
    /// Whether it would hit the one that is meant when nobody is named.
    pub is_default: bool,
}

/// Chooses what goes wrong. Is asked under the lock of an environment, and answers at once.
pub trait Faults: Send + Sync + 'static {
    /// Takes the fault for a point, if there is one: it happens.
    fn take(&self, point: FaultPoint<'_>) -> Option<FaultDeed>;
}

/// Which process is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The runtime's.
    Runtime,
    /// That of an external extension.
    Extension(ProgramNumber),
}

/// What has been injected into the processes that run now.
#[derive(Default)]
pub(crate) struct Injected {
    faults: Option<Arc<dyn Faults>>,
    held: Vec<Held>,
    out_of_memory: Vec<Victim>,
}

/// A process that is kept from going on. At most one entry for each.
#[derive(Debug)]
struct Held {
    victim: Victim,
    /// `None`: until it ends.
    until: Option<Instant>,
    /// Whether it has asked for its next event meanwhile.
    has_asked: bool,
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Injected {
    /// Returns when the first one goes on.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.held.iter().filter_map(|held| held.until).min()
    }

    pub(crate) fn is_held(&self, victim: Victim) -> bool {
        self.held.iter().any(|held| held.victim == victim)
    }

    /// Whether a process is held, and so what it asks for is left until it goes on.
    pub(crate) fn leaves_unanswered(&mut self, victim: Victim) -> bool {
        let held = self.held.iter_mut().find(|held| held.victim == victim);
        held.map(|held| held.has_asked = true).is_some()
    }

    /// Whether a process was killed as if memory had run out.
    pub(crate) fn is_out_of_memory(&self, victim: Victim) -> bool {
        self.out_of_memory.contains(&victim)
    }

    /// The processes are gone.
    pub(crate) fn forget_processes(&mut self) {
        self.held.clear();
        self.out_of_memory.clear();
    }

    fn hold(&mut self, victim: Victim, until: Option<Instant>) {
        self.held.retain(|held| held.victim != victim);
        self.held.push(Held { victim, until, has_asked: false });
    }
}

/// A fault that has just been taken: what is to be done about processes, and what is left to the phase.
pub(crate) struct Hit {
    pub(crate) deed: FaultDeed,
    pub(crate) actions: Vec<Action>,
}

impl FatalError {
    /// What an injected `fail` is told as. `who` is `Runtime`, `Function` or `Extension`.
    pub(crate) fn injected(who: &str, phase: FaultPhase) -> Self {
        Self::new(format!("{who}.InjectedFault"), format!("injected fault: fail at {phase}"))
    }
}

impl Machine {
    /// Lets things go wrong as `faults` says.
    pub fn injecting(mut self, faults: Option<Arc<dyn Faults>>) -> Self {
        self.injected.faults = faults;
        self
    }

    /// Injects the fault that is to happen now, if there is one.
    pub(crate) fn inject(&mut self, now: Instant, phase: FaultPhase, victim: Victim) -> Option<Hit> {
        self.injected.faults.as_ref()?;
        let extension = match victim {
            Victim::Runtime => None,
            Victim::Extension(program) => Some(self.extensions.of_program(program)?.name.clone()),
        };
        let is_default = match (phase, victim) {
            (FaultPhase::ExtensionInit, Victim::Extension(program)) => program == 0,
            (FaultPhase::ExtensionInit, Victim::Runtime) => false,
            (FaultPhase::Shutdown, Victim::Extension(program)) => {
                Some(program) == self.extensions.first_alive()
            }
            (FaultPhase::Shutdown, Victim::Runtime) => self.extensions.first_alive().is_none(),
            (
                FaultPhase::RuntimeInit
                | FaultPhase::FunctionInit
                | FaultPhase::Invoke
                | FaultPhase::AfterInvoke,
                victim,
            ) => victim == Victim::Runtime,
        };
        let point = FaultPoint { phase, extension: extension.as_ref(), is_default };
        let deed = self.injected.faults.as_ref()?.take(point)?;
        let fault = InjectedFault { phase, deed, extension };
        let request_id = self.request_id();
        let mut actions = vec![Action::Record(LifecycleEvent::FaultInjected { request_id, fault })];
        match deed {
            FaultDeed::Kill | FaultDeed::OutOfMemory => {
                // What it asks for before it dies counts no more.
                self.injected.hold(victim, None);
                if deed == FaultDeed::OutOfMemory {
                    self.injected.out_of_memory.push(victim);
                }
                actions.push(match victim {
                    Victim::Runtime => Action::KillRuntime,
                    Victim::Extension(program) => Action::KillExtension(program),
                });
            }
            FaultDeed::Hang => {
                self.injected.hold(victim, None);
                actions.push(Action::Stop(victim));
            }
            FaultDeed::Delay(delay) => {
                let until = now + delay;
                self.injected.hold(victim, Some(until));
                actions.extend([Action::Stop(victim), Action::SetDeadline(until)]);
            }
            // Throttling is not for environments.
            FaultDeed::Fail | FaultDeed::Throttle => {}
        }
        Some(Hit { deed, actions })
    }

    /// Lets those go on whose time has come.
    pub(crate) fn let_go_on(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let is_due = |held: &Held| held.until.is_some_and(|until| until <= now);
        while let Some(at) = self.injected.held.iter().position(is_due) {
            let Held { victim, has_asked, .. } = self.injected.held.swap_remove(at);
            actions.push(Action::Continue(victim));
            actions.extend(self.go_on(now, victim, has_asked));
        }
        // Whoever is still held goes on by itself, too.
        actions.extend(self.injected.next_deadline().map(Action::SetDeadline));
        actions
    }

    /// A process goes on: what it was kept from happens now.
    fn go_on(&mut self, now: Instant, victim: Victim, has_asked: bool) -> Vec<Action> {
        match (&self.phase, victim) {
            (Phase::Init(_), Victim::Runtime) if has_asked => self.runtime_init_done(now),
            (Phase::Busy(_), Victim::Runtime) => self.runtime_goes_on(now, has_asked),
            // It would have heard of the end before it stood still: of two signals that wait, `SIGTERM` comes first.
            (Phase::ShuttingDown(_), Victim::Runtime) => vec![Action::TerminateRuntime],
            (Phase::Init(_) | Phase::Busy(_), Victim::Extension(program)) if has_asked => {
                self.extension_asks(now, program)
            }
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_)
                | Phase::Gone,
                Victim::Runtime | Victim::Extension(_),
            ) => vec![],
        }
    }

    /// An external extension has been started, or has just registered without that having been told.
    pub(crate) fn inject_into_extension_init(&mut self, now: Instant, program: ProgramNumber) -> Vec<Action> {
        if !matches!(self.phase, Phase::Init(_)) {
            return vec![];
        }
        let victim = Victim::Extension(program);
        let Some(Hit { deed, mut actions }) = self.inject(now, FaultPhase::ExtensionInit, victim) else {
            return vec![];
        };
        if deed == FaultDeed::Fail {
            let error = FatalError::injected("Extension", FaultPhase::ExtensionInit);
            self.note_failure(program, ExtensionState::InitError, &error);
            actions.extend(self.fail_init(now, error));
        }
        actions
    }

    /// An invocation has begun, or its runtime is done: the first extension that is to be hit is.
    pub(crate) fn inject_into_extensions(&mut self, now: Instant, phase: FaultPhase) -> Vec<Action> {
        if self.injected.faults.is_none() {
            return vec![];
        }
        for program in self.extensions.hear_of_invocations() {
            if self.injected.is_held(Victim::Extension(program)) {
                continue;
            }
            let Some(Hit { deed, mut actions }) = self.inject(now, phase, Victim::Extension(program)) else {
                continue;
            };
            if deed == FaultDeed::Fail {
                let error = FatalError::injected("Extension", phase);
                self.note_failure(program, ExtensionState::ExitError, &error);
                actions.extend(self.fail_invoke(now, error.why_cold(ColdReason::ExtensionFailed), error));
            } else if self.extensions.is_running_again(program) {
                // It had been done, and has asked for its next event.
                self.injected.leaves_unanswered(Victim::Extension(program));
            }
            return actions;
        }
        vec![]
    }

    /// The environment is about to be ended: who is to be hit is, before anybody is told.
    pub(crate) fn inject_into_shutdown(&mut self, now: Instant) -> Vec<Action> {
        // Without extensions everything is killed at once.
        if self.extensions.is_empty() {
            return vec![];
        }
        let victims = self.extensions.alive().into_iter().map(Victim::Extension);
        let mut actions = Vec::new();
        for victim in victims.chain(self.runtime_runs.then_some(Victim::Runtime)) {
            let Some(hit) = self.inject(now, FaultPhase::Shutdown, victim) else { continue };
            if let (FaultDeed::Kill, Victim::Extension(program)) = (hit.deed, victim)
                && let Some(extension) = self.extensions.of_program(program)
            {
                extension.was_killed = true;
            }
            actions.extend(hit.actions);
        }
        actions
    }

    /// The runtime has answered, and something is to go wrong before it asks for the next event.
    pub(crate) fn inject_after_answer(&mut self, now: Instant) -> Vec<Action> {
        let Some(Hit { deed, mut actions }) = self.inject(now, FaultPhase::AfterInvoke, Victim::Runtime)
        else {
            return vec![];
        };
        if deed == FaultDeed::Fail {
            let error = FatalError::injected("Runtime", FaultPhase::AfterInvoke);
            actions.extend(self.fail_invoke(now, error.why_cold(ColdReason::RuntimeExited), error));
        }
        actions
    }

    fn note_failure(&mut self, program: ProgramNumber, state: ExtensionState, error: &FatalError) {
        if let Some(extension) = self.extensions.of_program(program) {
            extension.state = state;
            extension.error_type = Some(error.error_type.clone());
        }
    }
}
