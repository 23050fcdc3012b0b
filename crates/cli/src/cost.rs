//! `hearth cost`: what functions would cost on AWS.

mod since;
mod tables;

use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use crate::arguments::{CostArguments, OutputFormat};
use crate::client::{Client, escape};
use crate::exit_code::ExitCode;
use crate::functions::must_exist;

/// Writes what one function, or all, would have cost.
pub(crate) async fn run(
    arguments: &CostArguments,
    client: &Client,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let now = jiff::Timestamp::now();
    let from = match &arguments.since {
        Some(since) => since::parse(since, now)?,
        None => since::midnight_of_day(now, arguments.days.unwrap_or(30)),
    };
    let mut path = format!(
        "/_hearth/cost?from_ms={}&by={}&billing_rule={}&limit={}&tiers={}&free_tier={}",
        from.as_millisecond().max(0),
        arguments.by.as_str(),
        arguments.billing_rule.as_str(),
        arguments.limit,
        arguments.tiers,
        arguments.free_tier,
    );
    if let Some(name) = &arguments.function_name {
        path.push_str(&format!("&function={}", escape(name)));
    }
    let document: Value = client.get(&path).await.context("cannot tell the costs")?;
    let is_empty = document["rows"].as_array().is_none_or(Vec::is_empty);
    if let Some(name) = arguments.function_name.as_deref().filter(|_| is_empty) {
        must_exist(client, name).await.with_context(|| format!("cannot tell the costs of `{name}`"))?;
    }
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text if is_empty => {
            writeln!(notes, "nothing has cost anything since {from:.0}")?;
        }
        OutputFormat::Text => out.write_all(tables::text(&document, arguments.by, from).as_bytes())?,
    }
    if let Some(damaged @ 1..) = document["damaged_lines"].as_u64() {
        writeln!(notes, "note: {damaged} damaged lines of the journal are left out")?;
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

#[cfg(test)]
mod tests;
