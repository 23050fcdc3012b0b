//! Injected faults in Lambda's words: one fault each, and what the machine makes of it.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use hearth_telemetry::ShutdownReason;
use hearth_types::{FaultDeed, FaultPhase};

use super::*;
use crate::injected_fault::{FaultPoint, Faults};

/// One fault, once.
struct Once(Mutex<Option<(FaultPhase, FaultDeed, Option<&'static str>)>>);

impl Faults for Once {
    fn take(&self, point: FaultPoint<'_>) -> Option<FaultDeed> {
        let mut fault = self.0.lock().unwrap();
        let (phase, deed, extension) = (*fault)?;
        let is_meant = match extension {
            Some(name) => point.extension.is_some_and(|extension| extension.as_str() == name),
            None => point.is_default,
        };
        (phase == point.phase && is_meant).then(|| fault.take().unwrap()).map(|_| deed)
    }
}

fn check_fault(
    programs: usize,
    fault: (FaultPhase, FaultDeed, Option<&'static str>),
    events: &[(u64, Event)],
    expected: Expect,
) {
    let machine = machine(programs).injecting(Some(Arc::new(Once(Mutex::new(Some(fault))))));
    check_machine(machine, events, expected);
}

fn killed() -> Event {
    let status = ExitStatus::Signal { signal: 9, core_dumped: false };
    Event::RuntimeExited { status, was_out_of_memory: false }
}

fn extension_killed(program: usize) -> Event {
    let status = ExitStatus::Signal { signal: 9, core_dumped: false };
    Event::ExtensionExited { program, status, was_out_of_memory: false }
}

/// An environment with one extension, and an invocation that has begun.
fn until_invoked() -> Vec<(u64, Event)> {
    vec![
        (0, Event::Init),
        (0, Event::ExtensionStarted(0)),
        (0, registers(0, &["INVOKE", "SHUTDOWN"])),
        (0, Event::RuntimeStarted),
        (0, next()),
        (0, Event::ExtensionNext(an_extension(0).1)),
        (0, an_invocation(1)),
    ]
}

fn and(mut events: Vec<(u64, Event)>, more: impl IntoIterator<Item = (u64, Event)>) -> Vec<(u64, Event)> {
    events.extend(more);
    events
}

#[test]
fn a_runtime_that_is_killed_at_invoke_never_gets_the_event() {
    check_fault(
        0,
        (FaultPhase::Invoke, FaultDeed::OutOfMemory, None),
        &[
            (0, Event::Init),
            (0, next()),
            (0, an_invocation(1)),
            (0, next()),
            (0, killed()),
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
            invoke started, cold because None
            deadline in 3 s
            INJECTED oom at invoke
            KillRuntime
            Park
            caller gets FunctionError {"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: Runtime exited with error: signal: killed"}
            runtime done: error
            invoke done: error Runtime.OutOfMemory
            ResetStarted { reason: Failure }
            KillAll
            Settled
            ResetDone
        "#]],
    );
}

#[test]
fn a_failed_invoke_is_answered_and_keeps_the_environment() {
    check_fault(
        0,
        (FaultPhase::Invoke, FaultDeed::Fail, None),
        &[(0, Event::Init), (0, next()), (0, an_invocation(1)), (0, an_invocation(2))],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            invoke started, cold because None
            deadline in 3 s
            INJECTED fail at invoke
            caller gets FunctionError {"errorType":"Function.InjectedFault","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: injected fault: fail at invoke"}
            ResponseSent
            runtime done: error
            invoke done: error Function.InjectedFault
            Settled
            runtime gets 2
            invoke started, cold because None
            deadline in 3 s
        "#]],
    );
}

#[test]
fn a_delayed_invoke_is_delivered_later() {
    check_fault(
        0,
        (FaultPhase::Invoke, FaultDeed::Delay(SECOND), None),
        &[(0, Event::Init), (0, next()), (0, an_invocation(1)), (0, next()), (1, Event::DeadlineReached)],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            invoke started, cold because None
            deadline in 3 s
            INJECTED delay 1000 at invoke
            Stop(Runtime)
            deadline in 1 s
            Park
            Continue(Runtime)
            runtime gets 1
        "#]],
    );
}

#[test]
fn a_runtime_that_hangs_after_its_answer_runs_into_the_time_out() {
    let [begins, arrived] = response(1);
    check_fault(
        0,
        (FaultPhase::AfterInvoke, FaultDeed::Hang, None),
        &[
            (0, Event::Init),
            (0, next()),
            (0, an_invocation(1)),
            (0, begins),
            (0, arrived),
            (0, next()),
            (3, Event::DeadlineReached),
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
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            INJECTED hang at after-invoke
            Stop(Runtime)
            Park
            runtime done: timeout
            invoke done: timeout 
            ResetStarted { reason: Timeout }
            KillAll
            Settled
        "#]],
    );
}

#[test]
fn a_delayed_function_init_ends_later_and_the_waiting_invocation_begins() {
    check_fault(
        0,
        (FaultPhase::FunctionInit, FaultDeed::Delay(SECOND), None),
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, Event::RuntimeStarted),
            (0, next()),
            (0, next()),
            (1, Event::DeadlineReached),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            RuntimeStarted
            Park
            INJECTED delay 1000 at function-init
            Stop(Runtime)
            deadline in 1 s
            Park
            Continue(Runtime)
            runtime init done: success
            init done in Init: success 
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
        "#]],
    );
}

#[test]
fn a_failed_runtime_init_is_repeated_within_the_invocation() {
    check_fault(
        0,
        (FaultPhase::RuntimeInit, FaultDeed::Fail, None),
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, Event::RuntimeStarted),
            (0, Event::AllGone),
            (0, Event::RuntimeStarted),
            (0, next()),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            RuntimeStarted
            INJECTED fail at runtime-init
            runtime init done: error
            init done in Init: error Runtime.InjectedFault
            ResetStarted { reason: Failure }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            init done in Invoke: success 
            runtime gets 1
            invoke started, cold because Some(InitFailed)
            deadline in 3 s
        "#]],
    );
}

#[test]
fn an_extension_that_is_killed_in_its_init_fails_init() {
    check_fault(
        2,
        (FaultPhase::ExtensionInit, FaultDeed::Kill, Some("e1")),
        &[
            (0, Event::Init),
            (0, Event::ExtensionStarted(0)),
            (0, Event::ExtensionStarted(1)),
            (0, extension_killed(1)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            StartExtension(1)
            ExtensionStarted { extension: e0 }
            ExtensionStarted { extension: e1 }
            INJECTED kill at extension-init of e1
            KillExtension(1)
            runtime init done: error
            e0 came out of init: Started [] 
            e1 came out of init: Exited [] Extension.Crash
            init done in Init: error Extension.Crash
            ResetStarted { reason: Failure }
            KillExtension(0)
            deadline in 2 s
            Settled
        "#]],
    );
}

#[test]
fn an_extension_that_was_done_is_delayed_after_the_invocation_all_the_same() {
    let [begins, arrived] = response(1);
    check_fault(
        1,
        (FaultPhase::AfterInvoke, FaultDeed::Delay(SECOND), Some("e0")),
        &and(
            until_invoked(),
            [
                (0, Event::ExtensionNext(an_extension(0).1)),
                (0, begins),
                (0, arrived),
                (0, next()),
                (1, Event::DeadlineReached),
            ],
        ),
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            ExtensionStarted { extension: e0 }
            Accept
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            ExtensionReady { extension: e0 }
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Init: success 
            Settled
            runtime gets 1
            e0 gets INVOKE
            invoke started, cold because None
            deadline in 3 s
            ExtensionDone { extension: e0 }
            Park
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            INJECTED delay 1000 at after-invoke of e0
            Stop(Extension(0))
            deadline in 1 s
            Park
            Continue(Extension(0))
            ExtensionDone { extension: e0 }
            invoke done: success 
            Settled
        "#]],
    );
}

#[test]
fn an_extension_that_fails_at_invoke_is_the_callers_error() {
    check_fault(
        1,
        (FaultPhase::Invoke, FaultDeed::Fail, Some("e0")),
        &until_invoked(),
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            ExtensionStarted { extension: e0 }
            Accept
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            ExtensionReady { extension: e0 }
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Init: success 
            Settled
            e0 gets INVOKE
            invoke started, cold because None
            deadline in 3 s
            INJECTED fail at invoke of e0
            caller gets FunctionError {"errorType":"Extension.InjectedFault","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: injected fault: fail at invoke"}
            runtime done: error
            invoke done: error Extension.InjectedFault
            ResetStarted { reason: Failure }
            KillRuntime
            RuntimeGone { killed: true }
            e0 gets SHUTDOWN: failure, 2000 ms left
            shutdown sent to e0
            deadline in 2 s
            Settled
        "#]],
    );
}

#[test]
fn an_extension_that_hangs_in_the_shutdown_is_killed_when_the_time_is_up() {
    check_fault(
        1,
        (FaultPhase::Shutdown, FaultDeed::Hang, None),
        &and(
            until_invoked().into_iter().take(6).collect(),
            [
                (0, Event::ShutDown(ShutdownReason::IdleTimeout)),
                (0, exit(0)),
                (2, Event::DeadlineReached),
                (0, extension_killed(0)),
                (0, Event::AllGone),
            ],
        ),
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            ExtensionStarted { extension: e0 }
            Accept
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            ExtensionReady { extension: e0 }
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Init: success 
            Settled
            ShutdownStarted { reason: IdleTimeout }
            INJECTED hang at shutdown of e0
            Stop(Extension(0))
            TerminateRuntime
            RuntimeTerminated
            deadline in 300 ms
            RuntimeGone { killed: false }
            e0 gets SHUTDOWN: spindown, 2000 ms left
            shutdown sent to e0
            deadline in 2 s
            KillAll
            ExtensionGone { extension: e0, killed: true }
            ShutdownDone
            Gone
        "#]],
    );
}
