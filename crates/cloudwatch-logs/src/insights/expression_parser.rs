//! Reads expressions. From the loosest binding to the closest: `or`, `and`, `not`, comparisons, `+ -`, `* / %`, `^`.

use super::expression::{Arithmetic, Comparison, Expression, Likeness};
use super::functions::Function;
use super::period::Period;
use super::scanner::{Malformed, Scanner};
use super::stats::Aggregation;
use super::value::Value;

/// How deep parentheses and functions may be within each other. Ours.
const DEPTH_MAX: usize = 32;
/// How many operators a query may have that nest by themselves, as `1 + 1 + 1` does. Ours.
const OPERATORS_MAX: usize = 256;

/// Reads expressions of one query.
pub(super) struct Parser<'a> {
    pub(super) scanner: Scanner<'a>,
    depth: usize,
    operators: usize,
    /// The aggregations of the `stats` that is being read; elsewhere there are none.
    pub(super) aggregations: Option<Vec<Aggregation>>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { scanner: Scanner::new(text), depth: 0, operators: 0, aggregations: None }
    }

    /// Reads an expression.
    pub(super) fn expression(&mut self) -> Result<Expression, Malformed> {
        self.deeper()?;
        let mut all = vec![self.all()?];
        while self.scanner.takes_word("or") {
            all.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::Any(all) })
    }

    fn deeper(&mut self) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            Err(self.scanner.unexpected("an expression that is less deep"))
        } else {
            Ok(())
        }
    }

    fn one_operator_more(&mut self) -> Result<(), Malformed> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            Err(self.scanner.unexpected("a shorter expression"))
        } else {
            Ok(())
        }
    }

    fn all(&mut self) -> Result<Expression, Malformed> {
        let mut all = vec![self.negation()?];
        while self.scanner.takes_word("and") {
            all.push(self.negation()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn negation(&mut self) -> Result<Expression, Malformed> {
        if !self.scanner.takes_word("not") {
            return self.comparison();
        }
        self.one_operator_more()?;
        Ok(Expression::Not(Box::new(self.negation()?)))
    }

    fn comparison(&mut self) -> Result<Expression, Malformed> {
        let one = self.sum()?;
        if self.scanner.takes("=~") {
            let likeness = self.likeness()?;
            return Ok(Expression::Like(Box::new(one), likeness));
        }
        // The longer ones first.
        let operators = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if let Some((_, operator)) = operators.into_iter().find(|(text, _)| self.scanner.takes(text)) {
            let other = self.sum()?;
            return Ok(Expression::Compared(operator, Box::new(one), Box::new(other)));
        }
        let is_negated = self.scanner.takes_word("not");
        let expression = if self.scanner.takes_word("like") {
            let likeness = self.likeness()?;
            Expression::Like(Box::new(one), likeness)
        } else if self.scanner.takes_word("in") {
            Expression::In(Box::new(one), self.list("[", "]")?)
        } else if is_negated {
            return Err(self.scanner.unexpected("`like` or `in`"));
        } else {
            return Ok(one);
        };
        Ok(if is_negated { Expression::Not(Box::new(expression)) } else { expression })
    }

    fn likeness(&mut self) -> Result<Likeness, Malformed> {
        match self.scanner.peek() {
            Some('/') => Ok(Likeness::Matches(self.scanner.expression()?)),
            _ => Ok(Likeness::Contains(self.scanner.text()?)),
        }
    }

    fn sum(&mut self) -> Result<Expression, Malformed> {
        let operators = [("+", Arithmetic::Add), ("-", Arithmetic::Subtract)];
        self.chain(&operators, Self::product)
    }

    fn product(&mut self) -> Result<Expression, Malformed> {
        let operators =
            [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide), ("%", Arithmetic::Remainder)];
        self.chain(&operators, Self::power)
    }

    fn power(&mut self) -> Result<Expression, Malformed> {
        self.chain(&[("^", Arithmetic::Power)], Self::operand)
    }

    fn chain(
        &mut self,
        operators: &[(&str, Arithmetic)],
        operand: fn(&mut Self) -> Result<Expression, Malformed>,
    ) -> Result<Expression, Malformed> {
        let mut one = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.scanner.takes(text)) {
            self.one_operator_more()?;
            one = Expression::Arithmetic(*operator, Box::new(one), Box::new(operand(self)?));
        }
        Ok(one)
    }

    fn operand(&mut self) -> Result<Expression, Malformed> {
        match self.scanner.peek() {
            Some('(') => {
                self.scanner.takes("(");
                let within = self.expression()?;
                if !self.scanner.takes(")") {
                    return Err(self.scanner.unexpected(")"));
                }
                Ok(within)
            }
            Some('-') => {
                self.scanner.takes("-");
                self.one_operator_more()?;
                Ok(Expression::Negated(Box::new(self.operand()?)))
            }
            Some('"' | '\'') => Ok(Expression::Literal(Value::Text(self.scanner.text()?))),
            Some(digit) if digit.is_ascii_digit() || digit == '.' => {
                Ok(Expression::Literal(Value::Number(self.scanner.number()?)))
            }
            Some('`') => Ok(Expression::Field(self.scanner.name()?)),
            _ => self.field_or_call(),
        }
    }

    fn field_or_call(&mut self) -> Result<Expression, Malformed> {
        let start = self.scanner.here();
        if ["and", "or", "like", "in", "by", "as"]
            .iter()
            .any(|word| self.scanner.word().eq_ignore_ascii_case(word))
        {
            return Err(self.scanner.unexpected("a field, a value or a function"));
        }
        let name = self.scanner.name()?;
        if self.scanner.peek() != Some('(') {
            return Ok(match name.as_str() {
                "true" => Expression::Literal(Value::Boolean(true)),
                "false" => Expression::Literal(Value::Boolean(false)),
                "null" => Expression::Literal(Value::Missing),
                _ => Expression::Field(name),
            });
        }
        let end = start + name.len();
        match name.to_ascii_lowercase().as_str() {
            "bin" => return self.rounded(false, true),
            "datefloor" => return self.rounded(false, false),
            "dateceil" => return self.rounded(true, false),
            _ => {}
        }
        if let Some(aggregation) = self.aggregation(&name)? {
            return Ok(aggregation);
        }
        let Some((function, least, most)) = Function::find(&name) else {
            return Err(self.scanner.wrong(start, end, format!("there is no function `{name}`")));
        };
        let arguments = self.list("(", ")")?;
        if !(least..=most).contains(&arguments.len()) {
            let count = arguments.len();
            let what = format!("`{name}` does not take {count} arguments");
            return Err(self.scanner.wrong(start, end, what));
        }
        Ok(Expression::Call(function, arguments))
    }

    fn list(&mut self, open: &str, close: &str) -> Result<Vec<Expression>, Malformed> {
        if !self.scanner.takes(open) {
            return Err(self.scanner.unexpected(open));
        }
        let mut all = Vec::new();
        if self.scanner.takes(close) {
            return Ok(all);
        }
        loop {
            all.push(self.expression()?);
            if self.scanner.takes(close) {
                return Ok(all);
            }
            if !self.scanner.takes(",") {
                return Err(self.scanner.unexpected(close));
            }
        }
    }

    /// Reads `(5m)` after `bin`, and `(@timestamp, 5m)` after the others.
    fn rounded(&mut self, up: bool, of_timestamp: bool) -> Result<Expression, Malformed> {
        self.scanner.takes("(");
        let at = if of_timestamp {
            Expression::Field("@timestamp".to_owned())
        } else {
            let at = self.expression()?;
            if !self.scanner.takes(",") {
                return Err(self.scanner.unexpected(","));
            }
            at
        };
        let start = self.scanner.here();
        let count = self.scanner.integer()?;
        let unit = self.scanner.word();
        self.scanner.takes_word(unit);
        let period = Period::new(count, &unit.to_ascii_lowercase());
        let period = period.ok_or_else(|| {
            self.scanner.wrong(start, start, format!("`{count}{unit}` is no period such as `5m`"))
        })?;
        if !self.scanner.takes(")") {
            return Err(self.scanner.unexpected(")"));
        }
        Ok(Expression::Rounded { at: Box::new(at), period, up })
    }

    /// Reads what follows the name of an aggregation, within `stats`.
    fn aggregation(&mut self, name: &str) -> Result<Option<Expression>, Malformed> {
        if self.aggregations.is_none() || !Aggregation::is_one(name) {
            return Ok(None);
        }
        let start = self.scanner.here();
        // `count(*)`.
        let mut arguments = Vec::new();
        self.scanner.takes("(");
        if !self.scanner.takes("*") && self.scanner.peek() != Some(')') {
            // An aggregation of aggregations is none.
            let outer = self.aggregations.take();
            arguments.push(self.expression()?);
            while self.scanner.takes(",") {
                arguments.push(self.expression()?);
            }
            self.aggregations = outer;
        }
        if !self.scanner.takes(")") {
            return Err(self.scanner.unexpected(")"));
        }
        let end = start + self.scanner.since(start).len();
        let Some(aggregation) = Aggregation::new(name, arguments) else {
            return Err(self.scanner.wrong(start, end, format!("`{name}` does not take these arguments")));
        };
        let all = self.aggregations.get_or_insert_default();
        all.push(aggregation);
        Ok(Some(Expression::Aggregate(all.len() - 1)))
    }
}
