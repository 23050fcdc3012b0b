//! What would have been, as JSON: durations in milliseconds, costs in US dollars.

use hearth_types::FunctionName;
use hearth_whatif::{Advice, AsRecorded, Outcome, Policy, Question, Report};
use serde_json::{Value, json};

/// Writes the answer.
pub(super) fn report(
    function: &FunctionName,
    report: &Report,
    question: &Question,
    notes: &[String],
) -> Value {
    let Report { recorded, outcomes, advice } = report;
    json!({
        "function_name": function.as_str(),
        "idle_timeout_s": question.idle_timeout.as_secs_f64(),
        "recorded": as_recorded(recorded),
        "policies": outcomes.iter().map(outcome).collect::<Vec<Value>>(),
        "advice": match advice {
            Advice::Do { what, why } => json!({ "kind": "do", "what": what, "why": why }),
            Advice::LeaveIt { why } => json!({ "kind": "leave-it", "what": null, "why": why }),
            Advice::Refused { why } => json!({ "kind": "refused", "what": null, "why": why }),
        },
        "notes": notes,
    })
}

fn as_recorded(recorded: &AsRecorded) -> Value {
    json!({
        "from_ms": recorded.first_epoch_ms,
        "span_ms": recorded.span.as_millis() as u64,
        "calls": recorded.calls,
        "cold_calls": recorded.cold_calls,
        "cold_share": recorded.cold_share(),
        "added_p50_ms": ms(recorded.added_p50_us as f64),
        "added_p99_ms": ms(recorded.added_p99_us as f64),
        "concurrency_max": recorded.concurrency_max,
        "inits": recorded.inits,
        "left_out": recorded.left_out,
    })
}

fn outcome(outcome: &Outcome) -> Value {
    let (keep_alive_us, memory_mb, environments) = match outcome.policy {
        Policy::Fixed { keep_alive_us } => (Some(keep_alive_us), None, None),
        Policy::Histogram { .. } => (None, None, None),
        Policy::GreedyDual { memory_mb } => (None, Some(memory_mb), None),
        Policy::Provisioned { environments, keep_alive_us } => {
            (Some(keep_alive_us), None, Some(environments))
        }
    };
    let cost = &outcome.cost;
    json!({
        "policy": outcome.policy.kind().as_str(),
        "label": outcome.policy.to_string(),
        "keep_alive_s": keep_alive_us.map(|us| us as f64 / 1e6),
        "memory_limit_mb": memory_mb,
        "provisioned": environments,
        "calls": outcome.calls,
        "cold_calls": outcome.cold_calls,
        "cold_share": outcome.cold_share(),
        "throttled": outcome.throttled,
        "near_boundary": outcome.near_boundary,
        "over_memory_limit": outcome.over_limit,
        "added_p50_ms": ms(outcome.added_p50_us as f64),
        "added_p99_ms": ms(outcome.added_p99_us as f64),
        "added_mean_ms": ms(outcome.added_mean_us),
        "environments_made": outcome.environments_made,
        "environment_seconds": outcome.environment_seconds(),
        "memory_gb_seconds": outcome.memory_gb_seconds(),
        "cost_usd": {
            "requests": cost.requests,
            "duration": cost.duration,
            "init": cost.init,
            "provisioned": cost.provisioned,
            "total": cost.total(),
        },
    })
}

fn ms(us: f64) -> f64 {
    us.round() / 1_000.0
}
