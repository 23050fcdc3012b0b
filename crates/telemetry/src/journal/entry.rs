//! An invocation that has ended: as it is asked for, and as a line of a segment.
//!
//! What is mostly the same is left out of the line, and names are short: a warm call takes some 230 bytes. The function
//! comes first and the time second, so that what is not asked for is passed over without being read.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hearth_types::{
    Architecture, ColdParticulars, ColdReason, ColdStart, EnvironmentId, FunctionName, InitializationType,
    LogGroupName, LogStreamName, Qualifier, RequestId, Runtime, Version,
};
use serde::{Deserialize, Serialize};

use super::cold_line::ColdLine;
use crate::feed::FinishedInvocation;

/// How much of an error type is kept. A runtime may report one as long as it likes.
const ERROR_TYPE_CHARS_MAX: usize = 256;
/// The size of `/tmp` that every function has.
const EPHEMERAL_STORAGE_MB_DEFAULT: u32 = 512;

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
    /// What ran the handler.
    pub runtime: Runtime,
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
    /// How long its response was, in bytes; 0 where there was none.
    pub response_bytes: u64,
    /// Why it was cold; `None` when it was warm.
    pub why_cold: Option<ColdReason>,
    /// What is known of that besides.
    pub particulars: Option<Arc<ColdParticulars>>,
    /// How it ended: `success`, `timeout`, `error` or `failure`.
    pub status: String,
    /// Such as `Runtime.ExitError`.
    pub error_type: Option<String>,
}

impl JournalEntry {
    /// Returns the entry of an invocation that has just ended.
    pub fn of(invocation: &FinishedInvocation) -> Self {
        let FinishedInvocation { environment, summary, .. } = invocation;
        let environment = &environment.facts;
        let report = &summary.report;
        let us = |duration: Duration| duration.as_micros() as u64;
        let after_call = summary.after_call.iter();
        let error_type = report.status.error_type();
        Self {
            request_id: summary.request_id,
            function: environment.function.clone(),
            version: environment.version,
            runtime: environment.runtime,
            environment: environment.id,
            initialization_type: environment.initialization_type,
            log_group: environment.log_group.clone(),
            log_stream: environment.log_stream.clone(),
            architecture: environment.architecture,
            memory_size_mb: environment.memory_size_mb,
            ephemeral_storage_mb: environment.ephemeral_storage_mb,
            started_epoch_ms: invocation.started_epoch_ms,
            waited_us: us(summary.start.saturating_duration_since(invocation.arrived)),
            duration_us: us(report.duration),
            init_us: report.init_duration.map(us),
            extension_init_us: summary.extension_init.map(us),
            runtime_init_us: summary.runtime_init.map(us),
            function_init_us: summary.function_init.map(us),
            extension_wait_us: summary.extension_wait.map(us),
            extension_overhead_us: summary.extension_overhead.map(us),
            after_call_us: after_call.map(|(name, took)| (name.as_str().to_owned(), us(*took))).collect(),
            billed_ms: report.billed_ms,
            max_memory_used_mb: report.max_memory_used_mb,
            response_bytes: summary.response_bytes,
            why_cold: summary.why_cold,
            particulars: summary.particulars.clone(),
            status: report.status.as_str().to_owned(),
            error_type: error_type.map(|it| it.chars().take(ERROR_TYPE_CHARS_MAX).collect()),
        }
    }

    /// Returns why it was cold, with what is known besides.
    pub fn cold_start(&self) -> Option<ColdStart> {
        Some(ColdStart { reason: self.why_cold?, particulars: self.particulars.clone() })
    }

    /// Returns when it ended, or a little later: in milliseconds since 1970.
    pub fn ended_epoch_ms(&self) -> i64 {
        self.started_epoch_ms.saturating_add(self.duration_us.div_ceil(1_000) as i64)
    }
}

/// A line. A member that is not there is what it mostly is.
#[derive(Serialize, Deserialize)]
pub(super) struct EntryLine<'a> {
    /// The function.
    #[serde(borrow)]
    f: Cow<'a, str>,
    /// When it started.
    t: i64,
    /// The request.
    r: Cow<'a, str>,
    /// The environment.
    e: Cow<'a, str>,
    /// The log stream, without `[VERSION]ENVIRONMENT` if it ends so.
    s: Cow<'a, str>,
    /// Whether it does.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    se: bool,
    /// The log group, if it is not the function's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<Cow<'a, str>>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<Cow<'a, str>>,
    /// The runtime.
    n: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Cow<'a, str>>,
    m: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<u32>,
    w: u64,
    d: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ie: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ir: Option<u64>,
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    i_f: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iw: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    c: Vec<(String, u64)>,
    b: u64,
    x: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    p: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kp: Option<ColdLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    st: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    er: Option<Cow<'a, str>>,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// How every line of a function begins.
pub(super) fn head(function: &FunctionName) -> Vec<u8> {
    format!("{{\"f\":\"{}\",", function.as_str()).into_bytes()
}

/// The members that lines of invocations and of environments share, where they are not what they mostly are.
pub(super) struct Unusual {
    pub(super) version: Option<String>,
    pub(super) initialization_type: Option<&'static str>,
    pub(super) architecture: Option<&'static str>,
    pub(super) ephemeral_storage_mb: Option<u32>,
}

impl Unusual {
    pub(super) fn of(
        version: Version,
        initialization_type: InitializationType,
        architecture: Architecture,
        ephemeral_storage_mb: u32,
    ) -> Self {
        let is_provisioned = initialization_type != InitializationType::OnDemand;
        Self {
            version: (version != Version::Latest).then(|| version.to_string()),
            initialization_type: is_provisioned.then(|| initialization_type.as_str()),
            architecture: (architecture != Architecture::X86_64).then(|| architecture.as_str()),
            ephemeral_storage_mb: Some(ephemeral_storage_mb).filter(|mb| *mb != EPHEMERAL_STORAGE_MB_DEFAULT),
        }
    }
}

/// Reads what [`Unusual`] leaves out.
pub(super) fn version(text: Option<&str>) -> Option<Version> {
    match Qualifier::parse(text.unwrap_or("$LATEST")).ok()? {
        Qualifier::Version(version) => Some(version),
        Qualifier::Alias(_) => None,
    }
}

pub(super) fn initialization_type(text: Option<&str>) -> Option<InitializationType> {
    text.map_or(Some(InitializationType::OnDemand), InitializationType::parse)
}

pub(super) fn architecture(text: Option<&str>) -> Option<Architecture> {
    text.map_or(Some(Architecture::X86_64), Architecture::parse)
}

pub(super) fn ephemeral_storage_mb(mb: Option<u32>) -> u32 {
    mb.unwrap_or(EPHEMERAL_STORAGE_MB_DEFAULT)
}

/// Writes an invocation as a line, with its line feed.
pub(super) fn write(entry: &JournalEntry, into: &mut Vec<u8>) -> serde_json::Result<()> {
    let unusual =
        Unusual::of(entry.version, entry.initialization_type, entry.architecture, entry.ephemeral_storage_mb);
    let id = entry.environment.to_string();
    let stream = entry.log_stream.as_str();
    let usual_end = format!("[{}]{id}", entry.version);
    let is_own_group = entry.log_group == LogGroupName::of_function(&entry.function);
    let line = EntryLine {
        f: entry.function.as_str().into(),
        t: entry.started_epoch_ms,
        r: entry.request_id.to_string().into(),
        s: stream.strip_suffix(&usual_end).unwrap_or(stream).into(),
        se: stream.ends_with(&usual_end),
        e: id.into(),
        g: (!is_own_group).then(|| entry.log_group.as_str().into()),
        v: unusual.version.map(Cow::Owned),
        n: entry.runtime.as_str().into(),
        y: unusual.initialization_type.map(Cow::Borrowed),
        a: unusual.architecture.map(Cow::Borrowed),
        m: entry.memory_size_mb,
        z: unusual.ephemeral_storage_mb,
        w: entry.waited_us,
        d: entry.duration_us,
        i: entry.init_us,
        ie: entry.extension_init_us,
        ir: entry.runtime_init_us,
        i_f: entry.function_init_us,
        iw: entry.extension_wait_us,
        o: entry.extension_overhead_us,
        c: entry.after_call_us.clone(),
        b: entry.billed_ms,
        x: entry.max_memory_used_mb,
        p: entry.response_bytes,
        k: entry.why_cold.map(|why| why.as_str().into()),
        kp: entry.particulars.as_deref().map(ColdLine::of),
        st: Some(entry.status.as_str()).filter(|status| *status != "success").map(Cow::Borrowed),
        er: entry.error_type.as_deref().map(Cow::Borrowed),
    };
    serde_json::to_writer(&mut *into, &line)?;
    into.push(b'\n');
    Ok(())
}

/// Reads a line. Nothing of one that is damaged.
pub(super) fn read(line: &[u8]) -> Option<JournalEntry> {
    let line: EntryLine<'_> = serde_json::from_slice(line).ok()?;
    let function = FunctionName::new(&line.f).ok()?;
    let version = version(line.v.as_deref())?;
    let environment = EnvironmentId::parse(&line.e)?;
    let stream = if line.se { format!("{}[{version}]{environment}", line.s) } else { line.s.into_owned() };
    let particulars = match line.kp {
        Some(particulars) => Some(particulars.particulars()?),
        None => None,
    };
    Some(JournalEntry {
        request_id: RequestId::parse(&line.r)?,
        log_group: match line.g {
            Some(group) => LogGroupName::new(&group).ok()?,
            None => LogGroupName::of_function(&function),
        },
        log_stream: LogStreamName::new(&stream).ok()?,
        function,
        version,
        runtime: Runtime::parse(&line.n).ok()?,
        environment,
        initialization_type: initialization_type(line.y.as_deref())?,
        architecture: architecture(line.a.as_deref())?,
        memory_size_mb: line.m,
        ephemeral_storage_mb: ephemeral_storage_mb(line.z),
        started_epoch_ms: line.t,
        waited_us: line.w,
        duration_us: line.d,
        init_us: line.i,
        extension_init_us: line.ie,
        runtime_init_us: line.ir,
        function_init_us: line.i_f,
        extension_wait_us: line.iw,
        extension_overhead_us: line.o,
        after_call_us: line.c,
        billed_ms: line.b,
        max_memory_used_mb: line.x,
        response_bytes: line.p,
        why_cold: match &line.k {
            Some(word) => Some(ColdReason::parse(word)?),
            None => None,
        },
        particulars,
        status: line.st.map_or_else(|| "success".to_owned(), Cow::into_owned),
        error_type: line.er.map(Cow::into_owned),
    })
}
