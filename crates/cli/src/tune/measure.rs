//! Calling the copy at each size, and reading from the journal what the calls took.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::TuneError;
use super::copy::Copy;
use super::report::{Measured, Size};
use crate::client::{Client, escape};
use crate::invoke::{Call, invoke};

/// How many calls of a size are cold, at most.
const COLD_MAX: u32 = 3;
/// And for how many calls there is one.
const CALLS_FOR_A_COLD_ONE: u32 = 4;
/// How long an entry may be on its way after the function's time-out is over.
const ENTRIES_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks: first and longest.
const LOOK_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// What the journal says of a call.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    request_id: String,
    duration_ms: f64,
    init_ms: Option<f64>,
    billed_ms: f64,
    max_memory_used_mb: u64,
    why_cold: Option<String>,
    status: String,
    error_type: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entries {
    invocations: Vec<Entry>,
}

/// Calls at every size, the smallest first.
pub(super) async fn all(
    client: &Client,
    copy: &Copy<'_>,
    sizes: &[u32],
    calls: u32,
    payload: &Bytes,
    notes: &mut dyn Write,
) -> anyhow::Result<Vec<Size>> {
    let mut measured = Vec::new();
    for &memory_mb in sizes {
        let size = at_size(client, copy, memory_mb, calls, payload).await?;
        match &size.measured {
            Ok(Measured { durations_ms, .. }) => {
                let mean = durations_ms.iter().sum::<f64>() / durations_ms.len().max(1) as f64;
                writeln!(notes, "{memory_mb} MB: {mean:.2} ms")?;
            }
            Err(why) => writeln!(notes, "{memory_mb} MB: failed: {why}")?,
        }
        notes.flush()?;
        measured.push(size);
    }
    Ok(measured)
}

/// In rounds, each of which begins with a cold call. The first call that fails is the last one.
async fn at_size(
    client: &Client,
    copy: &Copy<'_>,
    memory_mb: u32,
    calls: u32,
    payload: &Bytes,
) -> anyhow::Result<Size> {
    let rounds = (calls / CALLS_FOR_A_COLD_ONE).clamp(1, COLD_MAX);
    let mut ids = Vec::new();
    let mut failed = None;
    'rounds: for round in 0..rounds {
        copy.configure(client, memory_mb, round).await?;
        let in_this_round = calls / rounds + u32::from(round < calls % rounds);
        for _ in 0..in_this_round {
            let answer = invoke(client, &copy.name, payload.clone(), &Call::PLAIN).await?;
            ids.extend(answer.header("x-amzn-requestid").map(str::to_owned));
            if answer.header("x-amz-function-error").is_some() {
                failed = Some(error_type(&answer.body));
                break 'rounds;
            }
        }
    }
    let entries = entries(client, copy, &ids).await?;
    let last = ids.last().and_then(|id| entries.get(id));
    if let Some(answered) = failed {
        // A runtime that was killed has no words for it; the journal has.
        let recorded = last.and_then(|entry| match (&*entry.status, entry.error_type.as_deref()) {
            ("timeout", _) => Some("timed out".to_owned()),
            (_, Some("Runtime.OutOfMemory")) => Some("Runtime.OutOfMemory".to_owned()),
            _ => None,
        });
        return Ok(Size { memory_mb, measured: Err(recorded.unwrap_or(answered)) });
    }
    // The answer was good, but something afterwards was not: an extension that ran into the time-out.
    if let Some(entry) = entries.values().find(|entry| entry.status != "success") {
        let why = entry.error_type.clone().unwrap_or_else(|| entry.status.clone());
        return Ok(Size { memory_mb, measured: Err(why) });
    }
    let (cold, warm): (Vec<&Entry>, Vec<&Entry>) =
        entries.values().partition(|entry| entry.why_cold.is_some());
    // With one call there is no warm one.
    let counted = if warm.is_empty() { &cold } else { &warm };
    let billed_ms = counted.iter().map(|entry| match warm.is_empty() {
        false => entry.billed_ms,
        true => entry.duration_ms.ceil(),
    });
    Ok(Size {
        memory_mb,
        measured: Ok(Measured {
            billed_ms: billed_ms.collect(),
            durations_ms: counted.iter().map(|entry| entry.duration_ms).collect(),
            inits_ms: cold.iter().filter_map(|entry| entry.init_ms).collect(),
            cold_calls: cold.len() as u64,
            max_memory_used_mb: entries.values().map(|entry| entry.max_memory_used_mb).max().unwrap_or(0),
        }),
    })
}

/// Waits until the journal has an entry for each of these calls.
async fn entries(client: &Client, copy: &Copy<'_>, ids: &[String]) -> anyhow::Result<HashMap<String, Entry>> {
    let path = format!("/_hearth/invocations?function={}&limit={}", escape(&copy.name), ids.len().max(1));
    let limit = ENTRIES_LIMIT + Duration::from_secs(copy.timeout_s());
    let started = Instant::now();
    let (mut pause, longest) = LOOK_PAUSES;
    loop {
        let Entries { invocations } = client.get(&path).await?;
        let entries = invocations.into_iter().map(|entry| (entry.request_id.clone(), entry));
        let entries: HashMap<String, Entry> = entries.filter(|(id, _)| ids.contains(id)).collect();
        let missing = ids.iter().filter(|id| !entries.contains_key(*id)).count();
        if missing == 0 {
            return Ok(entries);
        }
        if started.elapsed() > limit {
            return Err(TuneError::NoEntries(missing).into());
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// What the function, or its runtime, calls its error.
fn error_type(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = document["errorType"].as_str().filter(|text| !text.is_empty());
    text.map_or_else(|| "a function error".to_owned(), |text| text.chars().take(100).collect())
}
