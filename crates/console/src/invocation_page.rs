//! One invocation: its phases, its log lines, its cost, and why it was cold.

use http::StatusCode;
use maud::{Markup, html};

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{self, Call, text};
use crate::page::{Frame, Page, function_path, note};
use crate::parts::{First, figure, log_events, log_lines, status};
use crate::text::{NOTHING, encoded, moment, ms, visible};

/// The longest that a call can last, with its Init.
const LONGEST_MS: i64 = 930_000;

pub(crate) async fn show(
    api: &Api<'_>,
    frame: &Frame<'_>,
    id: &str,
    function: Option<&str>,
    at: Option<i64>,
) -> Result<Page, Problem> {
    // Whoever knows when it began spares the server a look through all it has.
    let window = at.map_or((0, None), |at| (at.saturating_sub(1), Some(at.saturating_add(2))));
    let calls = facts::calls(api, function, window).await?;
    let Some(call) = calls.iter().rev().find(|call| call.request_id == id) else {
        let message = format!("No invocation {id} has ended here. One that runs is shown when it has ended.");
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    };
    let lines = lines(api, call).await;
    let content = html! {
        p.crumbs { a href=(PATH) { "Functions" } " / " a href=(function_path(&call.function)) { (visible(&call.function)) } }
        h1 { "Invocation " code { (visible(&call.request_id)) } }
        p { (status(call)) " at " (moment(call.started_ms)) " UTC in environment " code { (visible(&call.environment)) } }
        dl.figures {
            (figure("Duration", &ms(call.duration_ms)))
            (figure("Init", &call.init_ms.map_or(NOTHING.to_owned(), ms)))
            (figure("Billed", &ms(call.billed_ms).replace(".00", "")))
            (figure("Memory", &format!("{} of {} MB", call.max_memory_used_mb, call.memory_size_mb)))
            (figure("Cost, an estimate", call.cost_usd.as_deref().unwrap_or("not available")))
        }
        p.note {
            @match &call.why_cold {
                Some(why) => { strong { "Cold: " } (visible(why)) "." }
                None => { strong { "Warm: " } "an environment was ready, and nothing had to be started." }
            }
        }
        (phases(call))
        section aria-labelledby="facts-title" {
            h2 id="facts-title" { "Where it ran" }
            dl.pairs {
                dt { "Version" } dd { (visible(&call.version)) }
                dt { "Environment made" } dd { (visible(&call.initialization_type)) }
                dt { "Architecture" } dd { (visible(&call.architecture)) }
                dt { "Log group" } dd { code { (visible(&call.log_group)) } }
                dt { "Log stream" } dd { code { (visible(&call.log_stream)) } }
                dt { "In the picture" }
                dd {
                    a href=(format!(
                        "{PATH}/lifecycle?function={}#at={}&length={}",
                        encoded(&call.function), call.started_ms, (call.duration_ms + call.init_ms.unwrap_or(0.0)).max(10.0) * 3.0
                    )) { "show it among its neighbours" }
                }
            }
        }
        section aria-labelledby="log-title" {
            h2 id="log-title" { "Its log lines" }
            @match lines {
                Ok(lines) if lines.is_empty() => p.note { "There are none." },
                Ok(lines) => div.log tabindex="0" role="region" aria-label="Log lines of this invocation" { (log_lines(&lines)) },
                Err(problem) => (note(&problem)),
            }
        }
    };
    Ok(frame.page(&[], content))
}

/// The lines between its START and its REPORT, and those before START that came with its Init.
async fn lines(api: &Api<'_>, call: &Call) -> Result<Vec<serde_json::Value>, Problem> {
    let begins = call.started_ms - call.init_ms.unwrap_or(0.0) as i64 - 50;
    let ends = call.started_ms + (call.duration_ms as i64).min(LONGEST_MS) + 2_000;
    let events =
        log_events(api, &call.log_group, Some(&call.log_stream), (begins, ends), (10_000, First::Oldest))
            .await?;
    let names = |event: &serde_json::Value| text(event, "message").contains(&call.request_id);
    let first = events.iter().position(names);
    let last = events.iter().rposition(names);
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let first = if call.init_ms.is_some() { 0 } else { first };
    Ok(events[first..=last].to_vec())
}

/// Its phases in their order: a bar of each, and the figures as a table.
fn phases(call: &Call) -> Markup {
    let mut phases: Vec<(&str, &str, f64)> = call.init_parts.clone();
    if phases.is_empty() {
        phases.extend(call.init_ms.map(|init| ("Init", "init", init)));
    }
    let overhead = call.overhead_ms.unwrap_or(0.0);
    let class = if call.has_failed() { "failed" } else { "invoke" };
    phases.push(("Call", class, (call.duration_ms - overhead).max(0.0)));
    if overhead > 0.0 {
        phases.push(("Overhang: extensions still work", "extension-overhead", overhead));
    }
    let whole: f64 = phases.iter().map(|(_, _, took)| took).sum::<f64>().max(0.001);
    let mut before = 0.0;
    let bars: Vec<_> = phases
        .iter()
        .map(|(name, class, took)| {
            let begins = before;
            before += took;
            (*name, *class, *took, 1_000.0 * begins / whole, (1_000.0 * took / whole).max(2.0))
        })
        .collect();
    html! {
        section aria-labelledby="phases-title" {
            h2 id="phases-title" { "Phases" }
            svg.phases viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true" {
                @for (_, class, _, begins, long) in &bars {
                    rect class=(class) x=(format!("{begins:.2}")) y="4" width=(format!("{long:.2}")) height="32" {}
                }
            }
            table {
                caption.hidden { "The phases of this invocation" }
                thead { tr { th scope="col" { "Phase" } th.number scope="col" { "Took" } th.number scope="col" { "Share" } } }
                tbody {
                    @if call.waited_ms > 0.0 {
                        tr { th scope="row" { "Waited for an environment, Init included" } td.number { (ms(call.waited_ms)) } td {} }
                    }
                    @for (name, class, took, ..) in &bars {
                        tr {
                            th scope="row" { span class=(format!("swatch {class}")) aria-hidden="true" {} (name) }
                            td.number { (ms(*took)) }
                            td.number { (format!("{:.1} %", 100.0 * took / whole)) }
                        }
                    }
                    @for (name, took) in &call.extensions {
                        tr {
                            th scope="row" { "Extension " (visible(name)) " after the call" }
                            td.number { (ms(*took)) }
                            td {}
                        }
                    }
                }
            }
        }
    }
}
