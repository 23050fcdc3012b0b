//! What extensions say to the environment, in each phase.

use std::time::Instant;

use hearth_telemetry::{LifecycleEvent, ResetReason, SubscriptionApi, TelemetryTypes};
use hearth_types::{ColdReason, ExtensionId, ExtensionName};

use crate::event::Action;
use crate::extensions::{Extension, ExtensionReport, Poll, ProgramNumber};
use crate::fatal_error::FatalError;
use crate::injected_fault::Victim;
use crate::machine::{Machine, Phase};
use crate::runtime_state::Rejection;

impl Machine {
    /// The process of an external extension runs.
    pub(crate) fn extension_started(&mut self, now: Instant, program: ProgramNumber) -> Vec<Action> {
        let Some(started) = self.extensions.of_program(program).and_then(Extension::start) else {
            return vec![];
        };
        let mut actions = vec![Action::Record(started)];
        actions.extend(self.inject_into_extension_init(now, program));
        actions
    }

    /// An extension registers.
    pub(crate) fn register_extension(
        &mut self,
        now: Instant,
        name: &ExtensionName,
        id: ExtensionId,
        events: &[String],
    ) -> Vec<Action> {
        let extension = match self.extensions.register(name, id, events) {
            Ok(extension) => extension,
            Err(rejection) => return vec![Action::Reject(Rejection::Extension(rejection))],
        };
        let mut actions = vec![Action::Accept];
        let started = extension.start();
        let just_started = extension.program.filter(|_| started.is_some());
        actions.extend(started.map(Action::Record));
        actions.push(Action::Record(LifecycleEvent::ExtensionRegistered {
            extension: extension.name.clone(),
            is_external: extension.program.is_some(),
            events: extension.events,
        }));
        if let Some(program) = just_started {
            actions.extend(self.inject_into_extension_init(now, program));
        }
        actions.extend(self.boot_when_registered());
        actions
    }

    /// An extension subscribes to telemetry.
    pub(crate) fn subscribe_extension(
        &mut self,
        id: ExtensionId,
        api: SubscriptionApi,
        types: TelemetryTypes,
    ) -> Vec<Action> {
        match self.extensions.subscribe(id, api) {
            Ok(extension) => vec![
                Action::Accept,
                Action::Subscribe(extension.clone()),
                Action::Record(LifecycleEvent::TelemetrySubscribed { extension, api, types }),
            ],
            Err(rejection) => vec![Action::Reject(Rejection::Extension(rejection))],
        }
    }

    /// An extension asks for an event during Init.
    pub(crate) fn next_of_extension_in_init(&mut self, now: Instant, id: ExtensionId) -> Vec<Action> {
        if self.is_left_unanswered(id) {
            return vec![Action::Park];
        }
        let mut actions = Vec::new();
        match self.extensions.poll(id) {
            Ok(Poll::FirstReady(extension)) => {
                actions.push(Action::Record(LifecycleEvent::ExtensionReady { extension }));
            }
            Ok(Poll::Again | Poll::Done(_)) => {}
            Err(rejection) => return vec![Action::Reject(Rejection::Extension(rejection))],
        }
        actions.push(Action::Park);
        actions.extend(self.complete_init(now));
        actions
    }

    /// An extension asks for an event after Init: it is done with the last one.
    pub(crate) fn next_of_extension(&mut self, id: ExtensionId) -> Vec<Action> {
        if matches!(self.phase, Phase::Busy(_)) && self.is_left_unanswered(id) {
            return vec![Action::Park];
        }
        self.hear_next_of_extension(id)
    }

    /// Whether an extension is kept from going on: what it asks for waits.
    fn is_left_unanswered(&mut self, id: ExtensionId) -> bool {
        let program = self.extensions.of_id(id).ok().and_then(|extension| extension.program);
        program.is_some_and(|program| self.injected.leaves_unanswered(Victim::Extension(program)))
    }

    /// An extension that was kept from going on has asked for an event meanwhile: it counts now.
    pub(crate) fn extension_asks(&mut self, now: Instant, program: ProgramNumber) -> Vec<Action> {
        let Some(id) = self.extensions.of_program(program).and_then(|extension| extension.id) else {
            return vec![];
        };
        let mut actions = match self.phase {
            Phase::Init(_) => self.next_of_extension_in_init(now, id),
            _ => self.hear_next_of_extension(id),
        };
        // It has had its reply, and waits.
        actions.retain(|action| !matches!(action, Action::Park | Action::Reject(_)));
        actions
    }

    fn hear_next_of_extension(&mut self, id: ExtensionId) -> Vec<Action> {
        let mut actions = Vec::new();
        match self.extensions.poll(id) {
            Ok(Poll::Done(extension)) if matches!(self.phase, Phase::Busy(_)) => {
                actions.push(Action::Record(LifecycleEvent::ExtensionDone { extension }));
            }
            Ok(Poll::Done(_) | Poll::FirstReady(_) | Poll::Again) => {}
            Err(rejection) => return vec![Action::Reject(Rejection::Extension(rejection))],
        }
        let (last, rest) = self.finish_invoke_if_done();
        actions.extend(last);
        actions.push(Action::Park);
        actions.extend(rest);
        actions
    }

    /// An extension reports an error. What runs fails with it.
    pub(crate) fn take_report_of_extension(
        &mut self,
        now: Instant,
        id: ExtensionId,
        report: ExtensionReport,
        error_type: String,
        message: Option<String>,
    ) -> Vec<Action> {
        match self.extensions.report(id, report, &error_type) {
            Ok(true) => {}
            Ok(false) => return vec![Action::Accept],
            Err(rejection) => return vec![Action::Reject(Rejection::Extension(rejection))],
        }
        let mut actions = vec![Action::Accept];
        let Ok(extension) = self.extensions.of_id(id) else { return actions };
        let error = FatalError::reported_by_extension(&extension.name, error_type, message);
        let why_cold = error.why_cold(ColdReason::ExtensionFailed);
        actions.extend(match &self.phase {
            Phase::Init(_) => self.fail_init(now, error),
            Phase::Busy(_) => self.fail_invoke(now, why_cold, error),
            Phase::Ready => self.reset(now, ResetReason::Failure, why_cold, None),
            Phase::Empty { .. } | Phase::Resetting { .. } | Phase::ShuttingDown(_) | Phase::Gone => vec![],
        });
        actions
    }
}
