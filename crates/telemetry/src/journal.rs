//! The journal: one entry for each invocation that has ended, on disk, so that what was slow, why and at what cost can
//! still be asked after days and after restarts.
//!
//! It listens to the [`Feed`](crate::Feed). What is asked of it is read from disk: a file of JSON lines a day.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_types::{
    Architecture, ColdReason, EnvironmentId, FunctionName, InitializationType, LogGroupName, LogStreamName,
    Qualifier, RequestId, Version,
};
use serde::{Deserialize, Serialize};

use crate::feed::{FinishedInvocation, Listener, News};

const DAY_MS: i64 = 86_400_000;

/// An invocation that has ended. Times are in microseconds where they are durations, in milliseconds since 1970 where
/// they are moments.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalEntry {
    /// Its id.
    pub request_id: RequestId,
    /// Which function.
    pub function: FunctionName,
    /// Which version ran.
    pub version: Version,
    /// In which environment.
    pub environment: EnvironmentId,
    /// Whether that was made for a call or ahead of calls.
    pub initialization_type: InitializationType,
    /// Where its log is.
    pub log_group: LogGroupName,
    /// And which stream.
    pub log_stream: LogStreamName,
    /// What the function is built for.
    pub architecture: Architecture,
    /// Configured memory, in MB.
    pub memory_size_mb: u32,
    /// The size of `/tmp`, in MB.
    pub ephemeral_storage_mb: u32,
    /// When it was handed to the runtime.
    pub started_epoch_ms: i64,
    /// How long it had waited by then, for an environment and its Init.
    pub waited_us: u64,
    /// Its Duration.
    pub duration_us: u64,
    /// Its Init Duration, if it is the one that reports it.
    pub init_us: Option<u64>,
    /// The parts of the Init that it waited for, where they are known.
    pub extension_init_us: Option<u64>,
    /// The runtime's part.
    pub runtime_init_us: Option<u64>,
    /// The part of the function's own code.
    pub function_init_us: Option<u64>,
    /// How long the ready runtime waited for extensions.
    pub extension_wait_us: Option<u64>,
    /// From when the runtime was done until all extensions were; `None` without extensions.
    pub extension_overhead_us: Option<u64>,
    /// What each extension that hears of invocations took after the runtime was done.
    pub after_call_us: Vec<(String, u64)>,
    /// Billed time, in ms.
    pub billed_ms: u64,
    /// The environment's high-water mark of memory, in MB.
    pub max_memory_used_mb: u64,
    /// Why it was cold; `None` when it was warm.
    pub why_cold: Option<ColdReason>,
    /// How it ended: `success`, `timeout`, `error` or `failure`.
    pub status: String,
    /// Such as `Runtime.ExitError`.
    pub error_type: Option<String>,
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct JournalQuery {
    /// Of one function, or of all.
    pub function: Option<FunctionName>,
    /// Started at this moment or later, in milliseconds since 1970.
    pub from_epoch_ms: Option<i64>,
    /// Started before this moment.
    pub to_epoch_ms: Option<i64>,
    /// At most so many, the latest.
    pub limit: Option<usize>,
}

/// The journal of a data folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// Opens the journal in `folder`, and makes it if it is not there.
    pub fn open(folder: &Path) -> io::Result<Arc<Self>> {
        fs::create_dir_all(folder)?;
        Ok(Arc::new(Self { folder: folder.to_owned() }))
    }

    /// Returns who writes it: to be added to the feed, once.
    pub fn writer(self: &Arc<Self>) -> impl Listener + use<> {
        JournalWriter { folder: self.folder.clone(), open: None, buffer: Vec::new() }
    }

    /// Returns entries, oldest first. Blocks on the disk.
    pub fn entries(&self, query: &JournalQuery) -> io::Result<Vec<JournalEntry>> {
        let mut entries = Vec::new();
        for day in self.days()? {
            // An invocation belongs to the day in which it started.
            let begins = day * DAY_MS;
            let is_before = query.to_epoch_ms.is_some_and(|to| begins >= to);
            let is_after = query.from_epoch_ms.is_some_and(|from| begins + DAY_MS <= from);
            if is_before || is_after {
                continue;
            }
            for line in BufReader::new(File::open(self.folder.join(file_name(day)))?).split(b'\n') {
                // The last one may be half written.
                let Ok(line) = serde_json::from_slice::<Line>(&line?) else { continue };
                entries.extend(line.entry().filter(|entry| query.wants(entry)));
            }
        }
        entries.sort_by_key(|entry| entry.started_epoch_ms);
        let surplus = query.limit.map_or(0, |limit| entries.len().saturating_sub(limit));
        entries.drain(..surplus);
        Ok(entries)
    }

    /// The days of which there is a file, ascending, counted from 1970.
    fn days(&self) -> io::Result<Vec<i64>> {
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let day = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<i64>().ok());
            days.extend(day);
        }
        days.sort_unstable();
        Ok(days)
    }
}

impl JournalQuery {
    fn wants(&self, entry: &JournalEntry) -> bool {
        self.function.as_ref().is_none_or(|function| entry.function == *function)
            && self.from_epoch_ms.is_none_or(|from| entry.started_epoch_ms >= from)
            && self.to_epoch_ms.is_none_or(|to| entry.started_epoch_ms < to)
    }
}

fn file_name(day: i64) -> String {
    format!("{day:08}.jsonl")
}

struct JournalWriter {
    folder: PathBuf,
    open: Option<(i64, File)>,
    buffer: Vec<u8>,
}

impl JournalWriter {
    fn write(&mut self, invocation: &FinishedInvocation) -> io::Result<()> {
        let day = invocation.started_epoch_ms.div_euclid(DAY_MS);
        if self.open.as_ref().is_none_or(|(open, _)| *open != day) {
            self.flush()?;
            let path = self.folder.join(file_name(day));
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.open = Some((day, file));
        }
        serde_json::to_writer(&mut self.buffer, &Line::of(invocation))?;
        self.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        match &mut self.open {
            Some((_, file)) => file.write_all(&buffer),
            None => Ok(()),
        }
    }
}

impl Listener for JournalWriter {
    fn hear(&mut self, news: &News) {
        let written = news.invocations.iter().try_for_each(|invocation| self.write(invocation));
        if let Err(error) = written.and_then(|()| self.flush()) {
            tracing::error!(%error, "cannot write the journal of invocations; entries are lost");
            (self.open, self.buffer) = (None, Vec::new());
        }
    }
}

/// A line of a file.
#[derive(Serialize, Deserialize)]
struct Line {
    request_id: String,
    function: String,
    version: String,
    environment: String,
    initialization_type: String,
    log_group: String,
    log_stream: String,
    architecture: String,
    memory_size_mb: u32,
    ephemeral_storage_mb: u32,
    started_epoch_ms: i64,
    waited_us: u64,
    duration_us: u64,
    init_us: Option<u64>,
    extension_init_us: Option<u64>,
    runtime_init_us: Option<u64>,
    function_init_us: Option<u64>,
    extension_wait_us: Option<u64>,
    extension_overhead_us: Option<u64>,
    after_call_us: Vec<(String, u64)>,
    billed_ms: u64,
    max_memory_used_mb: u64,
    why_cold: Option<String>,
    status: String,
    error_type: Option<String>,
}

impl Line {
    fn of(invocation: &FinishedInvocation) -> Self {
        let FinishedInvocation { environment, summary, .. } = invocation;
        let environment = &environment.facts;
        let report = &summary.report;
        let us = |duration: std::time::Duration| duration.as_micros() as u64;
        let waited = summary.start.saturating_duration_since(invocation.arrived);
        Self {
            request_id: summary.request_id.to_string(),
            function: environment.function.as_str().to_owned(),
            version: environment.version.to_string(),
            environment: environment.id.to_string(),
            initialization_type: environment.initialization_type.as_str().to_owned(),
            log_group: environment.log_group.as_str().to_owned(),
            log_stream: environment.log_stream.as_str().to_owned(),
            architecture: environment.architecture.as_str().to_owned(),
            memory_size_mb: environment.memory_size_mb,
            ephemeral_storage_mb: environment.ephemeral_storage_mb,
            started_epoch_ms: invocation.started_epoch_ms,
            waited_us: us(waited),
            duration_us: us(report.duration),
            init_us: report.init_duration.map(us),
            extension_init_us: summary.extension_init.map(us),
            runtime_init_us: summary.runtime_init.map(us),
            function_init_us: summary.function_init.map(us),
            extension_wait_us: summary.extension_wait.map(us),
            extension_overhead_us: summary.extension_overhead.map(us),
            after_call_us: summary
                .after_call
                .iter()
                .map(|(name, took)| (name.as_str().to_owned(), us(*took)))
                .collect(),
            billed_ms: report.billed_ms,
            max_memory_used_mb: report.max_memory_used_mb,
            why_cold: summary.why_cold.map(|why| why.as_str().to_owned()),
            status: report.status.as_str().to_owned(),
            error_type: report.status.error_type().map(str::to_owned),
        }
    }

    /// Returns the entry, unless the line was damaged.
    fn entry(self) -> Option<JournalEntry> {
        let why_cold = match &self.why_cold {
            Some(word) => Some(*ColdReason::ALL.iter().find(|reason| reason.as_str() == word)?),
            None => None,
        };
        Some(JournalEntry {
            request_id: RequestId::parse(&self.request_id)?,
            function: FunctionName::new(&self.function).ok()?,
            version: match Qualifier::parse(&self.version).ok()? {
                Qualifier::Version(version) => version,
                Qualifier::Alias(_) => return None,
            },
            environment: EnvironmentId::parse(&self.environment)?,
            initialization_type: InitializationType::parse(&self.initialization_type)?,
            log_group: LogGroupName::new(&self.log_group).ok()?,
            log_stream: LogStreamName::new(&self.log_stream).ok()?,
            architecture: Architecture::parse(&self.architecture)?,
            memory_size_mb: self.memory_size_mb,
            ephemeral_storage_mb: self.ephemeral_storage_mb,
            started_epoch_ms: self.started_epoch_ms,
            waited_us: self.waited_us,
            duration_us: self.duration_us,
            init_us: self.init_us,
            extension_init_us: self.extension_init_us,
            runtime_init_us: self.runtime_init_us,
            function_init_us: self.function_init_us,
            extension_wait_us: self.extension_wait_us,
            extension_overhead_us: self.extension_overhead_us,
            after_call_us: self.after_call_us,
            billed_ms: self.billed_ms,
            max_memory_used_mb: self.max_memory_used_mb,
            why_cold,
            status: self.status,
            error_type: self.error_type,
        })
    }
}
