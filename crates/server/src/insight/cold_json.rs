//! A cold start as JSON: its reason, a sentence, and what is known besides as members of their own.

use hearth_types::{ColdParticulars, ColdStart, FirstSince};
use serde_json::{Value, json};

/// Writes why an invocation was cold.
pub(super) fn cold_start(cold: &ColdStart) -> Value {
    let mut value = json!({ "reason": cold.reason.as_str(), "explanation": cold.explanation() });
    let Some(particulars) = &cold.particulars else { return value };
    let more = match &**particulars {
        ColdParticulars::First(FirstSince::Deployed { at_epoch_ms }) => {
            json!({ "since": "deployed", "deployed_epoch_ms": at_epoch_ms })
        }
        ColdParticulars::First(FirstSince::ServerStart) => json!({ "since": "server-start" }),
        ColdParticulars::Busy { environments } => json!({ "busy_environments": environments }),
        ColdParticulars::Updated { what, at_epoch_ms } => {
            json!({ "changed": what.as_str(), "changed_epoch_ms": at_epoch_ms })
        }
        ColdParticulars::Idle { idle_for, limit } => {
            json!({ "idle_s": idle_for.as_secs_f64(), "idle_limit_s": limit.as_secs_f64() })
        }
        ColdParticulars::EvictedFor(function) => json!({ "evicted_for": function.as_str() }),
        ColdParticulars::EvictedForMemory(by) => {
            json!({ "evicted_for_memory_of": by.as_ref().map(|function| function.as_str()) })
        }
        ColdParticulars::Failed { how } => json!({ "failure": how }),
        ColdParticulars::TimedOut { limit } => json!({ "timeout_s": limit.as_secs_f64() }),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}
