//! `hearth tune`: runs a function for real at several sizes of memory, and shows what each takes and costs.
//!
//! The user's function stays as it is: a copy of it is called, which goes away at the end ([`copy`]).

mod copy;
mod measure;
mod owner;
mod report;

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::time::Duration;

use anyhow::Context as _;
use hearth_whatif::Prices;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::{OutputFormat, TuneArguments};
use crate::client::Client;
use crate::exit_code::ExitCode;
use crate::invoke::payload;

use self::copy::{Copy, Original};
use self::report::{Report, Size};

/// How long the copy may take to go away.
const REMOVE_LIMIT: Duration = Duration::from_secs(60);

/// Why a function was not tuned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TuneError {
    #[error("nothing was called: somebody has to agree")]
    NotAgreed,
    #[error("nothing was called: you did not agree")]
    Declined,
    #[error("a function with {what} cannot be tuned: {why}")]
    Unsupported { what: &'static str, why: &'static str },
    #[error("interrupted; the copy is removed")]
    Interrupted,
    #[error("{0} calls have no entry in the journal; does something of the function still run?")]
    NoEntries(usize),
}

impl TuneError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAgreed => {
                Some("--yes agrees: the function is called for real, with everything that it does")
            }
            _ => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotAgreed => ExitCode::Usage,
            _ => ExitCode::Failure,
        }
    }
}

/// Asks, calls and shows.
pub(crate) async fn run(
    arguments: &TuneArguments,
    client: &Client,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let payload = payload(&arguments.payload)?;
    let mut sizes = arguments.memory.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let original = Original::fetch(client, name).await.with_context(|| format!("cannot tune `{name}`"))?;
    let calls = sizes.len() * arguments.calls as usize;
    writeln!(
        notes,
        "A copy of `{}` is called {calls} times with this payload, for real: whatever it does, it does {calls} times.",
        original.name
    )?;
    if !arguments.yes {
        agree(notes)?;
    }
    // From here on an interruption is remembered until somebody can act on it.
    let mut interruption = Interruption::listen().context("cannot listen to signals")?;
    copy::remove_leftovers(client, notes).await.context("cannot look for copies that were left over")?;
    let prices = prices(client, original.is_arm64()).await.context("cannot ask for prices")?;
    let is_cpu_limited = is_cpu_limited(client).await.context("cannot ask what limits functions")?;
    let copy = Copy::of(&original);
    let measured = async {
        copy.create(client).await?;
        tokio::select! {
            measured = measure::all(client, &copy, &sizes, arguments.calls, &payload, notes) => measured,
            () = interruption.come() => Err(TuneError::Interrupted.into()),
        }
    };
    let measured = measured.await.with_context(|| format!("cannot tune `{name}`"));
    let removed = tokio::time::timeout(REMOVE_LIMIT, copy.remove(client, notes)).await;
    if let Some(error) = match removed {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => Some("it takes too long".to_owned()),
    } {
        writeln!(notes, "cannot remove the copy `{}`: {error}; the next `hearth tune` does", copy.name)?;
    }
    let measured: Vec<Size> = measured?;
    let report = Report::new(&original.name, arguments.calls, measured, &prices, is_cpu_limited);
    match arguments.list.output {
        OutputFormat::Json => writeln!(out, "{:#}", report.json())?,
        OutputFormat::Text => out.write_all(report.text().as_bytes())?,
    }
    out.flush()?;
    Ok(if report.succeeded() { ExitCode::Success } else { ExitCode::FunctionError })
}

/// Asks the server what it estimates with.
async fn prices(client: &Client, is_arm64: bool) -> anyhow::Result<Prices> {
    let prices: Value = client.get("/_hearth/prices").await?;
    let of_architecture = &prices[if is_arm64 { "arm64" } else { "x86_64" }];
    let price = |name: &str| {
        of_architecture[name].as_f64().with_context(|| format!("the server's answer has no `{name}`"))
    };
    Ok(Prices {
        gb_second: price("gb_second_usd")?,
        gb_second_on_provisioned: price("gb_second_on_provisioned_usd")?,
        gb_second_provisioned: price("gb_second_provisioned_usd")?,
        request: price("request_usd")?,
    })
}

/// Asks whoever sits there.
fn agree(notes: &mut dyn Write) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(TuneError::NotAgreed.into());
    }
    write!(notes, "Call it? [y/N] ")?;
    notes.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read your answer")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(TuneError::Declined.into()) }
}

/// Whether memory decides about the CPU on this server, as on AWS.
async fn is_cpu_limited(client: &Client) -> anyhow::Result<bool> {
    let document: Value = client.get("/_hearth/isolation").await?;
    let facts = document["facts"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(facts.iter().any(|fact| fact["what"] == "CPU" && fact["in_force"] == true))
}

/// Ctrl-C, SIGTERM, or a terminal that is closed.
struct Interruption([Signal; 3]);

impl Interruption {
    fn listen() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn come(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
