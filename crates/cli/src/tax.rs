//! `hearth tax`: what each extension of a function costs in Init, after calls, in CPU time, memory and money.

use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use crate::arguments::{OutputFormat, TimelineArguments};
use crate::client::{Client, escape};
use crate::exit_code::ExitCode;
use crate::table::{Column, Table};
use crate::words::visible;

/// What stands where nothing is known.
const NOTHING: &str = "–";

/// Writes a row for each extension, and one for all of them together.
pub(crate) async fn run(
    arguments: &TimelineArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let path = format!("/_hearth/functions/{}/tax", escape(name));
    let document: Value =
        client.get(&path).await.with_context(|| format!("cannot tell the extension tax of `{name}`"))?;
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text if document["extensions"].as_array().is_none_or(Vec::is_empty) => {
            eprintln!("`{}` has had no extension yet", visible(name));
        }
        OutputFormat::Text => out.write_all(text(&document).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

fn text(document: &Value) -> String {
    let mut table = Table::new([
        Column::Left("Extension"),
        Column::Right("Init"),
        Column::Right("After a call"),
        Column::Right("Calls"),
        Column::Right("CPU a call"),
        Column::Right("Max memory"),
        Column::Right("Billed because of it"),
        Column::Right("Cost"),
    ]);
    let milliseconds = |value: &Value| match value.as_f64() {
        Some(ms) => format!("{ms:.2} ms"),
        None => NOTHING.to_owned(),
    };
    let dollars = |value: &Value| format!("${:.9}", value.as_f64().unwrap_or_default());
    let extensions = document["extensions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for extension in extensions {
        let kind = if extension["is_external"] == false { " (internal)" } else { "" };
        let memory = extension["max_memory_used_mb"].as_u64();
        table.row([
            format!("{}{kind}", visible(extension["name"].as_str().unwrap_or(NOTHING))),
            milliseconds(&extension["init_ms"]),
            milliseconds(&extension["after_call_ms"]),
            extension["calls"].as_u64().unwrap_or_default().to_string(),
            milliseconds(&extension["cpu_ms_per_invocation"]),
            memory.map_or_else(|| NOTHING.to_owned(), |mb| format!("{mb} MB")),
            milliseconds(&extension["billed_ms"]),
            dollars(&extension["cost_usd"]),
        ]);
    }
    let together = &document["together"];
    let nothing = || NOTHING.to_owned();
    table.row([
        "all together".to_owned(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        milliseconds(&together["billed_ms"]),
        dollars(&together["cost_usd"]),
    ]);
    let mut text = table.render();
    if extensions.iter().any(|extension| extension["is_external"] == false) {
        text.push_str("Internal extensions run in the runtime's process: their CPU time and memory are not told apart.\n");
    }
    text.push_str(&format!("Cost is {}.\n", document["cost_is"].as_str().unwrap_or("an estimate")));
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    #[test]
    fn each_extension_has_a_row_and_all_together_have_one() {
        let (client, server) = scripted(&[(
            "200 OK",
            r#"{"function_name":"f","environments":1,"invocations":2,"extensions":[
                {"name":"agent","is_external":true,"inits":1,"init_ms":95.5,"calls":2,"after_call_ms":100.25,
                 "cpu_ms":50.0,"cpu_ms_per_invocation":25.0,"max_memory_used_mb":31,"billed_ms":240.0,
                 "billed_ms_per_call":120.0,"cost_usd":0.0000005},
                {"name":"inside","is_external":false,"inits":1,"init_ms":1.0,"calls":0,"after_call_ms":null,
                 "cpu_ms":null,"cpu_ms_per_invocation":null,"max_memory_used_mb":null,"billed_ms":0.0,
                 "billed_ms_per_call":null,"cost_usd":0.0}],
               "together":{"billed_ms":240.0,"cost_usd":0.0000005},"cost_is":"an estimate"}"#,
        )]);
        let arguments = Arguments::try_parse_from(["hearth", "tax", "f"]).unwrap();
        let Command::Tax(arguments) = arguments.command else { panic!("not `tax`") };
        let mut out = Vec::new();
        block_on(run(&arguments, &client, &mut out)).unwrap();
        expect![[r#"
            Extension              Init  After a call  Calls  CPU a call  Max memory  Billed because of it          Cost
            agent              95.50 ms     100.25 ms      2    25.00 ms       31 MB             240.00 ms  $0.000000500
            inside (internal)   1.00 ms             –      0           –           –               0.00 ms  $0.000000000
            all together              –             –      –           –           –             240.00 ms  $0.000000500
            Internal extensions run in the runtime's process: their CPU time and memory are not told apart.
            Cost is an estimate.
        "#]].assert_eq(&String::from_utf8(out).unwrap());
        assert_eq!(server.join().unwrap(), ["GET /_hearth/functions/f/tax HTTP/1.1"]);
    }
}
