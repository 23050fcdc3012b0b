//! `hearth runtimes install`: by the server, or by ourselves when none runs.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use hearth_server::{InstallOptions, OfflineRuntimes, Settings, Watcher};
use hearth_types::Runtime;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::progress::{Shown, Step};
use super::{Place, libraries, place};
use crate::arguments::{InstallArguments, OutputFormat};
use crate::client::Client;
use crate::exit_code::ExitCode;
use crate::settings::SettingsError;

/// How long one request waits for news of the server. The connection is new each time, so a server that has gone shows.
const WAIT_MS: u32 = 5_000;

/// The server could not install something.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct InstallFailed {
    message: String,
    hint: Option<String>,
}

impl InstallFailed {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// What a server says of an installation.
#[derive(Deserialize)]
struct News {
    number: u64,
    done: bool,
    current: Option<Step>,
    results: Vec<Value>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
    hint: Option<String>,
}

/// Installs runtimes, and says what is there then.
pub(super) async fn run(arguments: &InstallArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let clients = arguments.node_sdk_clients();
    if let Some(clients) = clients {
        hearth_server::node_sdk_clients(clients)
            .map_err(|error| SettingsError::SdkClient(error.to_string()))?;
    }
    let place = place(&arguments.list.server, arguments.data_dir.as_ref(), "/_hearth/health").await?;
    let results = match place {
        Place::Server { client, .. } => by_server(arguments, clients, &client).await,
        Place::Folder(settings) => by_ourselves(arguments, clients, &settings).await,
    };
    let results = results.with_context(|| {
        let names: Vec<&str> = arguments.runtimes.iter().map(|runtime| runtime.as_str()).collect();
        format!("cannot install {}", names.join(", "))
    })?;
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{:#}", json!({ "installed": results }))?,
        OutputFormat::Text => {
            for result in &results {
                writeln!(out, "{}", sentence(result))?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

async fn by_server(
    arguments: &InstallArguments,
    clients: Option<&[String]>,
    client: &Client,
) -> anyhow::Result<Vec<Value>> {
    let runtimes: Vec<&str> = arguments.runtimes.iter().map(|runtime| runtime.as_str()).collect();
    let body = json!({ "runtimes": runtimes, "node_sdk_clients": clients, "upgrade": arguments.upgrade });
    let path = "/_hearth/runtimes/installations";
    let answer = client.send(Method::POST, path, &[], Bytes::from(body.to_string())).await?;
    let started: Value = client.read(&answer.body)?;
    let id = started["installation"].as_str().unwrap_or_default().to_owned();
    let mut shown = Shown::new();
    let mut seen = 0;
    loop {
        let path = format!("{path}/{id}?after={seen}&wait_ms={WAIT_MS}");
        let news: News = client.get(&path).await?;
        seen = news.number;
        if let Some(step) = &news.current {
            shown.show(step);
        }
        if news.done {
            shown.end();
            return match news.error {
                None => Ok(news.results),
                Some(Failure { message, hint }) => Err(InstallFailed { message, hint }.into()),
            };
        }
    }
}

async fn by_ourselves(
    arguments: &InstallArguments,
    clients: Option<&[String]>,
    settings: &Settings,
) -> anyhow::Result<Vec<Value>> {
    let offline = OfflineRuntimes::open(settings).await?;
    eprintln!("no server runs here; installing into `{}`", settings.data_dir.display());
    let options = InstallOptions {
        node_sdk_clients: clients.map_or_else(|| settings.node_sdk_clients.clone(), <[String]>::to_vec),
        upgrade: arguments.upgrade,
    };
    let shown = Arc::new(Mutex::new(Shown::new()));
    let installing = async {
        let mut results = Vec::new();
        for &runtime in &arguments.runtimes {
            results.push(offline.install(runtime, options.clone(), watcher(runtime, &shown)).await?);
        }
        Ok(results)
    };
    let results = installing.await;
    shown.lock().unwrap_or_else(PoisonError::into_inner).end();
    results
}

fn watcher(runtime: Runtime, shown: &Arc<Mutex<Shown>>) -> Watcher {
    let shown = shown.clone();
    Watcher {
        progress: Arc::new(move |progress| {
            shown.lock().unwrap_or_else(PoisonError::into_inner).show(&Step {
                runtime: runtime.to_string(),
                step: progress.step,
                bytes_done: progress.bytes_done,
                bytes_total: progress.bytes_total,
            });
        }),
        cancelled: Arc::new(AtomicBool::new(false)),
    }
}

/// Says what is there now.
fn sentence(result: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let verb = if result["changed"] == true { "is installed" } else { "was installed already" };
    let interpreter = &result["interpreter"];
    let mut sentence = format!(
        "{} {verb}: {} ({})",
        text(&result["runtime"]),
        text(&interpreter["version"]),
        text(&interpreter["source"])
    );
    let libraries = libraries(&result["libraries"]);
    if !libraries.is_empty() {
        sentence.push_str(&format!(", {libraries}"));
    }
    sentence.push_str(&format!("\n  sha256 {}", text(&result["digest"])));
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_an_installation_names_everything_that_came() {
        let result = json!({
            "runtime": "python3.11", "changed": true, "digest": "ab12",
            "interpreter": { "version": "3.11.7", "source": "host /usr/bin/python3.11" },
            "libraries": { "wanted": ["boto3"], "packages": { "boto3": "1.44.8", "six": "1.17.0" } },
        });
        assert_eq!(
            sentence(&result),
            "python3.11 is installed: 3.11.7 (host /usr/bin/python3.11), boto3 1.44.8\n  sha256 ab12"
        );
    }
}
