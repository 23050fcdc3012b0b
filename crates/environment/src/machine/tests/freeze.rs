//! Lifecycles in which environments stand still.

use expect_test::expect;
use hearth_sandbox::ExitStatus;
use hearth_telemetry::ShutdownReason;

use super::*;

#[test]
fn an_environment_stands_still_while_nobody_calls() {
    let [begins, answer] = response(1);
    check_machine(
        machine(0).freezing(),
        &[
            (0, Event::Init),
            (0, next()),
            (1, Event::DeadlineReached),
            (9, Event::DeadlineReached),
            (9, an_invocation(1)),
            (0, begins),
            (0, answer),
            (0, next()),
            (0, Event::DeadlineReached),
            (1, Event::DeadlineReached),
            (1, Event::ShutDown(ShutdownReason::IdleTimeout)),
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
            deadline in 20 ms
            Freeze
            Thaw
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
            deadline in 20 ms
            Freeze
            Thaw
            ShutdownStarted { reason: IdleTimeout }
            KillAll
        "#]],
    );
}

#[test]
fn who_is_called_again_at_once_does_not_stand_still() {
    let [begins, answer] = response(1);
    let mut machine = machine(0).freezing();
    let mut now = Instant::now();
    for event in [Event::Init, next()] {
        machine.on_event(now, event);
    }
    for _ in 0..100 {
        now += Duration::from_millis(15);
        let due = machine.on_event(now, Event::DeadlineReached);
        assert_eq!(due, vec![], "an idle time that has begun anew");
        for event in [an_invocation(1), begins.clone(), answer.clone(), next()] {
            machine.on_event(now, event);
        }
        assert_eq!(machine.deadline(), Some(now + Duration::from_millis(20)));
    }
}

#[test]
fn subscribers_have_a_moment_before_they_stand_still() {
    let (_, id) = an_extension(0);
    check_machine(
        machine(1).freezing(),
        &[
            (0, Event::Init),
            (0, registers(0, &["INVOKE"])),
            (0, next()),
            (0, Event::ExtensionNext(id)),
            (1, Event::DeadlineReached),
            (0, Event::DeadlineReached),
            (1, Event::DeadlineReached),
            (1, an_invocation(1)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: false } }
            Boot
            runtime init done: success
            Park
            ExtensionReady { extension: e0 }
            Park
            e0 came out of init: Ready ["INVOKE"] 
            init done in Init: success 
            Settled
            deadline in 20 ms
            HurrySubscribers
            deadline in 40 ms
            Freeze
            Thaw
            runtime gets 1
            e0 gets INVOKE
            invoke started, cold because None
            deadline in 3 s
        "#]],
    );
}

#[test]
fn subscribers_that_are_taking_a_batch_do_not_stand_still_for_up_to_a_second() {
    let (_, id) = an_extension(0);
    let mut machine = machine(1).freezing();
    let start = Instant::now();
    for event in [Event::Init, registers(0, &["INVOKE"]), next(), Event::ExtensionNext(id)] {
        machine.on_event(start, event);
    }
    let mut now = start + Duration::from_millis(20);
    assert!(!machine.is_about_to_freeze(now), "nobody has been hurried yet");
    assert!(machine.on_event(now, Event::DeadlineReached).contains(&Action::HurrySubscribers));
    let hurried = now;
    machine.subscribers_take_a_batch(true);
    while now < hurried + Duration::from_millis(1_000) {
        assert!(!machine.is_frozen());
        now = machine.deadline().unwrap();
        assert!(machine.is_about_to_freeze(now));
        machine.on_event(now, Event::DeadlineReached);
    }
    assert!(machine.is_frozen(), "it has taken too long");

    machine.on_event(now, an_invocation(1));
    assert!(!machine.is_frozen());
}

#[test]
fn subscribers_that_have_taken_their_batch_stand_still() {
    let (_, id) = an_extension(0);
    let mut machine = machine(1).freezing();
    let start = Instant::now();
    for event in [Event::Init, registers(0, &["INVOKE"]), next(), Event::ExtensionNext(id)] {
        machine.on_event(start, event);
    }
    for (is_delivering, is_frozen) in [(true, false), (true, false), (false, true)] {
        let at = machine.deadline().unwrap();
        machine.subscribers_take_a_batch(is_delivering);
        machine.on_event(at, Event::DeadlineReached);
        assert_eq!(machine.is_frozen(), is_frozen);
    }
}

#[test]
fn what_ends_while_it_stands_still_is_noticed() {
    check_machine(
        machine(0).freezing(),
        &[(0, Event::Init), (0, next()), (1, Event::DeadlineReached), (1, exit(1)), (0, Event::AllGone)],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            deadline in 20 ms
            Freeze
            Thaw
            ResetStarted { reason: Failure }
            KillAll
            Settled
            ResetDone
        "#]],
    );
}

#[test]
fn a_runtime_that_ran_out_of_memory_is_recorded_as_that() {
    let killed = ExitStatus::Signal { signal: 9, core_dumped: false };
    check_machine(
        machine(0),
        &[
            (0, Event::Init),
            (0, next()),
            (0, an_invocation(1)),
            (1, Event::RuntimeExited { status: killed, was_out_of_memory: true }),
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
            caller gets FunctionError {"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: Runtime exited with error: signal: killed"}
            runtime done: error
            invoke done: error Runtime.OutOfMemory
            ResetStarted { reason: Failure }
            KillAll
            Settled
        "#]],
    );
}
