//! A comparison with what a pattern says: `= 4*`, `> 1000`, `!= "x"`, `= %x%`.

use super::scanner::Scanner;
use crate::regex::Regex;
use crate::wildcard::Wildcard;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum Operand {
    /// A number, and how it is written.
    Number(f64, String),
    /// A text without quotation marks.
    Word(Wildcard),
    Text(Wildcard),
    Expression(Regex),
}

/// An operator and what stands on its right.
#[derive(Debug)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

impl Comparison {
    /// Reads one; a word ends before any character of `ends`.
    pub(super) fn read(scanner: &mut Scanner<'_>, ends: &str) -> Option<Self> {
        // The longer ones first.
        let operators = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let (_, operator) = operators.into_iter().find(|(text, _)| scanner.takes(text))?;
        scanner.skip_space();
        let operand = match scanner.peek()? {
            '"' => Operand::Text(Wildcard::new(&scanner.quoted('"')?)),
            '%' => Operand::Expression(scanner.expression()?),
            _ => {
                let word = scanner
                    .run(|next| !next.is_whitespace() && !ends.contains(next) && !"\"&|()=<>".contains(next));
                match number(word) {
                    _ if word.is_empty() => return None,
                    Some(number) => Operand::Number(number, word.to_owned()),
                    None => Operand::Word(Wildcard::new(word)),
                }
            }
        };
        // Only numbers have an order.
        let is_of_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
        (!is_of_order || matches!(operand, Operand::Number(..))).then_some(Self { operator, operand })
    }

    /// Compares a text of JSON.
    pub(super) fn of_text(&self, text: &str) -> bool {
        let is_equal = match &self.operand {
            Operand::Number(_, written) => written == text,
            Operand::Word(wildcard) | Operand::Text(wildcard) => wildcard.is(text),
            Operand::Expression(expression) => expression.is_in(text),
        };
        self.holds(is_equal, None)
    }

    /// Compares a number of JSON, which a text in quotation marks is never equal to.
    pub(super) fn of_number(&self, number: f64, written: &str) -> bool {
        let is_equal = match &self.operand {
            Operand::Number(wanted, _) => *wanted == number,
            Operand::Word(wildcard) => wildcard.is(written),
            Operand::Text(_) => false,
            Operand::Expression(expression) => expression.is_in(written),
        };
        self.holds(is_equal, Some(number))
    }

    /// Compares a boolean of JSON.
    pub(super) fn of_boolean(&self, value: bool) -> bool {
        let word = if value { "true" } else { "false" };
        let is_equal = matches!(&self.operand, Operand::Word(wildcard) if wildcard.is(word));
        self.holds(is_equal, None)
    }

    /// Compares a field between spaces, which may be a number or not.
    pub(super) fn of_field(&self, field: &str) -> bool {
        match (&self.operand, number(field)) {
            (Operand::Number(..), Some(number)) => self.of_number(number, field),
            _ => self.of_text(field),
        }
    }

    fn holds(&self, is_equal: bool, number: Option<f64>) -> bool {
        let order = match (&self.operand, number) {
            (Operand::Number(wanted, _), Some(number)) => number.partial_cmp(wanted),
            _ => None,
        };
        match self.operator {
            Operator::Equal => is_equal,
            Operator::NotEqual => !is_equal,
            Operator::Less => order.is_some_and(|order| order.is_lt()),
            Operator::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Operator::Greater => order.is_some_and(|order| order.is_gt()),
            Operator::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
        }
    }
}

/// Reads a number: `-1`, `1.5`, `1e3`. Not what only programs take for one, as `inf`.
fn number(text: &str) -> Option<f64> {
    let begins =
        text.strip_prefix(['-', '+']).unwrap_or(text).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|number: &f64| begins && number.is_finite())
}
