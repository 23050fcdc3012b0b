//! `hearth whatif`: what another way of keeping environments would have done with the calls that there were.
//!
//! The server replays its journal; this asks it, and draws.

use std::io::Write;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::{OutputFormat, WhatIfArguments};
use crate::client::{Client, escape};
use crate::exit_code::ExitCode;
use crate::table::{Column, Table};
use crate::words::visible;

/// How many columns stand for all calls.
const BAR: usize = 20;

/// What the server answers, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Report {
    function_name: String,
    idle_timeout_s: f64,
    recorded: Recorded,
    policies: Vec<Outcome>,
    advice: Advice,
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    span_ms: i64,
    calls: u64,
    cold_calls: u64,
    cold_share: f64,
    added_p99_ms: f64,
    concurrency_max: u32,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    policy: String,
    label: String,
    keep_alive_s: Option<f64>,
    cold_calls: u64,
    cold_share: f64,
    throttled: u64,
    added_p50_ms: f64,
    added_p99_ms: f64,
    environment_seconds: f64,
    memory_gb_seconds: f64,
    cost_usd: Cost,
}

#[derive(Debug, Deserialize)]
struct Cost {
    total: f64,
}

#[derive(Debug, Deserialize)]
struct Advice {
    kind: String,
    what: Option<String>,
    why: String,
}

/// Asks and draws.
pub(crate) async fn run(
    arguments: &WhatIfArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let path = path(arguments, Timestamp::now());
    let document: Value =
        client.get(&path).await.with_context(|| format!("cannot replay the calls of `{name}`"))?;
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text => {
            let report: Report =
                serde_json::from_value(document).context("the server's answer is not understood")?;
            out.write_all(visible(&draw(&report)).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

fn path(arguments: &WhatIfArguments, now: Timestamp) -> String {
    let last = arguments.last.map(|ms| now.as_millisecond() - ms);
    let from_ms = last.or(arguments.from.map(Timestamp::as_millisecond));
    let mut query = Vec::new();
    query.extend(from_ms.map(|ms| format!("from_ms={ms}")));
    query.extend(arguments.to.map(|moment| format!("to_ms={}", moment.as_millisecond())));
    if !arguments.policies.is_empty() {
        query.push(format!("policies={}", escape(&arguments.policies)));
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("/_hearth/functions/{}/whatif{query}", escape(&arguments.function_name))
}

fn draw(report: &Report) -> String {
    let Report { function_name, idle_timeout_s, recorded, policies, advice, notes } = report;
    let span = SignedDuration::from_secs(recorded.span_ms / 1_000);
    let mut text = format!(
        "{function_name}: {} calls in {span:#}, {} cold ({}), 99 of 100 waited {} ms at most, {} at once at most\n\n",
        recorded.calls,
        recorded.cold_calls,
        percent(recorded.cold_share),
        whole(recorded.added_p99_ms),
        recorded.concurrency_max,
    );
    let mut columns = vec![
        Column::Left("If environments were"),
        Column::Right("Cold calls"),
        Column::Right("Share"),
        Column::Left(""),
        Column::Right("Wait p50"),
        Column::Right("Wait p99"),
        Column::Right("Environment-s"),
        Column::Right("GB-s"),
        Column::Right("Cost on AWS"),
    ];
    let with_throttled = policies.iter().any(|outcome| outcome.throttled > 0);
    if with_throttled {
        columns.push(Column::Right("Throttled"));
    }
    let mut table = Table::new(columns);
    for outcome in policies {
        let is_now = outcome.policy == "fixed" && outcome.keep_alive_s == Some(*idle_timeout_s);
        let mut row = vec![
            format!("{}{}", outcome.label, if is_now { " (now)" } else { "" }),
            outcome.cold_calls.to_string(),
            percent(outcome.cold_share),
            bar(outcome.cold_share),
            format!("{} ms", whole(outcome.added_p50_ms)),
            format!("{} ms", whole(outcome.added_p99_ms)),
            whole(outcome.environment_seconds),
            whole(outcome.memory_gb_seconds),
            format!("${:.6}", outcome.cost_usd.total),
        ];
        if with_throttled {
            row.push(outcome.throttled.to_string());
        }
        table.row(row);
    }
    text.push_str(&table.render());
    text.push_str(&match (&*advice.kind, &advice.what) {
        ("do", Some(what)) => format!("\nAdvice: {what}: {}.\n", advice.why),
        ("refused", _) => format!("\nNo advice: {}.\n", advice.why),
        _ => format!("\nAdvice: leave it as it is: {}.\n", advice.why),
    });
    for note in notes {
        text.push_str(&format!("Note: {note}.\n"));
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Rounded; with a decimal where it is small.
fn whole(value: f64) -> String {
    if value != 0.0 && value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// As long as the share; something where there is something.
fn bar(share: f64) -> String {
    let columns = (share.clamp(0.0, 1.0) * BAR as f64).ceil() as usize;
    "█".repeat(columns)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    fn arguments(flags: &[&str]) -> WhatIfArguments {
        let parsed = Arguments::try_parse_from([&["hearth", "whatif", "greeter"], flags].concat()).unwrap();
        let Command::Whatif(arguments) = parsed.command else { panic!("not `whatif`") };
        arguments
    }

    #[test]
    fn the_curve_is_a_table_with_bars_and_advice_below() {
        let (client, server) = scripted(&[(
            "200 OK",
            r#"{"function_name":"greeter","idle_timeout_s":600.0,
                "recorded":{"from_ms":0,"span_ms":7205000,"calls":400,"cold_calls":8,"cold_share":0.02,"added_p50_ms":0,
                  "added_p99_ms":181.2,"concurrency_max":3,"inits":8,"left_out":0},
                "policies":[
                  {"policy":"fixed","label":"kept 1 min","keep_alive_s":60.0,"cold_calls":200,"cold_share":0.5,"throttled":0,
                   "added_p50_ms":3.25,"added_p99_ms":190.5,"environment_seconds":1200.4,"memory_gb_seconds":150.05,
                   "cost_usd":{"total":0.0012345678}},
                  {"policy":"fixed","label":"kept 10 min","keep_alive_s":600.0,"cold_calls":8,"cold_share":0.02,"throttled":0,
                   "added_p50_ms":0,"added_p99_ms":181.2,"environment_seconds":7000,"memory_gb_seconds":875,
                   "cost_usd":{"total":0.0010}}],
                "advice":{"kind":"do","what":"keep\u001b[2J","why":"it is so"},"notes":["an estimate"]}"#,
        )]);
        let mut out = Vec::new();
        block_on(run(&arguments(&[]), &client, &mut out)).unwrap();
        expect![[r#"
            greeter: 400 calls in 2h 5s, 8 cold (2.0 %), 99 of 100 waited 181 ms at most, 3 at once at most

            If environments were  Cold calls   Share              Wait p50  Wait p99  Environment-s  GB-s  Cost on AWS
            kept 1 min                   200  50.0 %  ██████████    3.2 ms    190 ms           1200   150    $0.001235
            kept 10 min (now)              8   2.0 %  █               0 ms    181 ms           7000   875    $0.001000

            Advice: keep�[2J: it is so.
            Note: an estimate.
        "#]].assert_eq(&String::from_utf8(out).unwrap());
        assert_eq!(server.join().unwrap(), ["GET /_hearth/functions/greeter/whatif HTTP/1.1"]);
    }

    #[test]
    fn the_time_and_the_policies_go_into_the_query() {
        let now = Timestamp::from_millisecond(10_000_000).unwrap();
        let path = |flags: &[&str]| path(&arguments(flags), now);
        assert_eq!(path(&["--last", "2h"]), "/_hearth/functions/greeter/whatif?from_ms=2800000");
        assert_eq!(
            path(&[
                "--from",
                "1970-01-01T00:00:01Z",
                "--to",
                "1970-01-01T01:00:00Z",
                "--policies",
                "fixed,lru"
            ]),
            "/_hearth/functions/greeter/whatif?from_ms=1000&to_ms=3600000&policies=fixed%2Clru"
        );
    }
}
