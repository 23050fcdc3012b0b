//! What holds for whatever calls there were.

use std::time::Duration;

/// Those of x86_64 in us-east-1, of 2026-11.
const PRICES: Prices = Prices {
    gb_second: 0.000_016_666_7,
    gb_second_on_provisioned: 0.000_009_722_2,
    gb_second_provisioned: 0.000_004_166_7,
    request: 0.000_000_2,
};

use hearth_whatif::{
    Policy, PolicyKind, Prices, Question, Recorded, RecordedStart, Scheduler, Traffic, TrafficBuilder,
    simulate, what_if,
};
use proptest::prelude::*;

const SCHEDULER: Scheduler = Scheduler {
    finishing_wait_us: 20_000,
    cold_starts_max: 32,
    environments_max: 1_000,
    concurrency_max: None,
    seed: 7,
};

/// A call: of which function, how long after the one before, and what it is like.
#[derive(Debug, Clone)]
struct Drawn {
    function: u32,
    gap_us: u64,
    duration_us: u64,
    overhead_us: u64,
    memory_mb: u32,
    start: RecordedStart,
    resets: bool,
}

fn start() -> impl Strategy<Value = RecordedStart> {
    prop_oneof![
        5 => Just(RecordedStart::Warm),
        3 => (0_u64..3_000_000, any::<bool>()).prop_map(|(init_us, after_change)| RecordedStart::Cold {
            init_us: Some(init_us),
            after_change,
        }),
        1 => (0_u64..3_000_000).prop_map(|init_us| RecordedStart::Reset { init_us }),
    ]
}

fn call() -> impl Strategy<Value = Drawn> {
    let gap = prop_oneof![0_u64..5_000, 0_u64..3_000_000, 0_u64..900_000_000];
    let duration = prop_oneof![0_u64..3_000, 0_u64..10_000_000];
    let memory = prop_oneof![Just(128_u32), Just(512), Just(1_769)];
    (0_u32..3, gap, duration, 0_u64..100_000, memory, start(), prop::bool::weighted(0.1)).prop_map(
        |(function, gap_us, duration_us, overhead_us, memory_mb, start, resets)| Drawn {
            function,
            gap_us,
            duration_us,
            overhead_us,
            memory_mb,
            start,
            resets,
        },
    )
}

fn calls() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec(call(), 1..120)
}

fn traffic(calls: &[Drawn]) -> Traffic {
    let mut builder = TrafficBuilder::new();
    let functions = [builder.function(true), builder.function(true), builder.function(false)];
    let mut now_us = 1_780_000_000_000_000_u64;
    for call in calls {
        now_us += call.gap_us;
        let recorded = Recorded {
            started_epoch_ms: (now_us / 1_000) as i64,
            waited_us: match call.start {
                RecordedStart::Cold { init_us, .. } => init_us.unwrap_or_default(),
                _ => 0,
            },
            duration_us: call.duration_us,
            overhead_us: call.overhead_us,
            memory_mb: call.memory_mb,
            start: call.start,
            resets: call.resets,
        };
        builder.add(functions[call.function as usize], &recorded);
    }
    builder.build()
}

fn policies() -> [Policy; 7] {
    [
        Policy::Fixed { keep_alive_us: 0 },
        Policy::Fixed { keep_alive_us: 1_000_000 },
        Policy::Fixed { keep_alive_us: 600_000_000 },
        Policy::Histogram { fallback_us: 60_000_000 },
        Policy::GreedyDual { memory_mb: 600 },
        Policy::GreedyDual { memory_mb: 100_000 },
        Policy::Provisioned { environments: 2, keep_alive_us: 5_000_000 },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_is_answered_once_and_environment_time_adds_up(
        calls in calls(),
        turns in 1_usize..4,
        environments_max in 1_usize..6,
    ) {
        let traffic = traffic(&calls);
        let scheduler = Scheduler { cold_starts_max: turns, environments_max, ..SCHEDULER };
        for policy in policies() {
            let outcome = simulate(&traffic, policy, &scheduler, &PRICES);
            prop_assert_eq!(outcome.calls, traffic.calls());
            prop_assert_eq!(outcome.throttled, 0);
            prop_assert!(outcome.cold_calls <= outcome.calls);
            prop_assert!(outcome.added_p50_us <= outcome.added_p99_us);
            prop_assert_eq!(
                outcome.environment_us,
                outcome.init_us + outcome.busy_us + outcome.idle_us,
                "{:?}", policy
            );
            prop_assert!(outcome.cost.total().is_finite());
            prop_assert_eq!(&outcome, &simulate(&traffic, policy, &scheduler, &PRICES));
        }
    }

    #[test]
    fn with_a_limit_the_calls_that_run_and_those_that_are_throttled_are_all(calls in calls(), most in 0_usize..3) {
        let traffic = traffic(&calls);
        let scheduler = Scheduler { concurrency_max: Some(most), ..SCHEDULER };
        for policy in policies() {
            let outcome = simulate(&traffic, policy, &scheduler, &PRICES);
            prop_assert_eq!(outcome.calls, traffic.calls());
            prop_assert!(most > 0 || outcome.throttled == outcome.calls);
        }
    }

    /// Whoever keeps them longer has all the environments of who does not, and older ones besides; both take the one that
    /// was used last. That holds while Init takes no time: otherwise calls end at other moments.
    #[test]
    fn a_longer_keep_alive_never_gives_more_cold_calls_when_init_takes_no_time(
        calls in calls(),
        short in 0_u64..700_000_000,
        more in 0_u64..700_000_000,
    ) {
        let without_init = calls.into_iter().map(|call| Drawn {
            start: RecordedStart::Warm,
            overhead_us: 0,
            resets: false,
            ..call
        });
        let traffic = traffic(&without_init.collect::<Vec<_>>());
        let scheduler = Scheduler { finishing_wait_us: 0, cold_starts_max: usize::MAX, ..SCHEDULER };
        let cold = |keep_alive_us| {
            simulate(&traffic, Policy::Fixed { keep_alive_us }, &scheduler, &PRICES).cold_calls
        };
        prop_assert!(cold(short + more) <= cold(short));
    }

    #[test]
    fn a_longer_keep_alive_never_gives_more_cold_calls_when_calls_never_overlap(
        gaps in prop::collection::vec((5_000_000_u64..900_000_000, 0_u64..1_000_000), 1..80),
        short in 0_u64..700_000_000,
        more in 0_u64..700_000_000,
    ) {
        let calls: Vec<Drawn> = gaps
            .into_iter()
            .map(|(gap_us, duration_us)| Drawn {
                function: 0,
                gap_us,
                duration_us,
                overhead_us: 0,
                memory_mb: 128,
                start: RecordedStart::Cold { init_us: Some(500_000), after_change: false },
                resets: false,
            })
            .collect();
        let traffic = traffic(&calls);
        let cold = |keep_alive_us| {
            simulate(&traffic, Policy::Fixed { keep_alive_us }, &SCHEDULER, &PRICES).cold_calls
        };
        prop_assert!(cold(short + more) <= cold(short));
        prop_assert_eq!(cold(u64::MAX), 1);
        prop_assert_eq!(cold(0), calls.len() as u64);
    }

    #[test]
    fn as_many_provisioned_as_calls_at_once_leave_no_cold_call(calls in calls()) {
        let sound = calls.into_iter().map(|call| Drawn { function: 0, resets: false, ..call });
        let traffic = traffic(&sound.collect::<Vec<_>>());
        let question = Question {
            policies: vec![PolicyKind::Provisioned],
            scheduler: SCHEDULER,
            idle_timeout: Duration::from_secs(600),
        };
        // Without a recorded Init there is nothing to ask.
        if let Ok(report) = what_if(&traffic, &question, &PRICES) {
            let last = report.outcomes.last().unwrap();
            prop_assert_eq!(last.cold_calls, 0);
            prop_assert_eq!(last.added_p99_us, 0);
        }
    }
}

#[test]
fn a_million_calls_are_replayed_and_take_memory_by_environments_not_by_calls() {
    let mut builder = TrafficBuilder::new();
    let function = builder.function(true);
    for call in 0..1_000_000_i64 {
        let start = match call {
            0 => RecordedStart::Cold { init_us: Some(100_000), after_change: true },
            _ => RecordedStart::Warm,
        };
        let recorded = Recorded {
            started_epoch_ms: 1_780_000_000_000 + call * 10,
            waited_us: 0,
            duration_us: 45_000,
            overhead_us: 0,
            memory_mb: 128,
            start,
            resets: false,
        };
        builder.add(function, &recorded);
    }
    let traffic = builder.build();
    let policy = Policy::Fixed { keep_alive_us: 60_000_000 };
    let outcome = simulate(&traffic, policy, &SCHEDULER, &PRICES);
    assert_eq!(outcome.calls, 1_000_000);
    // Until the first one has waited 100 ms for its Init and has run for 45 ms, others come, ten milliseconds apart: those
    // are all that is ever needed.
    assert_eq!((outcome.cold_calls, outcome.environments_made), (15, 15));
}
