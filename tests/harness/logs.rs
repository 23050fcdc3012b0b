//! The log of a function: reading it, waiting for it, and showing it exactly.

use std::collections::HashMap;

use regex_lite::{Captures, Regex};

use crate::http::encode;
use crate::server::Server;
use crate::wait::within;

/// How long the log may take to hold what the test waits for.
const LOG_LIMIT: std::time::Duration = std::time::Duration::from_secs(45);

/// One event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When it was received, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The log stream.
    pub log_stream: String,
    /// The text, with its newline.
    pub message: String,
}

impl Server {
    /// Returns all that is kept of a function's log.
    pub fn logs(&self, function: &str) -> Vec<LogEvent> {
        let mut events = Vec::new();
        let mut cursor = None;
        while self.read_logs(function, &mut cursor, 0, &mut events) > 0 {}
        events
    }

    /// Waits until a function's log has what is wanted, and returns all of it.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn logs_until(
        &self,
        function: &str,
        what: &str,
        enough: impl Fn(&[LogEvent]) -> bool,
    ) -> Vec<LogEvent> {
        let mut events = Vec::new();
        let mut cursor = None;
        within(LOG_LIMIT, &format!("the log of {function} has {what}"), || {
            let mut wait_ms = 0;
            while !enough(&events) && self.read_logs(function, &mut cursor, wait_ms, &mut events) > 0 {
                wait_ms = 1_000;
            }
            enough(&events).then_some(())
        });
        // What was written together with the last of it.
        while self.read_logs(function, &mut cursor, 0, &mut events) > 0 {}
        events
    }

    fn read_logs(
        &self,
        function: &str,
        cursor: &mut Option<String>,
        wait_ms: u32,
        events: &mut Vec<LogEvent>,
    ) -> usize {
        let after = cursor.as_deref().map(|cursor| format!("&after={}", encode(cursor))).unwrap_or_default();
        let page = self.hearth(&format!("logs/{function}?wait_ms={wait_ms}{after}"));
        *cursor = page["cursor"].as_str().map(str::to_owned).or(cursor.take());
        let new = page["events"].as_array().unwrap();
        events.extend(new.iter().map(|event| LogEvent {
            timestamp_ms: event["timestamp_ms"].as_i64().unwrap(),
            log_stream: event["log_stream"].as_str().unwrap().to_owned(),
            message: event["message"].as_str().unwrap().to_owned(),
        }));
        new.len()
    }
}

/// Returns the REPORT lines.
pub fn reports(events: &[LogEvent]) -> Vec<&str> {
    lines_of(events, "REPORT ")
}

/// Returns the events that start with `start`.
pub fn lines_of<'events>(events: &'events [LogEvent], start: &str) -> Vec<&'events str> {
    events.iter().map(|event| event.message.as_str()).filter(|message| message.starts_with(start)).collect()
}

/// Returns the names of the log streams in the order in which they appear.
pub fn streams(events: &[LogEvent]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for event in events {
        if !names.contains(&event.log_stream.as_str()) {
            names.push(&event.log_stream);
        }
    }
    names
}

/// Returns the log as text to compare: one event a line, what differs from run to run in angle brackets.
///
/// Only what has exactly the documented form is replaced, so `12.3 ms` stays and fails the comparison. A tab is
/// shown as `⇥`, a newline inside an event as `↵`, a missing one at its end as `¶`, a non-breaking space as `␣`.
pub fn transcript(events: &[LogEvent]) -> String {
    let streams = streams(events);
    let mut redact = Redact::new();
    let mut text = String::new();
    for event in events {
        if streams.len() > 1 {
            let number = streams.iter().position(|name| *name == event.log_stream).unwrap() + 1;
            text.push_str(&format!("[{number}] "));
        }
        let message =
            event.message.strip_suffix('\n').map_or_else(|| format!("{}¶", event.message), str::to_owned);
        text.push_str(&redact.message(&message));
        text.push('\n');
    }
    text
}

struct Redact {
    ids: HashMap<String, usize>,
    id: Regex,
    rules: Vec<(Regex, &'static str)>,
}

impl Redact {
    fn new() -> Self {
        let rule = |pattern, replacement| (Regex::new(pattern).unwrap(), replacement);
        Self {
            ids: HashMap::new(),
            id: Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").unwrap(),
            rules: vec![
                rule(r"(Runtime Version: [a-z]+:[a-z0-9.]+)\.v[0-9]+\t", "$1.v<n>\t"),
                rule(r"::runtime:[0-9a-f]{64}", "::runtime:<sha256>"),
                rule(r"Billed Duration: [1-9][0-9]* ms", "Billed Duration: <n> ms"),
                rule(r"\b[0-9]+\.[0-9]{2} ms", "<ms> ms"),
                rule(r"Max Memory Used: [1-9][0-9]* MB", "Max Memory Used: <n> MB"),
                rule(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", "<time>"),
                rule(r#"(file://)?/[^"(),\s]*/(app\.py|index\.mjs|index\.js)"#, "<task>/$2"),
            ],
        }
    }

    fn message(&mut self, message: &str) -> String {
        let ids = &mut self.ids;
        let mut text = self
            .id
            .replace_all(message, |found: &Captures<'_>| {
                let next = ids.len() + 1;
                format!("<id {}>", ids.entry(found[0].to_owned()).or_insert(next))
            })
            .into_owned();
        for (pattern, replacement) in &self.rules {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text.replace('\t', "⇥").replace('\n', "↵").replace('\u{a0}', "␣")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> String {
        let event =
            LogEvent { timestamp_ms: 0, log_stream: "stream".to_owned(), message: message.to_owned() };
        transcript(&[event])
    }

    #[test]
    fn a_transcript_replaces_only_what_has_the_documented_form() {
        let id = "8476a536-e9f4-41e8-9739-2dfe598c3fcd";
        assert_eq!(
            shown(&format!("REPORT RequestId: {id}\tDuration: 3.01 ms\tBilled Duration: 4 ms\t\n")),
            "REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥\n"
        );
        assert_eq!(
            shown("Duration: 3.0 ms\tBilled Duration: 0 ms\n"),
            "Duration: 3.0 ms⇥Billed Duration: 0 ms\n"
        );
        assert_eq!(shown("two\nlines without an end"), "two↵lines without an end¶\n");
    }
}
