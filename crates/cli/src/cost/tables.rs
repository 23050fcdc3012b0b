//! Costs as a table for people. The server has computed them; here they are only rounded.

use jiff::Timestamp;
use serde_json::Value;

use crate::arguments::CostBy;
use crate::table::{Column, Table};
use crate::words::{short_id, visible};

/// Writes the rows, their sum, and what it says.
pub(super) fn text(document: &Value, by: CostBy, from: Timestamp) -> String {
    let rows = document["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let prices = &document["prices"];
    let whose = match document["function_name"].as_str() {
        Some(name) => format!("`{}`", visible(name)),
        None => "all functions".to_owned(),
    };
    let mut text = format!(
        "Cost of {whose} since {from:.0}: {} ({}, {})\n\n",
        word(&document["note"], "an estimate"),
        word(&prices["region"], "?"),
        word(&prices["date"], "?"),
    );
    text.push_str(&match by {
        CostBy::Function => gathered("Function", "function_name", rows, &document["total"]),
        CostBy::Day => gathered("Day", "day", rows, &document["total"]),
        CostBy::Call => calls(rows),
    });
    text.push('\n');
    text.push_str(&sentences(document));
    text
}

fn gathered(heading: &'static str, member: &str, rows: &[Value], total: &Value) -> String {
    let mut table = Table::new([
        Column::Left(heading),
        Column::Right("Calls"),
        Column::Right("Cold"),
        Column::Right("Billed"),
        Column::Right("GB-seconds"),
        Column::Right("Requests"),
        Column::Right("Duration"),
        Column::Right("Init"),
        Column::Right("Other"),
        Column::Right("Cost"),
    ]);
    let mut row = |name: String, of: &Value| {
        let part = |name: &str| number(&of["parts"][name]);
        let other = ["ephemeral_storage_usd", "streaming_usd", "provisioned_usd"].map(part);
        table.row([
            name,
            count(&of["requests"]),
            percent(&of["cold_share"]),
            format!("{:.1} s", number(&of["billed_ms"]) / 1_000.0),
            format!("{:.3}", number(&of["gb_seconds"])),
            dollars(part("requests_usd"), 8),
            dollars(part("duration_usd"), 8),
            dollars(part("init_usd"), 8),
            dollars(other.iter().sum(), 8),
            dollars(number(&of["cost_usd"]), 8),
        ]);
    };
    for of in rows {
        row(word(&of[member], "?"), of);
    }
    row("Total".to_owned(), total);
    table.render()
}

fn calls(rows: &[Value]) -> String {
    let mut table = Table::new([
        Column::Left("Started"),
        Column::Left("Request id"),
        Column::Left("Function"),
        Column::Right("Memory"),
        Column::Right("Billed"),
        Column::Right("Init"),
        Column::Right("Cost"),
        Column::Left("Why cold"),
    ]);
    for call in rows {
        let started = call["started_epoch_ms"].as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let cold = call["cold_start"]["explanation"].as_str();
        table.row([
            started.map_or_else(|| "?".to_owned(), |at| format!("{at:.3}")),
            short_id(&word(&call["request_id"], "?")).to_owned(),
            word(&call["function_name"], "?"),
            format!("{} MB", count(&call["memory_size_mb"])),
            format!("{} ms", count(&call["billed_ms"])),
            call["init_ms"].as_f64().map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2} ms")),
            dollars(number(&call["cost_usd"]), 10),
            cold.map_or_else(|| "– (warm)".to_owned(), visible_line),
        ]);
    }
    table.render()
}

/// What the sum says, in words.
fn sentences(document: &Value) -> String {
    let total = &document["total"];
    let mut text = format!(
        "{} calls, {}; {} of the calls are cold and make {} of the cost, Init alone {}.\n",
        count(&total["requests"]),
        dollars(number(&total["cost_usd"]), 8),
        percent(&total["cold_share"]),
        percent(&total["cold_share_of_cost"]),
        percent(&total["init_share_of_cost"]),
    );
    if document["billing_rule"] != "today" {
        text.push_str(
            "By the rule of before August 2025: the Init of managed runtimes on demand is not billed.\n",
        );
    }
    let discounts = &document["discounts"];
    let (tiers, free) = (number(&discounts["tiers_usd"]), number(&discounts["free_tier_usd"]));
    if tiers + free > 0.0 {
        text.push_str(&format!(
            "Less {} by tiers and {} by what is free each month: {}.\n",
            dollars(tiers, 8),
            dollars(free, 8),
            dollars(number(&document["cost_after_discounts_usd"]), 8),
        ));
    }
    text
}

fn word(value: &Value, otherwise: &str) -> String {
    value.as_str().map_or_else(|| otherwise.to_owned(), visible_line)
}

fn visible_line(text: &str) -> String {
    visible(text).replace('\n', " ")
}

fn count(value: &Value) -> String {
    value.as_u64().unwrap_or_default().to_string()
}

/// A number, or an amount, which is text.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn percent(value: &Value) -> String {
    format!("{:.1} %", number(value) * 100.0)
}

fn dollars(amount: f64, decimals: usize) -> String {
    format!("${amount:.decimals$}")
}
