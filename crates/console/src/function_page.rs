//! One function: its calls as a chart and a table, its environments and configuration, a form to invoke it, and its log.

use maud::{Markup, html};
use serde_json::Value;

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{self, quantile, text};
use crate::functions_page::state;
use crate::page::{Frame, Page, function_path, note};
use crate::parts::{calls as calls_table, figure};
use crate::profiles;
use crate::text::{NOTHING, encoded, grouped, ms, percent, visible};

const DAY_MS: i64 = 86_400_000;
/// How many calls the table behind the chart has.
const CALLS_SHOWN: usize = 50;

pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>, name: &str) -> Result<Page, Problem> {
    let function = api.get(&format!("/2015-03-31/functions/{}/configuration", encoded(name))).await?;
    let name = text(&function, "FunctionName");
    let query = encoded(name);
    let content = html! {
        p.crumbs { a href=(PATH) { "Functions" } }
        div.title {
            h1 { (visible(name)) }
            p.actions {
                a.button href=(format!("{PATH}/lifecycle?function={query}")) { "Lifecycle" }
                a.button.quiet href=(format!("{PATH}/cost?function={query}")) { "Cost and what-if" }
                a.button.quiet href=(format!("{PATH}/tail?function={query}")) { "Live tail" }
                a.button.quiet.bad href=(format!("{}/delete", function_path(name))) { "Delete…" }
            }
        }
        section aria-labelledby="durations-title" {
            h2 id="durations-title" { "Durations" }
            p.small {
                "Calls of the last 24 hours. "
                span.key.warm { "warm" } " " span.key.cold { "cold: Init above the call" } " " span.key.failed { "failed" }
            }
            div.chart data-durations=(format!("{PATH}/data/invocations?function={query}")) {
                canvas width="1" height="1" role="img"
                    aria-label="Durations over time, on a logarithmic scale. The table of calls below has the figures." {}
            }
        }
        div data-live=(format!("{PATH}/live/function?function={query}")) { (part(api, name).await) }
        (invoke_form(frame, name))
        (configuration(&function))
        (profiles::show(api, name).await)
        section aria-labelledby="log-title" {
            h2 id="log-title" { "Live log" }
            div.log.live data-tail=(format!("{PATH}/live/logs?function={query}")) tabindex="0" role="log"
                aria-label="Log lines of this function as they come" { }
        }
    };
    Ok(frame.page(&["durations.js", "tail.js"], content))
}

/// The part of the page that follows what happens.
pub(crate) async fn part(api: &Api<'_>, name: &str) -> Markup {
    let now = api.ask.now_epoch_ms();
    let calls = match facts::calls(api, Some(name), (now - DAY_MS, None)).await {
        Ok(calls) => calls,
        Err(problem) => return note(&problem),
    };
    let mut durations: Vec<f64> = calls.iter().map(|call| call.duration_ms).collect();
    durations.sort_by(f64::total_cmp);
    let mut inits: Vec<f64> = calls.iter().filter_map(|call| call.init_ms).collect();
    inits.sort_by(f64::total_cmp);
    let of = |sorted: &[f64], share| quantile(sorted, share).map_or(NOTHING.to_owned(), ms);
    let cold = calls.iter().filter(|call| call.is_cold()).count();
    let errors = calls.iter().filter(|call| call.has_failed()).count();
    let environments = api.get(&format!("/_hearth/environments?function={}", encoded(name))).await;
    html! {
        dl.figures {
            (figure("Calls in 24 h", &grouped(calls.len() as i64)))
            (figure("Cold", &percent(cold, calls.len())))
            (figure("Errors", &grouped(errors as i64)))
            (figure("p50", &of(&durations, 0.5)))
            (figure("p99", &of(&durations, 0.99)))
            (figure("Init p50", &of(&inits, 0.5)))
            (figure("Init p99", &of(&inits, 0.99)))
        }
        section aria-labelledby="environments-title" {
            h2 id="environments-title" { "Environments" }
            @match environments {
                Err(problem) => (note(&problem)),
                Ok(environments) => (environments_table(environments["environments"].as_array())),
            }
        }
        section aria-labelledby="calls-title" {
            h2 id="calls-title" { "Calls" }
            @if calls.is_empty() { p.note { "Nobody has called it in the last 24 hours." } }
            @else { (calls_table("The latest calls, newest first", calls.iter().rev().take(CALLS_SHOWN))) }
        }
    }
}

fn environments_table(environments: Option<&Vec<Value>>) -> Markup {
    let environments = environments.map(Vec::as_slice).unwrap_or_default();
    html! {
        @if environments.is_empty() { p.note { "None runs now. The next call is going to be cold." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Environments that run now" {
                table {
                    caption { "Environments that run now" }
                    thead {
                        tr {
                            th scope="col" { "Environment" }
                            th scope="col" { "State" }
                            th scope="col" { "Version" }
                            th.number scope="col" { "Calls" }
                            th.number scope="col" { "Memory" }
                            th scope="col" { "Made because" }
                            th scope="col" { "Log stream" }
                        }
                    }
                    tbody {
                        @for environment in environments {
                            tr {
                                th scope="row" { code { (visible(&beginning_of(text(environment, "environment_id")))) } }
                                td { (visible(text(environment, "state"))) }
                                td { (visible(text(environment, "version"))) }
                                td.number { (environment["invocations"].as_i64().unwrap_or(0)) }
                                td.number { (environment["max_memory_used_mb"].as_i64().unwrap_or(0)) " MB" }
                                td { (visible(&facts::reason_in_words(text(environment, "why_cold")))) }
                                td { code { (visible(text(environment, "log_stream"))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn beginning_of(id: &str) -> String {
    id.chars().take(8).collect()
}

fn invoke_form(frame: &Frame<'_>, name: &str) -> Markup {
    html! {
        section aria-labelledby="invoke-title" {
            h2 id="invoke-title" { "Invoke" }
            form.invoke method="post" action=(format!("{}/invoke", function_path(name))) data-part="answer" {
                input type="hidden" name="token" value=(frame.token);
                label for="payload" { "Payload (JSON)" }
                textarea id="payload" name="payload" rows="4" spellcheck="false" { "{}" }
                div.row {
                    label for="qualifier" { "Version or alias" }
                    input id="qualifier" name="qualifier" placeholder="$LATEST" maxlength="128" spellcheck="false";
                    button type="submit" { "Invoke" }
                }
            }
            div id="answer" aria-live="polite" {}
        }
    }
}

fn configuration(function: &Value) -> Markup {
    let plain = |name: &str| match &function[name] {
        Value::String(text) => visible(text),
        Value::Number(number) => number.to_string(),
        _ => NOTHING.to_owned(),
    };
    let list = |value: &Value, member: &str| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(|item| item.as_str().or_else(|| item[member].as_str())).map(visible).collect()
    };
    let layers = list(&function["Layers"], "Arn");
    let mut variables: Vec<&String> =
        function["Environment"]["Variables"].as_object().map(|all| all.keys().collect()).unwrap_or_default();
    variables.sort();
    let rows = [
        ("State", html! { (state(function)) }),
        ("Runtime", html! { (plain("Runtime")) }),
        ("Handler", html! { code { (plain("Handler")) } }),
        ("Architecture", html! { (list(&function["Architectures"], "").join(", ")) }),
        ("Memory", html! { (plain("MemorySize")) " MB" }),
        ("/tmp", html! { (function["EphemeralStorage"]["Size"].as_i64().unwrap_or(512)) " MB" }),
        ("Time-out", html! { (plain("Timeout")) " s" }),
        ("Version", html! { (plain("Version")) }),
        ("Log group", html! { code { (visible(text(&function["LoggingConfig"], "LogGroup"))) } }),
        ("Log format", html! { (visible(text(&function["LoggingConfig"], "LogFormat"))) }),
        (
            "Layers",
            html! { @if layers.is_empty() { (NOTHING) } @for layer in &layers { div { code { (layer) } } } },
        ),
        // Their values are the function's own business.
        (
            "Variables",
            html! {
                @if variables.is_empty() { (NOTHING) } @for name in &variables { code { (visible(name)) } " " }
            },
        ),
        ("Last modified", html! { (plain("LastModified")) }),
        ("Code", html! { (plain("CodeSize")) " bytes, SHA-256 " code { (plain("CodeSha256")) } }),
        ("ARN", html! { code { (plain("FunctionArn")) } }),
    ];
    html! {
        section aria-labelledby="configuration-title" {
            h2 id="configuration-title" { "Configuration" }
            dl.pairs { @for (name, value) in rows { dt { (name) } dd { (value) } } }
        }
    }
}

/// How deep, and how wide, JSON of other parts of the server is shown.
const TREE_DEPTH_MAX: usize = 6;
const TREE_WIDTH_MAX: usize = 40;

/// JSON as nested lists: readable whatever its members are.
pub(crate) fn tree(value: &Value, depth: usize) -> Markup {
    if depth > TREE_DEPTH_MAX {
        return html! { "…" };
    }
    match value {
        Value::Object(members) => html! {
            dl.pairs {
                @for (name, member) in members.iter().take(TREE_WIDTH_MAX) {
                    dt { (visible(&name.replace('_', " "))) }
                    dd { (tree(member, depth + 1)) }
                }
            }
        },
        Value::Array(items) => html! {
            ol.plain { @for item in items.iter().take(TREE_WIDTH_MAX) { li { (tree(item, depth + 1)) } } }
            @if items.len() > TREE_WIDTH_MAX { p.small { "and " (items.len() - TREE_WIDTH_MAX) " more" } }
        },
        Value::String(text) => html! { (visible(text)) },
        Value::Null => html! { (NOTHING) },
        other => html! { (other.to_string()) },
    }
}
