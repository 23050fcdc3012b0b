//! The lifecycle: one lane an environment, time from left to right. The picture is drawn by `lifecycle.js`; the tables below
//! it say the same in words.

use maud::{Markup, html};
use serde_json::Value;

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{self, text};
use crate::page::{Frame, Page, function_path, note};
use crate::parts::{First, calls as calls_table, log_events, log_lines};
use crate::text::{encoded, grouped, visible};

const DAY_MS: i64 = 86_400_000;
const CALLS_SHOWN: usize = 100;
/// How many of the last lines of the log are beside the picture before a moment is chosen.
const LINES_SHOWN: usize = 40;

/// How long the picture may be, by its buttons.
const SPANS: [(&str, i64); 7] = [
    ("1 s", 1_000),
    ("10 s", 10_000),
    ("1 min", 60_000),
    ("10 min", 600_000),
    ("1 h", 3_600_000),
    ("6 h", 21_600_000),
    ("1 day", DAY_MS),
];

/// Class and name of each phase of the legend.
const LEGEND: [(&str, &str); 11] = [
    ("extension-init", "Extension init"),
    ("runtime-init", "Runtime init"),
    ("function-init", "Function init"),
    ("init", "Init"),
    ("invoke", "Call"),
    ("failed", "Call that failed"),
    ("extension-overhead", "Overhang of extensions"),
    ("idle", "Warm"),
    ("frozen", "Frozen"),
    ("reset", "Reset"),
    ("shutdown", "Shutdown"),
];

pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>, function: Option<&str>) -> Result<Page, Problem> {
    let functions = facts::functions(api).await.unwrap_or_default();
    let query = function.map_or_else(String::new, |name| format!("?function={}", encoded(name)));
    let content = html! {
        div.title {
            h1 {
                @match function {
                    Some(name) => { "Lifecycle of " a href=(function_path(name)) { (visible(name)) } }
                    None => "Lifecycle of all functions",
                }
            }
            (chooser(&functions, function))
        }
        section.lifecycle aria-label="The lifecycle as a picture" data-lifecycle=(format!("{PATH}/data/lanes{query}"))
            data-changes=(format!("{PATH}/live/changes{query}"))
            data-logs=(format!("{PATH}/data/logs")) data-invocations=(format!("{PATH}/invocations"))
        {
            dl.figures data-summary aria-live="polite" {}
            (toolbar())
            div.lanes {
                canvas.axis width="1" height="1" aria-hidden="true" {}
                div.lanes-scroll {
                    canvas.picture width="1" height="1" tabindex="0" role="application"
                        aria-roledescription="timeline"
                        aria-label="Lanes of environments over time. Left and right go from step to step, up and down from lane to lane, plus and minus zoom, Enter shows the log of the step. The table below has the figures."
                    {}
                }
                canvas.concurrency width="1" height="1" aria-hidden="true" {}
                div.tip hidden aria-hidden="true" {}
            }
            p.hidden role="status" data-told {}
            ul.legend aria-label="Phases" {
                @for (class, name) in LEGEND { li { span class=(format!("swatch {class}")) aria-hidden="true" {} (name) } }
            }
        }
        (part(api, function).await)
    };
    Ok(frame.page(&["lifecycle.js"], content))
}

fn toolbar() -> Markup {
    html! {
        div.toolbar role="toolbar" aria-label="What the picture shows" {
            div.group role="group" aria-label="Length" {
                @for (name, length) in SPANS { button.quiet type="button" data-length=(length) { (name) } }
                button.quiet type="button" data-fit { "Fit" }
            }
            div.group role="group" aria-label="Zoom" {
                button.quiet type="button" data-zoom="0.5" aria-label="Zoom in" { "+" }
                button.quiet type="button" data-zoom="2" aria-label="Zoom out" { "−" }
                button.quiet type="button" data-move="-0.25" aria-label="Earlier" { "←" }
                button.quiet type="button" data-move="0.25" aria-label="Later" { "→" }
            }
            div.group {
                label.check { input type="checkbox" data-quiet checked; "Cut out quiet times" }
                label.check { input type="checkbox" data-follow checked; "Follow" }
            }
        }
    }
}

fn chooser(functions: &[Value], chosen: Option<&str>) -> Markup {
    html! {
        form.chooser method="get" action=(format!("{PATH}/lifecycle")) {
            label for="function" { "Function" }
            select id="function" name="function" data-submit {
                option value="" { "All functions" }
                @for function in functions {
                    @let name = text(function, "FunctionName");
                    option value=(name) selected[Some(name) == chosen] { (visible(name)) }
                }
            }
            button.quiet type="submit" data-without-script { "Show" }
        }
    }
}

/// The tables behind the picture.
pub(crate) async fn part(api: &Api<'_>, function: Option<&str>) -> Markup {
    let now = api.ask.now_epoch_ms();
    let calls = facts::calls(api, function, (now - DAY_MS, None)).await;
    html! {
        div.beside {
            section aria-labelledby="calls-title" data-live=(live_path(function)) {
                (calls_part(&calls))
            }
            section aria-labelledby="log-title" {
                h2 id="log-title" { "Log" }
                p.small data-log-of { "The last lines. Choose a step in the picture for the lines of its moment." }
                div.log data-log tabindex="0" role="region" aria-label="Log lines" {
                    (last_lines(api, function).await)
                }
            }
        }
    }
}

fn live_path(function: Option<&str>) -> String {
    match function {
        Some(name) => format!("{PATH}/live/calls?function={}", encoded(name)),
        None => format!("{PATH}/live/calls"),
    }
}

/// The table of calls, for the page and for its live stream.
pub(crate) async fn live_calls(api: &Api<'_>, function: Option<&str>) -> Markup {
    let now = api.ask.now_epoch_ms();
    calls_part(&facts::calls(api, function, (now - DAY_MS, None)).await)
}

fn calls_part(calls: &Result<Vec<facts::Call>, Problem>) -> Markup {
    html! {
        h2 id="calls-title" { "Calls" }
        @match calls {
            Err(problem) => (note(problem)),
            Ok(calls) if calls.is_empty() => p.note { "There were no calls in the last 24 hours." },
            Ok(calls) => {
                @if calls.len() > CALLS_SHOWN {
                    p.small { "The latest " (CALLS_SHOWN) " of " (grouped(calls.len() as i64)) ", newest first." }
                    (calls_table("The latest calls, newest first", calls.iter().rev().take(CALLS_SHOWN)))
                } @else {
                    (calls_table("Calls in their order", calls.iter()))
                }
            }
        }
    }
}

async fn last_lines(api: &Api<'_>, function: Option<&str>) -> Markup {
    let Some(name) = function else { return html! {} };
    let configuration = api.get(&format!("/2015-03-31/functions/{}/configuration", encoded(name))).await;
    let group = configuration.ok().map(|it| text(&it["LoggingConfig"], "LogGroup").to_owned());
    let group = group.filter(|group| !group.is_empty()).unwrap_or_else(|| format!("/aws/lambda/{name}"));
    let now = api.ask.now_epoch_ms();
    match log_events(api, &group, None, (now - DAY_MS, now + 1_000), (LINES_SHOWN, First::Newest)).await {
        Ok(events) => log_lines(&events),
        Err(problem) => note(&problem),
    }
}
