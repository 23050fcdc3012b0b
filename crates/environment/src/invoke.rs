//! The Invoke phase: the event goes to the runtime, the answer to the caller, and the environment is warm again when
//! the runtime, and every extension registered for `INVOKE`, ask for the next event.
//!
//! | what happens | the caller sees | the environment |
//! |---|---|---|
//! | a response, or an error that the runtime reports | it, byte for byte | is kept |
//! | a response over the limit | `Function.ResponseSizeTooLarge` | is kept |
//! | a streamed response that breaks off | what came of it, and an error | is kept |
//! | the runtime exits | `Runtime.ExitError` | is reset |
//! | the time-out | `Sandbox.Timedout` | is reset |
//! | an extension exits, or reports that it will | `Extension.Crash`, `Extension.ExitError` | is reset |
//! | any of these after the answer | the answer; REPORT tells | is reset |

use std::time::Instant;

use bytes::Bytes;
use hearth_telemetry::{LifecycleEvent, PhaseStatus, ResetReason};
use hearth_types::limits::{RESPONSE_PAYLOAD_BYTES_MAX, STREAMED_RESPONSE_BYTES_MAX};
use hearth_types::{ColdParticulars, ColdReason, ColdStart, FaultDeed, FaultPhase, RequestId};

use crate::event::ExtensionEvent;
use crate::fatal_error::{FatalError, response_too_large_payload};
use crate::injected_fault::{Hit, Victim};
use crate::invocation::{AnswerKind, Invocation};
use crate::machine::{Action, EventHolder, Machine, Phase, Running, RuntimeAnswer, StreamFailure, reject};
use crate::runtime_state::{Rejection, RuntimeState};

impl Machine {
    /// Begins an invocation; its whole time-out lies ahead.
    pub(crate) fn begin_invoke(&mut self, now: Instant, invocation: Box<Invocation>) -> Vec<Action> {
        let deadline = now + invocation.timeout;
        self.begin_invoke_until(now, deadline, invocation)
    }

    /// Begins an invocation that has used some of its time already.
    pub(crate) fn begin_invoke_until(
        &mut self,
        now: Instant,
        deadline: Instant,
        invocation: Box<Invocation>,
    ) -> Vec<Action> {
        let started = invoke_started(&invocation);
        let delivered = invocation.clone();
        let notify =
            |extension| Action::Notify { extension, event: ExtensionEvent::Invoke(delivered.clone()) };
        let notified: Vec<Action> = self.extensions.begin_invoke().into_iter().map(notify).collect();
        self.phase = Phase::Busy(Running {
            invocation,
            runtime: RuntimeState::Running,
            deadline,
            status: PhaseStatus::Success,
            answer_began: None,
        });
        if let Some(hit) = self.inject(now, FaultPhase::Invoke, Victim::Runtime) {
            return self.go_wrong(now, deadline, started, notified, hit);
        }
        let injected = self.inject_into_extensions(now, FaultPhase::Invoke);
        if injected.is_empty() {
            // The event first: the runtime works while we write START. Its output is read under the same lock, so later.
            let mut actions = vec![Action::Deliver(delivered)];
            actions.extend(notified);
            actions.extend([Action::Record(started), Action::SetDeadline(deadline)]);
            return actions;
        }
        let mut actions = notified;
        actions.extend([Action::Record(started), Action::SetDeadline(deadline)]);
        // Who is going to be told of a failure has not answered before.
        if injected.iter().any(|action| matches!(action, Action::Stop(_))) {
            actions.push(Action::Deliver(delivered));
        }
        actions.extend(injected);
        actions
    }

    /// Begins an invocation whose runtime does not get the event: it is hit by a fault.
    fn go_wrong(
        &mut self,
        now: Instant,
        deadline: Instant,
        started: LifecycleEvent,
        notified: Vec<Action>,
        hit: Hit,
    ) -> Vec<Action> {
        let mut actions = notified;
        actions.extend([Action::Record(started), Action::SetDeadline(deadline)]);
        actions.extend(hit.actions);
        let Phase::Busy(running) = &mut self.phase else { return actions };
        if hit.deed == FaultDeed::Fail {
            // As if the runtime had reported it, and had asked for the next event, which it waits for.
            let error = FatalError::injected("Function", FaultPhase::Invoke);
            let payload = Bytes::from(error.payload(running.invocation.request_id));
            running.status = error.status();
            running.runtime = RuntimeState::ResponseSent;
            let sent = LifecycleEvent::ResponseSent { began: now, bytes: payload.len() };
            actions.push(Action::Answer { kind: AnswerKind::FunctionError, payload });
            actions.push(Action::Record(sent));
            actions.extend(self.runtime_done(now));
        }
        actions
    }

    /// A runtime that stood still goes on: it gets its event, or has asked for the next one.
    pub(crate) fn runtime_goes_on(&mut self, now: Instant, has_asked: bool) -> Vec<Action> {
        let Phase::Busy(running) = &self.phase else { return vec![] };
        match running.runtime {
            RuntimeState::Running => vec![Action::Deliver(running.invocation.clone())],
            RuntimeState::ResponseSent if has_asked => self.runtime_done(now),
            RuntimeState::Started
            | RuntimeState::InitError
            | RuntimeState::Ready
            | RuntimeState::InvocationResponse
            | RuntimeState::InvocationErrorResponse
            | RuntimeState::ResponseSent => vec![],
        }
    }

    /// The runtime has answered and asked for the next event: the invocation is over, for the runtime.
    fn runtime_done(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Busy(running) = &mut self.phase else { return vec![] };
        running.runtime = RuntimeState::Ready;
        let mut actions = vec![Action::Record(runtime_done(&running.invocation, running.status.clone()))];
        actions.extend(self.inject_into_extensions(now, FaultPhase::AfterInvoke));
        let (last, rest) = self.finish_invoke_if_done();
        actions.extend(last);
        actions.extend(rest);
        actions
    }

    /// The runtime's answer is complete. Something may go wrong before it asks for the next event.
    pub(crate) fn take_answer(&mut self, now: Instant, answer: RuntimeAnswer) -> Vec<Action> {
        let Phase::Busy(running) = &mut self.phase else { return vec![] };
        let had_answered = running.is_answered();
        let mut actions = running.take_answer(now, answer);
        if !had_answered && running.is_answered() {
            actions.extend(self.inject_after_answer(now));
        }
        actions
    }

    /// The runtime asks for an event while an invocation runs.
    pub(crate) fn next_while_busy(&mut self, now: Instant, holder: EventHolder) -> Vec<Action> {
        let Phase::Busy(running) = &mut self.phase else { return vec![] };
        match running.runtime {
            // It is kept from going on: what it asks for waits.
            RuntimeState::Running | RuntimeState::ResponseSent
                if self.injected.leaves_unanswered(Victim::Runtime) =>
            {
                vec![Action::Park]
            }
            RuntimeState::ResponseSent => {
                let mut actions = self.runtime_done(now);
                // In the place that it has always had: after what ends the invocation, before others hear of that.
                let at =
                    actions.iter().position(|action| *action == Action::Settled).unwrap_or(actions.len());
                actions.insert(at, Action::Park);
                actions
            }
            // Extensions still work.
            RuntimeState::Ready => vec![Action::Park],
            // Another of its threads works on the event: each event is delivered once, and this thread waits for the next.
            _ if holder == EventHolder::Another => vec![Action::Park],
            // It lost the event, or asks twice: it gets the same one again, as on AWS.
            RuntimeState::Running => vec![Action::Park, Action::Deliver(running.invocation.clone())],
            from @ (RuntimeState::Started
            | RuntimeState::InitError
            | RuntimeState::InvocationResponse
            | RuntimeState::InvocationErrorResponse) => vec![reject(from, RuntimeState::Ready)],
        }
    }

    /// Ends the invocation when the runtime and every extension that heard of it wait for the next event. Returns the record
    /// of its end, and what follows.
    pub(crate) fn finish_invoke_if_done(&mut self) -> (Option<Action>, Option<Action>) {
        let Phase::Busy(running) = &self.phase else { return (None, None) };
        if running.runtime != RuntimeState::Ready || self.extensions.is_one_running() {
            return (None, None);
        }
        let done = invoke_done(&running.invocation, running.status.clone());
        self.phase = Phase::Ready;
        (Some(Action::Record(done)), Some(Action::Settled))
    }

    /// The runtime, or an extension, is gone in the middle of an invocation.
    pub(crate) fn fail_invoke(
        &mut self,
        now: Instant,
        why_cold: ColdStart,
        error: FatalError,
    ) -> Vec<Action> {
        self.end_invoke(now, error.status(), why_cold, &error)
    }

    /// The invocation's time is up.
    pub(crate) fn time_out_invoke(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Busy(running) = &self.phase else { return vec![] };
        let limit = running.invocation.timeout;
        let why_cold = ColdStart::new(ColdReason::TimedOut, ColdParticulars::TimedOut { limit });
        self.end_invoke(now, PhaseStatus::Timeout, why_cold, &FatalError::timed_out(limit))
    }

    fn end_invoke(
        &mut self,
        now: Instant,
        status: PhaseStatus,
        why_cold: ColdStart,
        error: &FatalError,
    ) -> Vec<Action> {
        let Phase::Busy(running) = &self.phase else { return vec![] };
        let mut actions = Vec::new();
        if !running.is_answered() {
            let payload = Bytes::from(error.payload(running.invocation.request_id));
            actions.push(Action::Answer { kind: AnswerKind::FunctionError, payload });
        }
        let reason = ResetReason::of(&status);
        actions.extend(running.ended(status));
        actions.extend(self.reset(now, reason, why_cold, None));
        actions
    }
}

impl Running {
    /// Returns the records of an end before its time.
    pub(crate) fn ended(&self, status: PhaseStatus) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.runtime != RuntimeState::Ready {
            actions.push(Action::Record(runtime_done(&self.invocation, status.clone())));
        }
        actions.push(Action::Record(invoke_done(&self.invocation, status)));
        actions
    }

    /// The runtime begins to answer. The id is checked before the state, as on AWS.
    pub(crate) fn begin_answer(
        &mut self,
        now: Instant,
        request_id: Option<RequestId>,
        kind: AnswerKind,
    ) -> Vec<Action> {
        if request_id != Some(self.invocation.request_id) {
            return vec![Action::Reject(Rejection::InvalidRequestId)];
        }
        let to = match kind {
            AnswerKind::Response => RuntimeState::InvocationResponse,
            AnswerKind::FunctionError => RuntimeState::InvocationErrorResponse,
        };
        if self.runtime != RuntimeState::Running {
            return vec![reject(self.runtime, to)];
        }
        self.runtime = to;
        self.answer_began = Some(now);
        vec![Action::Accept]
    }

    /// The runtime has answered: the caller gets it at once.
    pub(crate) fn take_answer(&mut self, now: Instant, answer: RuntimeAnswer) -> Vec<Action> {
        if !matches!(self.runtime, RuntimeState::InvocationResponse | RuntimeState::InvocationErrorResponse) {
            return vec![reject(self.runtime, RuntimeState::InvocationResponse)];
        }
        self.runtime = RuntimeState::ResponseSent;
        let service_error = |error_type: &str, message: &str| {
            let error = FatalError::new(error_type.to_owned(), message.to_owned());
            Bytes::from(error.payload(self.invocation.request_id))
        };
        let too_large = |bytes_max| {
            (
                AnswerKind::FunctionError,
                Bytes::from(response_too_large_payload(bytes_max)),
                Some("Function.ResponseSizeTooLarge".to_owned()),
                Action::Reject(Rejection::ResponseTooLarge { bytes_max }),
            )
        };
        let truncated = || {
            (
                AnswerKind::FunctionError,
                service_error("Runtime.TruncatedResponse", "Response was truncated"),
                Some("Runtime.TruncatedResponse".to_owned()),
                Action::Reject(Rejection::Truncated),
            )
        };
        let bytes_streamed = match &answer {
            RuntimeAnswer::Streamed { bytes, .. } => Some(*bytes),
            _ => None,
        };
        let (kind, payload, error_type, reply) = match answer {
            RuntimeAnswer::Streamed { failure: None, .. } => {
                (AnswerKind::Response, Bytes::new(), None, Action::Accept)
            }
            RuntimeAnswer::Streamed {
                failure: Some(StreamFailure::Reported { error_type, payload }),
                ..
            } => (AnswerKind::FunctionError, payload, Some(error_type), Action::Accept),
            RuntimeAnswer::Streamed { failure: Some(StreamFailure::TooLarge), .. } => {
                too_large(STREAMED_RESPONSE_BYTES_MAX)
            }
            RuntimeAnswer::Streamed { failure: Some(StreamFailure::Truncated), .. } => truncated(),
            RuntimeAnswer::Response(payload) => (AnswerKind::Response, payload, None, Action::Accept),
            RuntimeAnswer::Error { error_type, payload } => {
                (AnswerKind::FunctionError, payload, Some(error_type), Action::Accept)
            }
            RuntimeAnswer::TooLarge => too_large(RESPONSE_PAYLOAD_BYTES_MAX),
            RuntimeAnswer::Truncated => truncated(),
            RuntimeAnswer::InvalidResponseMode => (
                AnswerKind::FunctionError,
                service_error("Runtime.InvalidResponseModeHeader", "Invalid response mode"),
                Some("Runtime.InvalidResponseModeHeader".to_owned()),
                Action::Reject(Rejection::InvalidResponseMode),
            ),
        };
        self.status = match error_type {
            None => PhaseStatus::Success,
            Some(error_type) => PhaseStatus::Error { error_type },
        };
        let bytes = bytes_streamed.unwrap_or(payload.len());
        let sent = LifecycleEvent::ResponseSent { began: self.answer_began.unwrap_or(now), bytes };
        vec![Action::Answer { kind, payload }, Action::Record(sent), reply]
    }
}

/// The record of an invocation's start.
pub(crate) fn invoke_started(invocation: &Invocation) -> LifecycleEvent {
    LifecycleEvent::InvokeStarted {
        request_id: invocation.request_id,
        why_cold: invocation.why_cold.as_ref().map(|why| why.reason),
        particulars: invocation.why_cold.as_ref().and_then(|why| why.particulars.clone()),
        arrived: invocation.arrived,
        trace: invocation.trace.is_sampled().then(|| invocation.trace.clone()),
    }
}

/// The record of the runtime's end of an invocation.
pub(crate) fn runtime_done(invocation: &Invocation, status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::RuntimeDone { request_id: invocation.request_id, status }
}

/// The record of an invocation's end; the environment fills in the memory.
pub(crate) fn invoke_done(invocation: &Invocation, status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::InvokeDone { request_id: invocation.request_id, status, memory_bytes_max: 0 }
}
