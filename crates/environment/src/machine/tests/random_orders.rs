//! What holds in every order of events: random ones, and the promises that each has to keep.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hearth_sandbox::ExitStatus;
use hearth_telemetry::{ShutdownReason, SubscriptionApi, TelemetryTypes};
use hearth_types::FaultDeed;
use proptest::prelude::*;

use super::*;
use crate::extensions::ExtensionReport;
use crate::injected_fault::{FaultPoint, Faults};
use crate::invocation::AnswerKind;

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

/// What goes wrong at a point where something could, or nothing.
fn any_deed() -> impl Strategy<Value = Option<FaultDeed>> {
    prop::option::weighted(
        0.5,
        prop_oneof![
            Just(FaultDeed::Fail),
            Just(FaultDeed::Hang),
            Just(FaultDeed::Delay(SECOND)),
            Just(FaultDeed::Kill),
            Just(FaultDeed::OutOfMemory),
        ],
    )
}

/// Has an answer for each time that it is asked, from the beginning again when there are no more.
struct InTurn {
    deeds: Vec<Option<FaultDeed>>,
    asked: AtomicUsize,
}

impl InTurn {
    fn of(deeds: Vec<Option<FaultDeed>>) -> Self {
        Self { deeds, asked: AtomicUsize::new(0) }
    }
}

impl Faults for InTurn {
    fn take(&self, point: FaultPoint<'_>) -> Option<FaultDeed> {
        let deed = self.deeds[self.asked.fetch_add(1, Ordering::Relaxed) % self.deeds.len()];
        deed.filter(|deed| point.phase.deeds().contains(&deed.as_str()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the order: each invocation is answered at most once, and exactly once when the machine is at rest;
    /// started invocations end exactly once; every request of the runtime gets exactly one reply; every killing is
    /// waited for; nothing is asked of processes that stand still; nothing happens after the end.
    #[test]
    fn any_order_of_events_keeps_the_promises(
        programs in 0..3usize,
        faults in prop::option::weighted(0.5, prop::collection::vec(any_deed(), 1..20)),
        events in prop::collection::vec(
            (0..4u64, prop::option::weighted(0.8, prop_oneof![2 => any_event(), 1 => any_event_of_an_extension()])),
            1..80
        )
    ) {
        let injects = faults.is_some();
        let faults = faults.map(|deeds| -> Arc<dyn Faults> { Arc::new(InTurn::of(deeds)) });
        let mut machine = machine(programs).freezing().injecting(faults);
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
                    Action::Stop(_) | Action::Continue(_) => {
                        prop_assert!(!is_frozen, "{action:?} while frozen");
                        prop_assert!(injects, "{action:?} without a fault");
                    }
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
