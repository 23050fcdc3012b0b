//! Parts that several pages have: tables of calls, log lines, shares.

use maud::{Markup, html};
use serde_json::{Value, json};

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{Call, text};
use crate::text::{NOTHING, encoded, ms, time_of_day, visible};

/// A number and what it is.
pub(crate) fn figure(name: &str, value: &str) -> Markup {
    html! { div.figure { dt { (name) } dd { (value) } } }
}

/// Where the page of a call is.
pub(crate) fn call_path(call: &Call) -> String {
    format!(
        "{PATH}/invocations/{}?function={}&at={}",
        encoded(&call.request_id),
        encoded(&call.function),
        call.started_ms
    )
}

/// How a call ended, in a word and with a sign beside the colour.
pub(crate) fn status(call: &Call) -> Markup {
    let (class, sign) = if call.has_failed() { ("bad", "✕") } else { ("good", "✓") };
    html! {
        span class=(format!("status {class}")) {
            span aria-hidden="true" { (sign) " " }
            (visible(&call.status))
            @if let Some(error) = &call.error_type { " " code { (visible(error)) } }
        }
    }
}

/// A table of calls, as they are given.
pub(crate) fn calls<'a>(caption: &str, calls: impl Iterator<Item = &'a Call>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.calls {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "Started (UTC)" }
                        th scope="col" { "Request" }
                        th.number scope="col" { "Init" }
                        th.number scope="col" { "Duration" }
                        th.number scope="col" { "Billed" }
                        th.number scope="col" { "Memory" }
                        th scope="col" { "Ended" }
                        th scope="col" { "Why cold" }
                    }
                }
                tbody {
                    @for call in calls {
                        tr.cold[call.is_cold()] data-request=(call.request_id) {
                            td.time { (time_of_day(call.started_ms)) }
                            th scope="row" {
                                a href=(call_path(call)) title=(call.request_id) { code { (beginning_of_id(&call.request_id)) } }
                            }
                            td.number { (call.init_ms.map_or(NOTHING.to_owned(), ms)) }
                            td.number { (ms(call.duration_ms)) }
                            td.number { (ms(call.billed_ms).replace(".00", "")) }
                            td.number { (call.max_memory_used_mb) " MB" }
                            td { (status(call)) }
                            td title=[&call.why_cold] { (call.why_cold_short.as_deref().map_or_else(|| "warm".to_owned(), visible)) }
                        }
                    }
                }
            }
        }
    }
}

/// The first part of an id, which tells it from its neighbours.
pub(crate) fn beginning_of_id(id: &str) -> String {
    visible(id.split('-').next().unwrap_or(id))
}

/// Log lines, oldest first.
pub(crate) fn log_lines(events: &[Value]) -> Markup {
    html! {
        @for event in events {
            div.line {
                span.time { (time_of_day(event["timestamp"].as_i64().unwrap_or(0))) }
                span.text { (visible(text(event, "message").trim_end())) }
            }
        }
    }
}

/// Which lines are wanted where there are more than one answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Oldest,
    Newest,
}

/// Asks for the log lines of a span of time: of a group, or of one of its streams. They come in their order.
pub(crate) async fn log_events(
    api: &Api<'_>,
    group: &str,
    stream: Option<&str>,
    (from_ms, to_ms): (i64, i64),
    (limit, first): (usize, First),
) -> Result<Vec<Value>, Problem> {
    let mut input = json!({
        "startFromHead": first == First::Oldest,
        "logGroupName": group,
        "startTime": from_ms.max(0),
        "endTime": to_ms.max(0),
        "limit": limit,
    });
    if let Some(stream) = stream {
        input["logStreamNames"] = json!([stream]);
    }
    match api.logs("FilterLogEvents", &input).await {
        Ok(answer) => {
            let mut events = answer["events"].as_array().cloned().unwrap_or_default();
            if first == First::Newest {
                events.reverse();
            }
            Ok(events)
        }
        // Whoever has logged nothing has no group yet.
        Err(problem) if problem.message.contains("ResourceNotFound") => Ok(Vec::new()),
        Err(problem) => Err(problem),
    }
}
