//! `hearth functions create`, `update-code` and the others: one operation of the Lambda API each, in the words of the AWS CLI.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_deploy::{Code, package};
use http::Method;
use serde_json::{Map, Value, json};

use super::table;
use crate::arguments::{ConfigurationArguments, FunctionsCommand, OutputFormat};
use crate::client::{Client, escape};
use crate::deploy::settle;
use crate::exit_code::ExitCode;

/// The role of a function that is created without one. It has no effect but its name.
const ROLE_DEFAULT: &str = "arn:aws:iam::000000000000:role/hearth";

pub(super) async fn run(
    command: &FunctionsCommand,
    output: OutputFormat,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let (what, name) = subject(command);
    let document = answer(command, name, client).await.with_context(|| format!("cannot {what} `{name}`"))?;
    match (output, document) {
        (OutputFormat::Json, Some(document)) => writeln!(out, "{document:#}")?,
        (OutputFormat::Text, Some(document)) => {
            let configuration = document.get("Configuration").unwrap_or(&document);
            out.write_all(table(std::slice::from_ref(configuration)).as_bytes())?;
            if let Some(version) = configuration["Version"].as_str().filter(|version| *version != "$LATEST") {
                writeln!(out, "Version {version}")?;
            }
        }
        (_, None) => {}
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// Says what is done, and with which function.
fn subject(command: &FunctionsCommand) -> (&'static str, &str) {
    match command {
        FunctionsCommand::List(_) => ("list", ""),
        FunctionsCommand::Get(arguments) => ("show", arguments.function.name()),
        FunctionsCommand::Create(arguments) => ("create", arguments.function.name()),
        FunctionsCommand::Delete(arguments) => ("delete", arguments.function.name()),
        FunctionsCommand::UpdateCode(arguments) => ("update the code of", arguments.function.name()),
        FunctionsCommand::UpdateConfiguration(arguments) => {
            ("update the configuration of", arguments.function.name())
        }
        FunctionsCommand::PublishVersion(arguments) => ("publish a version of", arguments.function.name()),
    }
}

async fn answer(command: &FunctionsCommand, name: &str, client: &Client) -> anyhow::Result<Option<Value>> {
    let function = |rest: &str| format!("/2015-03-31/functions/{}{rest}", escape(name));
    let qualified = |qualifier: &Option<String>| match qualifier {
        Some(qualifier) => function(&format!("?Qualifier={}", escape(qualifier))),
        None => function(""),
    };
    let mut body = Map::new();
    match command {
        FunctionsCommand::List(_) => Ok(None),
        FunctionsCommand::Get(arguments) => Ok(Some(client.get(&qualified(&arguments.qualifier)).await?)),
        FunctionsCommand::Delete(arguments) => {
            client.send(Method::DELETE, &qualified(&arguments.qualifier), &[], Bytes::new()).await?;
            Ok(None)
        }
        FunctionsCommand::Create(arguments) => {
            configuration(&arguments.configuration, &mut body);
            body.entry("Role").or_insert_with(|| ROLE_DEFAULT.into());
            body.insert("FunctionName".to_owned(), name.into());
            body.insert("Code".to_owned(), json!({ "ZipFile": zip(&arguments.zip_file)? }));
            body.insert("Publish".to_owned(), arguments.publish.into());
            if !arguments.tags.is_empty() {
                let tags: BTreeMap<_, _> = arguments.tags.iter().cloned().collect();
                body.insert("Tags".to_owned(), json!(tags));
            }
            if let Some(architecture) = &arguments.architectures {
                body.insert("Architectures".to_owned(), json!([architecture]));
            }
            let created = send(client, Method::POST, "/2015-03-31/functions", body).await?;
            settled(client, created).await.map(Some)
        }
        FunctionsCommand::UpdateCode(arguments) => {
            body.insert("ZipFile".to_owned(), zip(&arguments.zip_file)?.into());
            body.insert("Publish".to_owned(), arguments.publish.into());
            body.insert("DryRun".to_owned(), arguments.dry_run.into());
            let updated = send(client, Method::PUT, &function("/code"), body).await?;
            if arguments.dry_run { Ok(Some(updated)) } else { settled(client, updated).await.map(Some) }
        }
        FunctionsCommand::UpdateConfiguration(arguments) => {
            configuration(&arguments.configuration, &mut body);
            let updated = send(client, Method::PUT, &function("/configuration"), body).await?;
            settled(client, updated).await.map(Some)
        }
        FunctionsCommand::PublishVersion(arguments) => {
            if let Some(description) = &arguments.description {
                body.insert("Description".to_owned(), description.as_str().into());
            }
            if let Some(sha256) = &arguments.code_sha256 {
                body.insert("CodeSha256".to_owned(), sha256.as_str().into());
            }
            let published = send(client, Method::POST, &function("/versions"), body).await?;
            settled(client, published).await.map(Some)
        }
    }
}

async fn send(
    client: &Client,
    method: Method,
    path: &str,
    body: Map<String, Value>,
) -> anyhow::Result<Value> {
    let answer = client.send(method, path, &[], Value::Object(body).to_string().into()).await?;
    Ok(client.read(&answer.body)?)
}

/// Waits until what was answered is so, and returns what it is then.
async fn settled(client: &Client, answer: Value) -> anyhow::Result<Value> {
    let arn = answer["FunctionArn"].as_str().unwrap_or_default();
    settle(client, arn).await?;
    Ok(client.get(&format!("/2015-03-31/functions/{}/configuration", escape(arn))).await?)
}

/// Puts what was said into a request; what was not said stays as it is.
fn configuration(arguments: &ConfigurationArguments, body: &mut Map<String, Value>) {
    let ConfigurationArguments {
        runtime,
        handler,
        role,
        description,
        timeout,
        memory_size,
        environment,
        layers,
    } = arguments;
    for (member, value) in [
        ("Runtime", runtime.as_ref().map(|text| json!(text))),
        ("Handler", handler.as_ref().map(|text| json!(text))),
        ("Role", role.as_ref().map(|text| json!(text))),
        ("Description", description.as_ref().map(|text| json!(text))),
        ("Timeout", timeout.map(|number| json!(number))),
        ("MemorySize", memory_size.map(|number| json!(number))),
        ("Environment", environment.clone()),
        ("Layers", layers.as_ref().map(|arns| json!(arns))),
    ] {
        if let Some(value) = value {
            body.insert(member.to_owned(), value);
        }
    }
}

/// Makes the package: `fileb://` is how the AWS CLI names a file.
fn zip(path: &str) -> anyhow::Result<String> {
    let path = PathBuf::from(path.strip_prefix("fileb://").unwrap_or(path));
    Ok(STANDARD.encode(package(&Code::Path { path, line: 0 })?))
}
