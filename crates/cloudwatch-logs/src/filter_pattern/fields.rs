//! Fields between spaces: `[ip, user, ..., status=4*, size>1000]`. What stands in brackets or quotation marks is one field.

use std::collections::BTreeMap;

use super::comparison::Comparison;
use super::condition::Condition;
use super::scanner::Scanner;

#[derive(Debug)]
pub(super) struct Fields {
    /// From the beginning on.
    first: Vec<Field>,
    /// Up to the end, when `...` stands before them.
    last: Option<Vec<Field>>,
}

#[derive(Debug)]
struct Field {
    name: String,
    condition: Option<Condition<Comparison>>,
}

impl Fields {
    /// Reads what follows the opening bracket.
    pub(super) fn parse(scanner: &mut Scanner<'_>) -> Option<Self> {
        let mut fields = Self { first: Vec::new(), last: None };
        loop {
            if scanner.takes("...") {
                if fields.last.is_some() {
                    return None;
                }
                fields.last = Some(Vec::new());
            } else {
                fields.last.as_mut().unwrap_or(&mut fields.first).push(Field::read(scanner)?);
            }
            if scanner.takes("]") {
                return Some(fields);
            }
            if !scanner.takes(",") {
                return None;
            }
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.paired(message).is_some_and(|pairs| {
            pairs.into_iter().all(|(field, text)| {
                field.condition.as_ref().is_none_or(|condition| condition.holds(&|test| test.of_field(text)))
            })
        })
    }

    pub(super) fn extracted(&self, message: &str) -> BTreeMap<String, String> {
        let pairs = self.paired(message).unwrap_or_default();
        pairs.into_iter().map(|(field, text)| (format!("${}", field.name), text.to_owned())).collect()
    }

    /// Each field with its text, when a message has as many as the pattern says.
    fn paired<'a>(&'a self, message: &'a str) -> Option<Vec<(&'a Field, &'a str)>> {
        let texts = split(message);
        let last = self.last.as_deref().unwrap_or_default();
        let named = self.first.len() + last.len();
        let fits = if self.last.is_some() { texts.len() >= named } else { texts.len() == named };
        if !fits {
            return None;
        }
        let last_texts = &texts[texts.len() - last.len()..];
        Some(
            self.first
                .iter()
                .zip(texts.iter().copied())
                .chain(last.iter().zip(last_texts.iter().copied()))
                .collect(),
        )
    }
}

impl Field {
    /// Reads `name`, or a condition of it: `status = 4* && status != 404`.
    fn read(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.skip_space();
        let mut name: Option<String> = None;
        let mut is_condition = false;
        let condition = Condition::parse(scanner, &mut |scanner| {
            let read = scanner.run(|next| next.is_alphanumeric() || "_-$.@".contains(next));
            // A condition is of one field.
            if read.is_empty() || name.as_ref().is_some_and(|name| name != read) {
                return None;
            }
            name = Some(read.to_owned());
            scanner.skip_space();
            if matches!(scanner.peek(), Some(',' | ']')) && !is_condition {
                return Some(None);
            }
            is_condition = true;
            Comparison::read(scanner, ",]").map(Some)
        })?;
        let name = name?;
        if !is_condition {
            return Some(Self { name, condition: None });
        }
        Some(Self { name, condition: Some(condition.map_tests()?) })
    }
}

impl<Test> Condition<Option<Test>> {
    /// `None` where a test is missing.
    fn map_tests(self) -> Option<Condition<Test>> {
        let each = |all: Vec<Self>| all.into_iter().map(Self::map_tests).collect::<Option<Vec<_>>>();
        Some(match self {
            Self::Test(test) => Condition::Test(test?),
            Self::All(all) => Condition::All(each(all)?),
            Self::Any(all) => Condition::Any(each(all)?),
        })
    }
}

/// Splits a message at spaces; brackets and quotation marks hold together what is between them. Each closing one is looked
/// for once, so that the time grows with the message alone.
fn split(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut closings = [Closing::new('"'), Closing::new(']')];
    let mut at = 0;
    loop {
        let rest = &message[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &message[at..];
        let closing = match rest.chars().next() {
            None => return fields,
            Some('"') => closings[0].after(message, at),
            Some('[') => closings[1].after(message, at),
            Some(_) => None,
        };
        // `[a]b` is a word like any other.
        let closing = closing.filter(|closing| {
            let after = &message[closing + 1..];
            after.is_empty() || after.starts_with(char::is_whitespace)
        });
        match closing {
            Some(closing) => {
                fields.push(&message[at + 1..closing]);
                at = closing + 1;
            }
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                fields.push(&rest[..end]);
                at += end;
            }
        }
    }
}

/// Where a closing mark stands next.
struct Closing {
    mark: char,
    next: Option<usize>,
}

impl Closing {
    fn new(mark: char) -> Self {
        Self { mark, next: Some(0) }
    }

    /// The first one after `at`.
    fn after(&mut self, message: &str, at: usize) -> Option<usize> {
        if self.next? <= at {
            self.next = message[at + 1..].find(self.mark).map(|found| at + 1 + found);
        }
        self.next
    }
}
