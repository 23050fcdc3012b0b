//! Calls of which everybody can say what becomes of them.

use std::time::Duration;

/// Those of x86_64 in us-east-1, of 2026-11.
const PRICES: Prices = Prices {
    gb_second: 0.000_016_666_7,
    gb_second_on_provisioned: 0.000_009_722_2,
    gb_second_provisioned: 0.000_004_166_7,
    request: 0.000_000_2,
};

use expect_test::{Expect, expect};
use hearth_whatif::{
    Advice, Policy, PolicyKind, Prices, Question, Recorded, RecordedStart, Scheduler, Traffic,
    TrafficBuilder, WhatIfError, simulate, what_if,
};

const SCHEDULER: Scheduler = Scheduler {
    finishing_wait_us: 20_000,
    cold_starts_max: 32,
    environments_max: 1_000,
    concurrency_max: None,
    seed: 7,
};
const S: u64 = 1_000_000;
const MS: u64 = 1_000;

const COLD: RecordedStart = RecordedStart::Cold { init_us: Some(200 * MS), after_change: false };

/// A call that arrives `at_ms` and runs 100 ms, at 1,024 MB. A cold one waited 250 ms, 200 ms of it reported as Init.
fn call(at_ms: u64, start: RecordedStart) -> Recorded {
    let waited_us = if matches!(start, RecordedStart::Cold { .. }) { 250 * MS } else { 0 };
    Recorded {
        started_epoch_ms: 1_780_000_000_000 + at_ms as i64 + (waited_us / MS) as i64,
        waited_us,
        duration_us: 100 * MS,
        overhead_us: 0,
        memory_mb: 1_024,
        start,
        resets: false,
    }
}

fn traffic(calls: &[Recorded]) -> Traffic {
    let mut builder = TrafficBuilder::new();
    let function = builder.function(true);
    calls.iter().for_each(|call| builder.add(function, call));
    builder.build()
}

/// The first one cold, then one every `period_ms`.
fn regular(count: u64, period_ms: u64) -> Traffic {
    let start = |at| if at == 0 { COLD } else { RecordedStart::Warm };
    let calls: Vec<Recorded> = (0..count).map(|at| call(at * period_ms, start(at))).collect();
    traffic(&calls)
}

fn check(traffic: &Traffic, scheduler: &Scheduler, policies: &[Policy], expected: Expect) {
    let mut text = String::new();
    for &policy in policies {
        let outcome = simulate(traffic, policy, scheduler, &PRICES);
        text.push_str(&format!(
            "{policy}: {} of {} cold, {} made, waits {}/{} ms, {:.2} environment-s, {:.2} GB-s, ${:.9}",
            outcome.cold_calls,
            outcome.calls,
            outcome.environments_made,
            outcome.added_p50_us / MS,
            outcome.added_p99_us / MS,
            outcome.environment_seconds(),
            outcome.memory_gb_seconds(),
            outcome.cost.total(),
        ));
        for (what, count) in [
            ("throttled", outcome.throttled),
            ("near the boundary", outcome.near_boundary),
            ("over the limit", outcome.over_limit),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text.push('\n');
    }
    expected.assert_eq(&text);
}

fn fixed(seconds: u64) -> Policy {
    Policy::Fixed { keep_alive_us: seconds * S }
}

#[test]
fn a_call_every_five_minutes_is_cold_unless_environments_are_kept_for_that_long() {
    let histogram = Policy::Histogram { fallback_us: 60 * S };
    let one = Policy::Provisioned { environments: 1, keep_alive_us: 60 * S };
    check(
        &regular(40, 300_000),
        &SCHEDULER,
        &[fixed(0), fixed(60), fixed(299), fixed(300), fixed(3_600), histogram, one],
        expect![[r#"
            kept 0 s: 40 of 40 cold, 40 made, waits 250/250 ms, 14.00 environment-s, 14.00 GB-s, $0.000208000
            kept 1 min: 40 of 40 cold, 40 made, waits 250/250 ms, 2354.00 environment-s, 2354.00 GB-s, $0.000208000
            kept 299 s: 40 of 40 cold, 40 made, waits 250/250 ms, 11675.00 environment-s, 11675.00 GB-s, $0.000208000, 39 near the boundary
            kept 5 min: 1 of 40 cold, 1 made, waits 0/250 ms, 11700.10 environment-s, 11700.10 GB-s, $0.000078000
            kept 1 h: 1 of 40 cold, 1 made, waits 0/250 ms, 11700.10 environment-s, 11700.10 GB-s, $0.000078000
            kept as the histogram of idle times says: 11 of 40 cold, 40 made, waits 0/250 ms, 1734.60 environment-s, 1734.60 GB-s, $0.000208000
            1 provisioned: 0 of 40 cold, 1 made, waits 0/0 ms, 11700.10 environment-s, 11700.10 GB-s, $0.048797695
        "#]],
    );
}

#[test]
fn calls_that_overlap_have_environments_of_their_own_and_the_last_used_is_taken_first() {
    // Two at once, then one at a time every second: the second environment idles out after 10 s.
    let mut calls = vec![call(0, COLD), call(10, COLD)];
    calls.extend((1..30).map(|second| call(second * 1_000, RecordedStart::Warm)));
    calls.extend([call(30_000, RecordedStart::Warm), call(30_010, RecordedStart::Warm)]);
    check(
        &traffic(&calls),
        &SCHEDULER,
        &[fixed(10), fixed(60)],
        expect![[r#"
        kept 10 s: 3 of 33 cold, 3 made, waits 0/250 ms, 40.80 environment-s, 40.80 GB-s, $0.000071600
        kept 1 min: 2 of 33 cold, 2 made, waits 0/250 ms, 60.21 environment-s, 60.21 GB-s, $0.000068267
    "#]],
    );
}

#[test]
fn a_call_waits_20_ms_for_an_environment_that_has_answered_and_not_longer() {
    // Extensions take 15 ms after the answer, and 50 ms the next time.
    let with_overhead =
        |at, overhead_ms| Recorded { overhead_us: overhead_ms * MS, ..call(at, RecordedStart::Warm) };
    let calls = [
        call(0, COLD),
        with_overhead(1_000, 15),
        call(1_090, RecordedStart::Warm),
        with_overhead(3_000, 50),
        call(3_060, RecordedStart::Warm),
    ];
    check(
        &traffic(&calls),
        &SCHEDULER,
        &[fixed(60)],
        expect![[r#"
        kept 1 min: 2 of 5 cold, 2 made, waits 10/270 ms, 3.51 environment-s, 3.51 GB-s, $0.000016000
    "#]],
    );
}

#[test]
fn a_caller_who_calls_again_at_once_finds_the_same_environment_although_moments_are_whole_milliseconds() {
    // Every 1.5 ms, as long as 1.4 ms. What is recorded of the moments is 1000, 1001, 1003, 1004 …
    let again = |at: u64| Recorded { duration_us: 1_400, ..call(1_000 + at * 3 / 2, RecordedStart::Warm) };
    let calls: Vec<Recorded> = std::iter::once(call(0, COLD)).chain((0..200).map(again)).collect();
    assert_eq!(simulate(&traffic(&calls), fixed(60), &SCHEDULER, &PRICES).cold_calls, 1);
}

#[test]
fn of_two_calls_within_the_same_millisecond_the_one_that_was_warm_came_first() {
    // By the moments, the cold one came first and took the environment, which was free again when the last one came.
    let cold = Recorded { duration_us: 50 * MS, ..call(1_000, COLD) };
    let warm = Recorded { duration_us: 500 * MS, waited_us: 100, ..call(1_001, RecordedStart::Warm) };
    let calls = [call(0, COLD), cold, warm, call(1_100, RecordedStart::Warm)];
    let outcome = simulate(&traffic(&calls), fixed(60), &SCHEDULER, &PRICES);
    assert_eq!(outcome.cold_calls, 3, "{outcome:?}");
}

#[test]
fn cold_starts_wait_for_their_turn_and_take_an_environment_that_became_warm_meanwhile() {
    let calls: Vec<Recorded> = (0..4).map(|at| call(at, COLD)).collect();
    let one_at_a_time = Scheduler { cold_starts_max: 1, ..SCHEDULER };
    check(
        &traffic(&calls),
        &SCHEDULER,
        &[fixed(60)],
        expect![[r#"
        kept 1 min: 4 of 4 cold, 4 made, waits 250/250 ms, 1.41 environment-s, 1.41 GB-s, $0.000020800
    "#]],
    );
    check(
        &traffic(&calls),
        &one_at_a_time,
        &[fixed(60)],
        expect![[r#"
        kept 1 min: 3 of 4 cold, 3 made, waits 498/747 ms, 1.30 environment-s, 1.30 GB-s, $0.000017467
    "#]],
    );
}

#[test]
fn calls_over_the_concurrency_are_throttled() {
    let calls: Vec<Recorded> = (0..5).map(|at| call(at * 10, COLD)).collect();
    check(
        &traffic(&calls),
        &Scheduler { concurrency_max: Some(2), ..SCHEDULER },
        &[fixed(60)],
        expect![[r#"
        kept 1 min: 2 of 5 cold, 2 made, waits 250/250 ms, 0.77 environment-s, 0.77 GB-s, $0.000010400, 3 throttled
    "#]],
    );
}

#[test]
fn a_change_of_the_function_and_a_crash_make_the_next_call_cold_under_every_keep_alive() {
    let changed = RecordedStart::Cold { init_us: Some(200 * MS), after_change: true };
    let crash = Recorded { resets: true, ..call(20_000, RecordedStart::Warm) };
    let calls = [
        call(0, COLD),
        call(5_000, RecordedStart::Warm),
        call(10_000, changed),
        crash,
        call(30_000, RecordedStart::Reset { init_us: 50 * MS }),
        call(40_000, RecordedStart::Warm),
    ];
    let provisioned = Policy::Provisioned { environments: 1, keep_alive_us: 60 * S };
    check(
        &traffic(&calls),
        &SCHEDULER,
        &[fixed(3_600), provisioned],
        expect![[r#"
            kept 1 h: 3 of 6 cold, 2 made, waits 0/250 ms, 40.10 environment-s, 40.10 GB-s, $0.000017867
            1 provisioned: 0 of 6 cold, 1 made, waits 0/0 ms, 40.10 environment-s, 40.10 GB-s, $0.000173632
        "#]],
    );
}

#[test]
fn greedy_dual_keeps_what_is_dear_to_make_and_small() {
    let mut builder = TrafficBuilder::new();
    let (dear, cheap, other) = (builder.function(true), builder.function(false), builder.function(false));
    let start = |init_us| RecordedStart::Cold { init_us: Some(init_us), after_change: false };
    for round in 0..20 {
        let at = round * 10_000;
        let dear_call = Recorded { waited_us: 3 * S, memory_mb: 128, ..call(at, start(3 * S)) };
        builder.add(dear, &dear_call);
        for (function, after) in [(cheap, 5_000), (other, 7_000)] {
            builder.add(function, &Recorded { waited_us: 10 * MS, ..call(at + after, start(10 * MS)) });
        }
    }
    let traffic = builder.build();
    let limits = [2_176, 1_152, 1_100];
    // All three fit; one of the big ones has to go, and never the small one; nothing but one fits.
    check(
        &traffic,
        &SCHEDULER,
        &limits.map(|memory_mb| Policy::GreedyDual { memory_mb }),
        expect![[r#"
        Greedy-Dual in 2176 MB: 1 of 20 cold, 1 made, waits 0/3000 ms, 193.10 environment-s, 24.14 GB-s, $0.000014417
        Greedy-Dual in 1152 MB: 1 of 20 cold, 1 made, waits 0/3000 ms, 193.10 environment-s, 24.14 GB-s, $0.000014417
        Greedy-Dual in 1100 MB: 20 of 20 cold, 20 made, waits 3000/3000 ms, 154.91 environment-s, 19.36 GB-s, $0.000133167, 19 over the limit
    "#]],
    );
}

#[test]
fn above_the_most_environments_of_a_host_the_one_idle_for_longest_goes() {
    let mut builder = TrafficBuilder::new();
    let functions = [builder.function(true), builder.function(false), builder.function(false)];
    for round in 0..3 {
        for (at, function) in functions.iter().enumerate() {
            builder.add(*function, &call(round * 30_000 + at as u64 * 10_000, COLD));
        }
    }
    let traffic = builder.build();
    check(
        &traffic,
        &SCHEDULER,
        &[fixed(3_600)],
        expect![[r#"
        kept 1 h: 1 of 3 cold, 1 made, waits 0/250 ms, 60.35 environment-s, 60.35 GB-s, $0.000008933
    "#]],
    );
    check(
        &traffic,
        &Scheduler { environments_max: 2, ..SCHEDULER },
        &[fixed(3_600)],
        expect![[r#"
        kept 1 h: 3 of 3 cold, 3 made, waits 250/250 ms, 40.35 environment-s, 40.35 GB-s, $0.000015600
    "#]],
    );
}

fn question() -> Question {
    Question {
        policies: PolicyKind::ALL.to_vec(),
        scheduler: SCHEDULER,
        idle_timeout: Duration::from_secs(600),
    }
}

#[test]
fn advice_follows_from_the_calls_and_says_why() {
    let mut text = String::new();
    let mut ask = |what: &str, traffic: &Traffic, idle_timeout_s| {
        let question = Question { idle_timeout: Duration::from_secs(idle_timeout_s), ..question() };
        let advice = what_if(traffic, &question, &PRICES).unwrap().advice;
        text.push_str(&match advice {
            Advice::Do { what: it, why } => format!("{what}: {it}: {why}\n"),
            Advice::LeaveIt { why } => format!("{what}: leave it: {why}\n"),
            Advice::Refused { why } => format!("{what}: refused: {why}\n"),
        });
    };
    ask("99 calls", &regular(99, 1_000), 600);
    ask("every 5 min, kept 1 min", &regular(200, 300_000), 60);
    ask("every 5 min, kept 1 h", &regular(200, 300_000), 3_600);
    ask("every second in bursts, kept 10 min", &regular(200, 1_000), 600);
    // Ten at once, every two hours: no idle time helps.
    let bursts: Vec<Recorded> =
        (0..20).flat_map(|hour| (0..10).map(move |at| call(hour * 7_200_000 + at, COLD))).collect();
    ask("ten at once every 2 h", &traffic(&bursts), 600);
    ask("ten at once every 2 h, not kept", &traffic(&bursts), 0);
    expect![[r#"
        99 calls: refused: only 99 calls are recorded; from fewer than 100 nothing follows
        every 5 min, kept 1 min: keep idle environments for 5 min: cold calls go from 200 to 1 of 200, environment-seconds from 12010 to 59700; a longer time saves less than 1 % of the calls
        every 5 min, kept 1 h: leave it: with 1 h now, 1 of 200 calls are cold, and no other time changes that by 1 % of the calls or frees a tenth of the environment-seconds
        every second in bursts, kept 10 min: leave it: with 10 min now, 1 of 200 calls are cold, and no other time changes that by 1 % of the calls or frees a tenth of the environment-seconds
        ten at once every 2 h: end environments as soon as they are idle: cold calls go from 200 to 200 of 200, environment-seconds from 114070 to 70; only 10 provisioned would leave 0
        ten at once every 2 h, not kept: provision 10, if cold calls have to go: cold calls go from 200 to 0 of 200, which no idle time does; on AWS the same calls would cost an estimated $5.700295 instead of $0.001040
    "#]].assert_eq(&text);
}

#[test]
fn nothing_is_answered_without_calls_or_without_a_recorded_init() {
    let ask = |traffic: &Traffic| what_if(traffic, &question(), &PRICES).unwrap_err();
    assert_eq!(ask(&traffic(&[])), WhatIfError::NoCalls);
    assert_eq!(ask(&traffic(&[call(0, RecordedStart::Warm)])), WhatIfError::NoInits);
}

#[test]
fn entries_whose_numbers_cannot_be_are_left_out_and_counted() {
    let sound = call(0, COLD);
    let hostile = [
        Recorded { started_epoch_ms: i64::MAX, ..sound },
        Recorded { started_epoch_ms: i64::MIN, ..sound },
        Recorded { waited_us: u64::MAX, ..sound },
        Recorded { duration_us: u64::MAX, ..sound },
        Recorded { overhead_us: u64::MAX, ..sound },
        Recorded { memory_mb: 0, ..sound },
        Recorded { memory_mb: u32::MAX, ..sound },
        Recorded { start: RecordedStart::Cold { init_us: Some(u64::MAX), after_change: false }, ..sound },
        Recorded { start: RecordedStart::Reset { init_us: u64::MAX }, ..sound },
    ];
    let report = what_if(&traffic(&[&[sound][..], &hostile].concat()), &question(), &PRICES).unwrap();
    assert_eq!((report.recorded.calls, report.recorded.left_out), (1, hostile.len() as u64));
    // What is on the edge of what can be is replayed.
    let edges = [
        Recorded { started_epoch_ms: 0, waited_us: 86_400 * S, ..sound },
        Recorded { started_epoch_ms: 253_402_300_799_000, duration_us: 86_400 * S, ..sound },
    ];
    let report = what_if(&traffic(&edges), &question(), &PRICES).unwrap();
    assert_eq!((report.recorded.calls, report.recorded.left_out), (2, 0));
}
