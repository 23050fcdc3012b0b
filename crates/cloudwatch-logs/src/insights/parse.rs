//! Reads queries: commands with `|` between them.

use super::expression::Expression;
use super::expression_parser::Parser;
use super::scanner::Malformed;
use super::stats::Aggregation;
use crate::error::LogsError;
use crate::regex::Regex;

/// Most rows of a result. Ours: AWS has ten times as many.
pub(crate) const LIMIT_MAX: usize = 10_000;
/// Commands that Insights has and Hearth has not.
const OTHERS: &[&str] = &[
    "pattern",
    "diff",
    "anomaly",
    "unnest",
    "unmask",
    "lookup",
    "join",
    "subqueries",
    "filterindex",
    "source",
    "expand",
    "flatten",
    "addtotals",
    "appendcols",
    "relevantfields",
];

/// A query that was read.
#[derive(Debug)]
pub(crate) struct Query {
    pub(super) commands: Vec<Command>,
}

impl Query {
    /// Whether it says itself how many rows it wants.
    pub(crate) fn has_limit(&self) -> bool {
        self.commands.iter().any(|command| matches!(command, Command::Limit(_)))
    }
}

#[derive(Debug)]
pub(super) enum Command {
    Fields(Vec<Column>),
    Display(Vec<Column>),
    Filter(Expression),
    Parse { of: Expression, by: Template, names: Vec<String> },
    Stats { columns: Vec<Column>, aggregations: Vec<Aggregation>, by: Vec<Column> },
    Sort(Vec<SortKey>),
    Limit(usize),
    Dedup(Vec<Expression>),
}

/// An expression, and what it is called.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) expression: Expression,
}

#[derive(Debug)]
pub(super) struct SortKey {
    pub(super) of: Expression,
    pub(super) descending: bool,
}

/// How `parse` takes a text apart.
#[derive(Debug)]
pub(super) enum Template {
    /// What stands around the `*`.
    Pieces(Vec<String>),
    Expression(Regex),
}

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, LogsError> {
    let mut parser = Parser::new(text);
    commands(&mut parser).map(|commands| Query { commands }).map_err(|malformed| malformed.into_error(text))
}

/// What is wrong with a query.
#[cfg(test)]
pub(super) fn malformed(text: &str) -> Option<Malformed> {
    commands(&mut Parser::new(text)).err()
}

fn commands(parser: &mut Parser<'_>) -> Result<Vec<Command>, Malformed> {
    let mut commands = Vec::new();
    loop {
        commands.push(command(parser)?);
        if parser.scanner.peek().is_none() {
            return Ok(commands);
        }
        if !parser.scanner.takes("|") {
            return Err(parser.scanner.unexpected("| and another command"));
        }
    }
}

fn command(parser: &mut Parser<'_>) -> Result<Command, Malformed> {
    let start = parser.scanner.here();
    let word = parser.scanner.word().to_ascii_lowercase();
    if OTHERS.contains(&word.as_str()) {
        let what = format!("Hearth does not implement the command `{word}`");
        return Err(parser.scanner.wrong(start, start + word.len(), what));
    }
    let known = ["fields", "display", "filter", "parse", "stats", "sort", "limit", "dedup"];
    if !known.contains(&word.as_str()) {
        return Err(parser.scanner.unexpected("a command"));
    }
    parser.scanner.takes_word(&word);
    match word.as_str() {
        "fields" => columns(parser).map(Command::Fields),
        "display" => columns(parser).map(Command::Display),
        "filter" => parser.expression().map(Command::Filter),
        "parse" => parse_command(parser),
        "stats" => stats(parser),
        "sort" => sort(parser),
        "limit" => limit(parser),
        _ => {
            let mut all = vec![parser.expression()?];
            while parser.scanner.takes(",") {
                all.push(parser.expression()?);
            }
            Ok(Command::Dedup(all))
        }
    }
}

fn columns(parser: &mut Parser<'_>) -> Result<Vec<Column>, Malformed> {
    let mut all = vec![column(parser)?];
    while parser.scanner.takes(",") {
        all.push(column(parser)?);
    }
    Ok(all)
}

/// Reads an expression, with a name behind `as` or without: then its text is its name.
fn column(parser: &mut Parser<'_>) -> Result<Column, Malformed> {
    let start = parser.scanner.here();
    let expression = parser.expression()?;
    let written = parser.scanner.since(start).to_owned();
    let name = if parser.scanner.takes_word("as") {
        parser.scanner.name()?
    } else if let Expression::Field(name) = &expression {
        name.clone()
    } else {
        written
    };
    Ok(Column { name, expression })
}

fn parse_command(parser: &mut Parser<'_>) -> Result<Command, Malformed> {
    let of = match parser.scanner.peek() {
        Some('"' | '\'' | '/') => Expression::Field("@message".to_owned()),
        _ => {
            let name = parser.scanner.name()?;
            Expression::Field(name)
        }
    };
    let start = parser.scanner.here();
    if parser.scanner.peek() == Some('/') {
        let expression = parser.scanner.expression()?;
        let end = start + parser.scanner.since(start).len();
        let names = expression.names();
        if names.is_empty() {
            let what = "the expression has no group with a name, such as `(?<name>.*)`,".to_owned();
            return Err(parser.scanner.wrong(start, end, what));
        }
        return Ok(Command::Parse { of, by: Template::Expression(expression), names });
    }
    let text = parser.scanner.text()?;
    let end = start + parser.scanner.since(start).len();
    let pieces: Vec<String> = text.split('*').map(str::to_owned).collect();
    if !parser.scanner.takes_word("as") {
        return Err(parser.scanner.unexpected("as"));
    }
    let mut names = vec![parser.scanner.name()?];
    while parser.scanner.takes(",") {
        names.push(parser.scanner.name()?);
    }
    let stars = pieces.len() - 1;
    if stars != names.len() {
        let what = format!("there are {stars} `*` and {} names", names.len());
        return Err(parser.scanner.wrong(start, end, what));
    }
    // Nothing would say where the one ends and the other begins.
    if pieces[1..stars].iter().any(String::is_empty) {
        return Err(parser.scanner.wrong(start, end, "two `*` have nothing between them".to_owned()));
    }
    Ok(Command::Parse { of, by: Template::Pieces(pieces), names })
}

fn stats(parser: &mut Parser<'_>) -> Result<Command, Malformed> {
    parser.aggregations = Some(Vec::new());
    let columns = columns(parser)?;
    let aggregations = parser.aggregations.take().unwrap_or_default();
    let by = if parser.scanner.takes_word("by") { self::columns(parser)? } else { Vec::new() };
    Ok(Command::Stats { columns, aggregations, by })
}

fn sort(parser: &mut Parser<'_>) -> Result<Command, Malformed> {
    let mut keys = Vec::new();
    loop {
        let of = parser.expression()?;
        let descending = parser.scanner.takes_word("desc");
        if !descending {
            parser.scanner.takes_word("asc");
        }
        keys.push(SortKey { of, descending });
        if !parser.scanner.takes(",") {
            return Ok(Command::Sort(keys));
        }
    }
}

fn limit(parser: &mut Parser<'_>) -> Result<Command, Malformed> {
    let start = parser.scanner.here();
    let count = parser.scanner.integer()?;
    let end = start + parser.scanner.since(start).len();
    let count = usize::try_from(count).ok().filter(|count| (1..=LIMIT_MAX).contains(count));
    count
        .map(Command::Limit)
        .ok_or_else(|| parser.scanner.wrong(start, end, format!("a limit is from 1 to {LIMIT_MAX};")))
}
