//! `/_hearth/cost`: what invocations and kept environments would cost on AWS.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use hearth_aws_wire::Response;
use hearth_cost::{BillingRule, By, Cost, ESTIMATE, Prices, Row, Statement};
use hearth_telemetry::journal::{EnvironmentLife, Journal, JournalEntry, JournalQuery, Scanned};
use hearth_types::{FunctionName, InitializationType};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Insight, Query, answer, cold_json, error};

/// Most invocations in one answer.
const INVOCATIONS_MAX: usize = 10_000;
const INVOCATIONS_DEFAULT: usize = 100;
/// How many statements are made at once. Each may read gigabytes.
pub(crate) const STATEMENTS_MAX: usize = 2;

/// What is asked for.
struct Asked {
    query: JournalQuery,
    rule: BillingRule,
    rows: Rows,
    with_tiers: bool,
    with_free_tier: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    By(By),
    Invocations { limit: usize },
}

impl Insight {
    /// Answers a statement of costs.
    pub(super) async fn cost(&self, query: &Query<'_>) -> Response {
        let asked = match Asked::of(query) {
            Ok(asked) => asked,
            Err(message) => return error(StatusCode::BAD_REQUEST, &message),
        };
        let Ok(turn) = self.statements.clone().acquire_owned().await else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "the server stops");
        };
        let living = self.living_provisioned(asked.query.function.as_ref());
        let (feed, journal, prices) = (self.feed.clone(), self.journal.clone(), self.prices.clone());
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            feed.catch_up();
            statement(&journal, &prices, &asked, living)
        });
        match made.await.map_err(std::io::Error::other).flatten() {
            Ok(statement) => answer(&statement),
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "the journal cannot be read");
                error(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be read")
            }
        }
    }

    /// The lives so far of provisioned environments that are there now.
    fn living_provisioned(&self, function: Option<&FunctionName>) -> Vec<EnvironmentLife> {
        let now_epoch_ms = self.clock.epoch_ms();
        let environments = self.pool.environments().into_iter().map(|status| status.environment);
        environments
            .filter(|environment| {
                let facts = &environment.record().facts;
                facts.initialization_type == InitializationType::ProvisionedConcurrency
                    && function.is_none_or(|function| facts.function == *function)
            })
            .map(|environment| {
                let mut life = EnvironmentLife::begin(&environment.record().facts);
                life.ended_epoch_ms = now_epoch_ms.max(life.made_epoch_ms);
                life
            })
            .collect()
    }
}

impl Asked {
    fn of(query: &Query<'_>) -> Result<Self, String> {
        let function = query.get("function").filter(|name| !name.is_empty());
        let function = function.map(|name| FunctionName::new(&name)).transpose();
        let function = function.map_err(|cause| cause.to_string())?;
        let (from, to) = (moment(query, "from_ms")?, moment(query, "to_ms")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err("`from_ms` is after `to_ms`".to_owned());
        }
        let rows = match query.get("by").as_deref() {
            None | Some("function") => Rows::By(By::Function),
            Some("day") => Rows::By(By::Day),
            Some("invocation") => {
                let limit = query.number("limit").map_or(INVOCATIONS_DEFAULT, |limit| limit as usize);
                Rows::Invocations { limit: limit.clamp(1, INVOCATIONS_MAX) }
            }
            Some(other) => {
                return Err(format!("`by` is `function`, `day` or `invocation`, not `{other}`"));
            }
        };
        let rule = match query.get("billing_rule") {
            None => BillingRule::Today,
            Some(word) => BillingRule::parse(&word)
                .ok_or_else(|| format!("`billing_rule` is `today` or `before-2025-08`, not `{word}`"))?,
        };
        Ok(Self {
            query: JournalQuery { function, from_epoch_ms: from, to_epoch_ms: to, limit: None },
            rule,
            rows,
            with_tiers: flag(query, "tiers")?,
            with_free_tier: flag(query, "free_tier")?,
        })
    }
}

fn moment(query: &Query<'_>, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let wrong = || format!("`{name}` is a number of milliseconds since 1970, not `{text}`");
    let ms: i64 = text.parse().map_err(|_| wrong())?;
    // About as far as a calendar goes: the year 9999.
    (0..=253_402_207_200_000).contains(&ms).then_some(Some(ms)).ok_or_else(wrong)
}

fn flag(query: &Query<'_>, name: &str) -> Result<bool, String> {
    match query.get(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(format!("`{name}` is `true` or `false`, not `{other}`")),
    }
}

fn statement(
    journal: &Journal,
    prices: &Arc<Prices>,
    asked: &Asked,
    mut living: Vec<EnvironmentLife>,
) -> std::io::Result<Value> {
    let by = match asked.rows {
        Rows::By(by) => by,
        Rows::Invocations { .. } => By::Day,
    };
    let mut statement = Statement::new(prices, asked.rule, by);
    let mut latest: VecDeque<Value> = VecDeque::new();
    let calls = journal.scan(&asked.query, |call| {
        let cost = statement.add_call(&call);
        if let Rows::Invocations { limit } = asked.rows
            && latest.len() < limit
        {
            latest.push_front(invocation(&call, &cost));
        }
        ControlFlow::Continue(())
    })?;
    let (ended, lives) = journal.environments(&asked.query)?;
    let (from, to) = (asked.query.from_epoch_ms.unwrap_or(0), asked.query.to_epoch_ms.unwrap_or(i64::MAX));
    for life in ended {
        match living.iter_mut().find(|it| it.environment == life.environment) {
            // It was noted that it lives; what its Init took is in that note.
            Some(living) => living.init_us = life.init_us,
            None => statement.add_environment(&life, from, to),
        }
    }
    for life in &living {
        statement.add_environment(life, from, to);
    }
    let rows: Vec<Value> = match asked.rows {
        Rows::Invocations { .. } => latest.into(),
        Rows::By(by) => {
            let name = match by {
                By::Function => "function_name",
                By::Day => "day",
            };
            let row = |(key, row): (String, &Row)| {
                let mut value = figures(row);
                value[name] = key.into();
                value
            };
            statement.rows().map(row).collect()
        }
    };
    let discounts = statement.discounts(asked.with_tiers, asked.with_free_tier);
    let total = statement.total();
    let whole = total.cost.total();
    Ok(json!({
        "estimate": true,
        "note": ESTIMATE,
        "prices": { "source": prices.source, "date": prices.date, "region": prices.region, "currency": "USD" },
        "billing_rule": asked.rule.as_str(),
        "function_name": asked.query.function.as_ref().map(FunctionName::as_str),
        "from_ms": asked.query.from_epoch_ms,
        "to_ms": asked.query.to_epoch_ms,
        "rows": rows,
        "total": figures(total),
        "discounts": {
            "tiers_usd": discounts.tiers.to_string(),
            "free_tier_usd": discounts.free_tier.to_string(),
        },
        "cost_after_discounts_usd": whole.less(discounts.tiers + discounts.free_tier).to_string(),
        "invocations_without_row": statement.rowless(),
        "damaged_lines": damaged(calls, lives),
    }))
}

fn damaged(calls: Scanned, lives: Scanned) -> u64 {
    calls.damaged + lives.damaged
}

/// Writes what has gathered in a row, or in all of them.
fn figures(row: &Row) -> Value {
    let total = row.cost.total();
    let share = |part: u64| if row.requests == 0 { 0.0 } else { part as f64 / row.requests as f64 };
    json!({
        "requests": row.requests,
        "cold": row.cold,
        "cold_share": share(row.cold),
        "billed_ms": row.billed_ms,
        "billed_init_ms": row.init_ms,
        "gb_seconds": row.mb_ms as f64 / 1_024_000.0,
        "parts": parts(&row.cost),
        "cost_usd": total.to_string(),
        "init_share_of_cost": row.cost.init.share_of(total),
        "cold_cost_usd": row.cold_cost.to_string(),
        "cold_share_of_cost": row.cold_cost.share_of(total),
    })
}

fn parts(cost: &Cost) -> Value {
    json!({
        "requests_usd": cost.requests.to_string(),
        "duration_usd": cost.duration.to_string(),
        "init_usd": cost.init.to_string(),
        "ephemeral_storage_usd": cost.ephemeral_storage.to_string(),
        "streaming_usd": cost.streaming.to_string(),
        "provisioned_usd": cost.provisioned.to_string(),
    })
}

fn invocation(call: &JournalEntry, cost: &Cost) -> Value {
    json!({
        "request_id": call.request_id.to_string(),
        "function_name": call.function.as_str(),
        "version": call.version.to_string(),
        "started_epoch_ms": call.started_epoch_ms,
        "memory_size_mb": call.memory_size_mb,
        "architecture": call.architecture.as_str(),
        "duration_ms": call.duration_us as f64 / 1_000.0,
        "init_ms": call.init_us.map(|us| us as f64 / 1_000.0),
        "billed_ms": call.billed_ms,
        "cold_start": call.cold_start().as_ref().map(cold_json::cold_start),
        "status": call.status,
        "parts": parts(cost),
        "cost_usd": cost.total().to_string(),
    })
}
