//! Metric math, as far as it is arithmetic: `+ - * /`, numbers, ids, `SUM`, `AVG`, `MIN`, `MAX`, `FILL` and `METRICS()`.
//!
//! What else CloudWatch knows is refused by its name.

use crate::points::Values;

/// How deep an expression may be nested. Ours.
const DEPTH_MAX: usize = 32;
/// The functions of CloudWatch that are not here.
///
/// Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics", read 2026-11.
const OTHERS: &[&str] = &[
    "ABS",
    "ANOMALY_DETECTION_BAND",
    "CEIL",
    "DATAPOINT_COUNT",
    "DATE",
    "DAY",
    "DB_PERF_INSIGHTS",
    "DIFF",
    "DIFF_TIME",
    "EPOCH",
    "FIRST",
    "FLOOR",
    "HOUR",
    "IF",
    "INSIGHT_RULE_METRIC",
    "LAMBDA",
    "LAST",
    "LOG",
    "LOG10",
    "METRIC_COUNT",
    "MINUTE",
    "MONTH",
    "PERIOD",
    "RATE",
    "REMOVE_EMPTY",
    "RUNNING_SUM",
    "SEARCH",
    "SELECT",
    "SERVICE_QUOTA",
    "SLICE",
    "SORT",
    "STDDEV",
    "TIME_SERIES",
    "YEAR",
];

/// Something that is calculated from metrics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    /// What another query is.
    Query(String),
    /// What all queries of metrics are.
    Metrics,
    Array(Vec<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Sum,
    Avg,
    Min,
    Max,
    Fill,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Evaluated {
    Number(f64),
    Series(Values),
    Array(Vec<Values>),
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpressionError {
    /// CloudWatch has it, and Hearth has not.
    NotImplemented(String),
    /// It is wrong; the text says how.
    Wrong(String),
}

/// What an expression may ask for while it is evaluated.
pub(crate) trait Queries {
    type Error: From<ExpressionError>;

    /// Returns what another query is.
    fn query(&mut self, id: &str) -> Result<Values, Self::Error>;

    /// Returns what all queries of metrics are.
    fn metrics(&mut self) -> Result<Vec<Values>, Self::Error>;

    /// Returns when periods begin.
    fn periods(&self) -> Vec<i64>;
}

fn wrong(text: impl Into<String>) -> ExpressionError {
    ExpressionError::Wrong(text.into())
}

impl Expression {
    /// Reads an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let text = text.trim();
        if text.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("SELECT")) {
            return Err(ExpressionError::NotImplemented("Metrics Insights queries".to_owned()));
        }
        let mut parser = Parser { rest: text, depth: 0 };
        let expression = parser.sum()?;
        match parser.next() {
            None => Ok(expression),
            Some(character) => Err(wrong(format!("Unexpected `{character}`"))),
        }
    }

    /// Returns the ids of all queries that it needs by name.
    pub(crate) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Number(_) | Self::Metrics => Vec::new(),
            Self::Query(id) => vec![id],
            Self::Array(inside) | Self::Call(_, inside) => inside.iter().flat_map(Self::ids).collect(),
            Self::Binary(_, one, other) => [one.ids(), other.ids()].concat(),
        }
    }

    /// Calculates it.
    pub(crate) fn evaluate<Q: Queries>(&self, queries: &mut Q) -> Result<Evaluated, Q::Error> {
        Ok(match self {
            Self::Number(number) => Evaluated::Number(*number),
            Self::Query(id) => Evaluated::Series(queries.query(id)?),
            Self::Metrics => Evaluated::Array(queries.metrics()?),
            Self::Array(inside) => {
                let mut all = Vec::new();
                for one in inside {
                    match one.evaluate(queries)? {
                        Evaluated::Series(values) => all.push(values),
                        Evaluated::Array(more) => all.extend(more),
                        Evaluated::Number(_) => {
                            return Err(wrong("An array can only contain time series").into());
                        }
                    }
                }
                Evaluated::Array(all)
            }
            Self::Binary(operator, one, other) => {
                binary(*operator, one.evaluate(queries)?, other.evaluate(queries)?)?
            }
            Self::Call(Function::Fill, inside) => {
                let [series, filling] = inside.as_slice() else {
                    return Err(wrong("FILL takes a time series and a number").into());
                };
                let filling = match filling.evaluate(queries)? {
                    Evaluated::Number(number) => number,
                    _ => return Err(wrong("FILL takes a number as its second argument").into()),
                };
                let periods = queries.periods();
                let filled = |mut values: Values| {
                    for start in &periods {
                        values.entry(*start).or_insert(filling);
                    }
                    values
                };
                match series.evaluate(queries)? {
                    Evaluated::Series(values) => Evaluated::Series(filled(values)),
                    Evaluated::Array(all) => Evaluated::Array(all.into_iter().map(filled).collect()),
                    Evaluated::Number(_) => return Err(wrong("FILL takes a time series").into()),
                }
            }
            Self::Call(function, inside) => {
                let [inside] = inside.as_slice() else {
                    return Err(wrong("The function takes one argument").into());
                };
                match inside.evaluate(queries)? {
                    Evaluated::Number(number) => Evaluated::Number(number),
                    // Of one series it is a number, of several a series.
                    Evaluated::Series(values) => {
                        let all: Vec<f64> = values.into_values().collect();
                        Evaluated::Number(function.of(&all))
                    }
                    Evaluated::Array(all) => {
                        let mut together = std::collections::BTreeMap::<i64, Vec<f64>>::new();
                        for (start, value) in all.into_iter().flatten() {
                            together.entry(start).or_default().push(value);
                        }
                        let values =
                            together.into_iter().map(|(start, values)| (start, function.of(&values)));
                        Evaluated::Series(values.collect())
                    }
                }
            }
        })
    }
}

impl Function {
    fn of(self, values: &[f64]) -> f64 {
        let sum = || values.iter().sum::<f64>();
        match self {
            Self::Sum => sum(),
            Self::Avg => sum() / values.len().max(1) as f64,
            Self::Min => values.iter().copied().reduce(f64::min).unwrap_or(0.0),
            Self::Max => values.iter().copied().reduce(f64::max).unwrap_or(0.0),
            // It is evaluated by itself.
            Self::Fill => 0.0,
        }
    }
}

impl Operator {
    /// `None` where there is no result: a division by nothing.
    fn of(self, one: f64, other: f64) -> Option<f64> {
        let value = match self {
            Self::Add => one + other,
            Self::Subtract => one - other,
            Self::Multiply => one * other,
            Self::Divide => one / other,
        };
        value.is_finite().then_some(value)
    }
}

fn binary(operator: Operator, one: Evaluated, other: Evaluated) -> Result<Evaluated, ExpressionError> {
    use Evaluated::{Array, Number, Series};
    let with = |values: Values, of: &dyn Fn(i64, f64) -> Option<f64>| -> Values {
        values.into_iter().filter_map(|(start, value)| Some((start, of(start, value)?))).collect()
    };
    // A period that only one of them has has no result.
    let both =
        |one: Values, other: &Values| with(one, &|start, value| operator.of(value, *other.get(&start)?));
    Ok(match (one, other) {
        (Number(one), Number(other)) => {
            Number(operator.of(one, other).ok_or_else(|| wrong("Division by zero"))?)
        }
        (Series(one), Number(other)) => Series(with(one, &|_, value| operator.of(value, other))),
        (Number(one), Series(other)) => Series(with(other, &|_, value| operator.of(one, value))),
        (Series(one), Series(other)) => Series(both(one, &other)),
        (Array(all), Number(other)) => {
            Array(all.into_iter().map(|one| with(one, &|_, value| operator.of(value, other))).collect())
        }
        (Number(one), Array(all)) => {
            Array(all.into_iter().map(|other| with(other, &|_, value| operator.of(one, value))).collect())
        }
        (Array(all), Series(other)) => Array(all.into_iter().map(|one| both(one, &other)).collect()),
        (Series(one), Array(all)) => Array(all.iter().map(|other| both(one.clone(), other)).collect()),
        (Array(_), Array(_)) => return Err(wrong("Two arrays cannot be operands of one operator")),
    })
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// The next character that is no space.
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.next() == Some(wanted);
        if is_there {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        is_there
    }

    fn expect(&mut self, wanted: char) -> Result<(), ExpressionError> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(wrong(format!("`{wanted}` is missing"))),
        }
    }

    fn while_of(&mut self, is_of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !is_of(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn sum(&mut self) -> Result<Expression, ExpressionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong("It is nested too deep"));
        }
        let mut one = self.product()?;
        loop {
            let operator = match self.next() {
                Some('+') => Operator::Add,
                Some('-') => Operator::Subtract,
                _ => break,
            };
            self.rest = &self.rest[1..];
            one = Expression::Binary(operator, Box::new(one), Box::new(self.product()?));
        }
        self.depth -= 1;
        Ok(one)
    }

    fn product(&mut self) -> Result<Expression, ExpressionError> {
        let mut one = self.signed()?;
        loop {
            let operator = match self.next() {
                Some('*') => Operator::Multiply,
                Some('/') => Operator::Divide,
                Some('^' | '<' | '>' | '=' | '!' | '&' | '|') => {
                    let what = "operators of metric math other than + - * /";
                    return Err(ExpressionError::NotImplemented(what.to_owned()));
                }
                _ => return Ok(one),
            };
            self.rest = &self.rest[1..];
            one = Expression::Binary(operator, Box::new(one), Box::new(self.signed()?));
        }
    }

    fn signed(&mut self) -> Result<Expression, ExpressionError> {
        let mut is_negative = false;
        while self.take('-') {
            is_negative = !is_negative;
        }
        let one = self.atom()?;
        if !is_negative {
            return Ok(one);
        }
        Ok(Expression::Binary(Operator::Multiply, Box::new(Expression::Number(-1.0)), Box::new(one)))
    }

    fn atom(&mut self) -> Result<Expression, ExpressionError> {
        match self.next() {
            None => Err(wrong("Something is missing at its end")),
            Some('(') => {
                self.expect('(')?;
                let inside = self.sum()?;
                self.expect(')')?;
                Ok(inside)
            }
            Some('[') => {
                self.expect('[')?;
                Ok(Expression::Array(self.arguments(']')?))
            }
            Some('0'..='9' | '.') => {
                let number = self.while_of(|character| character.is_ascii_digit() || character == '.');
                let number = number.parse().map_err(|_| wrong(format!("`{number}` is no number")))?;
                Ok(Expression::Number(number))
            }
            Some('a'..='z') => {
                let id = self.while_of(|character| character.is_ascii_alphanumeric() || character == '_');
                Ok(Expression::Query(id.to_owned()))
            }
            Some('A'..='Z') => self.call(),
            Some(character) => Err(wrong(format!("Unexpected `{character}`"))),
        }
    }

    fn call(&mut self) -> Result<Expression, ExpressionError> {
        let name = self.while_of(|character| character.is_ascii_alphanumeric() || character == '_');
        let function = match name {
            "SUM" => Function::Sum,
            "AVG" => Function::Avg,
            "MIN" => Function::Min,
            "MAX" => Function::Max,
            "FILL" => Function::Fill,
            "METRICS" => {
                self.expect('(')?;
                if !self.take(')') {
                    return Err(ExpressionError::NotImplemented("METRICS with an argument".to_owned()));
                }
                return Ok(Expression::Metrics);
            }
            _ if OTHERS.contains(&name) => {
                return Err(ExpressionError::NotImplemented(format!("the function {name} of metric math")));
            }
            _ => return Err(wrong(format!("There is no function `{name}`"))),
        };
        self.expect('(')?;
        if function == Function::Fill && self.rest.contains("REPEAT") || self.rest.contains("LINEAR") {
            return Err(ExpressionError::NotImplemented("FILL with REPEAT or LINEAR".to_owned()));
        }
        Ok(Expression::Call(function, self.arguments(')')?))
    }

    /// One argument at least, up to the end.
    fn arguments(&mut self, end: char) -> Result<Vec<Expression>, ExpressionError> {
        let mut arguments = vec![self.sum()?];
        while self.take(',') {
            arguments.push(self.sum()?);
        }
        self.expect(end)?;
        Ok(arguments)
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
