//! The timeline as JSON. Times are milliseconds since the server started; a field that has no value is `null`.

use std::time::Instant;

use hearth_telemetry::timeline::{ExtensionLane, FaultMark, InvocationSummary, Span};
use hearth_types::InjectedFault;
use serde_json::{Value, json};

use super::{cold_json, ms};

/// Writes what an environment did. `phase` is one of [`SpanPhase::as_str`]; with extensions, Init begins with
/// `extension-init` and may end with `extension-wait`, `extension-overhead` may follow `invoke`, and `shutdown` is
/// `runtime-shutdown` and `extension-shutdown`.
///
/// [`SpanPhase::as_str`]: hearth_telemetry::timeline::SpanPhase::as_str
pub(super) fn spans(spans: &[Span], since_start: impl Fn(Instant) -> f64) -> Value {
    let span = |span: &Span| {
        json!({
            "phase": span.phase.as_str(),
            "start_ms": since_start(span.start),
            "end_ms": span.end.map(&since_start),
            "request_id": span.request_id.map(|id| id.to_string()),
            "status": span.status.as_ref().map(|status| status.as_str()),
        })
    };
    spans.iter().map(span).collect()
}

/// Writes what the extensions of an environment did, beside its own spans. `phase` is one of
/// [`ExtensionPhase::as_str`]; `status` is only there where a span did not end as it should, and `error_type` where that
/// was an error; `killed` says that the process had to be killed.
///
/// [`ExtensionPhase::as_str`]: hearth_telemetry::timeline::ExtensionPhase::as_str
pub(super) fn extensions(lanes: &[ExtensionLane], since_start: impl Fn(Instant) -> f64) -> Value {
    let lane = |lane: &ExtensionLane| {
        let spans: Vec<Value> = lane
            .spans
            .iter()
            .map(|span| {
                json!({
                    "phase": span.phase.as_str(),
                    "start_ms": since_start(span.start),
                    "end_ms": span.end.map(&since_start),
                    "request_id": span.request_id.map(|id| id.to_string()),
                    "status": span.failure.as_ref().map(|failure| failure.as_str()),
                    "error_type": span.failure.as_ref().and_then(|failure| failure.error_type()),
                    "killed": span.killed,
                })
            })
            .collect();
        json!({
            "name": lane.name.as_str(),
            "is_external": lane.is_external,
            "events": lane.events.map(|events| events.names()),
            "spans": spans,
        })
    };
    lanes.iter().map(lane).collect()
}

/// Writes the faults that were injected into an environment.
pub(super) fn fault_marks(marks: &[FaultMark], since_start: impl Fn(Instant) -> f64) -> Value {
    let mark = |mark: &FaultMark| {
        let mut value = fault(&mark.fault);
        value["at_ms"] = since_start(mark.at).into();
        value["request_id"] = mark.request_id.map(|id| id.to_string()).into();
        value
    };
    marks.iter().map(mark).collect()
}

fn fault(fault: &InjectedFault) -> Value {
    json!({
        "phase": fault.phase.as_str(),
        "do": fault.deed.as_str(),
        "delay_ms": fault.deed.delay().map(ms),
        "extension": fault.extension.as_ref().map(|extension| extension.as_str()),
    })
}

/// Writes one finished invocation: the numbers of its REPORT line, the parts of the Init that it waited for, and what
/// extensions added: `extension_overhead_ms` is the time in which only they still worked, `extensions` has the part of
/// each of those that hear of invocations.
pub(super) fn invocation(invocation: &InvocationSummary, since_start: impl Fn(Instant) -> f64) -> Value {
    let report = &invocation.report;
    let extensions: Vec<Value> = invocation
        .after_call
        .iter()
        .map(|(name, after_call)| json!({ "name": name.as_str(), "after_call_ms": ms(*after_call) }))
        .collect();
    json!({
        "request_id": invocation.request_id.to_string(),
        "environment_id": invocation.environment.to_string(),
        "start_ms": since_start(invocation.start),
        "init_ms": report.init_duration.map(ms),
        "extension_init_ms": invocation.extension_init.map(ms),
        "runtime_init_ms": invocation.runtime_init.map(ms),
        "function_init_ms": invocation.function_init.map(ms),
        "extension_wait_ms": invocation.extension_wait.map(ms),
        "duration_ms": ms(report.duration),
        "extension_overhead_ms": invocation.extension_overhead.map(ms),
        "extensions": extensions,
        "billed_ms": report.billed_ms,
        "memory_size_mb": report.memory_size_mb,
        "max_memory_used_mb": report.max_memory_used_mb,
        "why_cold": invocation.why_cold.map(|why| why.as_str()),
        "cold_start": invocation.cold_start().as_ref().map(cold_json::cold_start),
        "status": report.status.as_str(),
        "error_type": report.status.error_type(),
        "injected_faults": invocation.injected_faults.iter().map(fault).collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use hearth_telemetry::timeline;
    use hearth_telemetry::{InitPhase, LifecycleEvent, PhaseStatus, Report, ShutdownReason};
    use hearth_types::{ColdReason, EnvironmentId, ExtensionEvents, ExtensionName, RequestId};

    use super::*;

    #[test]
    fn one_environment_with_an_extension_that_works_on_and_is_killed() {
        let zero = Instant::now();
        let at = |ms: u64, event: LifecycleEvent| (zero + Duration::from_millis(ms), event, None);
        let extension = || ExtensionName::new("agent").unwrap();
        let request_id = RequestId::parse("11111111-2222-4333-8444-555555555555").unwrap();
        let success = || PhaseStatus::Success;
        let report = Report {
            duration: Duration::from_millis(60),
            billed_ms: 180,
            memory_size_mb: 128,
            max_memory_used_mb: 39,
            init_duration: Some(Duration::from_millis(120)),
            restore: None,
            status: success(),
        };
        let events = ExtensionEvents { invoke: true, shutdown: true };
        let why_cold = Some(ColdReason::FirstInvocation);
        let mut steps = vec![
            at(0, LifecycleEvent::InitStarted { phase: InitPhase::Init }),
            at(2, LifecycleEvent::ExtensionStarted { extension: extension() }),
            at(30, LifecycleEvent::ExtensionRegistered { extension: extension(), is_external: true, events }),
            at(31, LifecycleEvent::RuntimeStarted),
            at(90, LifecycleEvent::RuntimeInitDone { phase: InitPhase::Init, status: success() }),
            at(120, LifecycleEvent::ExtensionReady { extension: extension() }),
            at(120, LifecycleEvent::InitDone { phase: InitPhase::Init, status: success() }),
            at(
                120,
                LifecycleEvent::InvokeStarted {
                    request_id,
                    why_cold,
                    particulars: None,
                    trace: None,
                    arrived: zero,
                },
            ),
            at(130, LifecycleEvent::RuntimeDone { request_id, status: success() }),
            at(180, LifecycleEvent::ExtensionDone { extension: extension() }),
            at(180, LifecycleEvent::InvokeDone { request_id, status: success(), memory_bytes_max: 0 }),
            at(180, LifecycleEvent::ShutdownStarted { reason: ShutdownReason::IdleTimeout }),
            at(200, LifecycleEvent::RuntimeGone { killed: false }),
            at(200, LifecycleEvent::ExtensionShutdownSent { extension: extension(), deadline: zero }),
            at(2_180, LifecycleEvent::ExtensionGone { extension: extension(), killed: true }),
            at(2_181, LifecycleEvent::ShutdownDone),
        ];
        steps[10].2 = Some(report);
        let since_start = |at: Instant| ms(at.duration_since(zero));
        let environment = EnvironmentId::random();
        let invocations = timeline::invocations(environment, &steps);
        let lines = |value: Value| value.as_array().unwrap().iter().map(|it| format!("{it}\n")).collect();
        let text: Vec<String> = vec![
            lines(spans(&timeline::spans(&steps), since_start)),
            lines(extensions(&timeline::extensions(&steps), since_start)),
            format!("{:#}", invocation(&invocations[0], since_start)),
        ];
        expect![[r#"
            {"end_ms":31.0,"phase":"extension-init","request_id":null,"start_ms":0.0,"status":null}
            {"end_ms":90.0,"phase":"init","request_id":null,"start_ms":31.0,"status":"success"}
            {"end_ms":120.0,"phase":"extension-wait","request_id":null,"start_ms":90.0,"status":"success"}
            {"end_ms":130.0,"phase":"invoke","request_id":"11111111-2222-4333-8444-555555555555","start_ms":120.0,"status":"success"}
            {"end_ms":180.0,"phase":"extension-overhead","request_id":"11111111-2222-4333-8444-555555555555","start_ms":130.0,"status":"success"}
            {"end_ms":200.0,"phase":"runtime-shutdown","request_id":null,"start_ms":180.0,"status":null}
            {"end_ms":2181.0,"phase":"extension-shutdown","request_id":null,"start_ms":200.0,"status":null}
            {"events":["INVOKE","SHUTDOWN"],"is_external":true,"name":"agent","spans":[{"end_ms":30.0,"error_type":null,"killed":false,"phase":"registration","request_id":null,"start_ms":2.0,"status":null},{"end_ms":120.0,"error_type":null,"killed":false,"phase":"init","request_id":null,"start_ms":30.0,"status":null},{"end_ms":130.0,"error_type":null,"killed":false,"phase":"invoke","request_id":"11111111-2222-4333-8444-555555555555","start_ms":120.0,"status":null},{"end_ms":180.0,"error_type":null,"killed":false,"phase":"after-call","request_id":"11111111-2222-4333-8444-555555555555","start_ms":130.0,"status":null},{"end_ms":200.0,"error_type":null,"killed":false,"phase":"idle","request_id":null,"start_ms":180.0,"status":null},{"end_ms":2180.0,"error_type":null,"killed":true,"phase":"shutdown","request_id":null,"start_ms":200.0,"status":null}]}
            {
              "billed_ms": 180,
              "cold_start": {
                "explanation": "first invocation",
                "reason": "first-invocation"
              },
              "duration_ms": 60.0,
              "environment_id": "<environment>",
              "error_type": null,
              "extension_init_ms": 31.0,
              "extension_overhead_ms": 50.0,
              "extension_wait_ms": 30.0,
              "extensions": [
                {
                  "after_call_ms": 50.0,
                  "name": "agent"
                }
              ],
              "function_init_ms": null,
              "init_ms": 120.0,
              "injected_faults": [],
              "max_memory_used_mb": 39,
              "memory_size_mb": 128,
              "request_id": "11111111-2222-4333-8444-555555555555",
              "runtime_init_ms": null,
              "start_ms": 120.0,
              "status": "success",
              "why_cold": "first-invocation"
            }"#]].assert_eq(&text.concat().replace(&environment.to_string(), "<environment>"));
    }
}
