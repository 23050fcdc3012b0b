//! Entries of the journal as JSON: durations in milliseconds, moments in milliseconds since 1970; what is not known is `null`.

use hearth_cost::{BillingRule, Prices, of_call};
use hearth_telemetry::journal::JournalEntry;
use serde_json::{Value, json};

use super::cold_json;

/// Writes one invocation that has ended, and what it would cost on AWS: an estimate, as text so that it stays exact.
pub(super) fn entry(entry: &JournalEntry, prices: &Prices) -> Value {
    let ms = |us: u64| us as f64 / 1_000.0;
    let after_call: Vec<Value> = entry
        .after_call_us
        .iter()
        .map(|(name, us)| json!({ "name": name, "after_call_ms": ms(*us) }))
        .collect();
    json!({
        "request_id": entry.request_id.to_string(),
        "function_name": entry.function.as_str(),
        "version": entry.version.to_string(),
        "environment_id": entry.environment.to_string(),
        "initialization_type": entry.initialization_type.as_str(),
        "log_group": entry.log_group.as_str(),
        "log_stream": entry.log_stream.as_str(),
        "runtime": entry.runtime.as_str(),
        "architecture": entry.architecture.as_str(),
        "memory_size_mb": entry.memory_size_mb,
        "ephemeral_storage_mb": entry.ephemeral_storage_mb,
        "started_epoch_ms": entry.started_epoch_ms,
        "waited_ms": ms(entry.waited_us),
        "duration_ms": ms(entry.duration_us),
        "init_ms": entry.init_us.map(ms),
        "extension_init_ms": entry.extension_init_us.map(ms),
        "runtime_init_ms": entry.runtime_init_us.map(ms),
        "function_init_ms": entry.function_init_us.map(ms),
        "extension_wait_ms": entry.extension_wait_us.map(ms),
        "extension_overhead_ms": entry.extension_overhead_us.map(ms),
        "extensions": after_call,
        "billed_ms": entry.billed_ms,
        "max_memory_used_mb": entry.max_memory_used_mb,
        "why_cold": entry.why_cold.map(|why| why.as_str()),
        "cold_start": entry.cold_start().as_ref().map(cold_json::cold_start),
        "response_bytes": entry.response_bytes,
        "cost_usd": of_call(entry, prices, BillingRule::Today).total().to_string(),
        "status": entry.status,
        "error_type": entry.error_type,
    })
}
