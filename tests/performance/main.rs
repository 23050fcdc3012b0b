//! `cargo xtask bench`: a release build against floors that are measured in the same run.
//!
//! The machine is shared and noisy, so a number on its own says little. Rounds of ours and of the floor alternate,
//! and what counts is the ratio of their medians. The same native runtime, this program itself, runs under both.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]
#![allow(clippy::disallowed_methods, reason = "measures programs that it starts")]

mod cold;
mod connection;
mod floor;
mod load;
mod runtime;
mod warm;

use std::process::ExitCode;

/// A figure and what it may be at most, or at least.
struct Figure {
    name: String,
    value: String,
    target: Option<(String, bool)>,
}

/// What was measured, in order.
#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn note(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.print(Figure { name: name.into(), value: value.into(), target: None });
    }

    fn at_most(&mut self, name: impl Into<String>, value: f64, unit: &str, limit: f64) {
        self.print(Figure {
            name: name.into(),
            value: format!("{value:.2}{unit}"),
            target: Some((format!("at most {limit}{unit}"), value <= limit)),
        });
    }

    fn print(&mut self, figure: Figure) {
        let target = match &figure.target {
            None => String::new(),
            Some((text, true)) => format!("  {text}: kept"),
            Some((text, false)) => format!("  {text}: MISSED"),
        };
        println!("{:58} {:>24}{target}", figure.name, figure.value);
        self.0.push(figure);
    }

    fn missed(&self) -> usize {
        self.0.iter().filter(|figure| matches!(figure.target, Some((_, false)))).count()
    }
}

fn main() -> ExitCode {
    // In an environment of Hearth or of the floor we are the runtime.
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        runtime::run(&address);
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "floor") {
        floor::serve();
        return ExitCode::SUCCESS;
    }

    let mut figures = Figures::default();
    idle_memory(&mut figures);
    warm::measure(&mut figures);
    cold::measure(&mut figures);
    println!("{} figures, {} targets missed", figures.0.len(), figures.missed());
    if figures.missed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Resident memory of a server that has done nothing yet.
fn idle_memory(figures: &mut Figures) {
    let server = hearth_tests::Server::start();
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    let mib = server.resident_kib() as f64 / 1024.0;
    figures.at_most("idle server, resident memory", mib, " MiB", 25.0);
}

/// Returns the median.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
