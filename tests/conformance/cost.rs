//! What functions cost: the numbers of real calls, by AWS's prices, in every place where they are told.

use std::fs;
use std::sync::Arc;

use hearth_tests::{Folder, Server, Settings, eventually, hearth, http, python};
use serde_json::{Value, json};

const SOURCE: &str = "def handler(event, context): return event\n";

/// An amount in picodollars, exactly.
fn picodollars(amount: &Value) -> u128 {
    let text = amount.as_str().unwrap_or_else(|| panic!("an amount is text: {amount}"));
    let (whole, decimals) = text.split_once('.').unwrap();
    assert!(decimals.len() <= 12, "{text}");
    format!("{whole}{decimals:0<12}").parse().unwrap()
}

/// A server with two functions: four calls of the one, of which the first is cold, and one of the other.
fn server_with_calls(folder: &Arc<Folder>) -> Server {
    let server = Settings::new().data_dir(folder).start();
    let small = server.create(python("small", SOURCE).with("MemorySize", 128));
    for _ in 0..4 {
        small.invoke("{}").success();
        small.wait_until_all_are_ready();
    }
    let large =
        python("large", SOURCE).with("MemorySize", 1_024).with("EphemeralStorage", json!({ "Size": 1_024 }));
    server.create(large).invoke("{}").success();
    eventually("five calls are in the journal", || {
        let entries = server.hearth("invocations");
        (entries["invocations"].as_array().unwrap().len() == 5).then_some(())
    });
    server
}

#[test]
fn a_calls_cost_is_what_its_report_line_comes_to_by_hand() {
    let folder = Arc::new(Folder::new());
    let server = server_with_calls(&folder);
    let entries = server.hearth("invocations");
    for entry in entries["invocations"].as_array().unwrap() {
        let (billed_ms, mb) =
            (entry["billed_ms"].as_u64().unwrap(), entry["memory_size_mb"].as_u64().unwrap());
        let arm = entry["architecture"] == "arm64";
        let price = if arm { 13_333_400 } else { 16_666_700 };
        let tmp_mb = u128::from(entry["ephemeral_storage_mb"].as_u64().unwrap() - 512);
        // A request is 200,000 picodollars; what is billed are MB for ms, a price is for a GB for a second.
        let time = (u128::from(mb) * price + tmp_mb * 30_900) * u128::from(billed_ms);
        let expected = 200_000 + (time + 512_000) / 1_024_000;
        assert_eq!(picodollars(&entry["cost_usd"]), expected, "{entry:#}");
    }
    let cost = server.hearth("cost?by=invocation");
    assert_eq!(cost["rows"].as_array().unwrap().len(), 5);
    let of_rows: Vec<&Value> = cost["rows"].as_array().unwrap().iter().map(|row| &row["cost_usd"]).collect();
    let of_entries: Vec<&Value> =
        entries["invocations"].as_array().unwrap().iter().map(|entry| &entry["cost_usd"]).collect();
    assert_eq!(of_rows, of_entries);
}

#[test]
fn functions_and_days_add_up_and_the_old_rule_leaves_init_out() {
    let folder = Arc::new(Folder::new());
    let server = server_with_calls(&folder);
    let by_function = server.hearth("cost");
    let rows = by_function["rows"].as_array().unwrap();
    let names: Vec<&Value> = rows.iter().map(|row| &row["function_name"]).collect();
    assert_eq!(names, ["large", "small"]);
    assert_eq!(
        (&rows[1]["requests"], &rows[1]["cold"], &rows[1]["cold_share"]),
        (&json!(4), &json!(1), &json!(0.25))
    );
    let total = picodollars(&by_function["total"]["cost_usd"]);
    let sum: u128 = rows.iter().map(|row| picodollars(&row["cost_usd"])).sum();
    assert!(sum.abs_diff(total) <= 2, "rounded to a picodollar each: {sum} and {total}");
    assert_eq!(by_function["estimate"], true);
    assert_eq!(by_function["prices"]["date"], "2026-11");
    let by_day = server.hearth("cost?by=day");
    assert_eq!(by_day["total"], by_function["total"]);

    let init = &by_function["total"]["parts"]["init_usd"];
    assert!(picodollars(init) > 0, "{init}");
    let before = server.hearth("cost?billing_rule=before-2025-08");
    assert_eq!(before["total"]["parts"]["init_usd"], "0.00");
    assert_eq!(before["total"]["billed_init_ms"], 0);
    assert!(picodollars(&before["total"]["cost_usd"]) < total);

    let one = server.hearth("cost?function=small");
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    assert_eq!(one["total"], server.hearth("cost?function=small&by=day")["total"]);
    assert_eq!(server.hearth("cost?to_ms=1000")["total"]["requests"], 0);
    let free = server.hearth("cost?free_tier=true");
    assert_eq!(free["total"], by_function["total"], "the sum is before what is taken off");
    // Five calls are less than is free; what remains is the /tmp of the large function.
    let storage = picodollars(&by_function["total"]["parts"]["ephemeral_storage_usd"]);
    assert!(picodollars(&free["cost_after_discounts_usd"]).abs_diff(storage) <= 1, "{free:#}");
}

#[test]
fn costs_outlive_the_server_and_a_damaged_line_is_left_out_and_counted() {
    let folder = Arc::new(Folder::new());
    let server = server_with_calls(&folder);
    let before = server.hearth("cost")["total"].clone();
    server.stop();
    let journal = fs::read_dir(folder.path().join("journal")).unwrap();
    let segment =
        journal.map(|entry| entry.unwrap().path()).find(|path| path.to_string_lossy().contains("calls-"));
    let segment = segment.unwrap();
    let mut content = fs::read(&segment).unwrap();
    // Half a line, as a crash leaves it, is no line yet; with a line after it, it is a damaged one.
    content.extend(b"{\"f\":\"small\",\"t\":17");
    fs::write(&segment, content).unwrap();
    let server = Settings::new().data_dir(&folder).start();
    assert_eq!(server.hearth("cost")["total"], before);
    server.function("small").invoke("{}").success();
    let after = eventually("the call is in the journal", || {
        let cost = server.hearth("cost");
        (cost["total"]["requests"] == 6).then_some(cost)
    });
    assert_eq!(after["damaged_lines"], 1);
    assert_eq!(server.hearth("invocations")["damaged_lines"], 1);
}

#[test]
fn a_provisioned_environment_costs_while_it_is_kept_and_after_it_has_ended() {
    let server = Server::start();
    let function = server.create(python("kept", SOURCE).with("Publish", true));
    let path = "/2019-09-30/functions/kept/provisioned-concurrency?Qualifier=1";
    let put = server.http("PUT", path, br#"{"ProvisionedConcurrentExecutions":1}"#);
    assert_eq!(put.status, 202, "{}", put.text());
    eventually("it is provisioned", || {
        (server.http("GET", path, b"").json()["Status"] == "READY").then_some(())
    });
    let kept = |server: &Server| picodollars(&server.hearth("cost")["total"]["parts"]["provisioned_usd"]);
    let living = eventually("keeping it costs something", || Some(kept(&server)).filter(|cost| *cost > 0));
    let cost = server.hearth("cost");
    assert_eq!(cost["rows"][0]["function_name"], "kept");
    assert!(
        picodollars(&cost["total"]["parts"]["init_usd"]) > 0,
        "its Init is billed, and no call is: {cost:#}"
    );
    assert_eq!(cost["total"]["requests"], 0);
    server.http("DELETE", path, b"");
    eventually("it has ended", || function.environments().is_empty().then_some(()));
    let ended = kept(&server);
    assert!(ended >= living, "{ended} and {living}");
    assert_eq!(kept(&server), ended, "it costs nothing any more");
}

#[test]
fn prices_of_ones_own_take_the_place_of_those_that_come_with_hearth_or_are_refused_with_their_line() {
    let ours = include_str!("../../crates/cost/src/prices.toml");
    let folder = Folder::new();
    let file = folder.path().join("prices.toml");
    fs::write(&file, ours.replace("per_million = \"0.20\"", "per_million = \"2000000\"")).unwrap();
    let start = || Settings::new().arguments(&["--prices", file.to_str().unwrap()]).try_start();
    let ended = start().unwrap_err();
    assert!(ended.stderr.contains("`2000000` is not a price"), "{}", ended.stderr);
    fs::write(&file, ours.replace("per_million = \"0.20\"", "per_million = \"100000\"")).unwrap();
    let server = start().unwrap();
    server.create(python("dear", SOURCE)).invoke("{}").success();
    let cost = server.hearth("cost");
    assert_eq!(cost["total"]["parts"]["requests_usd"], "0.10");
    fs::write(&file, ours.replace("free_mb = 512", "free_mb = many")).unwrap();
    let ended = start().unwrap_err();
    assert!(ended.stderr.contains("prices.toml`: line "), "{}", ended.stderr);
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_a_reason() {
    let server = Server::start();
    for (query, what) in [
        ("by=week", "`by` is"),
        ("billing_rule=mine", "`billing_rule` is"),
        ("from_ms=yesterday", "`from_ms` is a number"),
        ("to_ms=-1", "`to_ms` is a number"),
        ("from_ms=99999999999999999999", "`from_ms` is a number"),
        ("from_ms=5&to_ms=4", "`from_ms` is after"),
        ("free_tier=perhaps", "`free_tier` is"),
        ("function=a%20b", "a b"),
    ] {
        let response = http(server.address(), "GET", &format!("/_hearth/cost?{query}"), &[], b"");
        assert_eq!(response.status, 400, "{query}: {}", response.text());
        assert!(response.text().contains(what), "{query}: {}", response.text());
    }
}

#[test]
fn the_command_line_shows_costs_by_function_day_and_call() {
    let folder = Arc::new(Folder::new());
    let server = server_with_calls(&folder);
    let text = |flags: &[&str]| hearth(Some(&server), &[&["cost"], flags].concat()).success();
    let by_function = text(&[]);
    for word in ["estimate", "us-east-1", "small", "large", "Total", "5 calls", "are cold and make"] {
        assert!(by_function.contains(word), "no `{word}` in:\n{by_function}");
    }
    let by_call = text(&["small", "--by", "call", "--days", "2"]);
    assert!(by_call.contains("first invocation (since the function was deployed)"), "{by_call}");
    assert_eq!(by_call.lines().filter(|line| line.contains("128 MB")).count(), 4, "{by_call}");
    let by_day = text(&["--by", "day", "--since", "48h"]);
    assert!(!by_day.contains("small"), "{by_day}");
    let json =
        hearth(Some(&server), &["cost", "--output", "json", "--billing-rule", "before-2025-08"]).json();
    assert_eq!(json["billing_rule"], "before-2025-08");
    let unknown = hearth(Some(&server), &["cost", "nope"]);
    assert_eq!(unknown.status.code(), Some(5), "{}", unknown.stderr);
    let wrong = hearth(Some(&server), &["cost", "--since", "tomorrow"]);
    assert!(wrong.stderr.contains("`tomorrow` is no time"), "{}", wrong.stderr);
}
