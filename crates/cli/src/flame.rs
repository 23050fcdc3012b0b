//! `hearth flame`: forces an Init of a function, and shows import by import what it took.
//!
//! What is printed comes from inside of the function: names and errors are shown as text, whatever is in them.

mod draw;
mod model;

use std::io::Write;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::arguments::{FlameArguments, FlameOutput};
use crate::client::{Client, escape};
use crate::exit_code::ExitCode;
use crate::stdout::Appearance;

use self::model::Flame;

/// Writes the profile of a function's Init.
pub(crate) async fn run(
    arguments: &FlameArguments,
    client: &Client,
    appearance: Appearance,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let document = fetch(arguments, client).await;
    let document = document.with_context(|| format!("cannot profile the Init of `{name}`"))?;
    if arguments.output == FlameOutput::Json {
        writeln!(out, "{document:#}")?;
    }
    let flame: Flame = serde_json::from_value(document).context("the profile is not understood")?;
    match arguments.output {
        FlameOutput::Text => out.write_all(draw::text(&flame, arguments.all, appearance).as_bytes())?,
        FlameOutput::Folded => out.write_all(draw::folded(&flame).as_bytes())?,
        FlameOutput::Json => {}
    }
    out.flush()?;
    if flame.imports.is_none() {
        bail!("cannot tell the imports of `{name}`: {}", draw::shown(&flame.advice));
    }
    Ok(ExitCode::Success)
}

async fn fetch(arguments: &FlameArguments, client: &Client) -> anyhow::Result<Value> {
    let mut path = format!("/_hearth/functions/{}/flame", escape(&arguments.function_name));
    if arguments.last {
        return Ok(client.get(&path).await?);
    }
    if let Some(qualifier) = &arguments.qualifier {
        path.push_str(&format!("?qualifier={}", escape(qualifier)));
    }
    let answer = client.send(Method::POST, &path, &[], Bytes::from_static(b"{}")).await?;
    Ok(client.read(&answer.body)?)
}

#[cfg(test)]
mod tests;
