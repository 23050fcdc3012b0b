//! `hearth functions`: what is deployed. `commands.rs` has what is done with a single function.

mod commands;

use std::io::Write;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::arguments::{FunctionsArguments, FunctionsCommand, OutputFormat};
use crate::client::{Client, ClientError, escape};
use crate::exit_code::ExitCode;
use crate::table::{Column, Table};

/// Does what is asked; without a word for it, lists the functions.
pub(crate) async fn run(
    arguments: &FunctionsArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let output = arguments.list().output;
    match &arguments.command {
        None | Some(FunctionsCommand::List(_)) => write_list(output, client, out).await,
        Some(command) => commands::run(command, output, client, out).await,
    }
}

/// Writes the functions, all pages of them.
async fn write_list(output: OutputFormat, client: &Client, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let functions = list(client).await.context("cannot list the functions")?;
    match output {
        OutputFormat::Json => writeln!(out, "{:#}", json!({ "Functions": functions }))?,
        OutputFormat::Text if functions.is_empty() => eprintln!("there are no functions yet"),
        OutputFormat::Text => out.write_all(table(&functions).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// Returns all functions, with their configurations.
pub(crate) async fn list(client: &Client) -> Result<Vec<Value>, ClientError> {
    let mut functions = Vec::new();
    let mut path = "/2015-03-31/functions".to_owned();
    loop {
        let mut page: Value = client.get(&path).await?;
        if let Value::Array(more) = page["Functions"].take() {
            functions.extend(more);
        }
        let Some(marker) = page["NextMarker"].as_str().filter(|marker| !marker.is_empty()) else {
            return Ok(functions);
        };
        path = format!("/2015-03-31/functions?Marker={}", escape(marker));
    }
}

/// Asks for a function, only to hear AWS's own words if there is none.
pub(crate) async fn must_exist(client: &Client, name: &str) -> Result<(), ClientError> {
    let path = format!("/2015-03-31/functions/{}/configuration", escape(name));
    client.get::<serde::de::IgnoredAny>(&path).await.map(|_| ())
}

fn table(functions: &[Value]) -> String {
    let mut table = Table::new([
        Column::Left("Function"),
        Column::Left("Runtime"),
        Column::Left("Handler"),
        Column::Right("Memory"),
        Column::Right("Timeout"),
        Column::Right("Code"),
        Column::Left("Last Modified"),
    ]);
    for function in functions {
        let text = |member: &str| function[member].as_str().unwrap_or("–").to_owned();
        let number = |member: &str| function[member].as_u64().unwrap_or_default();
        table.row([
            text("FunctionName"),
            text("Runtime"),
            text("Handler"),
            format!("{} MB", number("MemorySize")),
            format!("{} s", number("Timeout")),
            size(number("CodeSize")),
            text("LastModified"),
        ]);
    }
    table.render()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KB", bytes.div_ceil(1_024)),
        _ => format!("{} MB", bytes.div_ceil(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    const PAGES: &[(&str, &str)] = &[
        (
            "200 OK",
            r#"{"Functions":[{"FunctionName":"greeter","Runtime":"python3.11","Handler":"app.handler","MemorySize":128,
                "Timeout":3,"CodeSize":312,"LastModified":"2026-11-25T06:10:14.000+0000"}],"NextMarker":"a b"}"#,
        ),
        (
            "200 OK",
            r#"{"Functions":[{"FunctionName":"native","Runtime":"provided.al2023","Handler":"main","MemorySize":1024,
                "Timeout":900,"CodeSize":2500000,"LastModified":"2026-11-25T06:10:15.000+0000"}],"NextMarker":null}"#,
        ),
    ];

    fn functions(flags: &[&str]) -> (String, Vec<String>) {
        let (client, server) = scripted(PAGES);
        let arguments = Arguments::try_parse_from([&["hearth", "functions"], flags].concat()).unwrap();
        let Command::Functions(arguments) = arguments.command else { panic!("not `functions`") };
        let mut out = Vec::new();
        assert_eq!(block_on(run(&arguments, &client, &mut out)).unwrap(), ExitCode::Success);
        (String::from_utf8(out).unwrap(), server.join().unwrap())
    }

    #[test]
    fn all_pages_make_one_table() {
        let (text, asked) = functions(&[]);
        expect![[r#"
            Function  Runtime          Handler       Memory  Timeout   Code  Last Modified
            greeter   python3.11       app.handler   128 MB      3 s  312 B  2026-11-25T06:10:14.000+0000
            native    provided.al2023  main         1024 MB    900 s   3 MB  2026-11-25T06:10:15.000+0000
        "#]]
        .assert_eq(&text);
        assert_eq!(
            asked,
            ["GET /2015-03-31/functions HTTP/1.1", "GET /2015-03-31/functions?Marker=a%20b HTTP/1.1"]
        );
    }

    #[test]
    fn json_is_what_aws_answers_on_one_page() {
        let document: Value = serde_json::from_str(&functions(&["--output", "json"]).0).unwrap();
        assert_eq!(document["Functions"].as_array().unwrap().len(), 2);
        assert_eq!(document["Functions"][1]["FunctionName"], "native");
    }
}
