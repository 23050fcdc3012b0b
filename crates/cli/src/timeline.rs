//! `hearth timeline`: the lifecycle of a function's execution environments, drawn.
//!
//! [`draw`] is a pure function of what the server recorded. It measures nothing and asks nobody.

mod faults;
mod lanes;
mod legend;
mod model;
mod scale;
mod tax;

use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use crate::arguments::{OutputFormat, TimelineArguments};
use crate::client::{Client, ClientError, escape};
use crate::exit_code::ExitCode;
use crate::stdout::Appearance;
use crate::table::{Column, Table};
use crate::words::short_id;

use self::lanes::Paint;
pub(crate) use self::model::Timeline;
use self::model::{Invocation, Status};

/// How many of the last invocations the table lists.
const ROWS_MAX: usize = 50;

/// Writes the timeline of one function.
pub(crate) async fn run(
    arguments: &TimelineArguments,
    client: &Client,
    appearance: Appearance,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let document: Value =
        fetch(client, name).await.with_context(|| format!("cannot draw the timeline of `{name}`"))?;
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text => {
            let timeline: Timeline =
                serde_json::from_value(document).context("the timeline is not understood")?;
            if timeline.environments.is_empty() {
                eprintln!("`{name}` has had no environment yet; call it with `hearth invoke {name}`");
            } else {
                out.write_all(draw(&timeline, appearance).as_bytes())?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// Gets the record of a function's environments.
pub(crate) async fn fetch<T: serde::de::DeserializeOwned>(
    client: &Client,
    function_name: &str,
) -> Result<T, ClientError> {
    client.get(&format!("/_hearth/functions/{}/timeline", escape(function_name))).await
}

/// Draws a lane for each environment, the legend, and the table of invocations.
pub(crate) fn draw(timeline: &Timeline, appearance: Appearance) -> String {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut text = format!(
        "{}: {}, {}\n\n{}",
        timeline.function_name,
        count(timeline.environments.len(), "environment"),
        count(timeline.invocations.len(), "finished invocation"),
        lanes(timeline, appearance)
    );
    if !timeline.invocations.is_empty() {
        text.push('\n');
        text.push_str(&table(timeline));
    }
    text.push_str(&tax::table(timeline));
    text.push_str(&faults::table(timeline));
    text
}

/// Draws a lane for each environment, and the legend.
pub(crate) fn lanes(timeline: &Timeline, appearance: Appearance) -> String {
    lanes::draw(timeline, appearance.width, if appearance.colour { Paint::Ansi } else { Paint::Plain })
}

/// Writes the table of the invocations, numbered as in the lanes.
pub(crate) fn table(timeline: &Timeline) -> String {
    let with_status = timeline
        .invocations
        .iter()
        .any(|invocation| invocation.status != Status::Success || !invocation.injected_faults.is_empty());
    let mut columns = vec![
        Column::Right("#"),
        Column::Left("Request id"),
        Column::Right("Init Duration"),
        Column::Right("Duration"),
    ];
    // Without extensions nobody asks.
    let with_overhead =
        timeline.invocations.iter().any(|invocation| invocation.extension_overhead_ms.is_some());
    if with_overhead {
        columns.push(Column::Right("Extensions"));
    }
    columns.extend([
        Column::Right("Billed Duration"),
        Column::Right("Max Memory Used"),
        Column::Left("Why cold"),
    ]);
    if with_status {
        columns.push(Column::Left("Status"));
    }
    let mut table = Table::new(columns);
    let left_out = timeline.invocations.len().saturating_sub(ROWS_MAX);
    for (at, invocation) in timeline.invocations.iter().enumerate().skip(left_out) {
        let mut row = vec![
            (at + 1).to_string(),
            short_id(&invocation.request_id).to_owned(),
            invocation.init_ms.map_or_else(|| "–".to_owned(), |init| format!("{init:.2} ms")),
            format!("{:.2} ms", invocation.duration_ms),
        ];
        if with_overhead {
            let overhead = invocation.extension_overhead_ms;
            row.push(overhead.map_or_else(|| "–".to_owned(), |overhead| format!("{overhead:.2} ms")));
        }
        row.extend([
            format!("{} ms", invocation.billed_ms),
            format!("{} of {} MB", invocation.max_memory_used_mb, invocation.memory_size_mb),
            invocation.why_cold().unwrap_or_else(|| "– (warm)".to_owned()),
        ]);
        if with_status {
            row.push(status(invocation));
        }
        table.row(row);
    }
    let mut text = table.render();
    if left_out > 0 {
        text.push_str(&format!("({left_out} earlier invocations are left out; --output json has them)\n"));
    }
    text
}

fn status(invocation: &Invocation) -> String {
    let injected = faults::beside_status(invocation);
    match &invocation.error_type {
        Some(error_type) => format!("{}: {error_type}{injected}", invocation.status.as_str()),
        None => format!("{}{injected}", invocation.status.as_str()),
    }
}

#[cfg(test)]
mod extension_tests;
#[cfg(test)]
pub(crate) mod tests;
