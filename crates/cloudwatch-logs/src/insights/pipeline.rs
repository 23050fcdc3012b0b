//! Runs the commands of a query: each row goes through them as far as it can; commands that need all rows before they can
//! pass one on keep them until there are no more. What they keep is bounded.

use std::collections::HashSet;

use super::event::Event;
use super::expression::{Expression, Row as _};
use super::groups::Groups;
use super::parse::{Column, Command, Query, SortKey, Template};
use super::record::{KEPT_BYTES_MAX, Record, compute};
use super::run::Failure;
use super::sorted::Sorted;
use super::value::Value;

/// How large a result may be.
const RESULT_BYTES_MAX: usize = 32 << 20;

/// A row of a result: fields and their values.
pub(crate) type ResultRow = Vec<(String, String)>;

enum Stage {
    Fields(Vec<Column>),
    Filter(Expression),
    Parse { of: Expression, by: Template, names: Vec<String> },
    Stats(Groups),
    Sort(Sorted),
    Limit { left: usize },
    Dedup { of: Vec<Expression>, seen: HashSet<Vec<String>>, bytes: usize },
}

/// A query that is run.
pub(super) struct Pipeline {
    stages: Vec<Stage>,
    /// The first that keeps rows: what comes to it, matched.
    first_keeper: usize,
    shown: Vec<String>,
    now_ms: i64,
    matched: u64,
    results: Vec<ResultRow>,
    result_bytes: usize,
}

impl Pipeline {
    /// Returns a query before its first event. It has `limit` rows at most.
    pub(super) fn new(query: Query, limit: usize, now_ms: i64) -> Self {
        let shown = shown(&query.commands);
        let mut commands = query.commands;
        // As they are shown: the newest events first, if nothing else is said.
        let has_order = |command: &Command| matches!(command, Command::Stats { .. } | Command::Sort(_));
        if !commands.iter().any(has_order) {
            let keeps = |command: &Command| matches!(command, Command::Limit(_) | Command::Dedup(_));
            let at = commands.iter().position(keeps).unwrap_or(commands.len());
            let of = Expression::Field("@timestamp".to_owned());
            commands.insert(at, Command::Sort(vec![SortKey { of, descending: true }]));
        }
        commands.push(Command::Limit(limit));
        let wanted: Vec<Option<usize>> =
            (0..commands.len()).map(|at| wanted_after(&commands[at + 1..])).collect();
        let stages: Vec<Stage> = commands
            .into_iter()
            .zip(wanted)
            .map(|(command, wanted)| match command {
                Command::Fields(columns) | Command::Display(columns) => Stage::Fields(columns),
                Command::Filter(condition) => Stage::Filter(condition),
                Command::Parse { of, by, names } => Stage::Parse { of, by, names },
                Command::Stats { columns, aggregations, by } => {
                    Stage::Stats(Groups::new(columns, aggregations, by))
                }
                Command::Sort(keys) => Stage::Sort(Sorted::new(keys, wanted)),
                Command::Limit(left) => Stage::Limit { left },
                Command::Dedup(of) => Stage::Dedup { of, seen: HashSet::new(), bytes: 0 },
            })
            .collect();
        let passes =
            |stage: &Stage| matches!(stage, Stage::Fields(_) | Stage::Filter(_) | Stage::Parse { .. });
        let first_keeper = stages.iter().position(|stage| !passes(stage)).unwrap_or(0);
        Self { stages, first_keeper, shown, now_ms, matched: 0, results: Vec::new(), result_bytes: 0 }
    }

    /// How many events have passed the filters so far.
    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: Event) -> Result<(), Failure> {
        let record =
            Record { event: Some(event), computed: Vec::new(), aggregates: Vec::new(), now_ms: self.now_ms };
        self.push(0, record)
    }

    /// Returns the result: there are no more events.
    pub(super) fn finish(mut self) -> Result<Vec<ResultRow>, Failure> {
        for at in 0..self.stages.len() {
            let rows = match &mut self.stages[at] {
                Stage::Sort(sorted) => sorted.finish(),
                Stage::Stats(groups) => std::mem::take(groups).finish(self.now_ms)?,
                _ => continue,
            };
            for row in rows {
                self.push(at + 1, row)?;
            }
        }
        Ok(self.results)
    }

    /// Sends a row through the stages from `from` on, until one keeps it or wants it not.
    fn push(&mut self, from: usize, mut row: Record) -> Result<(), Failure> {
        for at in from..self.stages.len() {
            if at == self.first_keeper {
                self.matched += 1;
            }
            match &mut self.stages[at] {
                Stage::Fields(columns) => compute(columns, &mut row)?,
                Stage::Filter(condition) => {
                    if !condition.of(&row)?.is_true() {
                        return Ok(());
                    }
                }
                Stage::Parse { of, by, names } => {
                    let text = of.of(&row)?.print().unwrap_or_default();
                    if let Some(found) = by.take_apart(&text) {
                        let values = found.into_iter().map(|found| found.map_or(Value::Missing, Value::Text));
                        row.computed.extend(names.iter().cloned().zip(values));
                    }
                }
                Stage::Stats(groups) => return groups.take(&row),
                Stage::Sort(sorted) => return sorted.take(row),
                Stage::Limit { left: 0 } => return Ok(()),
                Stage::Limit { left } => *left -= 1,
                Stage::Dedup { of, seen, bytes } => {
                    let mut key = Vec::new();
                    for one in &*of {
                        key.extend(one.of(&row)?.print());
                    }
                    // What is missing is not the same as what is missing elsewhere.
                    if key.len() == of.len() {
                        *bytes += key.iter().map(|text| text.len() + 32).sum::<usize>() + 64;
                        if !seen.insert(key) {
                            return Ok(());
                        }
                        if *bytes > KEPT_BYTES_MAX {
                            return Err(Failure::TooLarge);
                        }
                    }
                }
            }
        }
        let mut result: ResultRow = Vec::new();
        for name in &self.shown {
            result.extend(row.field(name).print().map(|text| (name.clone(), text)));
        }
        result.extend(row.event.map(|event| ("@ptr".to_owned(), event.pointer())));
        self.result_bytes += result.iter().map(|(name, text)| name.len() + text.len() + 48).sum::<usize>();
        if self.result_bytes > RESULT_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
        self.results.push(result);
        Ok(())
    }
}

/// Which fields a result shows, in order.
fn shown(commands: &[Command]) -> Vec<String> {
    let (mut shown, mut parsed, mut is_said): (Vec<String>, Vec<String>, bool) = Default::default();
    let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    for command in commands {
        match command {
            Command::Fields(columns) => shown.extend(names(columns)),
            Command::Display(columns) => (shown, parsed) = (names(columns), Vec::new()),
            Command::Parse { names, .. } => parsed.extend(names.iter().cloned()),
            Command::Stats { columns, by, .. } => {
                (shown, parsed) = ([names(by), names(columns)].concat(), Vec::new());
            }
            Command::Filter(_) | Command::Sort(_) | Command::Limit(_) | Command::Dedup(_) => continue,
        }
        is_said |= !matches!(command, Command::Parse { .. });
    }
    if !is_said {
        shown = vec!["@timestamp".to_owned(), "@message".to_owned()];
    }
    let mut seen = HashSet::new();
    shown.into_iter().chain(parsed).filter(|name| seen.insert(name.clone())).collect()
}

/// How many of the first rows are wanted, where that can be said: of the others only their order matters.
fn wanted_after(commands: &[Command]) -> Option<usize> {
    commands.iter().find_map(|command| match command {
        Command::Fields(_) | Command::Display(_) | Command::Parse { .. } => None,
        Command::Limit(count) => Some(Some(*count)),
        Command::Filter(_) | Command::Stats { .. } | Command::Sort(_) | Command::Dedup(_) => Some(None),
    })?
}

impl Template {
    fn take_apart(&self, text: &str) -> Option<Vec<Option<String>>> {
        match self {
            Self::Expression(expression) => {
                let found = expression.captures(text)?;
                Some(found.into_iter().map(|found| found.map(str::to_owned)).collect())
            }
            Self::Pieces(pieces) => {
                let (first, others) = pieces.split_first()?;
                let mut rest = &text[text.find(first.as_str())? + first.len()..];
                let mut found = Vec::new();
                for (number, piece) in others.iter().enumerate() {
                    // The last one goes up to the end.
                    let is_rest = piece.is_empty() && number + 1 == others.len();
                    let end =
                        if is_rest { rest.trim_end_matches('\n').len() } else { rest.find(piece.as_str())? };
                    found.push(Some(rest[..end].to_owned()));
                    rest = &rest[end + piece.len()..];
                }
                Some(found)
            }
        }
    }
}
