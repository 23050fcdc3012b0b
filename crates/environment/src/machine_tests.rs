//! Lifecycles in Lambda's words, and random orders of events.

use std::collections::HashSet;

use bytes::Bytes;
use expect_test::{Expect, expect};
use hearth_sandbox::ExitStatus;
use hearth_telemetry::{ShutdownReason, SubscriptionApi, TelemetryTypes};
use hearth_types::{ExtensionId, RequestId, TraceHeader};
use proptest::prelude::*;

use super::*;
use crate::extensions::ExtensionReport;
use crate::invocation::AnswerKind;

pub(super) const SECOND: Duration = Duration::from_secs(1);

fn id(number: u128) -> RequestId {
    RequestId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap()
}

pub(super) fn an_invocation(number: u128) -> Event {
    Event::Invoke(Box::new(Invocation {
        request_id: id(number),
        invoked_function_arn: "arn".to_owned(),
        payload: Bytes::from_static(b"{}"),
        content_type: None,
        client_context: None,
        trace: TraceHeader::generate(0),
        timeout: 3 * SECOND,
        wants_log_tail: false,
        why_cold: None,
    }))
}

pub(super) fn response(number: u128) -> [Event; 2] {
    [
        Event::AnswerBegins { request_id: Some(id(number)), kind: AnswerKind::Response },
        Event::AnswerArrived(RuntimeAnswer::Response(Bytes::from_static(b"1"))),
    ]
}

pub(super) fn next() -> Event {
    Event::Next { function_init_started: None, holder: EventHolder::AskerOrNobody }
}

/// Another connection than the one that has the event asks for one.
fn next_of_another() -> Event {
    Event::Next { function_init_started: None, holder: EventHolder::Another }
}

pub(super) fn exit(code: i32) -> Event {
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

/// The number in front of an event lets so many seconds pass before it.
fn check(events: &[(u64, Event)], expected: Expect) {
    check_with(0, events, expected);
}

/// As [`check`], with so many external extensions.
pub(super) fn check_with(programs: usize, events: &[(u64, Event)], expected: Expect) {
    check_machine(machine(programs), events, expected);
}

/// A machine with so many external extensions.
pub(super) fn machine(programs: usize) -> Machine {
    Machine::new(10 * SECOND, (0..programs).map(|number| an_extension(number).0).collect())
}

pub(super) fn check_machine(mut machine: Machine, events: &[(u64, Event)], expected: Expect) {
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
        other => format!("{other:?}"),
    }
}

#[test]
fn a_cold_call_and_a_warm_one() {
    let [begins, arrives] = response(1);
    let [begins_2, arrives_2] = response(2);
    check(
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, Event::RuntimeStarted),
            (1, next()),
            (1, begins),
            (0, arrives),
            (0, next()),
            (5, an_invocation(2)),
            (0, begins_2),
            (0, arrives_2),
            (0, next()),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            init done in Init: success 
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            invoke done: success 
            Park
            Settled
            runtime gets 2
            invoke started, cold because None
            deadline in 3 s
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            invoke done: success 
            Park
            Settled
        "#]],
    );
}

#[test]
fn an_init_that_takes_too_long_is_repeated_within_the_call_under_the_functions_timeout() {
    check(
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (10, Event::DeadlineReached),
            (0, Event::AllGone),
            (2, next()),
            (0, Event::DeadlineReached),
            (1, Event::DeadlineReached),
            (0, Event::AllGone),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: timeout
            init done in Init: timeout 
            ResetStarted { reason: Timeout }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Invoke: success 
            runtime gets 1
            invoke started, cold because Some(InitFailed)
            deadline in 1 s
            caller gets FunctionError {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: Task timed out after 3.00 seconds"}
            runtime done: timeout
            invoke done: timeout 
            ResetStarted { reason: Timeout }
            KillAll
            Settled
            ResetDone
        "#]],
    );
}

#[test]
fn an_import_error_is_tried_twice_and_then_the_runtimes_own_words_are_the_answer() {
    check(
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, init_error()),
            (0, exit(1)),
            (0, Event::AllGone),
            (0, init_error()),
            (0, next()),
            (0, Event::AllGone),
            (0, an_invocation(2)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            Accept
            runtime init done: error
            init done in Init: error Runtime.ImportModuleError
            ResetStarted { reason: Failure }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
            Accept
            runtime init done: error
            init done in Invoke: error Runtime.ImportModuleError
            caller gets FunctionError {"errorType":"Runtime.ImportModuleError"}
            invoke started, cold because Some(InitFailed)
            runtime done: error
            invoke done: error Runtime.ImportModuleError
            ResetStarted { reason: Failure }
            KillAll
            Settled
            Reject(Ending)
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
        "#]],
    );
}

#[test]
fn a_crash_answers_the_caller_and_a_crash_after_the_answer_does_not_answer_again() {
    let [begins, arrives] = response(2);
    check(
        &[
            (0, Event::Init),
            (0, next()),
            (0, an_invocation(1)),
            (0, exit(7)),
            (0, Event::AllGone),
            (0, an_invocation(2)),
            (0, next()),
            (0, begins),
            (0, arrives),
            (0, exit(0)),
            (0, Event::AllGone),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            caller gets FunctionError {"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: Runtime exited with error: exit status 7"}
            runtime done: error
            invoke done: error Runtime.ExitError
            ResetStarted { reason: Failure }
            KillAll
            Settled
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Invoke: success 
            runtime gets 2
            invoke started, cold because Some(RuntimeExited)
            deadline in 3 s
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: error
            invoke done: error Runtime.ExitError
            ResetStarted { reason: Failure }
            KillAll
            Settled
            ResetDone
        "#]],
    );
}

#[test]
fn wrong_answers_are_refused_and_the_call_goes_on() {
    let [begins, arrives] = response(1);
    let [foreign, _] = response(9);
    check(
        &[
            (0, Event::Init),
            (0, begins.clone()),
            (0, next()),
            (0, begins.clone()),
            (0, init_error()),
            (0, an_invocation(1)),
            (0, foreign),
            (0, next()),
            (0, begins.clone()),
            (0, next()),
            (0, arrives),
            (0, begins),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            Reject(InvalidRequestId)
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            Reject(InvalidRequestId)
            Reject(InvalidStateTransition { from: Ready, to: InitError })
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            Reject(InvalidRequestId)
            Park
            runtime gets 1
            Accept
            Reject(InvalidStateTransition { from: InvocationResponse, to: Ready })
            caller gets Response 1
            ResponseSent
            Accept
            Reject(InvalidStateTransition { from: ResponseSent, to: InvocationResponse })
        "#]],
    );
}

#[test]
fn case_052_an_event_is_delivered_once_to_threads_and_again_to_whoever_lost_it() {
    let [begins, arrives] = response(1);
    let [begins_2, _] = response(2);
    check(
        &[
            (0, Event::Init),
            (0, next()),
            (0, next_of_another()),
            (0, an_invocation(1)),
            // A second thread asks while the first one works.
            (0, next_of_another()),
            // The first one asks again: it has lost the event.
            (0, next()),
            (0, begins),
            (0, next_of_another()),
            (0, arrives),
            (0, next_of_another()),
            (0, an_invocation(2)),
            (0, begins_2),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            Park
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            Park
            Park
            runtime gets 1
            Accept
            Park
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            invoke done: success 
            Park
            Settled
            runtime gets 2
            invoke started, cold because None
            deadline in 3 s
            Accept
        "#]],
    );
}

#[test]
fn each_request_of_the_runtime_has_one_reply_in_each_state() {
    let [begins, arrives] = response(1);
    let begins_error = Event::AnswerBegins { request_id: Some(id(1)), kind: AnswerKind::FunctionError };
    let [foreign, _] = response(9);
    let to_ready = [Event::Init, next()];
    let to_running = [Event::Init, next(), an_invocation(1)];
    let sending = [&to_running[..], std::slice::from_ref(&begins)].concat();
    let sending_error = [&to_running[..], std::slice::from_ref(&begins_error)].concat();
    let sent = [&sending[..], std::slice::from_ref(&arrives)].concat();
    let states: [(&str, &[Event]); 7] = [
        ("Started", &to_ready[..1]),
        ("Ready", &to_ready),
        ("Running", &to_running),
        ("InvocationResponse", &sending),
        ("InvocationErrorResponse", &sending_error),
        ("RuntimeResponseSentState", &sent),
        ("Ready again", &[&sent[..], &[next()]].concat()),
    ];
    let requests = [
        ("next", next()),
        ("next of another thread", next_of_another()),
        ("init/error begins", Event::InitErrorBegins),
        ("init/error", init_error()),
        ("response", begins),
        ("error", begins_error),
        ("foreign response", foreign),
    ];
    let mut table = String::new();
    for (state, events) in states {
        table += &format!("{state}\n");
        for (name, request) in &requests {
            let mut machine = Machine::new(10 * SECOND, vec![]);
            let now = Instant::now();
            for event in events {
                machine.on_event(now, event.clone());
            }
            for action in machine.on_event(now, request.clone()) {
                let reply = match action {
                    Action::Accept => "accepted".to_owned(),
                    Action::Park => "waits".to_owned(),
                    Action::Deliver(_) => "gets the event".to_owned(),
                    Action::Reject(Rejection::InvalidStateTransition { from, to }) => {
                        format!("from {from} to {to} is refused")
                    }
                    Action::Reject(rejection) => format!("{rejection:?}"),
                    _ => continue,
                };
                table += &format!("  {name}: {reply}\n");
            }
        }
    }
    expect![[r#"
        Started
          next: waits
          next of another thread: waits
          init/error begins: accepted
          init/error: accepted
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
        Ready
          next: waits
          next of another thread: waits
          init/error begins: from Ready to InitError is refused
          init/error: from Ready to InitError is refused
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
        Running
          next: waits
          next: gets the event
          next of another thread: waits
          init/error begins: from Running to InitError is refused
          init/error: from Running to InitError is refused
          response: accepted
          error: accepted
          foreign response: InvalidRequestId
        InvocationResponse
          next: from InvocationResponse to Ready is refused
          next of another thread: waits
          init/error begins: from InvocationResponse to InitError is refused
          init/error: from InvocationResponse to InitError is refused
          response: from InvocationResponse to InvocationResponse is refused
          error: from InvocationResponse to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        InvocationErrorResponse
          next: from InvocationErrorResponse to Ready is refused
          next of another thread: waits
          init/error begins: from InvocationErrorResponse to InitError is refused
          init/error: from InvocationErrorResponse to InitError is refused
          response: from InvocationErrorResponse to InvocationResponse is refused
          error: from InvocationErrorResponse to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        RuntimeResponseSentState
          next: waits
          next of another thread: waits
          init/error begins: from RuntimeResponseSentState to InitError is refused
          init/error: from RuntimeResponseSentState to InitError is refused
          response: from RuntimeResponseSentState to InvocationResponse is refused
          error: from RuntimeResponseSentState to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        Ready again
          next: waits
          next of another thread: waits
          init/error begins: from Ready to InitError is refused
          init/error: from Ready to InitError is refused
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_warm_environment_is_shut_down_without_a_word() {
    check(
        &[
            (0, Event::Init),
            (0, next()),
            (0, Event::ShutDown(ShutdownReason::IdleTimeout)),
            (0, next()),
            (0, exit(0)),
            (0, Event::AllGone),
            (0, an_invocation(1)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            ShutdownStarted { reason: IdleTimeout }
            KillAll
            Reject(Ending)
            ShutdownDone
            Gone
            AnswerFailure("the environment cannot take an invocation")
        "#]],
    );
}

pub(super) fn an_extension(number: usize) -> (ExtensionName, ExtensionId) {
    let name = ExtensionName::new(&format!("e{number}")).unwrap();
    (name, ExtensionId::parse(&format!("00000000-0000-4000-8000-0000000ee{number:03}")).unwrap())
}

pub(super) fn registers(number: usize, events: &[&str]) -> Event {
    let (name, id) = an_extension(number);
    Event::ExtensionRegisters { name, id, events: events.iter().map(|&event| event.to_owned()).collect() }
}

/// What extensions and their processes do. The first `e` are programs, the others internal.
fn any_event_of_an_extension() -> impl Strategy<Value = Event> {
    let number = || 0..4usize;
    let report = prop_oneof![Just(ExtensionReport::InitError), Just(ExtensionReport::ExitError)];
    prop_oneof![
        1 => number().prop_map(Event::ExtensionStarted),
        1 => number().prop_map(|program| Event::ExtensionStartFailed { program, errno: 2 }),
        1 => number().prop_map(|program| Event::ExtensionExited { program, status: ExitStatus::Code(0), was_out_of_memory: false }),
        6 => (number(), any::<bool>(), any::<bool>()).prop_map(|(number, invoke, shutdown)| {
            let events = [(invoke, "INVOKE"), (shutdown, "SHUTDOWN")];
            let wanted: Vec<&str> = events.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
            registers(number, &wanted)
        }),
        8 => number().prop_map(|number| Event::ExtensionNext(an_extension(number).1)),
        1 => (number(), report).prop_map(|(number, report)| Event::ExtensionReports {
            id: an_extension(number).1,
            report,
            error_type: "Extension.Reason".to_owned(),
            message: None,
        }),
        1 => number().prop_map(|number| Event::SubscriptionBegins {
            id: an_extension(number).1,
            api: SubscriptionApi::Logs,
        }),
        1 => number().prop_map(|number| Event::ExtensionSubscribes {
            id: an_extension(number).1,
            api: SubscriptionApi::Telemetry,
            types: TelemetryTypes::default(),
        }),
    ]
}

/// Lets a response stream end, and returns what the caller hears, how many bytes count, and what the runtime hears.
fn end_of_stream(failure: Option<StreamFailure>) -> String {
    let (mut machine, now) = (machine(0), Instant::now());
    let [begins, _] = response(1);
    for event in [Event::Init, Event::RuntimeStarted, next(), an_invocation(1), begins] {
        machine.on_event(now, event);
    }
    assert!(machine.is_responding());
    let ends = Event::AnswerArrived(RuntimeAnswer::Streamed { bytes: 7, failure });
    let mut shown = Vec::new();
    for action in machine.on_event(now, ends) {
        match action {
            Action::Answer { kind, payload } => {
                shown.push(format!(
                    "{kind:?} {}",
                    String::from_utf8_lossy(&payload).replace(&id(1).to_string(), "ID")
                ));
            }
            Action::Record(LifecycleEvent::ResponseSent { bytes, .. }) => {
                shown.push(format!("{bytes} bytes"))
            }
            other => shown.push(format!("{other:?}")),
        }
    }
    assert!(machine.has_answered());
    shown.join("\n") + "\n"
}

#[test]
fn a_streamed_response_ends_with_no_payload_of_its_own_or_with_why_it_broke_off() {
    let payload = Bytes::from_static(b"{}");
    let reported = StreamFailure::Reported { error_type: "Function.Gone".to_owned(), payload };
    let ends = [None, Some(reported), Some(StreamFailure::TooLarge), Some(StreamFailure::Truncated)];
    expect![[r#"
        Response 
        7 bytes
        Accept
        FunctionError {}
        7 bytes
        Accept
        FunctionError {"errorMessage":"Response payload size exceeded maximum allowed payload size (209715200 bytes).","errorType":"Function.ResponseSizeTooLarge"}
        7 bytes
        Reject(ResponseTooLarge { bytes_max: 209715200 })
        FunctionError {"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: ID Error: Response was truncated"}
        7 bytes
        Reject(Truncated)
    "#]].assert_eq(&ends.map(end_of_stream).concat());
}

fn any_event() -> impl Strategy<Value = Event> {
    let a_number = 1..4u128;
    let kind = prop_oneof![Just(AnswerKind::Response), Just(AnswerKind::FunctionError)];
    prop_oneof![
        2 => Just(Event::Init),
        3 => Just(next()),
        3 => (a_number, kind).prop_map(|(number, kind)| Event::AnswerBegins { request_id: Some(id(number)), kind }),
        2 => Just(Event::AnswerArrived(RuntimeAnswer::Response(Bytes::new()))),
        1 => Just(Event::AnswerArrived(RuntimeAnswer::TooLarge)),
        1 => Just(Event::AnswerArrived(RuntimeAnswer::Streamed { bytes: 3, failure: None })),
        1 => Just(Event::AnswerArrived(RuntimeAnswer::Streamed { bytes: 3, failure: Some(StreamFailure::Truncated) })),
        1 => Just(Event::AnswerArrived(RuntimeAnswer::Truncated)),
        1 => Just(next_of_another()),
        1 => Just(Event::InitErrorBegins),
        1 => Just(init_error()),
        1 => Just(Event::RuntimeStarted),
        1 => Just(exit(1)),
        1 => Just(Event::RuntimeStartFailed(FatalError::cannot_execute("x", 2))),
        1 => Just(Event::DeadlineReached),
        2 => Just(Event::AllGone),
        1 => Just(Event::SandboxLost),
        1 => Just(Event::ShutDown(ShutdownReason::IdleTimeout)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the order: each invocation is answered at most once, and exactly once when the machine is at rest;
    /// started invocations end exactly once; every request of the runtime gets exactly one reply; every killing is
    /// waited for; nothing is asked of processes that stand still; nothing happens after the end.
    #[test]
    fn any_order_of_events_keeps_the_promises(
        programs in 0..3usize,
        events in prop::collection::vec(
            (0..4u64, prop::option::weighted(0.8, prop_oneof![2 => any_event(), 1 => any_event_of_an_extension()])),
            1..80
        )
    ) {
        let mut machine = machine(programs).freezing();
        let mut is_frozen = false;
        let mut now = Instant::now();
        let mut next_number = 0;
        let (mut open_callers, mut answered) = (0i64, 0i64);
        let (mut started, mut done) = (HashSet::new(), HashSet::new());
        let mut settled_or_new = true;
        let mut gone = false;
        for (seconds, event) in events {
            now += seconds as u32 * SECOND;
            // The pool gives an invocation only to an environment that is free.
            let event = match event {
                Some(event) => event,
                None if settled_or_new && !gone => {
                    next_number += 1;
                    open_callers += 1;
                    settled_or_new = false;
                    an_invocation(next_number)
                }
                None => continue,
            };
            let is_request = matches!(
                event,
                Event::Next { .. }
                    | Event::InitErrorBegins
                    | Event::InitError { .. }
                    | Event::AnswerBegins { .. }
                    | Event::AnswerArrived(_)
                    | Event::ExtensionRegisters { .. }
                    | Event::ExtensionNext(_)
                    | Event::ExtensionReports { .. }
                    | Event::SubscriptionBegins { .. }
                    | Event::ExtensionSubscribes { .. }
            );
            let mut replies = 0;
            for action in machine.on_event(now, event) {
                prop_assert!(!gone || matches!(action, Action::Reject(_)), "{action:?} after the end");
                match action {
                    Action::Answer { .. } | Action::AnswerFailure(_) => answered += 1,
                    Action::Record(event) | Action::RecordAt(_, event) => match event {
                        LifecycleEvent::InvokeStarted { request_id, .. } => {
                            prop_assert!(started.insert(request_id), "started twice");
                        }
                        LifecycleEvent::InvokeDone { request_id, .. } => {
                            prop_assert!(started.contains(&request_id), "done before its start");
                            prop_assert!(done.insert(request_id), "done twice");
                        }
                        _ => {}
                    },
                    Action::Accept | Action::Reject(_) | Action::Park => replies += 1,
                    Action::Settled => settled_or_new = true,
                    Action::Gone => gone = true,
                    Action::Freeze => {
                        prop_assert!(settled_or_new && !is_frozen, "frozen at work, or twice");
                        is_frozen = true;
                    }
                    Action::Thaw => is_frozen = false,
                    Action::Boot
                    | Action::StartExtension(_)
                    | Action::TerminateRuntime
                    | Action::KillRuntime
                    | Action::KillExtension(_)
                    | Action::KillAll
                    | Action::Deliver(_)
                    | Action::HurrySubscribers
                    | Action::Notify { .. } => prop_assert!(!is_frozen, "{action:?} while frozen"),
                    Action::Renew | Action::Subscribe(_) | Action::SetDeadline(_) => {}
                }
            }
            prop_assert_eq!(replies, i32::from(is_request), "replies to a request");
            prop_assert!(answered <= open_callers, "a caller was answered twice");
        }
        if !gone {
            // Nobody says a word any more: the clock alone ends it.
            for event in [
                Event::ShutDown(ShutdownReason::ServerStops),
                Event::DeadlineReached,
                Event::DeadlineReached,
                Event::AllGone,
                Event::ShutDown(ShutdownReason::ServerStops),
            ] {
                machine.on_event(now, event).into_iter().for_each(|action| {
                    match action {
                        Action::Answer { .. } | Action::AnswerFailure(_) => answered += 1,
                        Action::Record(LifecycleEvent::InvokeDone { request_id, .. }) => {
                            done.insert(request_id);
                        }
                        Action::Gone => gone = true,
                        _ => {}
                    }
                });
                now += 2 * SECOND;
            }
            prop_assert!(gone, "a shutdown ends");
        }
        prop_assert_eq!(answered, open_callers, "every caller is answered");
        prop_assert_eq!(started, done, "every invocation that started has ended");
    }
}
