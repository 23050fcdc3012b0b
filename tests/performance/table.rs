//! The figures: printed as the rows of a Markdown table while they are measured, checked, and written as JSON.

use serde_json::{Value, json};

use crate::median::Sides;
use crate::options::Options;

/// What a figure should be: what it has to reach, and what we want to reach.
#[derive(Debug, Clone, Copy)]
struct Target {
    of: Of,
    must: Bound,
    stretch: Option<f64>,
}

/// Which number has the target.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Hearth over what it is compared with.
    Ratio,
    /// What Hearth takes.
    Hearth,
    /// How much more Hearth takes than what it is compared with.
    Difference,
}

/// The least that has to be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn sign_and_limit(self) -> (&'static str, f64) {
        match self {
            Self::AtMost(limit) => ("≤", limit),
            Self::AtLeast(limit) => ("≥", limit),
        }
    }

    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    /// The same direction with another limit.
    fn with_limit(self, limit: f64) -> Self {
        match self {
            Self::AtMost(_) => Self::AtMost(limit),
            Self::AtLeast(_) => Self::AtLeast(limit),
        }
    }
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    measure: String,
    unit: &'static str,
    hearth: f64,
    other: Option<Other>,
    target: Option<Target>,
}

/// What Hearth's figure is compared with.
#[derive(Debug)]
struct Other {
    name: String,
    value: f64,
    /// The quartiles of the ratios of the single rounds.
    spread: (f64, f64),
}

impl Row {
    /// A figure that is compared with nothing.
    pub(crate) fn alone(measure: impl Into<String>, unit: &'static str, hearth: f64) -> Self {
        Self { measure: measure.into(), unit, hearth, other: None, target: None }
    }

    /// A figure and its floor: the medians of both, and how much their ratio differs from round to round.
    pub(crate) fn over(measure: impl Into<String>, unit: &'static str, sides: &Sides) -> Self {
        let (hearth, value) = sides.medians();
        let other = Other { name: "floor".to_owned(), value, spread: sides.spread() };
        Self { measure: measure.into(), unit, hearth, other: Some(other), target: None }
    }

    /// Names what takes the place of the floor.
    pub(crate) fn against(mut self, name: impl Into<String>) -> Self {
        if let Some(other) = &mut self.other {
            other.name = name.into();
        }
        self
    }

    /// Says what it must be.
    pub(crate) fn must(mut self, of: Of, must: Bound) -> Self {
        self.target = Some(Target { of, must, stretch: None });
        self
    }

    /// Says what we want it to be, in the direction of the must.
    pub(crate) fn stretch(mut self, limit: f64) -> Self {
        if let Some(target) = &mut self.target {
            target.stretch = Some(limit);
        }
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.other.as_ref().map(|other| self.hearth / other.value)
    }

    fn difference(&self) -> Option<f64> {
        self.other.as_ref().map(|other| self.hearth - other.value)
    }

    fn is_reached(&self, bound: impl Fn(&Target) -> Option<Bound>) -> Option<bool> {
        let target = self.target.as_ref()?;
        let bound = bound(target)?;
        let value = match target.of {
            Of::Ratio => self.ratio()?,
            Of::Hearth => self.hearth,
            Of::Difference => self.difference()?,
        };
        Some(bound.holds(value))
    }

    fn must_is_reached(&self) -> Option<bool> {
        self.is_reached(|target| Some(target.must))
    }

    fn stretch_is_reached(&self) -> Option<bool> {
        self.is_reached(|target| target.stretch.map(|limit| target.must.with_limit(limit)))
    }

    /// What Hearth's figure is to the other: how many times as much, or how much more, if that has the target.
    fn comparison(&self) -> String {
        let Some(other) = &self.other else { return String::new() };
        match (self.target.map(|target| target.of), self.difference(), self.ratio()) {
            (Some(Of::Difference), Some(difference), _) => format!("{difference:+.2} {}", self.unit),
            (_, _, Some(ratio)) => {
                let (low, high) = other.spread;
                format!("{ratio:.2} x ({low:.2}-{high:.2})")
            }
            _ => String::new(),
        }
    }

    fn target_unit(&self) -> &'static str {
        match self.target.map(|target| target.of) {
            Some(Of::Ratio) => "x",
            Some(Of::Hearth) | None => self.unit,
            Some(Of::Difference) => "ms more",
        }
    }

    fn must_text(&self) -> String {
        let Some(target) = self.target else { return String::new() };
        let (sign, limit) = target.must.sign_and_limit();
        format!("{sign} {} {}", short(limit), self.target_unit())
    }

    fn stretch_text(&self) -> String {
        let Some((target, limit)) = self.target.and_then(|target| Some((target, target.stretch?))) else {
            return String::new();
        };
        format!("{} {} {}", target.must.sign_and_limit().0, short(limit), self.target_unit())
    }

    fn verdict(&self) -> &'static str {
        match (self.must_is_reached(), self.stretch_is_reached()) {
            (None, _) => "",
            (Some(false), _) => "**no**",
            (Some(true), Some(true)) => "yes, stretch",
            (Some(true), _) => "yes",
        }
    }
}

/// A limit without a tail of digits, such as that of 1/30.
fn short(limit: f64) -> String {
    let text = format!("{limit:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// All figures, in the order in which they were measured.
pub(crate) struct Table {
    rows: Vec<Row>,
    skipped: Vec<String>,
}

impl Table {
    /// Starts a table and prints its head.
    pub(crate) fn new() -> Self {
        let head = ["measure", "Hearth", "other", "compared with", "ratio", "must", "stretch", "reached"];
        print_line(&head.map(str::to_owned));
        println!("|-|-:|-:|-|-:|-|-|-|");
        Self { rows: Vec::new(), skipped: Vec::new() }
    }

    /// Prints a figure and keeps it.
    pub(crate) fn add(&mut self, row: Row) {
        let other = row.other.as_ref();
        print_line(&[
            row.measure.clone(),
            quantity(row.hearth, row.unit),
            other.map(|other| quantity(other.value, row.unit)).unwrap_or_default(),
            other.map(|other| other.name.clone()).unwrap_or_default(),
            row.comparison(),
            row.must_text(),
            row.stretch_text(),
            row.verdict().to_owned(),
        ]);
        self.rows.push(row);
    }

    /// Notes that something could not be measured.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        let line = format!("{what}: {why}");
        if !self.skipped.contains(&line) {
            self.skipped.push(line);
        }
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
        "compared_with": row.other.as_ref().map(|other| &other.name),
        "other": row.other.as_ref().map(|other| other.value),
        "ratio": row.ratio(),
        "ratio_quartiles": row.other.as_ref().map(|other| [other.spread.0, other.spread.1]),
        "difference": row.difference(),
        "must": row.target.map(|_| row.must_text()),
        "must_reached": row.must_is_reached(),
        "stretch": row.target.and_then(|target| target.stretch).map(|_| row.stretch_text()),
        "stretch_reached": row.stretch_is_reached(),
    })
}

/// Prints a line of the table.
fn print_line(cells: &[String; 8]) {
    let [measure, hearth, other, name, ratio, must, stretch, reached] = cells;
    println!(
        "| {measure:54} | {hearth:>12} | {other:>12} | {name:18} | {ratio:>20} | {must:14} | {stretch:14} | {reached:12} |"
    );
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
