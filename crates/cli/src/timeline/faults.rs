//! The faults that were injected, below the picture: what went wrong on purpose is not to be taken for a finding.

use super::model::{Fault, FaultMark, Invocation, Timeline};
use crate::table::{Column, Table};
use crate::words::{short_id, visible};

/// Writes a row for each fault, below a blank line; nothing if there is none.
pub(super) fn table(timeline: &Timeline) -> String {
    let marks = timeline.environments.iter().flat_map(|environment| {
        environment.injected_faults.iter().map(|mark| (environment.environment_id.as_str(), mark))
    });
    let mut marks: Vec<(&str, &FaultMark)> = marks.collect();
    if marks.is_empty() {
        return String::new();
    }
    marks.sort_by(|(_, one), (_, other)| one.at_ms.total_cmp(&other.at_ms));
    let mut table = Table::new([
        Column::Left("Injected fault"),
        Column::Right("At"),
        Column::Left("Environment"),
        Column::Left("Request id"),
    ]);
    for (environment, mark) in marks {
        table.row([
            in_words(&mark.fault),
            format!("{:.0} ms", mark.at_ms),
            short_id(environment).to_owned(),
            mark.request_id.as_deref().map_or("–", short_id).to_owned(),
        ]);
    }
    format!("\n{}", table.render())
}

/// Returns what stands behind the status of an invocation; nothing if nothing was injected.
pub(super) fn beside_status(invocation: &Invocation) -> String {
    if invocation.injected_faults.is_empty() {
        return String::new();
    }
    let faults: Vec<String> = invocation.injected_faults.iter().map(in_words).collect();
    format!(" (injected: {})", faults.join(", "))
}

fn in_words(fault: &Fault) -> String {
    let mut text = visible(&fault.deed);
    if let Some(ms) = fault.delay_ms {
        text.push_str(&format!(" {ms:.0}"));
    }
    text.push_str(&format!(" at {}", visible(&fault.phase)));
    if let Some(extension) = &fault.extension {
        text.push_str(&format!(" of {}", visible(extension)));
    }
    text
}
