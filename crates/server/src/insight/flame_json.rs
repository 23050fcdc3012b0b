//! The profile of an Init as JSON. Times are milliseconds, memory is MB; what is not known is `null`.
//!
//! `imports` is a list: each import behind what made it (`parent`, an index of the list), of those that one made the
//! largest first. `total_ms` of an import is with all below it, `self_ms` without. `null` instead of the list: the runtime is
//! the function's own, and what it imports is not known.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hearth_functions::ResolvedVersion;
use hearth_pool::MeasuredInit;
use hearth_telemetry::imports::{EsModules, Import, ImportProfile};
use hearth_telemetry::timeline::{self, SpanPhase};
use hearth_telemetry::{LifecycleEvent, PhaseStatus};
use serde_json::{Value, json};

use super::flame_advice::{self, Facts};
use super::{ms, timestamp};

/// What a profile is made of.
pub(super) struct Flame<'a> {
    pub(super) version: &'a ResolvedVersion,
    pub(super) started_epoch_ms: i64,
    pub(super) profiled: MeasuredInit,
    /// The same without a profile.
    pub(super) unprofiled: Option<MeasuredInit>,
    /// Packages of others among the function's own files, in lower case with `_`.
    pub(super) vendored: HashSet<String>,
}

/// What the phases of an Init took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phases {
    pub(super) total: Duration,
    pub(super) extension_init: Option<Duration>,
    pub(super) runtime_init: Option<Duration>,
    pub(super) function_init: Option<Duration>,
}

/// Returns how an Init ended; `None` if the server stopped meanwhile.
pub(super) fn status(measured: &MeasuredInit) -> Option<PhaseStatus> {
    ended(measured).map(|(_, status)| status)
}

fn ended(measured: &MeasuredInit) -> Option<(Instant, PhaseStatus)> {
    measured.record.events().into_iter().find_map(|(at, step, _)| match step {
        LifecycleEvent::InitDone { status, .. } => Some((at, status)),
        _ => None,
    })
}

/// Lists the packages that `pip install --target` has put among the function's files.
pub(super) async fn vendored(code_root: &Path) -> HashSet<String> {
    let root: PathBuf = code_root.to_owned();
    let list = move || -> HashSet<String> {
        let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let names = names.filter(|name| name.ends_with(".dist-info"));
        names.filter_map(|name| Some(name.split_once('-')?.0.to_lowercase())).take(1_000).collect()
    };
    tokio::task::spawn_blocking(list).await.unwrap_or_default()
}

/// Writes a profile.
pub(super) fn document(flame: &Flame<'_>) -> Value {
    let configuration = &flame.version.configuration;
    let facts = &flame.profiled.record.facts;
    let imports = flame.profiled.imports.as_ref();
    let phases = phases(&flame.profiled, imports);
    let status = status(&flame.profiled).unwrap_or(PhaseStatus::Failure);
    let unprofiled = flame.unprofiled.as_ref().map(|unprofiled| (unprofiled, self::phases(unprofiled, None)));
    let overhead = unprofiled
        .as_ref()
        .map(|(_, without)| (phases.total.as_secs_f64() - without.total.as_secs_f64()) * 1e3);
    let advice = flame_advice::advice(&Facts {
        runtime: configuration.runtime,
        phases,
        status: &status,
        imports,
        vendored: &flame.vendored,
    });
    json!({
        "function_name": configuration.name.as_str(),
        "version": flame.version.version.to_string(),
        "code_sha256": flame.version.code.sha256.to_string(),
        "runtime": configuration.runtime.to_string(),
        "handler": configuration.handler,
        "memory_size_mb": configuration.memory.get(),
        "profiled_at": timestamp(flame.started_epoch_ms),
        "environment_id": facts.id.to_string(),
        "log_stream": facts.log_stream.as_str(),
        "status": status.as_str(),
        "error_type": status.error_type(),
        "init": phases_json(phases),
        "unprofiled": unprofiled.map(|(measured, phases)| json!({
            "environment_id": measured.record.facts.id.to_string(),
            "init": phases_json(phases),
        })),
        "overhead_ms": overhead.map(rounded),
        "recording_ms": imports.and_then(|imports| imports.spent_recording).map(ms),
        "max_memory_used_mb": flame.profiled.memory_bytes_max.div_ceil(1 << 20),
        "runtime_client": imports.filter(|imports| imports.has_begun).map(|imports| json!({
            "modules": imports.modules_before,
            "memory_mb": imports.memory_before_kb.map(mb),
        })),
        "imports": imports.map(|imports| imports.imports.iter().map(import_json).collect::<Vec<Value>>()),
        "imports_left_out": imports.map(|imports| imports.left_out),
        "notes": notes(&status, imports),
        "advice": advice,
    })
}

fn import_json(import: &Import) -> Value {
    let Import { parent, depth, kind, name, file, imported_by, thread, .. } = import;
    json!({
        "parent": parent,
        "depth": depth,
        "kind": kind.as_str(),
        "name": name,
        "file": file,
        "imported_by": imported_by.as_ref().map(|(file, _)| file),
        "line": imported_by.as_ref().and_then(|(_, line)| *line),
        "thread": thread,
        "start_ms": ms(import.start),
        "total_ms": ms(import.total),
        "self_ms": ms(import.own),
        "memory_mb": import.memory_kb.map(mb),
        "self_memory_mb": import.own_memory_kb.map(mb),
        "error": import.error,
        "is_unfinished": import.is_unfinished,
        "awaited_ms": import.awaited.map(ms),
    })
}

fn phases_json(phases: Phases) -> Value {
    json!({
        "total_ms": ms(phases.total),
        "extension_init_ms": phases.extension_init.map(ms),
        "runtime_init_ms": phases.runtime_init.map(ms),
        "function_init_ms": phases.function_init.map(ms),
    })
}

/// Adds up the spans of the only Init that there was.
fn phases(measured: &MeasuredInit, imports: Option<&ImportProfile>) -> Phases {
    let steps = measured.record.events();
    let until = ended(measured).map(|(at, _)| at);
    let spans = timeline::spans(&steps);
    let spent = |phase: SpanPhase| {
        let of_phase = spans.iter().filter(|span| span.phase == phase);
        let ends =
            of_phase.filter_map(|span| Some(span.end.or(until)?.saturating_duration_since(span.start)));
        ends.reduce(|sum, more| sum + more)
    };
    let began = steps.iter().find(|(_, step, _)| matches!(step, LifecycleEvent::InitStarted { .. }));
    let total = began.zip(until).map(|((began, _, _), until)| until.saturating_duration_since(*began));
    let (mut runtime_init, mut function_init) =
        (spent(SpanPhase::RuntimeInit), spent(SpanPhase::FunctionInit));
    // A runtime that was killed has not told when the function's Init began; its profile has.
    if let (None, Some(both), Some(imports)) = (function_init, spent(SpanPhase::Init), imports)
        && imports.has_begun
    {
        function_init = Some(imports.lasted.min(both));
        runtime_init = Some(both.saturating_sub(imports.lasted));
    }
    Phases {
        total: total.unwrap_or_default(),
        extension_init: spent(SpanPhase::ExtensionInit),
        runtime_init,
        function_init,
    }
}

/// What has to be known to read the numbers.
fn notes(status: &PhaseStatus, imports: Option<&ImportProfile>) -> Vec<String> {
    let Some(imports) = imports else { return vec![] };
    let mut notes = Vec::new();
    let mut note = |is_so: bool, text: &str| {
        if is_so {
            notes.push(text.to_owned());
        }
    };
    let any = |is_so: fn(&Import) -> bool| imports.imports.iter().any(is_so);
    note(
        any(|import| import.memory_kb.is_some()),
        "memory is growth of resident memory, which is what counts against the function's limit; what was given back \
         meanwhile makes it less",
    );
    note(
        any(|import| import.thread > 0),
        "imports in other threads run at the same time: their times add up to more than function init",
    );
    note(
        any(|import| import.awaited.is_some()),
        "the time of an ES module that waits at an `await` is until it first does; with the waiting it is in `awaited_ms`",
    );
    note(
        imports.es_modules.is_some_and(|es_modules| es_modules != EsModules::Unknown),
        "Node.js resolves, reads and compiles ES modules many at once before the first one runs: that time is known as a \
         whole only, and each module's own time is that of running its code",
    );
    note(
        imports.es_modules == Some(EsModules::MeasuredFromAThread),
        "this version of Node.js measures ES modules from a thread of its own, which makes resolving and reading them slower",
    );
    note(
        imports.es_modules == Some(EsModules::Unknown),
        "this version of Node.js cannot tell ES modules apart: only CommonJS modules have times of their own",
    );
    note(
        imports.has_begun && !imports.is_complete && *status == PhaseStatus::Success,
        "the profile broke off before Init ended: what came later is missing",
    );
    note(!imports.has_begun, "the runtime ended before it loaded the function's code: nothing was imported");
    if imports.left_out > 0 {
        notes.push(format!("{} records are left out: too many, too deep, or unreadable", imports.left_out));
    }
    notes
}

fn mb(kb: i64) -> f64 {
    (kb as f64 / 1_024.0 * 100.0).round() / 100.0
}

fn rounded(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}
