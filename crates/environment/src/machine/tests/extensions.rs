//! Lifecycles with extensions.

use expect_test::expect;
use hearth_sandbox::ExitStatus;
use hearth_telemetry::ShutdownReason;

use super::*;

pub(super) fn next_of(number: usize) -> Event {
    Event::ExtensionNext(an_extension(number).1)
}

pub(super) fn exit_of(program: usize, code: i32) -> Event {
    Event::ExtensionExited { program, status: ExitStatus::Code(code), was_out_of_memory: false }
}

pub(super) const BOTH: [&str; 2] = ["INVOKE", "SHUTDOWN"];

#[test]
fn extensions_start_first_are_waited_for_and_end_last() {
    let [begins, arrives] = response(1);
    check_with(
        2,
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, Event::ExtensionStarted(0)),
            (0, Event::ExtensionStarted(1)),
            (0, registers(0, &BOTH)),
            (0, next_of(0)),
            (1, registers(1, &["INVOKE"])),
            (0, Event::RuntimeStarted),
            // An internal one, as graceful shutdown in Rust and Go has it.
            (0, registers(3, &[])),
            (0, next_of(3)),
            (1, next()),
            (1, next_of(1)),
            // The caller has its answer; the second extension takes one second more.
            (1, next_of(0)),
            (0, begins),
            (0, arrives),
            (0, next()),
            (1, next_of(1)),
            (5, Event::ShutDown(ShutdownReason::IdleTimeout)),
            (0, exit(0)),
            (1, exit_of(1, 9)),
            (0, exit_of(0, 0)),
            (0, Event::AllGone),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            StartExtension(1)
            ExtensionStarted { extension: e0 }
            ExtensionStarted { extension: e1 }
            Accept
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            ExtensionReady { extension: e0 }
            Park
            Accept
            ExtensionRegistered { extension: e1, is_external: true, events: ExtensionEvents { invoke: true, shutdown: false } }
            Boot
            RuntimeStarted
            Accept
            ExtensionRegistered { extension: e3, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            ExtensionReady { extension: e3 }
            Park
            runtime init done: success
            Park
            ExtensionReady { extension: e1 }
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            e1 came out of init: Ready ["INVOKE"] 
            e3 came out of init: Ready [] 
            init done in Init: success 
            runtime gets 1
            e0 gets INVOKE
            e1 gets INVOKE
            invoke started, cold because None
            deadline in 3 s
            ExtensionDone { extension: e0 }
            Park
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            Park
            ExtensionDone { extension: e1 }
            invoke done: success 
            Park
            Settled
            ShutdownStarted { reason: IdleTimeout }
            TerminateRuntime
            RuntimeTerminated
            deadline in 300 ms
            RuntimeGone { killed: false }
            e0 gets SHUTDOWN: spindown, 2000 ms left
            shutdown sent to e0
            KillExtension(1)
            deadline in 2 s
            ExtensionGone { extension: e1, killed: true }
            ExtensionGone { extension: e0, killed: false }
            KillAll
            ShutdownDone
            Gone
        "#]],
    );
}

#[test]
fn an_extension_that_registers_before_the_sandbox_tells_of_its_start_has_started_first_and_once() {
    check_with(
        1,
        &[(0, Event::Init), (0, registers(0, &BOTH)), (0, Event::ExtensionStarted(0)), (0, next_of(0))],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            ExtensionReady { extension: e0 }
            Park
        "#]],
    );
}

#[test]
fn a_runtime_that_ignores_sigterm_is_killed_and_so_is_an_extension_that_hangs() {
    check_with(
        1,
        &[
            (0, Event::Init),
            (0, registers(0, &BOTH)),
            (0, next_of(0)),
            (0, next()),
            (0, Event::ShutDown(ShutdownReason::ServerStops)),
            (0, Event::DeadlineReached),
            (1, Event::DeadlineReached),
            (0, Event::DeadlineReached),
            (1, Event::DeadlineReached),
            (0, exit_of(0, 0)),
            (0, Event::AllGone),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Init: success 
            Settled
            ShutdownStarted { reason: ServerStops }
            TerminateRuntime
            RuntimeTerminated
            deadline in 300 ms
            KillRuntime
            RuntimeGone { killed: true }
            e0 gets SHUTDOWN: spindown, 1000 ms left
            shutdown sent to e0
            deadline in 1 s
            KillAll
            ExtensionGone { extension: e0, killed: true }
            ShutdownDone
            Gone
        "#]],
    );
}

#[test]
fn with_internal_extensions_only_the_runtime_has_half_a_second() {
    check_with(
        0,
        &[
            (0, Event::Init),
            (0, registers(0, &[])),
            (0, next_of(0)),
            (0, next()),
            (0, Event::ShutDown(ShutdownReason::IdleTimeout)),
            (1, Event::DeadlineReached),
            (0, Event::AllGone),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            Accept
            ExtensionRegistered { extension: e0, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready [] 
            init done in Init: success 
            Settled
            ShutdownStarted { reason: IdleTimeout }
            TerminateRuntime
            RuntimeTerminated
            deadline in 500 ms
            KillRuntime
            RuntimeGone { killed: true }
            KillAll
            ShutdownDone
            Gone
        "#]],
    );
}

#[test]
fn an_extension_that_runs_past_the_timeout_is_told_so_and_the_caller_keeps_its_answer() {
    let [begins, arrives] = response(1);
    check_with(
        1,
        &[
            (0, Event::Init),
            (0, registers(0, &BOTH)),
            (0, next_of(0)),
            (0, next()),
            (0, an_invocation(1)),
            (0, begins),
            (0, arrives),
            (0, next()),
            (3, Event::DeadlineReached),
            // It asks at last, and is told.
            (0, next_of(0)),
            (0, exit_of(0, 0)),
            (0, Event::AllGone),
            (0, an_invocation(2)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Init: success 
            Settled
            runtime gets 1
            e0 gets INVOKE
            invoke started, cold because None
            deadline in 3 s
            Accept
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            Park
            invoke done: timeout 
            ResetStarted { reason: Timeout }
            KillRuntime
            RuntimeGone { killed: true }
            e0 gets SHUTDOWN: timeout, 2000 ms left
            shutdown sent to e0
            deadline in 2 s
            Settled
            Park
            ExtensionGone { extension: e0, killed: false }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            StartExtension(0)
        "#]],
    );
}
