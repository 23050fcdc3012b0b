//! The legend: what the glyphs in the lanes mean, as far as they occur.

use std::collections::BTreeSet;

use super::model::{ExtensionPhase, Phase};
use super::scale::Scale;

/// What occurs in the lanes, for the legend.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) phases: BTreeSet<Phase>,
    pub(super) extension_phases: BTreeSet<ExtensionPhase>,
    pub(super) failed: bool,
    pub(super) goes_on: bool,
}

impl Seen {
    /// Writes an entry for each thing that occurs, in lines of `width` after a margin.
    pub(super) fn legend(&self, width: usize, margin: usize, scale: &Scale) -> String {
        let phase = |phase: &Phase| match phase {
            Phase::RuntimeInit => "R░░ runtime init",
            Phase::FunctionInit => "F▓▓ function init",
            Phase::Init => "I▒▒ init",
            Phase::Invoke => "1██ invoke, by its number",
            Phase::Idle => "··· idle",
            Phase::Frozen => "*** frozen",
            Phase::Reset => "X~~ reset",
            Phase::Shutdown => "S▂▂ shutdown",
            Phase::RuntimeShutdown => "T▂▂ runtime gets SIGTERM",
            Phase::ExtensionInit => "E╌╌ extension init",
            Phase::ExtensionWait => "W╌╌ waits for extensions",
            Phase::ExtensionOverhead => "+╌╌ extension overhead",
            Phase::ExtensionShutdown => "S╌╌ extension shutdown",
        };
        let extension_phase = |phase: &ExtensionPhase| match phase {
            ExtensionPhase::Registration => Some("╰ s░░ starts, registers"),
            ExtensionPhase::Init => Some("╰ r▒▒ registered, gets ready"),
            ExtensionPhase::Invoke => Some("╰ ▄▄▄ works during the call"),
            ExtensionPhase::AfterCall => Some("╰ +▓▓ works after the call"),
            ExtensionPhase::Idle => None,
            ExtensionPhase::Shutdown => Some("╰ S▂▂ gets SHUTDOWN"),
        };
        let mut entries: Vec<&str> = self.phases.iter().map(phase).collect();
        entries.extend(self.extension_phases.iter().filter_map(extension_phase));
        if self.failed {
            entries.push("✗ failed");
        }
        if self.goes_on {
            entries.push("▸ goes on");
        }
        if !scale.breaks.is_empty() {
            entries.push("⋯ time left out");
        }
        if scale.widened {
            entries.push("(short spans are widened)");
        }
        let mut lines = vec![String::new()];
        for entry in entries {
            let line = lines.last_mut().expect("there is a first line");
            if line.is_empty() {
                line.push_str(entry);
            } else if margin + line.chars().count() + 3 + entry.chars().count() <= width {
                line.push_str("   ");
                line.push_str(entry);
            } else {
                lines.push(entry.to_owned());
            }
        }
        lines.into_iter().map(|line| format!("{:margin$}{line}\n", "")).collect()
    }
}
