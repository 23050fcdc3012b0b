use expect_test::expect;
use serde_json::{Value, json};

use super::tests::PLAIN;
use super::*;

/// Writes spans: `phase start end [status]`, separated by commas; an end of `-` means that it lasts, a status of
/// `killed` that the process was.
fn spans(text: &str) -> Value {
    let span = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let status = words.get(3).filter(|status| **status != "killed");
        json!({
            "phase": words[0],
            "start_ms": words[1].parse::<f64>().unwrap(),
            "end_ms": words[2].parse::<f64>().ok(),
            "request_id": words[0].eq("invoke").then(|| format!("{:08}", words[1].parse::<u32>().unwrap())),
            "status": status,
            "error_type": null,
            "killed": words.get(3) == Some(&"killed"),
        })
    };
    text.split(',').map(span).collect()
}

fn call(start_ms: u32, init_ms: Option<f64>, duration_ms: f64, overhead_ms: f64) -> Value {
    json!({
        "request_id": format!("{start_ms:08}"), "init_ms": init_ms, "duration_ms": duration_ms,
        "extension_overhead_ms": overhead_ms, "extensions": [], "billed_ms": 1, "memory_size_mb": 128,
        "max_memory_used_mb": 39, "why_cold": null, "status": "success", "error_type": null,
    })
}

/// One environment with two extensions, from start to end: `audit` works on after each call and has to be killed.
fn whole_life() -> Timeline {
    let value = json!({
        "function_name": "greeter", "now_ms": 900.0,
        "environments": [{
            "environment_id": "0f3c8a21b4d64c0e", "log_stream": "", "why_cold": "first-invocation",
            "spans": spans(
                "extension-init 100 160, runtime-init 160 220, function-init 220 250 success, \
                 extension-wait 250 290 success, invoke 290 320 success, extension-overhead 320 370 success, \
                 idle 370 390, invoke 390 410 success, extension-overhead 410 460 success, idle 460 500, \
                 runtime-shutdown 500 540, extension-shutdown 540 700",
            ),
            "extensions": [
                { "name": "metrics", "spans": spans(
                    "registration 105 120, init 120 130, idle 130 290, invoke 290 310, idle 310 390, \
                     invoke 390 400, idle 400 540, shutdown 540 580",
                ) },
                { "name": "audit-with-a-long-name", "spans": spans(
                    "registration 106 160, init 160 290, invoke 290 320, after-call 320 370, idle 370 390, \
                     invoke 390 410, after-call 410 460, idle 460 540, shutdown 540 699 killed",
                ) },
            ],
        }],
        "invocations": [call(290, Some(190.0), 80.0, 50.0), call(390, None, 70.0, 50.0)],
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_whole_choreography_is_seen_and_who_pays_for_it() {
    expect![[r#"
        greeter: 1 environment, 2 finished invocations

        environment         0 ms          100 ms       200 ms       300 ms       400 ms       500 ms
                            ┬─────────────┬────────────┬────────────┬────────────┬────────────┬────────────┬
        0f3c8a21            E╌╌╌╌╌╌╌╌R░░░░░░F▓▓▓W╌╌╌╌1███+╌╌╌╌╌╌··2███+╌╌╌╌╌·····T▂▂▂▂S╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
          ╰ metrics          s░r▒····················▄▄▄··········▄▄··················S▂▂▂▂
          ╰ audit-with-a-l…  s░░░░░░░r▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▄▄▄▄+▓▓▓▓▓▓··▄▄▄▄+▓▓▓▓▓··········S▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂✗

                            E╌╌ extension init   R░░ runtime init   F▓▓ function init
                            W╌╌ waits for extensions   1██ invoke, by its number   +╌╌ extension overhead
                            ··· idle   T▂▂ runtime gets SIGTERM   S╌╌ extension shutdown
                            ╰ s░░ starts, registers   ╰ r▒▒ registered, gets ready
                            ╰ ▄▄▄ works during the call   ╰ +▓▓ works after the call   ╰ S▂▂ gets SHUTDOWN
                            ✗ failed

        #  Request id  Init Duration  Duration  Extensions  Billed Duration  Max Memory Used  Why cold
        1  00000290        190.00 ms  80.00 ms    50.00 ms             1 ms     39 of 128 MB  – (warm)
        2  00000390                –  70.00 ms    50.00 ms             1 ms     39 of 128 MB  – (warm)

        Extension tax                Init  After a call  Calls   Shutdown  Killed
        metrics                  25.00 ms       0.00 ms      2   40.00 ms       0
        audit-with-a-long-name  184.00 ms      50.00 ms      2  159.00 ms       1
    "#]]
    .assert_eq(&draw(&whole_life(), PLAIN));
}

#[test]
fn eighty_columns_are_enough() {
    let text = lanes(&whole_life(), Appearance { width: 80, ..PLAIN });
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    expect![[r#"
        environment         0 ms                200 ms              400 ms
                            ┬───────────────────┬───────────────────┬──────────────────┬
        0f3c8a21            E╌╌╌╌╌╌R░░░░░F▓▓W╌╌1██+╌╌╌╌··2██+╌╌╌╌···T▂▂▂S╌╌╌╌╌╌╌╌╌╌╌╌╌╌
          ╰ metrics         s░r▒···············▄▄········▄▄·············S▂▂▂
          ╰ audit-with-a-l…  s░░░░░r▒▒▒▒▒▒▒▒▒▒▒▄▄▄+▓▓▓▓··▄▄▄+▓▓▓▓·······S▂▂▂▂▂▂▂▂▂▂▂▂▂✗

                            E╌╌ extension init   R░░ runtime init   F▓▓ function init
                            W╌╌ waits for extensions   1██ invoke, by its number
                            +╌╌ extension overhead   ··· idle   T▂▂ runtime gets SIGTERM
                            S╌╌ extension shutdown   ╰ s░░ starts, registers
                            ╰ r▒▒ registered, gets ready   ╰ ▄▄▄ works during the call
                            ╰ +▓▓ works after the call   ╰ S▂▂ gets SHUTDOWN   ✗ failed
                            (short spans are widened)
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_extensions_take_has_a_colour_of_its_own() {
    let coloured = lanes(&whole_life(), Appearance { colour: true, ..PLAIN });
    for cyan in ["\x1b[36mE╌", "\x1b[36mW╌", "\x1b[36m+╌", "\x1b[36ms░", "\x1b[36mS▂"] {
        assert!(coloured.contains(cyan), "no {cyan} in {coloured}");
    }
    assert!(coloured.contains("\x1b[31m✗"), "{coloured}");
}

#[test]
fn an_extension_that_fails_in_init_is_marked_in_its_own_lane() {
    let value = json!({
        "function_name": "greeter", "now_ms": 300.0,
        "environments": [{
            "environment_id": "0f3c8a21b4d64c0e", "log_stream": "",
            "spans": spans("extension-init 0 100 error, reset 100 130, idle 130 -"),
            "extensions": [
                { "name": "good", "spans": spans("registration 2 20, init 20 100, shutdown 101 120") },
                { "name": "bad", "spans": spans("registration 3 100 error") },
            ],
        }],
        "invocations": [],
    });
    expect![[r#"
        greeter: 1 environment, 0 finished invocations

        environment  0 ms                         50 ms                        100 ms
                     ┬────────────────────────────┬────────────────────────────┬─────────────────⋯ 170 ms ⋯┬
        0f3c8a21     E╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌✗X~~~~~~~~~~~~~~~~~⋯ 170 ms ⋯▸
          ╰ good      s░░░░░░░░░░r▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ S▂▂▂▂▂▂▂▂▂▂
          ╰ bad        s░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░✗

                     E╌╌ extension init   ··· idle   X~~ reset   ╰ s░░ starts, registers
                     ╰ r▒▒ registered, gets ready   ╰ S▂▂ gets SHUTDOWN   ✗ failed   ▸ goes on
                     ⋯ time left out

        Extension tax  Init  After a call  Calls  Shutdown
        good              –             –      0  19.00 ms
        bad               –             –      0         –
    "#]]
    .assert_eq(&draw(&serde_json::from_value(value).unwrap(), PLAIN));
}
