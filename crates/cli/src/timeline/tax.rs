//! The extension tax: what each extension takes in Init, after calls, and in the shutdown.

use super::model::{ExtensionPhase, ExtensionSpan, Timeline};
use crate::table::{Column, Table};
use crate::words::visible;

/// What stands where nothing happened.
const NOTHING: &str = "–";

/// The spans of one extension in all environments.
struct Extension<'a> {
    name: &'a str,
    spans: Vec<&'a ExtensionSpan>,
}

/// Writes a row of means for each extension, below a blank line; nothing if there is no extension.
pub(super) fn table(timeline: &Timeline) -> String {
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    for extension in timeline.environments.iter().flat_map(|environment| &environment.extensions) {
        let name = extension.name.as_str();
        match extensions.iter_mut().find(|known| known.name == name) {
            Some(known) => known.spans.extend(&extension.spans),
            None => extensions.push(Extension { name, spans: extension.spans.iter().collect() }),
        }
    }
    if extensions.is_empty() {
        return String::new();
    }
    let with_killed = extensions.iter().any(|extension| extension.killed() > 0);
    let mut columns = vec![
        Column::Left("Extension tax"),
        Column::Right("Init"),
        Column::Right("After a call"),
        Column::Right("Calls"),
        Column::Right("Shutdown"),
    ];
    if with_killed {
        columns.push(Column::Right("Killed"));
    }
    let mut table = Table::new(columns);
    for extension in &extensions {
        let calls = extension.times(ExtensionPhase::Invoke).len();
        // A call after which it had nothing to do counts as one of 0 ms.
        let after_calls_ms = sum(&extension.times(ExtensionPhase::AfterCall));
        let mut row = vec![
            visible(extension.name),
            mean(&extension.inits()),
            if calls == 0 { NOTHING.to_owned() } else { format!("{:.2} ms", after_calls_ms / calls as f64) },
            calls.to_string(),
            mean(&extension.times(ExtensionPhase::Shutdown)),
        ];
        if with_killed {
            row.push(extension.killed().to_string());
        }
        table.row(row);
    }
    format!("\n{}", table.render())
}

impl Extension<'_> {
    /// Returns how long each Init took in which it became ready, from its start on.
    fn inits(&self) -> Vec<f64> {
        let mut inits = Vec::new();
        let mut began_ms = None;
        for span in &self.spans {
            match span.phase {
                ExtensionPhase::Registration => began_ms = Some(span.start_ms),
                ExtensionPhase::Init => {
                    began_ms.get_or_insert(span.start_ms);
                }
                ExtensionPhase::Idle | ExtensionPhase::Invoke => {
                    inits.extend(began_ms.take().map(|began_ms| span.start_ms - began_ms));
                }
                // It was ended before it was ready.
                ExtensionPhase::AfterCall | ExtensionPhase::Shutdown => began_ms = None,
            }
        }
        inits
    }

    /// Returns how long each span of a phase took that has ended.
    fn times(&self, phase: ExtensionPhase) -> Vec<f64> {
        let of_phase = self.spans.iter().filter(|span| span.phase == phase);
        of_phase.filter_map(|span| Some(span.end_ms? - span.start_ms)).collect()
    }

    fn killed(&self) -> usize {
        self.spans.iter().filter(|span| span.phase == ExtensionPhase::Shutdown && span.killed).count()
    }
}

fn sum(times_ms: &[f64]) -> f64 {
    // The sum of nothing is -0.
    times_ms.iter().sum::<f64>().abs()
}

fn mean(times_ms: &[f64]) -> String {
    if times_ms.is_empty() {
        return NOTHING.to_owned();
    }
    format!("{:.2} ms", sum(times_ms) / times_ms.len() as f64)
}
