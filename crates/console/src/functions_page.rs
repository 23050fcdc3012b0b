//! All functions: what state they are in, how often they were called, how often cold, how long that took and what it cost.

use std::collections::HashMap;

use maud::{Markup, html};
use serde_json::Value;

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::cost_page::{self, Costs};
use crate::facts::{self, Call, quantile, text};
use crate::page::{Frame, Page, function_path, note};
use crate::text::{NOTHING, encoded, grouped, ms, percent, visible};

const DAY_MS: i64 = 86_400_000;

pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Functions" }
        p.small { "Calls of the last 24 hours; cost of this day (UTC), an estimate." }
        div data-live=(format!("{PATH}/live/functions")) { (part(api).await) }
    };
    Ok(frame.page(&[], content))
}

/// The part of the page that follows what happens.
pub(crate) async fn part(api: &Api<'_>) -> Markup {
    let now = api.ask.now_epoch_ms();
    let mut functions = match facts::functions(api).await {
        Ok(functions) => functions,
        Err(problem) => return note(&problem),
    };
    facts::add_states(api, &mut functions).await;
    if functions.is_empty() {
        return html! {
            p.note { "There is no function yet. Create one with the AWS CLI, or try " code { "hearth demo" } "." }
        };
    }
    let calls = facts::calls(api, None, (now - DAY_MS, None)).await;
    let environments = api.get("/_hearth/environments").await.unwrap_or(Value::Null);
    let costs = cost_page::costs(api, None, "function", (now - now.rem_euclid(DAY_MS), now)).await;
    let mut of_function: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls.iter().flatten() {
        of_function.entry(&call.function).or_default().push(call);
    }
    html! {
        @if let Err(problem) = &calls { (note(problem)) }
        div.scroll tabindex="0" role="region" aria-label="Functions" {
            table.functions {
                caption.hidden { "Functions and their calls" }
                thead {
                    tr {
                        th scope="col" { "Function" }
                        th scope="col" { "State" }
                        th scope="col" { "Runtime" }
                        th.number scope="col" { "Environments" }
                        th.number scope="col" { "Calls" }
                        th.number scope="col" { "Errors" }
                        th.number scope="col" { "Cold" }
                        th.number scope="col" { abbr title="half of the calls took no longer" { "p50" } }
                        th.number scope="col" { abbr title="99 of 100 calls took no longer" { "p99" } }
                        th.number scope="col" { "Cost today" }
                    }
                }
                tbody {
                    @for function in &functions {
                        (row(function, of_function.get(text(function, "FunctionName")), &environments, &costs))
                    }
                }
            }
        }
    }
}

fn row(
    function: &Value,
    calls: Option<&Vec<&Call>>,
    environments: &Value,
    costs: &Result<Costs, Problem>,
) -> Markup {
    let name = text(function, "FunctionName");
    let empty = Vec::new();
    let calls = calls.unwrap_or(&empty);
    let mut durations: Vec<f64> = calls.iter().map(|call| call.duration_ms).collect();
    durations.sort_by(f64::total_cmp);
    let duration = |share| quantile(&durations, share).map_or(NOTHING.to_owned(), ms);
    let cold = calls.iter().filter(|call| call.is_cold()).count();
    let errors = calls.iter().filter(|call| call.has_failed()).count();
    let environments = environments["environments"]
        .as_array()
        .map_or(0, |all| all.iter().filter(|environment| text(environment, "function_name") == name).count());
    let runtime = match text(function, "Runtime") {
        "" => text(function, "PackageType"),
        runtime => runtime,
    };
    html! {
        tr {
            th scope="row" {
                a href=(function_path(name)) { (visible(name)) }
                " "
                a.aside href=(format!("{PATH}/lifecycle?function={}", encoded(name))) aria-label=(format!("Lifecycle of {}", visible(name))) {
                    "lifecycle"
                }
            }
            td { (state(function)) }
            td { (visible(runtime)) }
            td.number { (environments) }
            td.number { (grouped(calls.len() as i64)) }
            td.number.bad[errors > 0] { (grouped(errors as i64)) }
            td.number { (percent(cold, calls.len())) }
            td.number { (duration(0.5)) }
            td.number { (duration(0.99)) }
            td.number { (costs.as_ref().ok().and_then(|costs| costs.of(name)).unwrap_or(NOTHING.to_owned())) }
        }
    }
}

/// The state of a function, with why it is not another one.
pub(crate) fn state(function: &Value) -> Markup {
    let state = text(function, "State");
    let (class, sign) = match state {
        "Active" => ("good", "●"),
        "Pending" => ("waits", "◌"),
        "Inactive" => ("", "○"),
        // Not told: neither good nor bad.
        "" => return html! { (NOTHING) },
        _ => ("bad", "✕"),
    };
    html! {
        span class=(format!("status {class}")) {
            span aria-hidden="true" { (sign) " " }
            (visible(state))
        }
        @if !text(function, "StateReason").is_empty() { " " span.small { (visible(text(function, "StateReason"))) } }
    }
}
