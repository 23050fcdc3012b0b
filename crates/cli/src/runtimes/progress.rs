//! How far an installation is: a bar for people at a terminal, a line for each step otherwise. On standard error.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

/// How often a bar without news moves, so that it does not look dead.
const TICK: Duration = Duration::from_millis(120);

/// What an installation is doing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Step {
    pub(super) runtime: String,
    pub(super) step: String,
    pub(super) bytes_done: u64,
    pub(super) bytes_total: Option<u64>,
}

/// What is shown of it.
pub(super) struct Shown {
    /// `None` when nobody looks at a terminal.
    bar: Option<ProgressBar>,
    last: Option<(String, String)>,
}

impl Shown {
    /// Looks at standard error.
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, last: None }
    }

    /// Shows a step, or how far it is.
    pub(super) fn show(&mut self, step: &Step) {
        let name = (step.runtime.clone(), step.step.clone());
        let is_new = self.last.as_ref() != Some(&name);
        let Some(bar) = &self.bar else {
            if is_new {
                eprintln!("{}: {}", step.runtime, step.step);
            }
            self.last = Some(name);
            return;
        };
        if is_new {
            bar.set_style(style(step.bytes_total.is_some()));
            bar.set_message(format!("{}: {}", step.runtime, step.step));
            self.last = Some(name);
        }
        if let Some(total) = step.bytes_total {
            bar.set_length(total);
        }
        bar.set_position(step.bytes_done.min(step.bytes_total.unwrap_or(u64::MAX)));
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(has_total: bool) -> ProgressStyle {
    let template = if has_total {
        "{spinner} {msg} [{bar:30}] {bytes} of about {total_bytes}"
    } else {
        "{spinner} {msg} {bytes}"
    };
    ProgressStyle::with_template(template).expect("both templates are well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bars_can_be_drawn() {
        for has_total in [true, false] {
            let bar = ProgressBar::hidden().with_style(style(has_total));
            bar.set_position(3);
            bar.finish_and_clear();
        }
    }
}
