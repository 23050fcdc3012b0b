//! Selectors of JSON: `{ $.user.id = 1 && $.roles[0] != "guest" }`. Other messages do not match.

use std::collections::BTreeMap;

use serde_json::Value;

use super::comparison::Comparison;
use super::condition::Condition;
use super::scanner::Scanner;

#[derive(Debug)]
pub(super) struct JsonSelector(Condition<Test>);

/// What is said of the value at a path.
#[derive(Debug)]
struct Test {
    path: Vec<Step>,
    /// As the pattern has it.
    written: String,
    predicate: Predicate,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// `[*]`: any of them.
    Any,
}

#[derive(Debug)]
enum Predicate {
    Compares(Comparison),
    IsNull,
    Is(bool),
    NotExists,
    Exists,
}

impl JsonSelector {
    /// Reads what follows the opening brace.
    pub(super) fn parse(scanner: &mut Scanner<'_>) -> Option<Self> {
        let condition = Condition::parse(scanner, &mut Test::read)?;
        scanner.takes("}").then_some(Self(condition))
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        parsed(message).is_some_and(|value| self.0.holds(&|test| test.holds(&value)))
    }

    pub(super) fn extracted(&self, message: &str) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(message) = parsed(message) else { return values };
        self.0.for_each(&mut |test| {
            let mut found = Vec::new();
            find(&message, &test.path, &mut found);
            if let Some(value) = found.first() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                values.insert(test.written.clone(), text);
            }
        });
        values
    }
}

/// Most messages are none, and seen as such at their first character.
fn parsed(message: &str) -> Option<Value> {
    let message = message.trim_start();
    message.starts_with(['{', '[']).then(|| serde_json::from_str(message).ok())?
}

impl Test {
    fn read(scanner: &mut Scanner<'_>) -> Option<Self> {
        let path = path(scanner)?;
        let written = path.iter().fold("$".to_owned(), |all, step| match step {
            Step::Key(key) => format!("{all}.{key}"),
            Step::Index(index) => format!("{all}[{index}]"),
            Step::Any => format!("{all}[*]"),
        });
        let predicate = if scanner.takes_word("NOT") {
            scanner.takes_word("EXISTS").then_some(Predicate::NotExists)?
        } else if scanner.takes_word("EXISTS") {
            Predicate::Exists
        } else if scanner.takes_word("IS") {
            if scanner.takes_word("NULL") {
                Predicate::IsNull
            } else if scanner.takes_word("TRUE") {
                Predicate::Is(true)
            } else {
                scanner.takes_word("FALSE").then_some(Predicate::Is(false))?
            }
        } else {
            Predicate::Compares(Comparison::read(scanner, "}")?)
        };
        Some(Self { path, written, predicate })
    }

    fn holds(&self, message: &Value) -> bool {
        let mut found = Vec::new();
        find(message, &self.path, &mut found);
        if let Predicate::NotExists = self.predicate {
            return found.is_empty();
        }
        found.into_iter().any(|value| match (&self.predicate, value) {
            (Predicate::Exists, _) | (Predicate::IsNull, Value::Null) => true,
            (Predicate::Is(wanted), Value::Bool(value)) => wanted == value,
            (Predicate::Compares(comparison), Value::String(text)) => comparison.of_text(text),
            (Predicate::Compares(comparison), Value::Bool(value)) => comparison.of_boolean(*value),
            (Predicate::Compares(comparison), Value::Number(number)) => {
                comparison.of_number(number.as_f64().unwrap_or(f64::NAN), &number.to_string())
            }
            // Lists, objects and null are not compared with anything.
            _ => false,
        })
    }
}

/// Reads `$.a.b`, `$.a[0]`, `$["odd.key"]`, `$.['odd.key']`. The whole message is `$`.
fn path(scanner: &mut Scanner<'_>) -> Option<Vec<Step>> {
    let mut path = Vec::new();
    if !scanner.takes_here('$') {
        return None;
    }
    loop {
        let has_dot = scanner.takes_here('.');
        if scanner.takes_here('[') {
            scanner.skip_space();
            path.push(match scanner.peek()? {
                mark @ ('"' | '\'') => Step::Key(scanner.quoted(mark)?),
                '*' => {
                    scanner.takes_here('*');
                    Step::Any
                }
                _ => Step::Index(scanner.run(|next| next.is_ascii_digit()).parse().ok()?),
            });
            if !scanner.takes("]") {
                return None;
            }
        } else if has_dot {
            // Whatever no operator and no end is of.
            let key = scanner.run(|next| !next.is_whitespace() && !".[]{}()=!<>&|\"'%,$".contains(next));
            if key.is_empty() {
                return None;
            }
            path.push(Step::Key(key.to_owned()));
        } else {
            return (!path.is_empty()).then_some(path);
        }
    }
}

/// Gathers the values at a path: several only where it says `[*]`.
fn find<'value>(value: &'value Value, path: &[Step], found: &mut Vec<&'value Value>) {
    let Some((step, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match (step, value) {
        (Step::Key(key), Value::Object(members)) => {
            if let Some(value) = members.get(key) {
                find(value, rest, found);
            }
        }
        (Step::Index(index), Value::Array(items)) => {
            if let Some(value) = items.get(*index) {
                find(value, rest, found);
            }
        }
        (Step::Any, Value::Array(items)) => items.iter().for_each(|item| find(item, rest, found)),
        _ => {}
    }
}
