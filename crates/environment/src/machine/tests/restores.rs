//! Environments that begin from a snapshot: what comes first is a restore, and an Init only if that fails.

use expect_test::expect;

use super::*;

#[test]
fn a_call_waits_for_the_restore_as_it_would_for_init() {
    check_machine(
        machine(0).restoring(true),
        &[(0, Event::Init), (0, an_invocation(1)), (0, Event::RuntimeStarted), (1, next())],
        expect![[r#"
            InitStarted { phase: Restore }
            deadline in 10 s
            Renew
            Boot
            RuntimeStarted
            runtime init done: success
            Park
            init done in Restore: success 
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
        "#]],
    );
}

#[test]
fn a_hook_that_fails_or_takes_too_long_is_the_callers_answer_and_the_next_call_begins_with_init() {
    check_machine(
        machine(0).restoring(true),
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (1, init_error()),
            (0, exit(65)),
            (0, Event::AllGone),
            (0, an_invocation(2)),
        ],
        expect![[r#"
            InitStarted { phase: Restore }
            deadline in 10 s
            Renew
            Boot
            Accept
            runtime init done: error
            init done in Restore: error Runtime.ImportModuleError
            AnswerFailure(Restore(Hook { error_type: "Runtime.ImportModuleError" }))
            ResetStarted { reason: Failure }
            KillAll
            Settled
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
        "#]],
    );
    check_machine(
        machine(0).restoring(true),
        &[(0, Event::Init), (0, an_invocation(1)), (10, Event::DeadlineReached)],
        expect![[r#"
            InitStarted { phase: Restore }
            deadline in 10 s
            Renew
            Boot
            runtime init done: timeout
            init done in Restore: timeout 
            AnswerFailure(Restore(TimedOut))
            ResetStarted { reason: Timeout }
            KillAll
            Settled
        "#]],
    );
}

#[test]
fn a_process_that_does_not_come_back_is_replaced_by_an_init_of_which_the_caller_knows_nothing() {
    check_machine(
        machine(0).restoring(true),
        &[(0, Event::Init), (0, an_invocation(1)), (1, exit(129)), (0, Event::AllGone)],
        expect![[r#"
            InitStarted { phase: Restore }
            deadline in 10 s
            Renew
            Boot
            runtime init done: error
            init done in Restore: error Runtime.ExitError
            ResetStarted { reason: Failure }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            Boot
        "#]],
    );
}
