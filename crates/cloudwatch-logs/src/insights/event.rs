//! An event and its fields: those of every event, those of Lambda's lines, and the keys of JSON.

use std::cell::OnceCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hearth_telemetry::{LogEvent, Position};
use serde_json::{Map, Value as Json};

use super::lambda_line;
use super::value::{Value, print_time};

/// Which fields of Lambda's lines there are.
const OF_LAMBDA: &[&str] = &[
    "@type",
    "@requestId",
    "@duration",
    "@billedDuration",
    "@initDuration",
    "@memorySize",
    "@maxMemoryUsed",
    "@xrayTraceId",
    "@xraySegmentId",
];
/// How many fields are discovered in JSON when all are asked for.
///
/// Source: CloudWatch Logs User Guide, "Supported logs and discovered fields", read 2026-11.
const OF_JSON_MAX: usize = 200;
/// Up to here a floating-point number holds every whole one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// One event of a group.
#[derive(Debug)]
pub(crate) struct Event {
    event: LogEvent,
    /// `ACCOUNT:GROUP`.
    log: String,
    /// The first JSON object in it, parsed when a field of it is asked for.
    json: OnceCell<Option<Map<String, Json>>>,
}

impl Event {
    pub(crate) fn new(event: LogEvent, log: String) -> Self {
        Self { event, log, json: OnceCell::new() }
    }

    /// Forgets what takes room and can be found out again.
    pub(super) fn compact(&mut self) {
        self.json = OnceCell::new();
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.event.message.len() + self.event.log_stream.len() + self.log.len() + 256
    }

    pub(super) fn timestamp_ms(&self) -> i64 {
        self.event.timestamp_ms
    }

    pub(super) fn position(&self) -> Position {
        self.event.position
    }

    /// Names it in `@ptr`.
    pub(super) fn pointer(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}|{}", self.event.position, self.log))
    }

    /// Returns a field.
    pub(super) fn field(&self, name: &str) -> Value {
        let found = match name {
            "@timestamp" => Some(Value::Time(self.event.timestamp_ms)),
            "@ingestionTime" => Some(Value::Time(self.event.ingestion_ms)),
            "@message" => Some(Value::Text(self.event.message.clone())),
            "@logStream" => Some(Value::Text(self.event.log_stream.clone())),
            "@log" => Some(Value::Text(self.log.clone())),
            "@ptr" => Some(Value::Text(self.pointer())),
            _ if name.starts_with('@') => match lambda_line::field(&self.event.message, name) {
                None => self.json().and_then(|members| lambda_line::field_of_json(members, name)),
                found => found,
            },
            _ => self.json().and_then(|members| leaf(members, name)),
        };
        found.unwrap_or(Value::Missing)
    }

    /// Returns all fields that it has, as texts. Times are as results show them.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all = vec![
            ("@timestamp".to_owned(), print_time(self.event.timestamp_ms)),
            ("@ingestionTime".to_owned(), print_time(self.event.ingestion_ms)),
        ];
        let plain = ["@message", "@logStream", "@log"].iter().chain(OF_LAMBDA);
        all.extend(plain.filter_map(|name| Some(((*name).to_owned(), self.field(name).print()?))));
        if let Some(members) = self.json() {
            gather(members, "", &mut all);
        }
        all
    }

    fn json(&self) -> Option<&Map<String, Json>> {
        let parse = || {
            let text = &self.event.message[self.event.message.find('{')?..];
            match serde_json::Deserializer::from_str(text).into_iter().next()? {
                Ok(Json::Object(members)) => Some(members),
                _ => None,
            }
        };
        self.json.get_or_init(parse).as_ref()
    }
}

/// Finds a key; dots are for nesting, unless a key itself has them.
fn leaf(members: &Map<String, Json>, name: &str) -> Option<Value> {
    let (mut members, mut rest) = (members, name);
    loop {
        if let Some(value) = members.get(rest) {
            return scalar(value);
        }
        let (first, after) = rest.split_once('.')?;
        let mut value = members.get(first)?;
        rest = after;
        // Items of lists are named by their numbers.
        while let Json::Array(items) = value {
            let (number, after) = rest.split_once('.').unwrap_or((rest, ""));
            value = items.get(number.parse::<usize>().ok()?)?;
            rest = after;
            if rest.is_empty() {
                return scalar(value);
            }
        }
        members = value.as_object()?;
    }
}

fn scalar(value: &Json) -> Option<Value> {
    match value {
        Json::Bool(value) => Some(Value::Boolean(*value)),
        // Long identifiers keep all of their digits.
        Json::Number(number)
            if number.as_f64().is_some_and(|number| number.abs() > EXACT_MAX) && !number.is_f64() =>
        {
            Some(Value::Text(number.to_string()))
        }
        Json::Number(number) => number.as_f64().map(Value::of_number),
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Gathers the leaves of an object; JSON that is nested too deeply is none, so that this ends.
fn gather(members: &Map<String, Json>, path: &str, all: &mut Vec<(String, String)>) {
    for (key, value) in members {
        gather_one(value, format!("{path}{key}"), all);
    }
}

fn gather_one(value: &Json, name: String, all: &mut Vec<(String, String)>) {
    if all.len() >= OF_JSON_MAX {
        return;
    }
    match value {
        Json::Object(members) => gather(members, &format!("{name}."), all),
        Json::Array(items) => {
            for (number, item) in items.iter().enumerate().take(OF_JSON_MAX) {
                gather_one(item, format!("{name}.{number}"), all);
            }
        }
        other => all.extend(scalar(other).and_then(|value| value.print()).map(|text| (name, text))),
    }
}

/// Reads a pointer: where the event is, and in which group.
pub(crate) fn pointer_position(pointer: &str) -> Option<(Position, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(pointer).ok()?).ok()?;
    let (position, log) = text.split_once('|')?;
    let (_account, group) = log.split_once(':')?;
    Some((Position::parse(position)?, group.to_owned()))
}

/// Says where an event is.
pub(crate) fn position_of(event: &Event) -> Position {
    event.position()
}
