//! `/_hearth/top`: functions and environments as they are now, for whoever looks again and again.

use std::collections::BTreeMap;

use hearth_aws_wire::Response;
use hearth_cost::{ESTIMATE, Money};
use serde_json::{Value, json};

use super::live::{Seen, Today};
use super::{Insight, answer};

/// What is known of a function.
#[derive(Default)]
struct Function {
    environments: u64,
    busy: u64,
    memory_mb: u64,
    seen: Option<Seen>,
}

impl Insight {
    /// Answers what runs, and what it has done today.
    pub(super) async fn top(&self) -> Response {
        let feed = self.feed.clone();
        let _ = tokio::task::spawn_blocking(move || feed.catch_up()).await;
        let environments = self.environment_values(None);
        let mut functions: BTreeMap<String, Function> = BTreeMap::new();
        for (name, seen) in self.live.seen(self.clock.now()) {
            if seen.today.calls > 0 || seen.p50_us.is_some() {
                functions.entry(name.as_str().to_owned()).or_default().seen = Some(seen);
            }
        }
        for environment in &environments {
            let name = environment["function_name"].as_str().unwrap_or_default();
            let function = functions.entry(name.to_owned()).or_default();
            function.environments += 1;
            function.busy += u64::from(environment["state"] != "Ready");
            function.memory_mb += environment["max_memory_used_mb"].as_u64().unwrap_or_default();
        }
        let today = |it: &Function| it.seen.as_ref().map_or_else(Today::default, |seen| seen.today);
        let cost: Money = functions.values().map(|it| today(it).cost).sum();
        let values: Vec<Value> = functions.iter().map(|(name, it)| function(name, it, today(it))).collect();
        answer(&json!({
            "now_epoch_ms": self.clock.epoch_ms(),
            "functions": values,
            "environments": environments,
            "cost_today_usd": cost.to_string(),
            "note": ESTIMATE,
        }))
    }
}

fn function(name: &str, function: &Function, today: Today) -> Value {
    let ms = |us: Option<u64>| us.map(|us| us as f64 / 1_000.0);
    let seen = function.seen.as_ref();
    json!({
        "function_name": name,
        "environments": function.environments,
        "busy": function.busy,
        "max_memory_used_mb": function.memory_mb,
        "calls_per_s": seen.map_or(0.0, |seen| seen.calls_per_s),
        "p50_ms": ms(seen.and_then(|seen| seen.p50_us)),
        "p99_ms": ms(seen.and_then(|seen| seen.p99_us)),
        "calls_today": today.calls,
        "cold_today": today.cold,
        "errors_today": today.errors,
        "cost_today_usd": today.cost.to_string(),
    })
}
