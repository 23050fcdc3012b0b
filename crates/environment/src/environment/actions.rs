//! Carries out what the machine decides.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use hearth_sandbox::{Output, ProcessId};
use hearth_telemetry::{InitPhase, LifecycleEvent, Subscription};
use hearth_types::ExtensionId;
use tokio::sync::oneshot;

use super::parked::Parked;
use super::{Environment, Inner};
use crate::injected_fault::Victim;
use crate::invocation::{Answer, InvokeResult};
use crate::machine::{Action, Event, EventHolder};
use crate::notifications::Notification;
use crate::runtime_state::Rejection;
use crate::watch::{extension_process, runtime_process};

/// What a request brings along: who waits for an event, or what is asked for.
pub(crate) enum Brought {
    Runtime(Parked),
    Extension(ExtensionId, oneshot::Sender<Notification>),
    Subscription(Subscription),
}

/// What is left to do when the lock is released.
#[derive(Default)]
pub(super) struct Afterwards {
    reply: Option<Result<(), Rejection>>,
    /// The caller's answer. It goes out after the pool has heard what it means: a caller that calls again at once finds
    /// the environment where it belongs.
    pub(super) answer: Option<(oneshot::Sender<InvokeResult>, InvokeResult)>,
    initialized: bool,
    settled: bool,
    gone: bool,
    pub(super) follow_up: Option<Event>,
}

impl Environment {
    pub(crate) fn feed(self: &Arc<Self>, event: Event) -> Option<Result<(), Rejection>> {
        self.feed_locked(self.lock(), event, None)
    }

    /// Lets the machine decide and does what it says; what has to be told to others comes after the lock is released.
    pub(crate) fn feed_locked(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        event: Event,
        mut brought: Option<Brought>,
    ) -> Option<Result<(), Rejection>> {
        let now = self.clock.now();
        let mut afterwards = Afterwards::default();
        if inner.machine.is_about_to_freeze(now) {
            let is_delivering = inner.telemetry.is_delivering();
            inner.machine.subscribers_take_a_batch(is_delivering);
        }
        for action in inner.machine.on_event(now, event) {
            self.perform(&mut inner, now, action, &mut brought, &mut afterwards);
        }
        // Another thread of the runtime waits for the next event already: nothing more has to come for this one.
        if inner.machine.has_answered() && inner.has_parked() {
            afterwards.follow_up =
                Some(Event::Next { function_init_started: None, holder: EventHolder::AskerOrNobody });
        }
        drop(inner);
        if let Some(event) = afterwards.follow_up {
            self.feed(event);
        }
        if afterwards.initialized {
            self.owner.initialized(self);
        }
        if afterwards.settled {
            self.owner.settled(self);
        }
        if let Some((caller, result)) = afterwards.answer {
            // A caller that hung up does not concern the function.
            let _ = caller.send(result);
        }
        if afterwards.gone {
            self.rearm.notify_one();
            self.owner.gone(self);
        }
        afterwards.reply
    }

    fn perform(
        self: &Arc<Self>,
        inner: &mut Inner,
        now: Instant,
        action: Action,
        brought: &mut Option<Brought>,
        afterwards: &mut Afterwards,
    ) {
        match action {
            Action::Renew => inner.renew(),
            Action::StartExtension(program) => {
                if let Err(event) = self.start_extension(inner, program) {
                    afterwards.follow_up = Some(event);
                }
            }
            Action::Boot => afterwards.follow_up = self.boot(inner).err(),
            // What cannot be told to the sandbox now is killed with everything else soon.
            Action::TerminateRuntime => drop(self.sandbox.terminate(runtime_process(inner.generation))),
            Action::KillRuntime => drop(self.sandbox.kill(runtime_process(inner.generation))),
            Action::KillExtension(program) => {
                drop(self.sandbox.kill(extension_process(inner.generation, program)));
            }
            Action::Stop(victim) => drop(self.sandbox.stop(inner.process_of(victim))),
            Action::Continue(victim) => drop(self.sandbox.go_on(inner.process_of(victim))),
            Action::Freeze => self.freeze(inner, now, afterwards),
            Action::Thaw => {
                if let Err(event) = self.thaw(inner) {
                    afterwards.follow_up = Some(event);
                }
            }
            Action::HurrySubscribers => inner.telemetry.hurry_subscribers(),
            Action::Subscribe(extension) => {
                if let Some(Brought::Subscription(subscription)) = brought.take() {
                    inner.telemetry.subscribe(extension, subscription);
                }
            }
            Action::Notify { extension, event } => self.notify(inner, now, extension, event),
            // A parked `/next` gets no answer: a runtime that heard one now would write about it to the log.
            Action::KillAll => {
                if let Err(error) = self.sandbox.kill_all() {
                    tracing::error!(environment_id = %self.id, %error, "cannot kill an environment");
                    afterwards.follow_up = Some(Event::SandboxLost);
                }
            }
            Action::Deliver(invocation) => self.deliver(inner, now, *invocation),
            Action::Answer { kind, payload } => {
                self.has_answered.store(true, Ordering::Release);
                inner.answer(Ok(Answer { kind, payload, log_tail: None, why_cold: None }), afterwards);
            }
            Action::AnswerFailure(why) => inner.answer(Err(why), afterwards),
            Action::Record(event) => {
                afterwards.initialized |= matches!(
                    event,
                    LifecycleEvent::InitDone { phase: InitPhase::Init | InitPhase::Restore, .. }
                );
                self.record_step(inner, now, event, afterwards);
            }
            Action::RecordAt(at, event) => self.record_step(inner, at.min(now), event, afterwards),
            Action::SetDeadline(deadline) => {
                if inner.armed.is_none_or(|armed| deadline < armed) {
                    self.rearm.notify_one();
                }
            }
            Action::Accept => afterwards.reply = Some(Ok(())),
            Action::Reject(rejection) => afterwards.reply = Some(Err(rejection)),
            Action::Park => {
                match brought.take() {
                    Some(Brought::Runtime(parked)) => inner.park(parked),
                    Some(Brought::Extension(id, reply)) => inner.notifications.park(id, reply),
                    Some(Brought::Subscription(_)) | None => {}
                }
                afterwards.reply = Some(Ok(()));
            }
            Action::Settled => afterwards.settled = true,
            Action::Gone => afterwards.gone = true,
        }
    }

    fn boot(&self, inner: &mut Inner) -> Result<(), Event> {
        let command = (self.boot.command)(&*self.sandbox).map_err(Event::RuntimeStartFailed)?;
        let process = runtime_process(inner.generation);
        self.sandbox.start(process, &command, Output::Shared).map_err(|error| {
            tracing::error!(environment_id = %self.id, %error, "cannot start a runtime");
            Event::SandboxLost
        })
    }

    fn freeze(&self, inner: &mut Inner, now: Instant, afterwards: &mut Afterwards) {
        inner.telemetry.hold_subscribers(true);
        match self.sandbox.freeze() {
            Ok(()) => self.record_step(inner, now, LifecycleEvent::Frozen, afterwards),
            Err(error) => {
                tracing::error!(environment_id = %self.id, %error, "cannot freeze an environment");
                afterwards.follow_up = Some(Event::SandboxLost);
            }
        }
    }

    pub(super) fn thaw(&self, inner: &mut Inner) -> Result<(), Event> {
        self.sandbox.thaw().map_err(|error| {
            tracing::error!(environment_id = %self.id, %error, "cannot thaw an environment");
            Event::SandboxLost
        })?;
        inner.telemetry.hold_subscribers(false);
        Ok(())
    }
}

impl Inner {
    fn process_of(&self, victim: Victim) -> ProcessId {
        match victim {
            Victim::Runtime => runtime_process(self.generation),
            Victim::Extension(program) => extension_process(self.generation, program),
        }
    }
}
