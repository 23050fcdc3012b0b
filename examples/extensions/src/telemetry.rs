//! An external extension that writes the telemetry it gets into a file, one event a line, as JSON.
//!
//! `TELEMETRY_FILE` says where, `TELEMETRY_PORT` at which port it listens, and `TELEMETRY_TYPES` what it subscribes to
//! (`platform,function,extension` when it is not set).

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};

use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, LogBuffering, NextEvent, SharedService, service_fn,
};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let types = env::var("TELEMETRY_TYPES").unwrap_or_else(|_| "platform,function,extension".to_owned());
    let types: Vec<&str> = types.split(',').collect();
    let port = env::var("TELEMETRY_PORT")?.parse()?;
    file()?;
    Extension::new()
        .with_events(&["SHUTDOWN"])
        .with_events_processor(service_fn(end))
        .with_telemetry_record_type::<Value>()
        .with_telemetry_types(&types)
        .with_telemetry_buffering(LogBuffering { timeout_ms: 25, ..LogBuffering::default() })
        .with_telemetry_port_number(port)
        .with_telemetry_processor(SharedService::new(service_fn(write)))
        .run()
        .await
}

/// Ends as soon as it is told to: what has come until then is in the file.
async fn end(event: LambdaEvent) -> Result<(), Error> {
    if let NextEvent::Shutdown(_) = event.next {
        std::process::exit(0);
    }
    Ok(())
}

async fn write(events: Vec<LambdaTelemetry<Value>>) -> Result<(), Error> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, &event)?;
        lines.push(b'\n');
    }
    Ok(file()?.write_all(&lines)?)
}

fn file() -> io::Result<File> {
    let path = env::var("TELEMETRY_FILE").map_err(io::Error::other)?;
    OpenOptions::new().create(true).append(true).open(path)
}
