//! Lifecycles of a runtime alone: cold and warm calls, an Init that fails, crashes, Shutdown.

use expect_test::expect;
use hearth_telemetry::ShutdownReason;

use super::*;

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
            AnswerFailure(Service("the environment cannot take an invocation"))
        "#]],
    );
}
