//! One lane of characters an environment, and one for each of its extensions below it, under one axis of time.

use std::collections::HashMap;
use std::ops::Range;

use super::legend::Seen;
use super::model::{Environment, Extension, ExtensionPhase, ExtensionSpan, Phase, Span, Status, Timeline};
use super::scale::{Least, Scale, Stretch};
use crate::words::{short_id, visible};

/// Below this a lane shows nothing any more.
const WIDTH_MIN: usize = 60;
/// Environments beyond these are counted, not drawn: the last ones are drawn.
const LANES_MAX: usize = 40;
/// What stands to the left of a lane: a short id and a gap.
const MARGIN: usize = 13;
/// The same where there are extensions, at the most; longer names are cut.
const MARGIN_MAX: usize = 20;
/// What stands before the name of an extension.
const BRANCH: &str = "  ╰ ";
/// Free columns between two labels of the axis, at the least.
const LABEL_GAP: usize = 2;
/// About how many columns lie between two ticks.
const TICK_COLUMNS: f64 = 12.0;

/// How a lane may be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Ansi,
}

/// One character of a lane, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    character: char,
    ink: Ink,
}

/// What a cell stands for; decides its colour, where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Empty,
    Phase(Phase),
    Extension(ExtensionPhase),
    Failed,
    Break,
}

impl Ink {
    const fn ansi(self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Phase(Phase::RuntimeInit | Phase::Init) => Some("33"),
            Self::Phase(Phase::FunctionInit) => Some("35"),
            Self::Phase(Phase::Invoke) => Some("32"),
            Self::Phase(Phase::Idle) | Self::Break => Some("2"),
            Self::Phase(Phase::Frozen) => Some("2;34"),
            Self::Phase(Phase::Reset) | Self::Failed => Some("31"),
            Self::Phase(Phase::Shutdown | Phase::RuntimeShutdown) => Some("34"),
            // What extensions cost has one colour everywhere.
            Self::Phase(
                Phase::ExtensionInit
                | Phase::ExtensionWait
                | Phase::ExtensionOverhead
                | Phase::ExtensionShutdown,
            ) => Some("36"),
            Self::Extension(ExtensionPhase::Idle) => Some("2"),
            Self::Extension(
                ExtensionPhase::Registration
                | ExtensionPhase::Init
                | ExtensionPhase::Invoke
                | ExtensionPhase::AfterCall
                | ExtensionPhase::Shutdown,
            ) => Some("36"),
        }
    }
}

/// The letter that begins a span (an invocation begins with its number), and the glyph that fills it.
const fn letter_and_glyph(phase: Phase) -> (char, char) {
    match phase {
        Phase::RuntimeInit => ('R', '░'),
        Phase::FunctionInit => ('F', '▓'),
        Phase::Init => ('I', '▒'),
        Phase::Invoke => ('█', '█'),
        Phase::Idle => ('·', '·'),
        Phase::Frozen => ('*', '*'),
        Phase::Reset => ('X', '~'),
        Phase::Shutdown => ('S', '▂'),
        Phase::RuntimeShutdown => ('T', '▂'),
        // Dashes: the runtime is not at work, extensions are.
        Phase::ExtensionInit => ('E', '╌'),
        Phase::ExtensionWait => ('W', '╌'),
        Phase::ExtensionOverhead => ('+', '╌'),
        Phase::ExtensionShutdown => ('S', '╌'),
    }
}

/// The same for the lane of an extension.
const fn letter_and_glyph_of_extension(phase: ExtensionPhase) -> (char, char) {
    match phase {
        ExtensionPhase::Registration => ('s', '░'),
        ExtensionPhase::Init => ('r', '▒'),
        ExtensionPhase::Invoke => ('▄', '▄'),
        ExtensionPhase::AfterCall => ('+', '▓'),
        ExtensionPhase::Idle => ('·', '·'),
        ExtensionPhase::Shutdown => ('S', '▂'),
    }
}

/// Draws the lanes of the last invocations that fit into `width`, the axis above and the legend below them.
pub(super) fn draw(timeline: &Timeline, width: usize, paint: Paint) -> String {
    let margin = margin(timeline);
    // The last column is for the mark of what still goes on.
    let columns = width.max(WIDTH_MIN) - margin - 1;
    let window = Window::of(timeline, columns);
    let shown: Vec<&Environment> = timeline
        .environments
        .iter()
        .filter(|environment| window.shows(environment, timeline.now_ms))
        .collect();
    let (too_many, drawn) = shown.split_at(shown.len().saturating_sub(LANES_MAX));
    let numbers = timeline.invocations.iter().enumerate();
    let numbers: HashMap<&str, usize> =
        numbers.map(|(at, invocation)| (invocation.request_id.as_str(), at + 1)).collect();

    let mut text = format!("{:margin$}{}\n", "environment", window.labels(columns));
    text.push_str(&format!("{:margin$}{}\n", "", window.ruler(columns)));
    let mut seen = Seen::default();
    for environment in drawn {
        let lane = Lane::of(environment, timeline.now_ms, &window, columns, &numbers, &mut seen);
        text.push_str(&format!("{:margin$}{}\n", short_id(&environment.environment_id), lane.render(paint)));
        for extension in &environment.extensions {
            let lane = Lane::of_extension(extension, timeline.now_ms, &window, columns, &mut seen);
            text.push_str(&format!("{:margin$}{}\n", label(&extension.name, margin), lane.render(paint)));
        }
    }
    text.push('\n');
    text.push_str(&seen.legend(width.max(WIDTH_MIN), margin, &window.scale));
    if window.invocations_left_out > 0 {
        let count = window.invocations_left_out;
        text.push_str(&format!("{:margin$}{count} earlier invocations are not drawn\n", ""));
    }
    if !too_many.is_empty() {
        let count = too_many.len();
        text.push_str(&format!("{:margin$}{count} earlier environments are not drawn\n", ""));
    }
    text
}

/// Returns the width of what stands to the left of the lanes: as much as the names of extensions need, within limits.
fn margin(timeline: &Timeline) -> usize {
    let extensions = timeline.environments.iter().flat_map(|environment| &environment.extensions);
    let longest = extensions.map(|extension| extension.name.chars().count()).max().unwrap_or_default();
    (BRANCH.chars().count() + longest + 1).clamp(MARGIN, MARGIN_MAX)
}

/// Writes the name of an extension so that it fits into the margin. The function's author chose it.
fn label(name: &str, margin: usize) -> String {
    let room = margin - BRANCH.chars().count() - 1;
    let name = visible(name);
    if name.chars().count() <= room {
        return format!("{BRANCH}{name}");
    }
    format!("{BRANCH}{}…", name.chars().take(room - 1).collect::<String>())
}

/// The time that is drawn.
struct Window {
    start_ms: f64,
    end_ms: f64,
    scale: Scale,
    invocations_left_out: usize,
}

impl Window {
    /// Finds the earliest start from which everything has room, and half of the columns stay for proportion.
    fn of(timeline: &Timeline, columns: usize) -> Self {
        // Room for the number of a call and one glyph.
        let roomy = Least { busy: timeline.invocations.len().to_string().len() + 1, idle: 1 };
        let now_ms = timeline.now_ms;
        let spans = || timeline.environments.iter().flat_map(|environment| &environment.spans);
        let mut stretches: Vec<Stretch> = spans().map(|span| stretch(span, now_ms)).collect();
        let end_ms = stretches.iter().map(|stretch| stretch.end_ms).fold(0.0, f64::max);
        // A window begins where something begins: never within a call.
        let begins = |span: &&Span| !span.phase.is_still() && span.phase != Phase::ExtensionOverhead;
        let mut starts: Vec<f64> = spans().filter(begins).map(|span| span.start_ms).collect();
        let extensions = timeline.environments.iter().flat_map(|environment| &environment.extensions);
        // An idle extension needs no room.
        let at_work = extensions
            .flat_map(|extension| &extension.spans)
            .map(|span| stretch_of_extension(span, now_ms))
            .filter(|stretch| stretch.busy);
        stretches.extend(at_work);
        starts.sort_by(f64::total_cmp);
        let first_ms = starts.first().copied().unwrap_or_default();
        let too_much =
            |start_ms: &f64| Scale::least_columns((*start_ms, end_ms), &stretches, roomy) * 2 > columns;
        let start_ms = starts.get(starts.partition_point(too_much)).copied();
        let start_ms = start_ms.or(starts.last().copied()).unwrap_or(first_ms);
        let scale = [roomy, Least { busy: 1, idle: 0 }, Least { busy: 0, idle: 0 }]
            .into_iter()
            .find_map(|least| Scale::fit((start_ms, end_ms), &stretches, least, columns))
            .expect("stretches that demand no columns fit into any number of them");
        let before = |span: &&Span| span.phase == Phase::Invoke && span.start_ms < start_ms;
        Self { start_ms, end_ms, scale, invocations_left_out: spans().filter(before).count() }
    }

    fn shows(&self, environment: &Environment, now_ms: f64) -> bool {
        let end_ms = environment.spans.last().map(|span| span.end_ms.unwrap_or(now_ms));
        end_ms.is_some_and(|end_ms| end_ms >= self.start_ms)
    }

    /// Returns the columns of the ticks with their times: multiples of a round step, and the end of each break.
    fn ticks(&self) -> Vec<(usize, String)> {
        let step_ms = round_step(TICK_COLUMNS / self.scale.per_ms.max(f64::MIN_POSITIVE));
        let mut parts = Vec::new();
        let mut from = self.start_ms;
        for it in &self.scale.breaks {
            parts.push((from, it.start_ms));
            from = it.end_ms;
        }
        parts.push((from, self.end_ms));
        let mut ticks: Vec<(usize, String)> = Vec::new();
        for (from, until) in parts {
            let mut offset_ms = from - self.start_ms;
            while offset_ms <= until - self.start_ms {
                ticks.push((self.scale.column(self.start_ms + offset_ms), clock(offset_ms, step_ms)));
                offset_ms = ((offset_ms / step_ms).floor() + 1.0) * step_ms;
            }
        }
        ticks
    }

    /// Writes the times, as far as they have room.
    fn labels(&self, columns: usize) -> String {
        let mut line = String::new();
        let mut used = 0;
        for (column, label) in self.ticks() {
            let length = label.chars().count();
            if (used == 0 || column >= used + LABEL_GAP) && column + length <= columns + 1 {
                line.push_str(&" ".repeat(column - used));
                line.push_str(&label);
                used = column + length;
            }
        }
        line
    }

    /// Writes the line with the ticks, interrupted where time is.
    fn ruler(&self, columns: usize) -> String {
        let mut line = vec!['─'; columns + 1];
        for (column, _) in self.ticks() {
            line[column.min(columns)] = '┬';
        }
        for it in &self.scale.breaks {
            write_label(
                &mut line,
                self.scale.column(it.start_ms),
                self.scale.column(it.end_ms),
                &it.label,
                ' ',
            );
        }
        line.into_iter().collect::<String>().trim_end().to_owned()
    }
}

fn stretch(span: &Span, now_ms: f64) -> Stretch {
    let end_ms = span.end_ms.unwrap_or(now_ms).max(span.start_ms);
    Stretch { start_ms: span.start_ms, end_ms, busy: !span.phase.is_still() }
}

fn stretch_of_extension(span: &ExtensionSpan, now_ms: f64) -> Stretch {
    let end_ms = span.end_ms.unwrap_or(now_ms).max(span.start_ms);
    Stretch { start_ms: span.start_ms, end_ms, busy: span.phase != ExtensionPhase::Idle }
}

/// The characters of an environment or of an extension.
struct Lane(Vec<Cell>);

impl Lane {
    fn of(
        environment: &Environment,
        now_ms: f64,
        window: &Window,
        columns: usize,
        numbers: &HashMap<&str, usize>,
        seen: &mut Seen,
    ) -> Self {
        let mut lane = Self(vec![Cell { character: ' ', ink: Ink::Empty }; columns + 1]);
        let visible = |span: &&Span| stretch(span, now_ms).end_ms >= window.start_ms;
        // Idle first: where something has no column of its own, it is what happened that shows.
        let (idle, busy): (Vec<&Span>, Vec<&Span>) =
            environment.spans.iter().filter(visible).partition(|span| span.phase.is_still());
        for span in idle {
            lane.paint_span(span, now_ms, window, None, seen);
            lane.paint_breaks(stretch(span, now_ms), window);
        }
        for span in busy {
            let number = span.request_id.as_deref().and_then(|id| numbers.get(id).copied());
            lane.paint_span(span, now_ms, window, number, seen);
        }
        if let Some(last) = environment.spans.last().filter(|span| span.end_ms.is_none()) {
            lane.0[columns] = Cell { character: '▸', ink: Ink::Phase(last.phase) };
            seen.goes_on = true;
        }
        lane
    }

    fn of_extension(
        extension: &Extension,
        now_ms: f64,
        window: &Window,
        columns: usize,
        seen: &mut Seen,
    ) -> Self {
        let mut lane = Self(vec![Cell { character: ' ', ink: Ink::Empty }; columns + 1]);
        let visible = |span: &&ExtensionSpan| stretch_of_extension(span, now_ms).end_ms >= window.start_ms;
        let (idle, busy): (Vec<&ExtensionSpan>, Vec<&ExtensionSpan>) =
            extension.spans.iter().filter(visible).partition(|span| span.phase == ExtensionPhase::Idle);
        for span in idle.into_iter().chain(busy) {
            let stretch = stretch_of_extension(span, now_ms);
            let ink = Ink::Extension(span.phase);
            let Some(columns) = lane.fill(stretch, window, letter_and_glyph_of_extension(span.phase), ink)
            else {
                continue;
            };
            seen.extension_phases.insert(span.phase);
            if !stretch.busy {
                lane.paint_breaks(stretch, window);
            }
            if span.status.is_some() || (span.killed && span.phase == ExtensionPhase::Shutdown) {
                lane.fail(columns.end, seen);
            }
        }
        if let Some(last) = extension.spans.last().filter(|span| span.end_ms.is_none()) {
            lane.0[columns] = Cell { character: '▸', ink: Ink::Extension(last.phase) };
            seen.goes_on = true;
        }
        lane
    }

    fn paint_span(
        &mut self,
        span: &Span,
        now_ms: f64,
        window: &Window,
        number: Option<usize>,
        seen: &mut Seen,
    ) {
        let ink = Ink::Phase(span.phase);
        let Some(columns) = self.fill(stretch(span, now_ms), window, letter_and_glyph(span.phase), ink)
        else {
            return;
        };
        if span.phase == Phase::Invoke
            && let Some(number) = number.map(|number| number.to_string())
            && number.len() <= columns.len()
        {
            for (cell, digit) in self.0[columns.start..].iter_mut().zip(number.chars()) {
                cell.character = digit;
            }
        }
        if span.status.is_some_and(|status| status != Status::Success) {
            self.fail(columns.end, seen);
        }
        seen.phases.insert(span.phase);
    }

    /// Fills the columns of a stretch, and returns which those are; `None` if nothing happens, for no column.
    fn fill(
        &mut self,
        stretch: Stretch,
        window: &Window,
        (letter, glyph): (char, char),
        ink: Ink,
    ) -> Option<Range<usize>> {
        let columns = self.0.len() - 1;
        let mut from = window.scale.column(stretch.start_ms.max(window.start_ms));
        let mut until = window.scale.column(stretch.end_ms).min(columns);
        if from == until {
            if !stretch.busy {
                return None;
            }
            from = from.min(columns - 1);
            until = from + 1;
        }
        self.0[from..until].fill(Cell { character: glyph, ink });
        self.0[from].character = letter;
        Some(from..until)
    }

    /// Marks what ends before column `until` as failed.
    fn fail(&mut self, until: usize, seen: &mut Seen) {
        self.0[until - 1] = Cell { character: '✗', ink: Ink::Failed };
        seen.failed = true;
    }

    /// Interrupts an idle stretch where time is left out.
    fn paint_breaks(&mut self, stretch: Stretch, window: &Window) {
        for it in &window.scale.breaks {
            if stretch.start_ms <= it.start_ms && it.end_ms <= stretch.end_ms {
                let (from, until) = (window.scale.column(it.start_ms), window.scale.column(it.end_ms));
                self.paint_break(from, until, &it.label);
            }
        }
    }

    fn paint_break(&mut self, from: usize, until: usize, label: &str) {
        let mut characters: Vec<char> = self.0.iter().map(|cell| cell.character).collect();
        write_label(&mut characters, from, until, label, '⋯');
        for (cell, character) in self.0.iter_mut().zip(characters).take(until).skip(from) {
            *cell = Cell { character, ink: Ink::Break };
        }
    }

    fn render(&self, paint: Paint) -> String {
        let mut text = String::new();
        for run in self.0.chunk_by(|one, other| one.ink == other.ink) {
            let characters: String = run.iter().map(|cell| cell.character).collect();
            match run[0].ink.ansi().filter(|_| paint == Paint::Ansi) {
                Some(code) => text.push_str(&format!("\x1b[{code}m{characters}\x1b[0m")),
                None => text.push_str(&characters),
            }
        }
        text.trim_end().to_owned()
    }
}

/// Writes `label` into the columns from `from` to `until`, and `fill` around it.
fn write_label(line: &mut [char], from: usize, until: usize, label: &str, fill: char) {
    let until = until.min(line.len());
    line[from..until].fill(fill);
    let room = (until - from).saturating_sub(label.chars().count());
    for (character, target) in label.chars().zip(&mut line[from + room / 2..until]) {
        *target = character;
    }
}

/// Returns the smallest of 1, 2 and 5 times a power of ten that is at least `ms`; minutes and hours for longer ones.
fn round_step(ms: f64) -> f64 {
    const LONG: [f64; 9] = [60e3, 120e3, 300e3, 600e3, 1_800e3, 3_600e3, 7_200e3, 21_600e3, 86_400e3];
    if ms > 50e3 {
        return LONG.into_iter().find(|step| *step >= ms).unwrap_or(ms);
    }
    let power = 10_f64.powf(ms.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= ms).unwrap_or(ms)
}

/// Writes a time since the start of the window, as exactly as the step asks for.
fn clock(ms: f64, step_ms: f64) -> String {
    let seconds = ms / 1_000.0;
    if seconds < 1.0 {
        let decimals = usize::from(step_ms < 1.0 && ms > 0.0);
        return format!("{ms:.decimals$} ms");
    }
    if seconds < 120.0 {
        let decimals = if step_ms >= 1_000.0 {
            0
        } else if step_ms >= 100.0 {
            1
        } else if step_ms >= 10.0 {
            2
        } else {
            3
        };
        return format!("{seconds:.decimals$} s");
    }
    let seconds = seconds.round() as u64;
    match seconds / 3_600 {
        0 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        hours => format!("{hours}h{:02}m", seconds / 60 % 60),
    }
}
