//! Limits, and random orders of everything that can happen to the counters.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ONE: Version = Version::Number(1);

fn limits(account_max: u32) -> ConcurrencyLimits {
    ConcurrencyLimits { account_max, requests_per_unit: None, environments_per_10_s: None }
}

fn name(number: u8) -> FunctionName {
    FunctionName::new(&format!("f{number}")).unwrap()
}

/// Admits as many as can be, and says why no more.
fn fill(counters: &mut Counters, of: u8, version: Version) -> (usize, ThrottleReason) {
    let now = Instant::now();
    for admitted in 0.. {
        if let Err(reason) = counters.admit(&name(of), version, Source::Request, &|| now) {
            return (admitted, reason);
        }
    }
    unreachable!("there is a limit")
}

#[test]
fn a_function_has_what_it_reserved_and_the_others_share_the_rest() {
    let mut counters = Counters::new(limits(10));
    counters.reserve(&name(1), Some(3));
    let reserved = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(fill(&mut counters, 2, ONE), (7, ThrottleReason::ConcurrentInvocationLimitExceeded));
    assert_eq!(fill(&mut counters, 3, ONE), (0, ThrottleReason::ConcurrentInvocationLimitExceeded));
    assert_eq!(fill(&mut counters, 1, ONE), (3, reserved));
    counters.reserve(&name(1), None);
    assert_eq!(fill(&mut counters, 1, ONE), (0, ThrottleReason::ConcurrentInvocationLimitExceeded));
    counters.reserve(&name(4), Some(0));
    assert_eq!(fill(&mut counters, 4, ONE), (0, reserved));
}

#[test]
fn what_runs_counts_against_a_limit_that_comes_later() {
    let mut counters = Counters::new(limits(10));
    let now = Instant::now();
    let running: Vec<_> =
        (0..5).map(|_| counters.admit(&name(1), ONE, Source::Event, &|| now).unwrap()).collect();
    counters.reserve(&name(1), Some(2));
    for (slot, share) in running.into_iter().take(4) {
        assert!(counters.admit(&name(1), ONE, Source::Event, &|| now).is_err());
        counters.release(slot, share);
    }
    assert!(counters.admit(&name(1), ONE, Source::Event, &|| now).is_ok(), "one of two runs");
}

#[test]
fn provisioned_concurrency_is_its_versions_and_spills_over_to_what_is_left() {
    let mut counters = Counters::new(limits(10));
    counters.reserve(&name(1), Some(5));
    counters.allocate(&name(1), ONE, 3);
    let full = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(fill(&mut counters, 1, Version::Latest), (2, full), "three are set aside");
    let now = Instant::now();
    for _ in 0..3 {
        let (_, share) = counters.admit(&name(1), ONE, Source::Request, &|| now).unwrap();
        assert_eq!(share, Share::Provisioned(ONE));
    }
    assert_eq!(fill(&mut counters, 1, ONE), (0, full));

    let mut counters = Counters::new(limits(10));
    counters.allocate(&name(1), ONE, 3);
    assert_eq!(fill(&mut counters, 2, ONE), (7, ThrottleReason::ConcurrentInvocationLimitExceeded));
    assert_eq!(fill(&mut counters, 1, ONE), (3, ThrottleReason::ConcurrentInvocationLimitExceeded));
    let mut counters = Counters::new(limits(10));
    counters.allocate(&name(1), ONE, 3);
    let shares: Vec<Share> =
        (0..5).map(|_| counters.admit(&name(1), ONE, Source::Request, &|| now).unwrap().1).collect();
    let (provisioned, spilled) = (Share::Provisioned(ONE), Share::Spillover);
    assert_eq!(shares, [provisioned, provisioned, provisioned, spilled, spilled]);
}

#[test]
fn ten_requests_a_second_for_each_unit_and_events_as_they_come() {
    let limits = ConcurrencyLimits { requests_per_unit: Some(10), ..limits(100) };
    let mut counters = Counters::new(limits);
    counters.reserve(&name(1), Some(2));
    let start = Instant::now();
    let call = |counters: &mut Counters, of, source, ms| {
        let now = start + Duration::from_millis(ms);
        counters.admit(&name(of), ONE, source, &|| now).map(|(slot, share)| counters.release(slot, share))
    };
    let count = |counters: &mut Counters,
                 call: &mut dyn FnMut(&mut Counters) -> Result<(), ThrottleReason>| {
        (0..5_000).take_while(|_| call(counters).is_ok()).count()
    };
    assert_eq!(count(&mut counters, &mut |counters| call(counters, 1, Source::Request, 0)), 20);
    assert_eq!(
        call(&mut counters, 1, Source::Request, 0),
        Err(ThrottleReason::ReservedFunctionInvocationRateLimitExceeded)
    );
    assert_eq!(count(&mut counters, &mut |counters| call(counters, 1, Source::Request, 500)), 10);
    assert_eq!(count(&mut counters, &mut |counters| call(counters, 1, Source::Event, 500)), 5_000);
    assert_eq!(count(&mut counters, &mut |counters| call(counters, 2, Source::Request, 500)), 980);
    assert_eq!(
        call(&mut counters, 3, Source::Request, 500),
        Err(ThrottleReason::FunctionInvocationRateLimitExceeded)
    );
}

#[test]
fn each_function_scales_by_so_many_environments_in_ten_seconds() {
    let limits = ConcurrencyLimits { environments_per_10_s: Some(20), ..limits(100) };
    let mut counters = Counters::new(limits);
    let now = Instant::now();
    let (first, _) = counters.admit(&name(1), ONE, Source::Request, &|| now).unwrap();
    let (second, _) = counters.admit(&name(2), ONE, Source::Request, &|| now).unwrap();
    let ups = |counters: &mut Counters, slot, now| {
        (0..100).take_while(|_| counters.scale_up(slot, &|| now).is_ok()).count()
    };
    assert_eq!(ups(&mut counters, first, now), 20);
    assert_eq!(ups(&mut counters, second, now), 20, "independent of others");
    assert_eq!(ups(&mut counters, first, now + Duration::from_secs(1)), 2);
    assert_eq!(ups(&mut counters, first, now + Duration::from_secs(60)), 20);
    assert_eq!(
        counters.scale_up(first, &|| now + Duration::from_secs(60)),
        Err(ThrottleReason::FunctionInvocationRateLimitExceeded)
    );
}

/// What may happen to the counters.
#[derive(Debug, Clone)]
enum Step {
    Admit { of: u8, version: u64, is_event: bool },
    Release { at: usize },
    Reserve { of: u8, reserved: Option<u32> },
    Allocate { of: u8, version: u64, allocated: u32 },
    Forget { of: u8 },
    Pass { ms: u64 },
}

fn a_step() -> impl Strategy<Value = Step> {
    let of = || 0..3_u8;
    prop_oneof![
        6 => (of(), 1..3_u64, any::<bool>())
            .prop_map(|(of, version, is_event)| Step::Admit { of, version, is_event }),
        5 => any::<usize>().prop_map(|at| Step::Release { at }),
        1 => (of(), proptest::option::of(0..6_u32)).prop_map(|(of, reserved)| Step::Reserve { of, reserved }),
        1 => (of(), 1..3_u64, 0..4_u32)
            .prop_map(|(of, version, allocated)| Step::Allocate { of, version, allocated }),
        1 => of().prop_map(|of| Step::Forget { of }),
        1 => (0..300_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens in whatever order: no limit is broken by an admission, nothing goes below zero (the arithmetic
    /// panics), and when everybody has given back what they got, nothing is in use.
    #[test]
    fn every_permit_is_returned_exactly_once(steps in proptest::collection::vec(a_step(), 0..120)) {
        let limits = ConcurrencyLimits {
            account_max: 8, requests_per_unit: Some(10), environments_per_10_s: Some(10)
        };
        let mut counters = Counters::new(limits);
        let mut now = Instant::now();
        let mut held: Vec<(Slot, Share)> = Vec::new();
        for step in steps {
            match step {
                Step::Admit { of, version, is_event } => {
                    let source = if is_event { Source::Event } else { Source::Request };
                    if let Ok(permit) = counters.admit(&name(of), Version::Number(version), source, &|| now) {
                        held.push(permit);
                        let _ = counters.scale_up(permit.0, &|| now);
                        let function = &counters.slots[permit.0];
                        if let Some(reserved) = function.reserved {
                            prop_assert!(function.usage.in_use <= reserved);
                        } else {
                            prop_assert!(counters.unreserved.in_use <= counters.unreserved_max());
                        }
                    }
                }
                Step::Release { at } if !held.is_empty() => {
                    let (slot, share) = held.swap_remove(at % held.len());
                    counters.release(slot, share);
                }
                Step::Release { .. } => {}
                Step::Reserve { of, reserved } => counters.reserve(&name(of), reserved),
                Step::Allocate { of, version, allocated } => {
                    counters.allocate(&name(of), Version::Number(version), allocated);
                }
                Step::Forget { of } => counters.forget(&name(of)),
                Step::Pass { ms } => now += Duration::from_millis(ms),
            }
            prop_assert_eq!(counters.in_use as usize, held.len());
            prop_assert!(counters.in_use <= 8);
            let reserved: u32 = counters.slots.iter().filter_map(|function| function.reserved).sum();
            prop_assert_eq!(counters.reserved, reserved);
            let mut unreserved = Usage::default();
            for function in &counters.slots {
                prop_assert!(function.usage.on_demand <= function.usage.in_use);
                let allocated: u32 = function.provisioned.iter().map(|(_, one)| one.allocated).sum();
                prop_assert_eq!(function.usage.allocated, allocated);
                let provisioned: u32 = function.provisioned.iter().map(|(_, one)| one.in_use).sum();
                prop_assert_eq!(function.usage.in_use, function.usage.on_demand + provisioned);
                if function.reserved.is_none() {
                    unreserved.add(function.usage);
                }
            }
            prop_assert_eq!(counters.unreserved, unreserved);
        }
        for (slot, share) in held {
            counters.release(slot, share);
        }
        prop_assert_eq!(counters.in_use, 0);
        for of in 0..3 {
            counters.forget(&name(of));
        }
        prop_assert_eq!(counters.unreserved, Usage::default());
        prop_assert_eq!(counters.reserved, 0);
        prop_assert_eq!(counters.free.len(), counters.slots.len(), "every slot is free again");
    }
}
