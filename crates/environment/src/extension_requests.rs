//! What extensions say to the environment, in each phase.

use std::time::Instant;

use hearth_telemetry::{LifecycleEvent, ResetReason, SubscriptionApi, TelemetryTypes};
use hearth_types::{ColdReason, ExtensionId, ExtensionName};

use crate::event::Action;
use crate::extensions::{Extension, ExtensionReport, Poll, ProgramNumber};
use crate::fatal_error::FatalError;
use crate::machine::{Machine, Phase};
use crate::runtime_state::Rejection;

impl Machine {
    /// The process of an external extension runs.
    pub(crate) fn extension_started(&mut self, program: ProgramNumber) -> Vec<Action> {
        let started = self.extensions.of_program(program).and_then(Extension::start);
        started.map(Action::Record).into_iter().collect()
    }

    /// An extension registers.
    pub(crate) fn register_extension(
        &mut self,
        name: &ExtensionName,
        id: ExtensionId,
        events: &[String],
    ) -> Vec<Action> {
        let extension = match self.extensions.register(name, id, events) {
            Ok(extension) => extension,
            Err(rejection) => return vec![Action::Reject(Rejection::Extension(rejection))],
        };
        let mut actions = vec![Action::Accept];
        actions.extend(extension.start().map(Action::Record));
        actions.push(Action::Record(LifecycleEvent::ExtensionRegistered {
            extension: extension.name.clone(),
            is_external: extension.program.is_some(),
            events: extension.events,
        }));
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
