use expect_test::expect;

use super::*;

pub(crate) const PLAIN: Appearance = Appearance { width: 100, colour: false, terminal: false };

/// Writes one environment of a timeline: `phase start end [request id] [status]`, separated by commas. An end of `-`
/// means that it lasts.
fn environment(id: &str, spans: &str) -> Value {
    let span = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        serde_json::json!({
            "phase": words[0],
            "start_ms": words[1].parse::<f64>().unwrap(),
            "end_ms": words[2].parse::<f64>().ok(),
            "request_id": words.get(3),
            "status": words.get(4),
        })
    };
    let spans: Vec<Value> = spans.split(',').map(span).collect();
    serde_json::json!({
        "environment_id": id,
        "log_stream": format!("2026/11/25/[$LATEST]{id}"),
        "why_cold": "first-invocation",
        "spans": spans,
    })
}

fn invocation(request_id: &str, duration_ms: f64, init: Option<(f64, &str)>) -> Value {
    serde_json::json!({
        "request_id": request_id, "environment_id": "", "start_ms": 0.0,
        "init_ms": init.map(|it| it.0), "runtime_init_ms": null, "function_init_ms": null,
        "duration_ms": duration_ms, "billed_ms": (duration_ms + init.map_or(0.0, |it| it.0)).ceil() as u64,
        "memory_size_mb": 128, "max_memory_used_mb": 39, "why_cold": init.map(|it| it.1),
        "status": "success", "error_type": null,
    })
}

fn document(now_ms: f64, environments: Vec<Value>, invocations: Vec<Value>) -> Value {
    serde_json::json!({
        "function_name": "greeter", "now_ms": now_ms, "environments": environments, "invocations": invocations,
    })
}

fn timeline(now_ms: f64, environments: Vec<Value>, invocations: Vec<Value>) -> Timeline {
    serde_json::from_value(document(now_ms, environments, invocations)).unwrap()
}

/// The article's experiment: three calls in a row, then two at once.
pub(crate) fn experiment_document() -> Value {
    document(
        470.0,
        vec![
            environment(
                "0f3c8a21b4d64c0e",
                "runtime-init 100 198.1, function-init 198.1 251.47 null success, invoke 251.6 255.97 aaaaaaaa-1 success, \
                 idle 255.97 257, invoke 257 258.84 bbbbbbbb-2 success, idle 258.84 260, \
                 invoke 260 262.63 cccccccc-3 success, idle 262.63 264, invoke 264 416 dddddddd-4 success, idle 416 -",
            ),
            environment(
                "7be0d14c99a04a11",
                "runtime-init 264.4 330, function-init 330 361 null success, invoke 361 463 eeeeeeee-5 success, \
                 idle 463 -",
            ),
        ],
        vec![
            invocation("aaaaaaaa-1", 4.37, Some((151.47, "first-invocation"))),
            invocation("bbbbbbbb-2", 1.84, None),
            invocation("cccccccc-3", 2.63, None),
            invocation("dddddddd-4", 152.0, None),
            invocation("eeeeeeee-5", 102.0, Some((96.6, "all-busy"))),
        ],
    )
}

fn experiment() -> Timeline {
    serde_json::from_value(experiment_document()).unwrap()
}

#[test]
fn the_experiment_of_the_article_is_seen_at_a_glance() {
    expect![[r#"
        greeter: 2 environments, 5 finished invocations

        environment  0 ms                  100 ms                     200 ms                300 ms
                     ┬─────────────────────┬──────────────────────────┬─────────────────────┬───────────────
        0f3c8a21     R░░░░░░░░░░░░░░░░░░░░F▓▓▓▓▓▓▓▓▓▓▓1█·2█·3█·4███████████████████████████████············▸
        7be0d14c                                               R░░░░░░░░░░░░░F▓▓▓▓▓▓5████████████████████··▸

                     R░░ runtime init   F▓▓ function init   1██ invoke, by its number   ··· idle   ▸ goes on
                     (short spans are widened)

        #  Request id  Init Duration   Duration  Billed Duration  Max Memory Used  Why cold
        1  aaaaaaaa        151.47 ms    4.37 ms           156 ms     39 of 128 MB  first invocation
        2  bbbbbbbb                –    1.84 ms             2 ms     39 of 128 MB  – (warm)
        3  cccccccc                –    2.63 ms             3 ms     39 of 128 MB  – (warm)
        4  dddddddd                –  152.00 ms           152 ms     39 of 128 MB  – (warm)
        5  eeeeeeee         96.60 ms  102.00 ms           199 ms     39 of 128 MB  all environments busy
    "#]]
    .assert_eq(&draw(&experiment(), PLAIN));
}

#[test]
fn a_narrow_terminal_gets_the_same_lanes_with_fewer_ticks() {
    expect![[r#"
        environment  0 ms          100 ms               200 ms       300 ms
                     ┬─────────────┬────────────────────┬────────────┬──────────
        0f3c8a21     R░░░░░░░░░░░░F▓▓▓▓▓▓▓1█·2█·3█·4████████████████████·······▸
        7be0d14c                                   R░░░░░░░░F▓▓▓5█████████████·▸

                     R░░ runtime init   F▓▓ function init
                     1██ invoke, by its number   ··· idle   ▸ goes on
                     (short spans are widened)
    "#]]
    .assert_eq(&lanes(&experiment(), Appearance { width: 72, ..PLAIN }));
}

#[test]
fn colours_add_nothing_but_colours() {
    let coloured = lanes(&experiment(), Appearance { colour: true, ..PLAIN });
    assert!(coloured.contains("\x1b[33mR"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, escape)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = escape.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    // Only blanks at the end of a line may differ.
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&lanes(&experiment(), PLAIN)));
}

#[test]
fn long_silences_are_breaks_and_failures_reset_and_shutdown_have_their_own_glyphs() {
    let mut failed = invocation("bbbbbbbb-2", 3000.0, None);
    failed["status"] = "timeout".into();
    let mut crashed = invocation("cccccccc-3", 40.0, Some((0.0, "timed-out")));
    crashed["status"] = "error".into();
    crashed["error_type"] = "Runtime.ExitError".into();
    let timeline = timeline(
        700_000.0,
        vec![
            environment(
                "0f3c8a21b4d64c0e",
                "init 100 900 null success, invoke 900 1500 aaaaaaaa-1 success, idle 1500 14000, \
                 invoke 14000 17000 bbbbbbbb-2 timeout, reset 17000 17300, idle 17300 18000, \
                 invoke 18000 19000 cccccccc-3 error, reset 19000 19200, idle 19200 319200, shutdown 319200 321200",
            ),
            environment("7be0d14c99a04a11", "init 600000 600700 null success, invoke 600700 - dddddddd-4"),
        ],
        vec![invocation("aaaaaaaa-1", 600.0, Some((800.0, "first-invocation"))), failed, crashed],
    );
    expect![[r#"
        greeter: 2 environments, 3 finished invocations

        environment  0 ms                        5m19s      10m00s                  10m50s
                     ┬──────────────────⋯ 5 min ⋯┬─⋯ 5 min ⋯┬───────────────────────┬───────────────────────
        0f3c8a21     I▒1█······2✗X~·3✗X~⋯ 5 min ⋯S▂
        7be0d14c                                            I▒█████████████████████████████████████████████▸

                     I▒▒ init   1██ invoke, by its number   ··· idle   X~~ reset   S▂▂ shutdown   ✗ failed
                     ▸ goes on   ⋯ time left out   (short spans are widened)

        #  Request id  Init Duration    Duration  Billed Duration  Max Memory Used  Why cold          Status
        1  aaaaaaaa        800.00 ms   600.00 ms          1400 ms     39 of 128 MB  first invocation  success
        2  bbbbbbbb                –  3000.00 ms          3000 ms     39 of 128 MB  – (warm)          timeout
        3  cccccccc          0.00 ms    40.00 ms            40 ms     39 of 128 MB  timed out before  error: Runtime.ExitError
    "#]].assert_eq(&draw(&timeline, PLAIN));
}

#[test]
fn of_many_calls_the_last_ones_are_drawn() {
    let mut spans = "runtime-init 0 90, function-init 90 120 null success".to_owned();
    let mut invocations = Vec::new();
    for at in 0..200 {
        let start = 120 + at * 10;
        let id = format!("{at:08}-id");
        spans.push_str(&format!(
            ", invoke {start} {} {id} success, idle {} {}",
            start + 3,
            start + 3,
            start + 10
        ));
        invocations.push(invocation(&id, 3.0, (at == 0).then_some((120.0, "first-invocation"))));
    }
    let timeline = timeline(2_120.0, vec![environment("0f3c8a21b4d64c0e", &spans)], invocations);
    expect![[r#"
        environment  0 ms                  20 ms                40 ms                 60 ms
                     ┬─────────────────────┬────────────────────┬─────────────────────┬────────────────────┬
        0f3c8a21     193█·······194█·······195█······196█·······197█·······198█·······199█······200█·······

                     1██ invoke, by its number   ··· idle   (short spans are widened)
                     192 earlier invocations are not drawn
    "#]]
    .assert_eq(&lanes(&timeline, PLAIN));
    assert!(table(&timeline).ends_with("(150 earlier invocations are left out; --output json has them)\n"));
}

#[test]
fn an_environment_that_just_began_is_drawn_too() {
    let timeline = timeline(5.0, vec![environment("0f3c8a21b4d64c0e", "init 5 -")], vec![]);
    expect![[r#"
        greeter: 1 environment, 0 finished invocations

        environment  0 ms
                     ┬──────────────────────────────────────────────────────────────────────────────────────
        0f3c8a21     I                                                                                     ▸

                     I▒▒ init   ▸ goes on
    "#]]
    .assert_eq(&draw(&timeline, PLAIN));
}

/// Numbers that look random, the same in each run.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn whatever_happened_the_lanes_fit_the_width_and_every_finished_call_of_few_is_numbered() {
    let mut state = 7;
    for round in 0..500 {
        let mut invocations = Vec::new();
        let mut now = 0;
        let mut environments = Vec::new();
        for lane in 0..=random(&mut state, 3) {
            let mut at = random(&mut state, 1_000);
            let mut spans = format!("runtime-init {at} {}", at + 1 + random(&mut state, 200));
            at += 201;
            for _ in 0..random(&mut state, 3) {
                let power = random(&mut state, 6) as u32;
                let idle = random(&mut state, 10_u64.pow(power) + 1);
                let power = random(&mut state, 5) as u32;
                let busy = 1 + random(&mut state, 10_u64.pow(power) + 1);
                let id = format!("{:08}-id", invocations.len());
                let end = at + idle + busy;
                spans.push_str(&format!(
                    ", idle {at} {}, invoke {} {end} {id} success",
                    at + idle,
                    at + idle
                ));
                invocations.push(invocation(&id, busy as f64, None));
                at = end;
            }
            spans.push_str(&format!(", idle {at} -"));
            now = now.max(at);
            let mut environment = environment(&format!("{lane:08}"), &spans);
            if random(&mut state, 2) == 0 {
                let began = random(&mut state, 1_000);
                environment["extensions"] = serde_json::json!([{ "name": "a\u{1b}-rather-long-name", "spans": [
                    { "phase": "registration", "start_ms": began, "end_ms": began, "status": null, "killed": false },
                    { "phase": "init", "start_ms": began, "end_ms": at, "status": "timeout", "killed": false },
                    { "phase": "shutdown", "start_ms": at, "end_ms": null, "status": null, "killed": true },
                ] }]);
            }
            environments.push(environment);
        }
        let count = invocations.len();
        let timeline = timeline(now as f64, environments, invocations);
        for width in [0, 60, 100, 173] {
            let text = lanes(&timeline, Appearance { width, ..PLAIN });
            for line in text.lines() {
                assert!(line.chars().count() <= width.max(60), "round {round}, width {width}:\n{text}");
            }
            if width == 173 {
                let bars: String = text
                    .lines()
                    .skip(2)
                    .take_while(|line| !line.is_empty())
                    .map(|line| &line[13..])
                    .collect();
                for number in 1..=count {
                    let numbered = bars.contains(&number.to_string());
                    assert!(numbered, "round {round}: no {number} in\n{text}");
                }
            }
        }
    }
}
