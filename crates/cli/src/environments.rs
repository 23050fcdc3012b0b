//! `hearth environments`: which execution environments are there now, and why.

use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use crate::arguments::{EnvironmentsArguments, OutputFormat};
use crate::client::{Client, escape};
use crate::exit_code::ExitCode;
use crate::functions::must_exist;
use crate::table::{Column, Table};
use crate::words::{short_id, why_cold};

/// Writes the environments of one function, or of all.
pub(crate) async fn run(
    arguments: &EnvironmentsArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let query = arguments.function_name.as_deref().map(|name| format!("?function={}", escape(name)));
    let path = format!("/_hearth/environments{}", query.unwrap_or_default());
    let document: Value = client.get(&path).await.context("cannot list the environments")?;
    let environments = document["environments"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(name) = arguments.function_name.as_deref().filter(|_| environments.is_empty()) {
        must_exist(client, name)
            .await
            .with_context(|| format!("cannot list the environments of `{name}`"))?;
    }
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text if environments.is_empty() => eprintln!("there are no environments now"),
        OutputFormat::Text => out.write_all(table(environments).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

fn table(environments: &[Value]) -> String {
    let mut table = Table::new([
        Column::Left("Environment"),
        Column::Left("Function"),
        Column::Left("Version"),
        Column::Left("State"),
        Column::Right("Invocations"),
        Column::Right("Max Memory Used"),
        Column::Right("PID"),
        Column::Left("Created"),
        Column::Left("Why cold"),
    ]);
    for environment in environments {
        let text = |member: &str| environment[member].as_str().unwrap_or("–").to_owned();
        let number = |member: &str| environment[member].as_u64().map(|number| number.to_string());
        table.row([
            short_id(&text("environment_id")).to_owned(),
            text("function_name"),
            text("version"),
            text("state"),
            number("invocations").unwrap_or_default(),
            number("max_memory_used_mb").map(|mb| format!("{mb} MB")).unwrap_or_else(|| "–".to_owned()),
            number("pid").unwrap_or_else(|| "–".to_owned()),
            text("created_at"),
            why_cold(&text("why_cold")).to_owned(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    #[test]
    fn an_environment_says_what_it_does_and_why_it_was_made() {
        let (client, server) = scripted(&[(
            "200 OK",
            r#"{"environments":[
                {"environment_id":"0f3c8a21b4d64c0e8a6f0d8c2b1e9f70","function_name":"greeter","version":"$LATEST",
                 "state":"Ready","log_stream":"2026/11/25/[$LATEST]0f3c8a21b4d64c0e8a6f0d8c2b1e9f70",
                 "created_at":"2026-11-25T06:10:14.123Z","invocations":4,"why_cold":"first-invocation",
                 "max_memory_used_mb":39,"pid":4242},
                {"environment_id":"7be0d14c","function_name":"greeter","version":"$LATEST","state":"Init",
                 "log_stream":"2026/11/25/[$LATEST]7be0d14c","created_at":"2026-11-25T06:10:15.000Z",
                 "invocations":0,"why_cold":"all-busy","max_memory_used_mb":0,"pid":null}]}"#,
        )]);
        let arguments = Arguments::try_parse_from(["hearth", "environments", "greeter"]).unwrap();
        let Command::Environments(arguments) = arguments.command else { panic!("not `environments`") };
        let mut out = Vec::new();
        block_on(run(&arguments, &client, &mut out)).unwrap();
        expect![[r#"
            Environment  Function  Version  State  Invocations  Max Memory Used   PID  Created                   Why cold
            0f3c8a21     greeter   $LATEST  Ready            4            39 MB  4242  2026-11-25T06:10:14.123Z  first invocation
            7be0d14c     greeter   $LATEST  Init             0             0 MB     –  2026-11-25T06:10:15.000Z  all environments busy
        "#]].assert_eq(&String::from_utf8(out).unwrap());
        assert_eq!(server.join().unwrap(), ["GET /_hearth/environments?function=greeter HTTP/1.1"]);
    }
}
