//! The figures: printed as the rows of a Markdown table while they are measured, checked, and written as JSON.

use serde_json::{Value, json};

use crate::options::Options;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) of: Of,
    pub(crate) bound: Bound,
    /// A must fails `--check`; a goal is where we want to get.
    pub(crate) is_must: bool,
}

/// Which number has the target.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Hearth over the floor.
    Ratio,
    /// What Hearth takes.
    Hearth,
    /// How much more Hearth takes than the floor.
    Difference,
}

/// The target itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    measure: String,
    unit: &'static str,
    hearth: f64,
    floor: Option<f64>,
    target: Option<Target>,
}

impl Row {
    /// A figure without a floor.
    pub(crate) fn alone(measure: impl Into<String>, unit: &'static str, hearth: f64) -> Self {
        Self { measure: measure.into(), unit, hearth, floor: None, target: None }
    }

    /// A figure and its floor.
    pub(crate) fn over(measure: impl Into<String>, unit: &'static str, (hearth, floor): (f64, f64)) -> Self {
        Self { measure: measure.into(), unit, hearth, floor: Some(floor), target: None }
    }

    /// Says what it must be.
    pub(crate) fn must(mut self, of: Of, bound: Bound) -> Self {
        self.target = Some(Target { of, bound, is_must: true });
        self
    }

    /// Says what we want it to be.
    pub(crate) fn goal(mut self, of: Of, bound: Bound) -> Self {
        self.target = Some(Target { of, bound, is_must: false });
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.hearth / floor)
    }

    fn difference(&self) -> Option<f64> {
        self.floor.map(|floor| self.hearth - floor)
    }

    fn is_reached(&self) -> Option<bool> {
        let target = self.target?;
        let value = match target.of {
            Of::Ratio => self.ratio()?,
            Of::Hearth => self.hearth,
            Of::Difference => self.difference()?,
        };
        Some(match target.bound {
            Bound::AtMost(limit) => value <= limit,
            Bound::AtLeast(limit) => value >= limit,
        })
    }

    /// What Hearth's figure is to the floor's: how many times as much, or how much more, if that has the target.
    fn comparison(&self) -> String {
        match (self.target.map(|target| target.of), self.difference(), self.ratio()) {
            (Some(Of::Difference), Some(difference), _) => format!("{difference:+.2} {}", self.unit),
            (_, _, Some(ratio)) => format!("{ratio:.2} x"),
            _ => String::new(),
        }
    }

    fn target_text(&self) -> String {
        let Some(target) = self.target else { return String::new() };
        let unit = match target.of {
            Of::Ratio => "x",
            Of::Hearth => self.unit,
            Of::Difference => "ms more",
        };
        let bound = match target.bound {
            Bound::AtMost(limit) => format!("≤ {limit} {unit}"),
            Bound::AtLeast(limit) => format!("≥ {limit} {unit}"),
        };
        if target.is_must { bound } else { format!("goal {bound}") }
    }

    fn verdict(&self) -> &'static str {
        match (self.is_reached(), self.target) {
            (None, _) | (_, None) => "",
            (Some(true), _) => "yes",
            (Some(false), Some(target)) if target.is_must => "**no**",
            (Some(false), Some(_)) => "not yet",
        }
    }
}

/// All figures, in the order in which they were measured.
pub(crate) struct Table {
    rows: Vec<Row>,
    skipped: Vec<String>,
}

impl Table {
    /// Starts a table and prints its head.
    pub(crate) fn new() -> Self {
        println!(
            "| {:50} | {:>13} | {:>13} | {:>8} | {:14} | ok? |",
            "measure", "Hearth", "floor", "ratio", "target"
        );
        println!(
            "|{}|{}:|{}:|{}:|{}|-----|",
            "-".repeat(52),
            "-".repeat(14),
            "-".repeat(14),
            "-".repeat(9),
            "-".repeat(16)
        );
        Self { rows: Vec::new(), skipped: Vec::new() }
    }

    /// Prints a figure and keeps it.
    pub(crate) fn add(&mut self, row: Row) {
        println!(
            "| {:50} | {:>13} | {:>13} | {:>8} | {:14} | {} |",
            row.measure,
            quantity(row.hearth, row.unit),
            row.floor.map(|floor| quantity(floor, row.unit)).unwrap_or_default(),
            row.comparison(),
            row.target_text(),
            row.verdict()
        );
        self.rows.push(row);
    }

    /// Notes that something could not be measured.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        self.skipped.push(format!("{what}: {why}"));
    }

    /// Returns how many targets that are a must were missed.
    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| row.verdict() == "**no**").count()
    }

    /// Prints what stands below the table.
    pub(crate) fn print_end(&self) {
        println!();
        for skipped in &self.skipped {
            println!("skipped: {skipped}");
        }
        println!("{} figures; {} missed that are a must", self.rows.len(), self.missed());
    }

    /// Returns all of it for programs.
    pub(crate) fn json(&self, options: &Options) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(row_json).collect();
        json!({
            "rounds": options.rounds,
            "quick": options.is_quick,
            "rows": rows,
            "skipped": self.skipped,
        })
    }
}

fn row_json(row: &Row) -> Value {
    json!({
        "measure": row.measure,
        "unit": row.unit,
        "hearth": row.hearth,
        "floor": row.floor,
        "ratio": row.ratio(),
        "difference": row.difference(),
        "target": row.target.map(|_| row.target_text()),
        "must": row.target.map(|target| target.is_must),
        "reached": row.is_reached(),
    })
}

/// Three digits are more than a benchmark knows.
fn quantity(value: f64, unit: &str) -> String {
    let digits = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}
