//! A profile as text: the phases, the tree of imports with a bar for each, the notes and the advice. Pure functions.

use std::fmt::Write as _;

use super::model::{Flame, Import, Phases};
use crate::stdout::Appearance;
use crate::words::visible;

/// Cells of the longest bar.
const BAR: usize = 24;
/// Imports below this share of function init are left out, unless all are wanted or Init failed with them.
const SHARE_MIN: f64 = 0.01;
/// How deep the tree is indented; what is deeper stands at the same place.
const INDENT_MAX: usize = 24;

/// Draws a profile.
pub(super) fn text(flame: &Flame, all: bool, appearance: Appearance) -> String {
    let mut text = heading(flame);
    if let Some(imports) = &flame.imports {
        text.push('\n');
        text.push_str(&tree(flame, imports, all, appearance));
        for note in &flame.notes {
            let _ = writeln!(text, "note: {}", shown(note));
        }
        let _ = writeln!(text, "\n{}", shown(&flame.advice));
    }
    text
}

fn heading(flame: &Flame) -> String {
    let mut text = format!(
        "{} {} ({}, {} MB): Init took {}",
        shown(&flame.function_name),
        shown(&flame.version),
        shown(&flame.runtime),
        flame.memory_size_mb,
        phases(&flame.init)
    );
    match (&flame.status[..], &flame.error_type) {
        ("success", _) => {}
        (status, Some(error_type)) => {
            let _ = write!(text, ", and ended with {}: {}", shown(status), shown(error_type));
        }
        (status, None) => {
            let _ = write!(text, ", and ended with {}", shown(status));
        }
    }
    text.push('\n');
    if let (Some(unprofiled), Some(overhead)) = (&flame.unprofiled, flame.overhead_ms) {
        let _ = writeln!(
            text,
            "without a profile another one took {}: a difference of {overhead:+.1} ms",
            phases(&unprofiled.init)
        );
    }
    if !flame.is_current {
        text.push_str("the function has changed since: this is not what a call would run now\n");
    }
    text
}

fn phases(phases: &Phases) -> String {
    let named = [
        ("extension init", phases.extension_init_ms),
        ("runtime init", phases.runtime_init_ms),
        ("function init", phases.function_init_ms),
    ];
    let parts: Vec<String> =
        named.iter().filter_map(|(name, ms)| Some(format!("{name} {:.1} ms", (*ms)?))).collect();
    let total = format!("{:.1} ms", phases.total_ms);
    if parts.is_empty() { total } else { format!("{total} ({})", parts.join(", ")) }
}

fn tree(flame: &Flame, imports: &[Import], all: bool, appearance: Appearance) -> String {
    let with_memory = imports.iter().any(|import| import.memory_mb.is_some());
    let longest = imports.iter().map(|import| import.total_ms).fold(0.0, f64::max);
    let whole = flame.init.function_init_ms.unwrap_or(longest).max(longest);
    let mut text = String::from("     total       self");
    text.push_str(if with_memory { "     memory\n" } else { "\n" });
    let mut left_out = 0;
    for import in imports {
        // Of an Init that went well, what failed was expected to: packages look for what may not be there.
        let is_why = import.error.is_some() && flame.status != "success";
        let matters = import.total_ms >= whole * SHARE_MIN || is_why || import.is_unfinished;
        if !matters && !all && import.depth > 0 {
            left_out += 1;
            continue;
        }
        let mut row = format!("{:>7.1} ms {:>7.1} ms", import.total_ms, import.self_ms);
        if with_memory {
            let memory = import.memory_mb.map_or_else(|| "–".to_owned(), |mb| format!("{mb:+.1} MB"));
            let _ = write!(row, " {memory:>10}");
        }
        let _ = write!(row, "  {} ", bar(import.total_ms, longest, appearance));
        let _ = write!(row, "{}{}", "  ".repeat(import.depth.min(INDENT_MAX)), shown(&import.name));
        row.push_str(&remarks(import));
        text.push_str(row.trim_end());
        text.push('\n');
    }
    if left_out > 0 {
        let imports = if left_out == 1 { "import" } else { "imports" };
        let _ = writeln!(text, "({left_out} {imports} of less than 1 % left out; --all shows all)");
    }
    if let (Some(client), Some(runtime_init)) = (&flame.runtime_client, flame.init.runtime_init_ms) {
        let memory = client.memory_mb.map_or_else(String::new, |mb| format!(", {mb:.1} MB"));
        let _ = writeln!(
            text,
            "before that, as runtime init: interpreter and runtime client, {runtime_init:.1} ms, {} modules{memory}",
            client.modules
        );
    }
    text
}

fn remarks(import: &Import) -> String {
    let mut text = String::new();
    if let Some(file) = &import.imported_by {
        let line = import.line.map_or_else(String::new, |line| format!(":{line}"));
        let _ = write!(text, "  ({}{line})", shown(file));
    }
    if import.kind == "reload" {
        text.push_str("  loaded again");
    }
    if import.thread > 0 && import.depth == 0 {
        let _ = write!(text, "  in thread {}", import.thread);
    }
    if let Some(awaited) = import.awaited_ms {
        let _ = write!(text, "  awaited, {awaited:.1} ms in all");
    }
    if import.is_unfinished {
        text.push_str("  not finished");
    }
    if let Some(error) = &import.error {
        let _ = write!(text, "  failed: {}", shown(error));
    }
    text
}

fn bar(ms: f64, longest: f64, appearance: Appearance) -> String {
    let cells = if longest > 0.0 { (ms / longest * BAR as f64).round() as usize } else { 0 }.min(BAR);
    let (full, rest) = ("█".repeat(cells), " ".repeat(BAR - cells));
    match appearance.colour {
        true => format!("\x1b[33m{full}\x1b[0m{rest}"),
        false => full + &rest,
    }
}

/// Writes a line for each import: the names above it and its own, and the microseconds that it took by itself.
pub(super) fn folded(flame: &Flame) -> String {
    let frame = |name: &str| shown(name).replace([';', ' '], "_");
    let mut text = String::new();
    let mut stack: Vec<String> = Vec::new();
    for import in flame.imports.iter().flatten() {
        stack.truncate(import.depth);
        if import.parent.is_none() {
            stack.clear();
        }
        stack.push(frame(&import.name));
        let us = (import.self_ms * 1_000.0).round();
        if us > 0.0 {
            let _ = writeln!(text, "{};{} {us}", frame(&flame.function_name), stack.join(";"));
        }
    }
    text
}

/// Makes a text of the function harmless on one line: neither control characters nor those that turn the direction of
/// writing around.
pub(super) fn shown(text: &str) -> String {
    let is_turning = |character| matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_breaking = |character| matches!(character, '\n' | '\t' | '\u{2028}' | '\u{2029}');
    visible(text).replace(|character| is_turning(character) || is_breaking(character), "\u{fffd}")
}
