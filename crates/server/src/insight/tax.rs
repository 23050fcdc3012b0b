//! `/_hearth/functions/NAME/tax`: what each extension of a function costs, over all environments that are on record.

use std::time::Duration;

use hearth_aws_wire::Response;
use hearth_cost::ESTIMATE;
use hearth_telemetry::EnvironmentFacts;
use hearth_telemetry::timeline::{ExtensionTax, tax};
use hearth_types::{FunctionName, ProcessUsage};
use serde_json::{Value, json};

use super::{Insight, answer, ms};

/// One extension, over all environments.
struct Sum {
    of: ExtensionTax,
    used: Option<ProcessUsage>,
    cost_usd: f64,
}

impl Insight {
    /// Says what the extensions of a function take. Internal ones are part of the runtime's process: CPU time and memory
    /// are not told apart there.
    pub(super) fn tax(&self, name: &FunctionName) -> Response {
        let records = self.recorder.environments(Some(name));
        let (mut sums, mut billed, mut cost_usd, mut invocations) = (Vec::new(), Duration::ZERO, 0.0, 0);
        for record in &records {
            let of_environment = tax(&record.events());
            invocations += record.invocations();
            billed += of_environment.billed;
            cost_usd += self.cost_of(of_environment.billed, &record.facts);
            for extension in of_environment.extensions {
                let cost_usd = self.cost_of(extension.billed, &record.facts);
                add(&mut sums, extension, cost_usd);
            }
        }
        for environment in self.pool.environments() {
            let environment = environment.environment;
            if environment.record().facts.function != *name {
                continue;
            }
            for (extension, usage) in environment.extensions_usage() {
                if let Some(sum) = sums.iter_mut().find(|sum: &&mut Sum| sum.of.name == extension) {
                    sum.used = Some(sum_of(sum.used, usage));
                }
            }
        }
        answer(&json!({
            "function_name": name.as_str(),
            "environments": records.len(),
            "invocations": invocations,
            "extensions": sums.iter().map(|sum| written(sum, invocations)).collect::<Vec<Value>>(),
            "together": { "billed_ms": ms(billed), "cost_usd": cost_usd },
            "cost_is": ESTIMATE,
        }))
    }

    /// Returns what billed time costs.
    fn cost_of(&self, billed: Duration, facts: &EnvironmentFacts) -> f64 {
        let gigabytes = f64::from(facts.memory_size_mb) / 1_024.0;
        billed.as_secs_f64() * gigabytes * self.prices.rates(facts.architecture).gb_second
    }
}

fn add(sums: &mut Vec<Sum>, extension: ExtensionTax, cost_usd: f64) {
    let Some(sum) = sums.iter_mut().find(|sum| sum.of.name == extension.name) else {
        sums.push(Sum { used: extension.ended, cost_usd, of: extension });
        return;
    };
    sum.of.is_external = sum.of.is_external.or(extension.is_external);
    sum.of.inits += extension.inits;
    sum.of.init += extension.init;
    sum.of.calls += extension.calls;
    sum.of.after_call += extension.after_call;
    sum.of.billed += extension.billed;
    sum.used = extension.ended.map(|ended| sum_of(sum.used, ended)).or(sum.used);
    sum.cost_usd += cost_usd;
}

/// Adds up time; of memory, the most that it had anywhere counts.
fn sum_of(known: Option<ProcessUsage>, more: ProcessUsage) -> ProcessUsage {
    let known = known.unwrap_or_default();
    ProcessUsage {
        cpu: known.cpu + more.cpu,
        memory_bytes_max: known.memory_bytes_max.max(more.memory_bytes_max),
    }
}

fn written(sum: &Sum, invocations: u64) -> Value {
    let Sum { of, used, cost_usd } = sum;
    let mean = |total: Duration, times: u32| (times > 0).then(|| ms(total / times));
    json!({
        "name": of.name.as_str(),
        "is_external": of.is_external,
        "inits": of.inits,
        "init_ms": mean(of.init, of.inits),
        "calls": of.calls,
        "after_call_ms": mean(of.after_call, of.calls),
        "cpu_ms": used.map(|used| ms(used.cpu)),
        "cpu_ms_per_invocation": used
            .filter(|_| invocations > 0)
            .map(|used| ms(used.cpu.div_f64(invocations as f64))),
        "max_memory_used_mb": used.map(|used| used.memory_bytes_max.div_ceil(1 << 20)),
        "billed_ms": ms(of.billed),
        "billed_ms_per_call": mean(of.billed, of.calls),
        "cost_usd": cost_usd,
    })
}
