//! Extensions of a test that subscribe to telemetry: the steps that they take, and what they have received.

use std::collections::HashMap;

use regex_lite::{Captures, Regex};
use serde_json::{Value, json};

use crate::extension::scripted;
use crate::file_inside::FileInside;
use crate::notes::Notes;
use crate::wait::eventually;

/// The request of the Telemetry API.
pub const TELEMETRY_API: &str = "PUT /2022-07-01/telemetry";
/// The request of the Logs API.
pub const LOGS_API: &str = "PUT /2020-08-15/logs";

/// What a scripted extension has received, one event a line, as it was written.
#[derive(Debug)]
pub struct Subscriber {
    notes: Notes,
    file: FileInside,
}

impl Subscriber {
    /// Waits for what it receives.
    pub fn new() -> Self {
        Self { notes: Notes::new(), file: FileInside::new() }
    }

    /// Returns where the function and its other extensions find what has been received in their environment.
    pub fn file(&self) -> &str {
        self.file.path()
    }

    /// Returns the step that receives.
    pub fn listen(&self) -> Value {
        json!({ "listen": self.file(), "tell": self.notes.number() })
    }

    /// Returns the steps of an extension for calls and the end that listens at a port by HTTP and subscribes.
    pub fn steps(&self, api: &str, body: &Value) -> Vec<Value> {
        vec![
            json!({ "port": true }),
            self.listen(),
            json!({ "register": ["INVOKE", "SHUTDOWN"] }),
            Self::ask(api, body),
        ]
    }

    /// Returns the program of an extension that subscribes, and that stays until it has heard of the end of each call
    /// and then takes these steps.
    pub fn program(&self, api: &str, body: &Value, last: &[Value]) -> Vec<u8> {
        let mut steps = self.steps(api, body);
        steps.push(json!({ "follow": true }));
        steps.extend_from_slice(last);
        scripted(&json!(steps))
    }

    /// Returns the step that asks for a subscription.
    pub fn ask(api: &str, body: &Value) -> Value {
        let headers = json!({ "Lambda-Extension-Identifier": "{id}", "Content-Type": "application/json" });
        json!({ "ask": api, "headers": headers, "body": body.to_string() })
    }

    /// Returns the body of a subscription by HTTP that is served as soon as may be.
    pub fn body(schema: &str, types: &[&str]) -> Value {
        json!({
            "schemaVersion": schema,
            "types": types,
            "buffering": { "maxItems": 1_000, "maxBytes": 262_144, "timeoutMs": 25 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:{port}" },
        })
    }

    /// Returns what has been received so far, as it was written.
    pub fn events(&self) -> Vec<String> {
        self.notes.lines()
    }

    /// Waits until so many events of a type have been received, and returns all events.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn until(&self, number: usize, kind: &str) -> Vec<String> {
        self.until_enough(&format!("{number} {kind}"), |events| {
            events.iter().filter(|event| is_of_type(event, kind)).count() >= number
        })
    }

    /// Waits until what is wanted has been received, and returns all events.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn until_enough(&self, what: &str, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let what = format!("the subscriber has received {what}");
        eventually(&what, || Some(self.events()).filter(|events| enough(events)))
    }
}

impl Default for Subscriber {
    fn default() -> Self {
        Self::new()
    }
}

/// Says whether an event is of a type.
pub fn is_of_type(event: &str, kind: &str) -> bool {
    event.contains(&format!(r#"Z","type":"{kind}","record":"#))
}

/// Returns events with each subscription right after the start of its Init: how far the runtime is when an extension
/// subscribes is chance.
pub fn settled(events: &[String]) -> Vec<String> {
    let mut settled: Vec<String> = Vec::new();
    for event in events {
        let init = settled.iter().rposition(|event| is_of_type(event, "platform.initStart"));
        match init.filter(|_| is_of_type(event, "platform.telemetrySubscription")) {
            Some(init) => settled.insert(init + 1, event.clone()),
            None => settled.push(event.clone()),
        }
    }
    settled
}

/// Returns events as text to compare: one a line, what differs from run to run in angle brackets.
///
/// Only what has exactly the documented form is replaced: times are RFC 3339 in UTC to the millisecond, durations
/// numbers with one to three decimals.
pub fn redacted<'event>(events: impl IntoIterator<Item = &'event String>) -> String {
    let rules = [
        (
            r#""(time|start)":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z""#,
            r#""$1":<time>"#,
        ),
        (r#""(durationMs|initDurationMs)":[0-9]+\.[0-9]{1,3}([,}])"#, r#""$1":<ms>$2"#),
        (r#""(billedDurationMs|maxMemoryUsedMB)":[1-9][0-9]*([,}])"#, r#""$1":<n>$2"#),
        (r#""runtimeVersion":"([a-z]+:[a-z0-9.]+)\.v[0-9]+""#, r#""runtimeVersion":"$1.v<n>""#),
        (r#""spanId":"[0-9a-f]{16}""#, r#""spanId":<span>"#),
        (r"::runtime:[0-9a-f]{64}", "::runtime:<sha256>"),
        (r#""[0-9]{4}/[0-9]{2}/[0-9]{2}/\[\$LATEST\][0-9a-f]{32}""#, r#""<stream>""#),
    ];
    let rules = rules.map(|(pattern, shown)| (Regex::new(pattern).unwrap(), shown));
    let id = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").unwrap();
    let mut ids: HashMap<String, usize> = HashMap::new();
    let mut text = String::new();
    for event in events {
        let mut line = id
            .replace_all(event, |found: &Captures<'_>| {
                let next = ids.len() + 1;
                format!("<id {}>", ids.entry(found[0].to_owned()).or_insert(next))
            })
            .into_owned();
        for (pattern, shown) in &rules {
            line = pattern.replace_all(&line, *shown).into_owned();
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
