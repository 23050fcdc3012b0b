//! Lifecycles in Lambda's words: events go in by hand, and what the machine does is told a line each.

mod extensions;
mod faults;
mod freeze;
mod lifecycles;
mod misbehaving_extensions;
mod random_orders;
mod requests;
mod restores;

use bytes::Bytes;
use expect_test::Expect;
use hearth_sandbox::ExitStatus;
use hearth_telemetry::LifecycleEvent;
use hearth_types::{ExtensionId, RequestId, TraceHeader};

use super::*;
use crate::invocation::AnswerKind;

const SECOND: Duration = Duration::from_secs(1);

fn id(number: u128) -> RequestId {
    RequestId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap()
}

fn an_invocation(number: u128) -> Event {
    Event::Invoke(Box::new(Invocation {
        request_id: id(number),
        invoked_function_arn: "arn".to_owned(),
        payload: Bytes::from_static(b"{}"),
        content_type: None,
        client_context: None,
        trace: TraceHeader::generate(0),
        delivered_trace: TraceHeader::generate(0),
        timeout: 3 * SECOND,
        wants_log_tail: false,
        why_cold: None,
        arrived: Instant::now(),
    }))
}

fn response(number: u128) -> [Event; 2] {
    [
        Event::AnswerBegins { request_id: Some(id(number)), kind: AnswerKind::Response },
        Event::AnswerArrived(RuntimeAnswer::Response(Bytes::from_static(b"1"))),
    ]
}

fn next() -> Event {
    Event::Next { function_init_started: None, holder: EventHolder::AskerOrNobody }
}

/// Another connection than the one that has the event asks for one.
fn next_of_another() -> Event {
    Event::Next { function_init_started: None, holder: EventHolder::Another }
}

fn exit(code: i32) -> Event {
    Event::RuntimeExited { status: ExitStatus::Code(code), was_out_of_memory: false }
}

fn init_error() -> Event {
    let payload = Bytes::from_static(b"{\"errorType\":\"Runtime.ImportModuleError\"}");
    Event::InitError {
        function_init_started: None,
        error_type: "Runtime.ImportModuleError".to_owned(),
        payload,
    }
}

fn an_extension(number: usize) -> (ExtensionName, ExtensionId) {
    let name = ExtensionName::new(&format!("e{number}")).unwrap();
    (name, ExtensionId::parse(&format!("00000000-0000-4000-8000-0000000ee{number:03}")).unwrap())
}

fn registers(number: usize, events: &[&str]) -> Event {
    let (name, id) = an_extension(number);
    Event::ExtensionRegisters { name, id, events: events.iter().map(|&event| event.to_owned()).collect() }
}

/// The number in front of an event lets so many seconds pass before it.
fn check(events: &[(u64, Event)], expected: Expect) {
    check_with(0, events, expected);
}

/// As [`check`], with so many external extensions.
fn check_with(programs: usize, events: &[(u64, Event)], expected: Expect) {
    check_machine(machine(programs), events, expected);
}

/// A machine with so many external extensions.
fn machine(programs: usize) -> Machine {
    Machine::new(10 * SECOND, (0..programs).map(|number| an_extension(number).0).collect())
}

fn check_machine(mut machine: Machine, events: &[(u64, Event)], expected: Expect) {
    let mut now = Instant::now();
    let mut lines = String::new();
    for (seconds, event) in events {
        now += *seconds as u32 * SECOND;
        for action in machine.on_event(now, event.clone()) {
            let line = match action {
                Action::Record(event) | Action::RecordAt(_, event) => in_words(&event),
                Action::Answer { kind, payload } => {
                    format!("caller gets {kind:?} {}", String::from_utf8_lossy(&payload))
                }
                Action::Deliver(invocation) => {
                    format!("runtime gets {}", &invocation.request_id.to_string()[35..])
                }
                Action::SetDeadline(deadline) => match deadline - now {
                    left if left < SECOND => format!("deadline in {} ms", left.as_millis()),
                    left => format!("deadline in {} s", left.as_secs()),
                },
                Action::Notify { extension, event } => {
                    let number = &extension.to_string()[35..];
                    match event {
                        ExtensionEvent::Invoke(_) => format!("e{number} gets INVOKE"),
                        ExtensionEvent::Shutdown { reason, deadline } => {
                            let left = deadline - now;
                            format!(
                                "e{number} gets SHUTDOWN: {}, {} ms left",
                                reason.as_str(),
                                left.as_millis()
                            )
                        }
                    }
                }
                Action::Reject(Rejection::Extension(rejection)) => {
                    format!("{}: {rejection}", rejection.error_type())
                }
                other => format!("{other:?}"),
            };
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    expected.assert_eq(&lines);
}

fn in_words(event: &LifecycleEvent) -> String {
    match event {
        LifecycleEvent::InitDone { phase, status } => {
            format!("init done in {phase:?}: {} {}", status.as_str(), status.error_type().unwrap_or(""))
        }
        LifecycleEvent::InvokeStarted { why_cold, .. } => {
            format!("invoke started, cold because {why_cold:?}")
        }
        LifecycleEvent::ResponseSent { .. } => "ResponseSent".to_owned(),
        LifecycleEvent::RuntimeInitDone { status, .. } => format!("runtime init done: {}", status.as_str()),
        LifecycleEvent::RuntimeDone { status, .. } => format!("runtime done: {}", status.as_str()),
        LifecycleEvent::InvokeDone { status, .. } => {
            format!("invoke done: {} {}", status.as_str(), status.error_type().unwrap_or(""))
        }
        LifecycleEvent::ExtensionReported { extension, state, events, error_type } => {
            let error_type = error_type.as_deref().unwrap_or_default();
            format!("{extension} came out of init: {state} {:?} {error_type}", events.names())
        }
        LifecycleEvent::ExtensionShutdownSent { extension, .. } => format!("shutdown sent to {extension}"),
        LifecycleEvent::FaultInjected { fault, .. } => format!("INJECTED {fault}"),
        other => format!("{other:?}"),
    }
}
