//! Patterns that records are filtered with: EventBridge's language, as Lambda takes it. No I/O, and nothing of queues or
//! streams.
//!
//! A pattern is an object. Each of its members has to match: an object is a pattern for the object of that name, a list has
//! what the value may be. Of a value that is a list, one element has to match. `$or` is a list of patterns, one of which
//! has to match.
//!
//! Source: Lambda Developer Guide, "Control which events Lambda sends to your function", and EventBridge User Guide,
//! "Comparison operators for use in event patterns", read 2026-11.

use serde_json::{Map, Value};

/// How deep a pattern may go. Ours: what is deeper is refused, so that matching needs no more stack than that.
const DEPTH_MAX: usize = 32;

/// A pattern that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Object);

/// Why a text is no pattern. AWS does not say more either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a pattern")]
pub struct PatternError;

#[derive(Debug, Clone, PartialEq, Default)]
struct Object {
    members: Vec<(String, Node)>,
    /// Each has several patterns, one of which has to match.
    alternatives: Vec<Vec<Object>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Object(Object),
    Leaf(Vec<Rule>),
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Is(Value),
    IsIgnoringCase(String),
    Begins(String),
    BeginsIgnoringCase(String),
    Ends(String),
    EndsIgnoringCase(String),
    /// The value is there, and none of these.
    Not(Vec<Rule>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object_of(&object, 0).map(Self),
            _ => Err(PatternError),
        }
    }

    /// Whether a record, which is an object, matches.
    pub fn matches(&self, record: &Value) -> bool {
        self.0.matches(record)
    }

    /// Says what the pattern wants of a member of the record: an object, or a plain value. `None` when it is not mentioned.
    /// Of what `$or` mentions, the first counts.
    pub fn wants_object(&self, member: &str) -> Option<bool> {
        self.0.wants_object(member)
    }
}

impl Object {
    fn matches(&self, record: &Value) -> bool {
        let member_matches = |(name, node): &(String, Node)| {
            let value = record.get(name);
            match node {
                Node::Leaf(rules) => rules.iter().any(|rule| rule.matches(value)),
                Node::Object(object) => match value {
                    // One element has to match in everything: not one in this and another in that.
                    Some(Value::Array(elements)) => elements.iter().any(|element| object.matches(element)),
                    Some(value) => object.matches(value),
                    None => object.matches(&Value::Null),
                },
            }
        };
        self.members.iter().all(member_matches)
            && self.alternatives.iter().all(|objects| objects.iter().any(|object| object.matches(record)))
    }

    fn wants_object(&self, member: &str) -> Option<bool> {
        let own = self.members.iter().find(|(name, _)| name == member);
        let own = own.map(|(_, node)| matches!(node, Node::Object(_)));
        own.or_else(|| self.alternatives.iter().flatten().find_map(|object| object.wants_object(member)))
    }
}

impl Rule {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // What is an object is no leaf, and so is not there as a value.
            (Self::Exists(wanted), value) => value.is_some_and(|value| !value.is_object()) == *wanted,
            (_, None) => false,
            (Self::Not(rules), Some(Value::Array(elements))) => {
                elements.iter().any(|element| !rules.iter().any(|rule| rule.matches(Some(element))))
            }
            (_, Some(Value::Array(elements))) => elements.iter().any(|element| self.matches(Some(element))),
            (Self::Not(rules), value) => !rules.iter().any(|rule| rule.matches(value)),
            (Self::Is(wanted), Some(value)) => match (wanted.as_f64(), value.as_f64()) {
                // 300, 300.0 and 3.0e2 are the same.
                (Some(wanted), Some(value)) => wanted == value,
                _ => wanted == value,
            },
            (Self::IsIgnoringCase(wanted), Some(Value::String(text))) => folded(text) == *wanted,
            (Self::Begins(head), Some(Value::String(text))) => text.starts_with(head.as_str()),
            (Self::BeginsIgnoringCase(head), Some(Value::String(text))) => {
                folded(text).starts_with(head.as_str())
            }
            (Self::Ends(end), Some(Value::String(text))) => text.ends_with(end.as_str()),
            (Self::EndsIgnoringCase(end), Some(Value::String(text))) => folded(text).ends_with(end.as_str()),
            (Self::Numeric(comparisons), Some(value)) => value.as_f64().is_some_and(|value| {
                comparisons.iter().all(|(comparison, limit)| comparison.holds(value, *limit))
            }),
            (
                Self::IsIgnoringCase(_)
                | Self::Begins(_)
                | Self::BeginsIgnoringCase(_)
                | Self::Ends(_)
                | Self::EndsIgnoringCase(_),
                Some(_),
            ) => false,
        }
    }
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "=" => Self::Equal,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Equal => value == limit,
            Self::GreaterOrEqual => value >= limit,
            Self::Greater => value > limit,
        }
    }
}

fn folded(text: &str) -> String {
    text.to_lowercase()
}

fn object_of(object: &Map<String, Value>, depth: usize) -> Result<Object, PatternError> {
    // A pattern that asks for nothing would take everything: AWS refuses it.
    if object.is_empty() || depth > DEPTH_MAX {
        return Err(PatternError);
    }
    let mut read = Object::default();
    for (name, value) in object {
        match value {
            Value::Array(objects) if name == "$or" => read.alternatives.push(alternatives(objects, depth)?),
            Value::Object(object) => {
                read.members.push((name.clone(), Node::Object(object_of(object, depth + 1)?)));
            }
            Value::Array(rules) if !rules.is_empty() => {
                let rules = rules.iter().map(rule_of).collect::<Result<_, _>>()?;
                read.members.push((name.clone(), Node::Leaf(rules)));
            }
            _ => return Err(PatternError),
        }
    }
    Ok(read)
}

fn alternatives(objects: &[Value], depth: usize) -> Result<Vec<Object>, PatternError> {
    // One alternative is none.
    if objects.len() < 2 {
        return Err(PatternError);
    }
    let read = |object: &Value| object_of(object.as_object().ok_or(PatternError)?, depth + 1);
    objects.iter().map(read).collect()
}

fn rule_of(rule: &Value) -> Result<Rule, PatternError> {
    match rule {
        Value::Object(object) => {
            let mut members = object.iter();
            match (members.next(), members.next()) {
                (Some((operator, operand)), None) => operation(operator, operand),
                _ => Err(PatternError),
            }
        }
        Value::Array(_) => Err(PatternError),
        literal => Ok(Rule::Is(literal.clone())),
    }
}

fn operation(operator: &str, operand: &Value) -> Result<Rule, PatternError> {
    match (operator, operand) {
        ("exists", Value::Bool(wanted)) => Ok(Rule::Exists(*wanted)),
        ("anything-but", operand) => Ok(Rule::Not(negated(operand)?)),
        ("numeric", Value::Array(parts)) => numeric(parts),
        (operator, operand) => of_text(operator, operand),
    }
}

/// Reads an operator for texts.
fn of_text(operator: &str, operand: &Value) -> Result<Rule, PatternError> {
    let ignoring_case = |operand: &Value| match operand.as_object() {
        Some(object) if object.len() == 1 => {
            object.get("equals-ignore-case").and_then(Value::as_str).map(folded).ok_or(PatternError)
        }
        _ => Err(PatternError),
    };
    match (operator, operand) {
        ("equals-ignore-case", Value::String(text)) => Ok(Rule::IsIgnoringCase(folded(text))),
        ("prefix", Value::String(text)) => Ok(Rule::Begins(text.clone())),
        ("prefix", operand) => ignoring_case(operand).map(Rule::BeginsIgnoringCase),
        ("suffix", Value::String(text)) => Ok(Rule::Ends(text.clone())),
        ("suffix", operand) => ignoring_case(operand).map(Rule::EndsIgnoringCase),
        _ => Err(PatternError),
    }
}

/// Reads what a value may not be: literals, or one operator with one text or several.
fn negated(operand: &Value) -> Result<Vec<Rule>, PatternError> {
    match operand {
        Value::Array(literals) if !literals.is_empty() => literals.iter().map(negated_literal).collect(),
        Value::Object(object) if object.len() == 1 => {
            let Some((operator, operand)) = object.iter().next() else { return Err(PatternError) };
            match operand {
                Value::Array(texts) if !texts.is_empty() => {
                    texts.iter().map(|text| of_text(operator, text)).collect()
                }
                operand => Ok(vec![of_text(operator, operand)?]),
            }
        }
        literal => Ok(vec![negated_literal(literal)?]),
    }
}

fn negated_literal(literal: &Value) -> Result<Rule, PatternError> {
    match literal {
        Value::String(_) | Value::Number(_) => Ok(Rule::Is(literal.clone())),
        _ => Err(PatternError),
    }
}

/// Reads `["<", 5]` and `[">=", 1, "<", 5]`.
fn numeric(parts: &[Value]) -> Result<Rule, PatternError> {
    if !matches!(parts.len(), 2 | 4) {
        return Err(PatternError);
    }
    let pair = |pair: &[Value]| {
        let comparison = pair[0].as_str().and_then(Comparison::parse).ok_or(PatternError)?;
        Ok((comparison, pair[1].as_f64().ok_or(PatternError)?))
    };
    let comparisons: Vec<_> = parts.chunks(2).map(pair).collect::<Result<_, _>>()?;
    if comparisons.len() == 2 {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        let is_range = match (comparisons[0].0, comparisons[1].0) {
            (Greater | GreaterOrEqual, Less | LessOrEqual) => comparisons[0].1 < comparisons[1].1,
            (Less | LessOrEqual, Greater | GreaterOrEqual) => comparisons[1].1 < comparisons[0].1,
            _ => false,
        };
        if !is_range {
            return Err(PatternError);
        }
    }
    Ok(Rule::Numeric(comparisons))
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
