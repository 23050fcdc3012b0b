//! The input of an operation: a JSON object, whose members are checked against the constraints of the service model.
//!
//! `2 validation errors detected: Value '…' at 'limit' failed to satisfy constraint: Member must …; Value …`

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::LogsError;

/// How many broken constraints are written out; the count in front is of all.
const SHOWN_MAX: usize = 64;
/// How much of a value is repeated, in bytes.
const VALUE_BYTES_MAX: usize = 4_096;

/// What the model asks of a text.
pub(crate) struct Text {
    min: usize,
    max: usize,
    pattern: Option<Pattern>,
}

/// A pattern as texts show it, and which characters it allows.
type Pattern = (&'static str, fn(char) -> bool);

impl Text {
    pub(crate) const LOG_GROUP_NAME: Self =
        Self { min: 1, max: 512, pattern: Some((r"[\.\-_/#A-Za-z0-9]+", is_of_a_group)) };
    pub(crate) const LOG_GROUP_NAME_PATTERN: Self =
        Self { min: 0, max: 512, pattern: Some((r"[\.\-_/#A-Za-z0-9]*", is_of_a_group)) };
    pub(crate) const LOG_GROUP_IDENTIFIER: Self = Self {
        min: 1,
        max: 2_048,
        pattern: Some((r"[\w#+=/:,.@-]*", |c| is_word(c) || "#+=/:,.@-*".contains(c))),
    };
    pub(crate) const LOG_STREAM_NAME: Self =
        Self { min: 1, max: 512, pattern: Some(("[^:*]*", |c| c != ':' && c != '*')) };
    pub(crate) const RESOURCE_ARN: Self = Self {
        min: 1,
        max: 1_011,
        pattern: Some((r"[\w+=/:,.@-]*", |c| is_word(c) || "#+=/:,.@-*".contains(c))),
    };
    pub(crate) const TAG_KEY: Self =
        Self { min: 1, max: 128, pattern: Some((r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$", is_of_a_tag)) };
    pub(crate) const TAG_VALUE: Self =
        Self { min: 0, max: 256, pattern: Some((r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", is_of_a_tag)) };
    pub(crate) const NEXT_TOKEN: Self = Self { min: 1, max: usize::MAX, pattern: None };
    pub(crate) const FILTER_PATTERN: Self = Self { min: 0, max: 1_024, pattern: None };
    pub(crate) const EVENT_MESSAGE: Self = Self { min: 1, max: usize::MAX, pattern: None };
    pub(crate) const ACCOUNT_ID: Self =
        Self { min: 12, max: 12, pattern: Some((r"^\d{12}$", |c| c.is_ascii_digit())) };
    /// `^one|^other|part`. What does not satisfy it otherwise, matches nothing.
    pub(crate) const LOG_GROUP_NAME_REGEX: Self = Self {
        min: 3,
        max: 129,
        pattern: Some((r"(\^?[\.\-_\/#A-Za-z0-9]{3,24})(\|\^?[\.\-_\/#A-Za-z0-9]{3,24}){0,4}", |c| {
            is_of_a_group(c) || c == '|' || c == '^'
        })),
    };
    pub(crate) const QUERY: Self = Self { min: 0, max: 10_000, pattern: None };
    pub(crate) const QUERY_ID: Self = Self { min: 1, max: 256, pattern: None };
    pub(crate) const LOG_RECORD_POINTER: Self = Self { min: 1, max: 4_096, pattern: None };
    pub(crate) const KMS_KEY_ID: Self = Self { min: 0, max: 256, pattern: None };

    /// The constraints that a text breaks.
    fn broken(&self, text: &str) -> Vec<String> {
        // AWS counts as Java does: in UTF-16.
        let length = text.encode_utf16().count();
        let all = self.constraints();
        let is_broken = [length > self.max, length < self.min, !self.allows(text)];
        all.into_iter().zip(is_broken).filter_map(|(text, broken)| text.filter(|_| broken)).collect()
    }

    fn allows(&self, text: &str) -> bool {
        self.pattern.is_none_or(|(_, allows)| text.chars().all(allows))
    }

    /// What is said of the largest length, the least, and the pattern.
    fn constraints(&self) -> [Option<String>; 3] {
        let max = (self.max < usize::MAX).then(|| length_at_most(self.max));
        let min = (self.min > 0).then(|| length_at_least(self.min));
        let pattern = self
            .pattern
            .map(|(pattern, _)| format!("Member must satisfy regular expression pattern: {pattern}"));
        [max, min, pattern]
    }
}

fn is_of_a_group(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-/#".contains(character)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_of_a_tag(character: char) -> bool {
    character.is_alphanumeric()
        || "_.:/=+-@".contains(character)
        || (character.is_whitespace() && !character.is_control())
}

fn length_at_most(max: usize) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn length_at_least(min: usize) -> String {
    format!("Member must have length greater than or equal to {min}")
}

/// The members of a request that have not been read yet, and what is wrong with those that were.
pub(crate) struct Input {
    members: Map<String, Value>,
    /// Where the members stand: `logEvents.1.member.`, or nothing.
    path: String,
    broken: usize,
    shown: Vec<String>,
}

impl Input {
    /// Reads a body. No body is an empty object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, LogsError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::of(Map::new(), String::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self::of(members, String::new())),
            Ok(_) => Err(LogsError::serialization("The request body is not a JSON object")),
            Err(error) => {
                Err(LogsError::serialization(format!("Could not parse request body into json: {error}")))
            }
        }
    }

    fn of(members: Map<String, Value>, path: String) -> Self {
        Self { members, path, broken: 0, shown: Vec::new() }
    }

    /// Takes a member; an unset one is the same as none.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// Whether a member is there that nobody has read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    fn fail(&mut self, name: &str, value: &str, constraint: &str) {
        self.broken += 1;
        if self.shown.len() < SHOWN_MAX {
            let (path, value) = (&self.path, cut(value));
            let text =
                format!("Value '{value}' at '{path}{name}' failed to satisfy constraint: {constraint}");
            self.shown.push(text);
        }
    }

    fn missing(&mut self, name: &str) {
        self.broken += 1;
        if self.shown.len() < SHOWN_MAX {
            let path = &self.path;
            self.shown.push(format!(
                "Value null at '{path}{name}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// Returns an error when a member that was read breaks a constraint. Has to be asked before any of them is used.
    pub(crate) fn check(&self) -> Result<(), LogsError> {
        let shown = self.shown.join("; ");
        match self.broken {
            0 => Ok(()),
            1 => Err(LogsError::invalid_parameter(format!("1 validation error detected: {shown}"))),
            count => {
                Err(LogsError::invalid_parameter(format!("{count} validation errors detected: {shown}")))
            }
        }
    }

    pub(crate) fn text(&mut self, name: &str, rule: &Text) -> Result<Option<String>, LogsError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::String(text) = value else { return Err(wrong_type(&value, "a String")) };
        for constraint in rule.broken(&text) {
            self.fail(name, &text, &constraint);
        }
        Ok(Some(text))
    }

    /// An absent text is noted, and empty.
    pub(crate) fn required_text(&mut self, name: &str, rule: &Text) -> Result<String, LogsError> {
        let text = self.text(name, rule)?;
        if text.is_none() {
            self.missing(name);
        }
        Ok(text.unwrap_or_default())
    }

    /// One of some words.
    pub(crate) fn word(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, LogsError> {
        let text = self.text(name, &Text { min: 0, max: usize::MAX, pattern: None })?;
        if let Some(text) = text.as_deref().filter(|text| !words.contains(text)) {
            let constraint = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.fail(name, text, &constraint);
        }
        Ok(text)
    }

    pub(crate) fn integer(&mut self, name: &str, min: i64, max: i64) -> Result<Option<i64>, LogsError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_i64().or_else(|| number.is_u64().then_some(i64::MAX)),
            _ => None,
        };
        let Some(number) = number else { return Err(wrong_type(&value, "an Integer")) };
        if number > max {
            let constraint = format!("Member must have value less than or equal to {max}");
            self.fail(name, &value.to_string(), &constraint);
        }
        if number < min {
            let constraint = format!("Member must have value greater than or equal to {min}");
            self.fail(name, &value.to_string(), &constraint);
        }
        Ok(Some(number))
    }

    /// A time in milliseconds since 1970.
    pub(crate) fn timestamp(&mut self, name: &str) -> Result<Option<i64>, LogsError> {
        self.integer(name, 0, i64::MAX)
    }

    /// An absent number is noted, and 0.
    pub(crate) fn required_integer(&mut self, name: &str, min: i64, max: i64) -> Result<i64, LogsError> {
        let number = self.integer(name, min, max)?;
        if number.is_none() {
            self.missing(name);
        }
        Ok(number.unwrap_or_default())
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, LogsError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(value) => Err(wrong_type(&value, "a Boolean")),
        }
    }

    /// A list that is too long is noted, and none of it looked at.
    fn list(&mut self, name: &str, min: usize, max: usize) -> Result<Option<Vec<Value>>, LogsError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(wrong_type(&value, "a List")) };
        if items.len() > max {
            self.fail(name, &shown(&items), &length_at_most(max));
            return Ok(Some(Vec::new()));
        }
        if items.len() < min {
            self.fail(name, &shown(&items), &length_at_least(min));
        }
        Ok(Some(items))
    }

    pub(crate) fn texts(
        &mut self,
        name: &str,
        min: usize,
        max: usize,
        rule: &Text,
    ) -> Result<Option<Vec<String>>, LogsError> {
        let Some(items) = self.list(name, min, max)? else { return Ok(None) };
        let mut texts = Vec::new();
        let mut is_broken = false;
        for item in &items {
            match item {
                Value::String(text) => {
                    is_broken |= !rule.broken(text).is_empty();
                    texts.push(text.clone());
                }
                Value::Null => is_broken = true,
                other => return Err(wrong_type(other, "a String")),
            }
        }
        if is_broken {
            let mut all: Vec<String> = rule.constraints().into_iter().flatten().collect();
            all.push("Member must not be null".to_owned());
            let constraint = format!("Member must satisfy constraint: [{}]", all.join(", "));
            self.fail(name, &shown(&items), &constraint);
        }
        Ok(Some(texts))
    }

    /// An absent list is noted, and empty.
    pub(crate) fn required_texts(
        &mut self,
        name: &str,
        min: usize,
        max: usize,
        rule: &Text,
    ) -> Result<Vec<String>, LogsError> {
        let texts = self.texts(name, min, max, rule)?;
        if texts.is_none() {
            self.missing(name);
        }
        Ok(texts.unwrap_or_default())
    }

    /// Reads each structure of a list that has to be there.
    pub(crate) fn structures<T>(
        &mut self,
        name: &str,
        min: usize,
        max: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, LogsError>,
    ) -> Result<Vec<T>, LogsError> {
        let Some(items) = self.list(name, min, max)? else {
            self.missing(name);
            return Ok(Vec::new());
        };
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let members = match item {
                Value::Object(members) => members,
                Value::Null => Map::new(),
                other => return Err(wrong_type(&other, "a Structure")),
            };
            let mut within = Self::of(members, format!("{}{name}.{}.member.", self.path, index + 1));
            all.push(read(&mut within)?);
            self.broken += within.broken;
            let room = SHOWN_MAX - self.shown.len();
            self.shown.extend(within.shown.into_iter().take(room));
        }
        Ok(all)
    }

    /// Absent tags are noted, and none.
    pub(crate) fn required_tags(&mut self, name: &str) -> Result<BTreeMap<String, String>, LogsError> {
        let tags = self.tags(name)?;
        if tags.is_none() {
            self.missing(name);
        }
        Ok(tags.unwrap_or_default())
    }

    pub(crate) fn tags(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>, LogsError> {
        const TAGS_MAX: usize = 50;
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::Object(entries) = value else { return Err(wrong_type(&value, "a Map")) };
        let all = Value::Object(entries.clone()).to_string();
        if entries.len() > TAGS_MAX {
            self.fail(name, &all, &length_at_most(TAGS_MAX));
        }
        if entries.is_empty() {
            self.fail(name, &all, &length_at_least(1));
        }
        let mut tags = BTreeMap::new();
        let (mut broken_key, mut broken_value) = (false, false);
        for (key, value) in entries {
            let Value::String(value) = value else { return Err(wrong_type(&value, "a String")) };
            broken_key |= !Text::TAG_KEY.broken(&key).is_empty();
            broken_value |= !Text::TAG_VALUE.broken(&value).is_empty();
            tags.insert(key, value);
        }
        for (is_broken, what, rule) in
            [(broken_key, "Map keys", &Text::TAG_KEY), (broken_value, "Map value", &Text::TAG_VALUE)]
        {
            if is_broken {
                let constraints: Vec<String> = rule.constraints().into_iter().flatten().collect();
                let constraint = format!("{what} must satisfy constraint: [{}]", constraints.join(", "));
                self.fail(name, &all, &constraint);
            }
        }
        Ok(Some(tags))
    }
}

fn wrong_type(value: &Value, wanted: &str) -> LogsError {
    let found = match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "TRUE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    LogsError::serialization(format!("{found} can not be converted to {wanted}"))
}

fn shown(items: &[Value]) -> String {
    let texts = items.iter().take(SHOWN_MAX).map(|item| match item {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    format!("[{}]", texts.collect::<Vec<_>>().join(", "))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE_BYTES_MAX.min(text.len()))]
}
