use clap::Parser as _;
use expect_test::expect;

use super::*;
use crate::arguments::{Arguments, Command};
use crate::client::tests::{run as block_on, scripted};

fn cost(flags: &[&str], answer: &'static str) -> (String, String, String) {
    let answers: &'static [(&str, &str)] = Box::leak(Box::new([("200 OK", answer)]));
    let (client, server) = scripted(answers);
    let arguments = Arguments::try_parse_from([&["hearth", "cost"], flags].concat()).unwrap();
    let Command::Cost(arguments) = arguments.command else { panic!("not `cost`") };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    block_on(run(&arguments, &client, &mut out, &mut notes)).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (server.join().unwrap().join("\n"), text(out), text(notes))
}

const TOTAL: &str = r#"{"requests":3,"cold":1,"cold_share":0.3333,"billed_ms":217,"gb_seconds":0.02713,
  "parts":{"requests_usd":"0.0000006","duration_usd":"0.000000285417","init_usd":"0.000000166667",
    "ephemeral_storage_usd":"0.00","streaming_usd":"0.00","provisioned_usd":"0.02400048"},
  "cost_usd":"0.024001532084","init_share_of_cost":0.00001,"cold_share_of_cost":0.25}"#;

#[test]
fn costs_are_a_table_with_a_sum_and_say_what_cold_calls_are_of_them() {
    let answer = r#"{"rows":[ROW],"total":TOTAL,"note":"an estimate by AWS's list prices",
        "prices":{"region":"us-east-1","date":"2026-11"},"billing_rule":"before-2025-08","function_name":null,
        "discounts":{"tiers_usd":"0.00","free_tier_usd":"0.000001052084"},"cost_after_discounts_usd":"0.02400048",
        "damaged_lines":2}"#;
    let row = TOTAL.replacen('{', "{\"function_name\":\"greeter\",", 1);
    let answer = answer.replace("ROW", &row).replace("TOTAL", TOTAL);
    let flags = ["--since", "2026-11-30", "--billing-rule", "before-2025-08", "--free-tier"];
    let (asked, out, notes) = cost(&flags, Box::leak(answer.into_boxed_str()));
    assert_eq!(
        asked,
        "GET /_hearth/cost?from_ms=1795996800000&by=function&billing_rule=before-2025-08&limit=50&tiers=false&\
         free_tier=true HTTP/1.1"
    );
    expect![[r#"
        Cost of all functions since 2026-11-30T00:00:00Z: an estimate by AWS's list prices (us-east-1, 2026-11)

        Function  Calls    Cold  Billed  GB-seconds     Requests     Duration         Init        Other         Cost
        greeter       3  33.3 %   0.2 s       0.027  $0.00000060  $0.00000029  $0.00000017  $0.02400048  $0.02400153
        Total         3  33.3 %   0.2 s       0.027  $0.00000060  $0.00000029  $0.00000017  $0.02400048  $0.02400153

        3 calls, $0.02400153; 33.3 % of the calls are cold and make 25.0 % of the cost, Init alone 0.0 %.
        By the rule of before August 2025: the Init of managed runtimes on demand is not billed.
        Less $0.00000000 by tiers and $0.00000105 by what is free each month: $0.02400048.
    "#]].assert_eq(&out);
    assert_eq!(notes, "note: 2 damaged lines of the journal are left out\n");
}

#[test]
fn a_call_says_what_it_cost_and_why_it_was_cold_and_hostile_text_stays_text() {
    let answer = r#"{"rows":[{"request_id":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","function_name":"f\u001b[2J",
        "started_epoch_ms":1795996800123,"memory_size_mb":128,"billed_ms":214,"init_ms":80.0,
        "cost_usd":"0.000000645834","cold_start":{"explanation":"init had failed: \u001b]0;x\u0007\nnext"}}],
        "total":{"requests":1,"cost_usd":"0.000000645834","cold_share":1.0,"cold_share_of_cost":1.0,
        "init_share_of_cost":0.258},"prices":{},"billing_rule":"today","discounts":{},"damaged_lines":0}"#;
    let (_, out, _) = cost(&["f", "--by", "call", "--days", "2"], answer);
    assert!(!out.contains('\u{1b}') && !out.contains('\u{7}'), "{out}");
    let row = out.lines().find(|line| line.contains("8476a536")).unwrap();
    assert!(row.contains("2026-11-30T00:00:00.123Z") && row.contains("$0.0000006458"), "{row}");
    assert!(row.ends_with("init had failed: \u{fffd}]0;x\u{fffd} next"), "{row}");
    assert!(
        out.contains("100.0 % of the calls are cold and make 100.0 % of the cost, Init alone 25.8 %."),
        "{out}"
    );
}

#[test]
fn nothing_is_no_table_and_flags_that_contradict_are_refused() {
    let (_, out, notes) = cost(&["--since", "1h"], r#"{"rows":[],"total":{},"damaged_lines":0}"#);
    assert_eq!(out, "");
    assert!(notes.starts_with("nothing has cost anything since "), "{notes}");
    for flags in [&["--days", "1", "--since", "1h"][..], &["--days", "0"], &["--by", "week"]] {
        assert!(Arguments::try_parse_from([&["hearth", "cost"], flags].concat()).is_err(), "{flags:?}");
    }
}
