//! Which traces are kept, and what the function is told of its trace.
//!
//! Whoever is upstream decides, if they do. Of the others, Lambda keeps one a second and one in twenty of the rest where
//! the function's `TracingConfig` is `Active`, and puts itself between the caller and the function: the parent of what the
//! function traces is the invocation. With `PassThrough` it only hands on; whether such traces are kept is a setting.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hearth_functions::ResolvedVersion;
use hearth_invoke::InvokeRequest;
use hearth_telemetry::Clock;
use hearth_types::{FunctionName, RequestId, TraceHeader, TracingMode};

/// How often a trace is kept in any case.
///
/// Source: Lambda Developer Guide, "Visualize Lambda function invocations using AWS X-Ray", read 2026-11; so is the next.
const RESERVOIR: Duration = Duration::from_secs(1);
/// Of all other traces, this share of 2^16 is kept: 5 %.
const SHARE: u16 = 3_277;
/// For how many functions the last kept trace is remembered. Above, all are forgotten: a few more are kept then.
const FUNCTIONS_MAX: usize = 10_000;

/// Decides which traces are kept.
#[derive(Debug, Default)]
pub(crate) struct Sampling {
    /// Whether traces are kept of functions that only pass them through, when nobody has decided.
    keep_passed_through: bool,
    /// When a trace of a function was kept for its second.
    kept: Mutex<HashMap<FunctionName, Instant>>,
}

/// What was decided about a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    /// What goes into the record: its parent is whoever called.
    pub(crate) recorded: TraceHeader,
    /// What runtime and extensions are told.
    pub(crate) delivered: TraceHeader,
}

impl Sampling {
    pub(crate) fn new(keep_passed_through: bool) -> Self {
        Self { keep_passed_through, kept: Mutex::default() }
    }

    /// Decides about the trace of an invocation, and counts its run in the trace's lineage.
    pub(crate) fn decide(
        &self,
        version: &ResolvedVersion,
        request: &InvokeRequest,
        clock: &Clock,
    ) -> Decided {
        let mode = version.configuration.tracing_mode;
        let keep = |id: u128| match mode {
            TracingMode::Active => self.keeps(&version.configuration.name, id, clock.now()),
            TracingMode::PassThrough => self.keep_passed_through,
        };
        match &request.trace {
            Some(trace) => decided(trace.with_run_of(&version.arn), mode, request.request_id, keep),
            // Most calls: the invocation is the first span of its trace, for the record as for the function.
            None => {
                let id = TraceHeader::new_trace_id(clock.epoch_ms());
                let (span, is_kept) = (request.request_id.span_id(), keep(u128::from_be_bytes(id)));
                let trace = TraceHeader::beginning(id, span, is_kept, &version.arn);
                Decided { recorded: trace.clone(), delivered: trace }
            }
        }
    }

    /// Whether Lambda keeps the trace with this id: its last digits are random.
    fn keeps(&self, function: &FunctionName, id: u128, now: Instant) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept.get(function).copied();
        if last.is_none_or(|last| now.saturating_duration_since(last) >= RESERVOIR) {
            if kept.len() >= FUNCTIONS_MAX {
                kept.clear();
            }
            kept.insert(function.clone(), now);
            return true;
        }
        (id as u16) < SHARE
    }
}

fn decided(
    trace: TraceHeader,
    mode: TracingMode,
    request_id: RequestId,
    keep: impl FnOnce(u128) -> bool,
) -> Decided {
    // What names no trace is handed on as it is.
    let Some(id) = trace.trace_id() else {
        return Decided { delivered: trace.clone(), recorded: trace };
    };
    // Without a caller's span, the invocation is the first.
    let span = request_id.span_id();
    let trace = if trace.parent_id().is_some() { trace } else { trace.with_parent(span) };
    let recorded = match trace.decision() {
        Some(_) => trace,
        None => trace.with_decision(keep(u128::from_be_bytes(id))),
    };
    let is_ours = mode == TracingMode::Active && recorded.decision() == Some(true);
    let delivered = if is_ours { recorded.with_parent(span) } else { recorded.clone() };
    Decided { recorded, delivered }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    fn told(header: &str, mode: TracingMode, keep: bool) -> (String, String) {
        let id = RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap();
        let Decided { recorded, delivered } =
            decided(TraceHeader::from_caller(header).unwrap(), mode, id, |_| keep);
        let short = |header: &TraceHeader| header.as_str().replace(ROOT, "R");
        (short(&recorded), short(&delivered))
    }

    #[test]
    fn who_is_upstream_decides_and_an_active_function_is_below_its_invocation() {
        use TracingMode::{Active, PassThrough};
        for (header, mode, keep, recorded, delivered) in [
            (
                "R",
                PassThrough,
                false,
                "R;Parent=97392dfe598c3fcd;Sampled=0",
                "R;Parent=97392dfe598c3fcd;Sampled=0",
            ),
            (
                "R",
                PassThrough,
                true,
                "R;Parent=97392dfe598c3fcd;Sampled=1",
                "R;Parent=97392dfe598c3fcd;Sampled=1",
            ),
            ("R", Active, true, "R;Parent=97392dfe598c3fcd;Sampled=1", "R;Parent=97392dfe598c3fcd;Sampled=1"),
            (
                "R;Parent=53995c3f42cd8ad8;Sampled=0",
                Active,
                true,
                "R;Parent=53995c3f42cd8ad8;Sampled=0",
                "R;Parent=53995c3f42cd8ad8;Sampled=0",
            ),
            (
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
                PassThrough,
                false,
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
            ),
            (
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
                Active,
                false,
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
                "R;Parent=97392dfe598c3fcd;Sampled=1",
            ),
            (
                "R;Parent=53995c3f42cd8ad8;Sampled=?",
                Active,
                true,
                "R;Parent=53995c3f42cd8ad8;Sampled=1",
                "R;Parent=97392dfe598c3fcd;Sampled=1",
            ),
            ("who knows", Active, true, "who knows", "who knows"),
        ] {
            let told = told(&header.replace('R', ROOT), mode, keep);
            assert_eq!(told, (recorded.to_owned(), delivered.to_owned()), "{header} {mode:?} {keep}");
        }
    }

    #[test]
    fn one_trace_a_second_and_one_in_twenty_are_kept_of_each_function() {
        let sampling = Sampling::default();
        let (f, g) = (FunctionName::new("f").unwrap(), FunctionName::new("g").unwrap());
        let start = Instant::now();
        let unlucky = u128::from(u16::MAX);
        let at = |ms| start + Duration::from_millis(ms);
        assert!(sampling.keeps(&f, unlucky, at(0)) && sampling.keeps(&g, unlucky, at(0)));
        assert!(!sampling.keeps(&f, unlucky, at(999)) && sampling.keeps(&f, unlucky, at(1_000)));
        let kept = (0..=u16::MAX).filter(|id| sampling.keeps(&f, u128::from(*id), at(1_500))).count();
        assert_eq!(kept * 1_000 / (1 << 16), 50);
    }
}
