//! What `hearth top` shows, and what its keys do: a pure function of what the server said and of what was pressed.

use serde_json::Value;

use crate::table::{Column, Table};
use crate::words::{short_id, why_cold};

/// How much of a name is shown, and how long a filter gets.
const NAME_CHARS_MAX: usize = 40;

/// By what functions are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Name,
    Rate,
    Calls,
    Slowest,
    Cold,
    Memory,
    Cost,
}

impl Sort {
    const ALL: [Self; 7] =
        [Self::Name, Self::Rate, Self::Calls, Self::Slowest, Self::Cold, Self::Memory, Self::Cost];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rate => "calls/s",
            Self::Calls => "calls",
            Self::Slowest => "p99",
            Self::Cold => "cold",
            Self::Memory => "memory",
            Self::Cost => "cost",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn of(self, function: &Value) -> f64 {
        match self {
            Self::Name => 0.0,
            Self::Rate => number(&function["calls_per_s"]),
            Self::Calls => number(&function["calls_today"]),
            Self::Slowest => number(&function["p99_ms"]),
            Self::Cold => cold_share(function),
            Self::Memory => number(&function["max_memory_used_mb"]),
            Self::Cost => number(&function["cost_today_usd"]),
        }
    }
}

/// What a person has chosen.
#[derive(Debug)]
pub(super) struct View {
    sort: Sort,
    is_reversed: bool,
    filter: String,
    /// Whether keys are letters of the filter.
    is_typing: bool,
}

/// What a key leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    GoOn,
    Quit,
}

/// How much room there is; `None` where everything is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Default for View {
    fn default() -> Self {
        Self { sort: Sort::Rate, is_reversed: false, filter: String::new(), is_typing: false }
    }
}

impl View {
    /// Takes what came from the keyboard at once.
    pub(super) fn press(&mut self, bytes: &[u8]) -> Pressed {
        // Arrow keys and the like come as an escape and more: nothing here goes by them.
        if bytes.len() > 1 && bytes[0] == 0x1b {
            return Pressed::GoOn;
        }
        for &byte in bytes {
            match (byte, self.is_typing) {
                // Control-C, also in a filter; Control-D.
                (0x03 | 0x04, _) | (b'q' | b'Q', false) => return Pressed::Quit,
                (0x1b, _) => (self.is_typing, self.filter) = (false, String::new()),
                (b'\r' | b'\n', true) => self.is_typing = false,
                (0x7f | 0x08, true) => drop(self.filter.pop()),
                (b'!'..=b'~', true) if self.filter.len() < NAME_CHARS_MAX => self.filter.push(byte.into()),
                (b'/', false) => self.is_typing = true,
                (b's', false) => self.sort = self.sort.next(),
                (b'r', false) => self.is_reversed = !self.is_reversed,
                _ => {}
            }
        }
        Pressed::GoOn
    }

    /// Draws what the server said last. `trouble` is why it says nothing now. Without `room`, everything is drawn.
    pub(super) fn draw(
        &self,
        server: &str,
        said: Option<&Value>,
        trouble: Option<&str>,
        room: Option<Room>,
    ) -> Vec<String> {
        let mut lines = vec![format!("hearth top: {}", plain(server))];
        if let Some(trouble) = trouble {
            lines.push(format!("! {}", plain(trouble)));
        }
        if let Some(said) = said {
            let functions = self.functions(said);
            let environments = self.environments(said);
            lines.push(self.summary(said));
            // The title, what is above, an empty line before each table, and the keys.
            let rows = room.map(|room| room.height.saturating_sub(lines.len() + 3));
            let (of_functions, of_environments) = match rows {
                None => (functions.len(), environments.len()),
                Some(rows) => {
                    let functions_rows =
                        functions.len().min(rows.saturating_sub(environments.len()).max(rows / 2));
                    (functions_rows, rows.saturating_sub(functions_rows))
                }
            };
            lines.push(String::new());
            lines.extend(fitted(functions, of_functions));
            lines.push(String::new());
            lines.extend(fitted(environments, of_environments));
        }
        if let Some(room) = room {
            lines.truncate(room.height.saturating_sub(1));
            lines.push(self.keys());
            for line in &mut lines {
                *line = line.chars().take(room.width).collect();
            }
            // A screen with a single line shows the first.
            lines.truncate(room.height.max(1));
        }
        lines
    }

    fn summary(&self, said: &Value) -> String {
        let (functions, environments) = (list(said, "functions"), list(said, "environments"));
        let busy: f64 = functions.iter().map(|function| number(&function["busy"])).sum();
        let rate: f64 = functions.iter().map(|function| number(&function["calls_per_s"])).sum();
        let count = |count: usize, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}, {} ({busy} not ready), {rate:.1} calls/s, calls today ${:.6} (estimate)",
            count(functions.len(), "function"),
            count(environments.len(), "environment"),
            number(&said["cost_today_usd"]),
        )
    }

    fn keys(&self) -> String {
        if self.is_typing {
            return format!("filter: {}_  (Enter keeps it, Esc clears it)", self.filter);
        }
        let order = if self.is_reversed { ", reversed" } else { "" };
        let filter =
            if self.filter.is_empty() { String::new() } else { format!("  filter: {}", self.filter) };
        format!("q quit  s sort: {}{order}  r reverse  / filter{filter}", self.sort.as_str())
    }

    fn functions(&self, said: &Value) -> Vec<String> {
        let mut functions: Vec<&Value> =
            list(said, "functions").iter().filter(|function| self.wants(function)).collect();
        functions.sort_by(|a, b| {
            let by_number = self.sort.of(b).total_cmp(&self.sort.of(a));
            let by_name = name(a, "function_name").cmp(&name(b, "function_name"));
            let order = by_number.then(by_name);
            if self.is_reversed { order.reverse() } else { order }
        });
        let mut table = Table::new([
            Column::Left("Function"),
            Column::Right("Busy/all"),
            Column::Right("Calls/s"),
            Column::Right("p50"),
            Column::Right("p99"),
            Column::Right("Calls"),
            Column::Right("Cold"),
            Column::Right("Errors"),
            Column::Right("Memory"),
            Column::Right("Today"),
        ]);
        let ms = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        for function in functions {
            table.row([
                name(function, "function_name"),
                format!("{}/{}", number(&function["busy"]), number(&function["environments"])),
                format!("{:.1}", number(&function["calls_per_s"])),
                ms(&function["p50_ms"]),
                ms(&function["p99_ms"]),
                number(&function["calls_today"]).to_string(),
                format!("{:.1} %", cold_share(function) * 100.0),
                number(&function["errors_today"]).to_string(),
                format!("{} MB", number(&function["max_memory_used_mb"])),
                format!("${:.6}", number(&function["cost_today_usd"])),
            ]);
        }
        table.render().lines().map(str::to_owned).collect()
    }

    fn environments(&self, said: &Value) -> Vec<String> {
        let mut table = Table::new([
            Column::Left("Environment"),
            Column::Left("Function"),
            Column::Left("State"),
            Column::Right("Calls"),
            Column::Right("Memory"),
            Column::Left("Why cold"),
        ]);
        for environment in list(said, "environments").iter().filter(|environment| self.wants(environment)) {
            table.row([
                short_id(&name(environment, "environment_id")).to_owned(),
                name(environment, "function_name"),
                name(environment, "state"),
                number(&environment["invocations"]).to_string(),
                format!("{} MB", number(&environment["max_memory_used_mb"])),
                plain(why_cold(environment["why_cold"].as_str().unwrap_or("-"))),
            ]);
        }
        table.render().lines().map(str::to_owned).collect()
    }

    fn wants(&self, value: &Value) -> bool {
        value["function_name"].as_str().unwrap_or_default().contains(&self.filter)
    }
}

/// Leaves out what there is no room for, and says so in the last line.
fn fitted(mut lines: Vec<String>, room: usize) -> Vec<String> {
    if lines.len() > room {
        let left_out = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        if room > 0 {
            lines.push(format!("({left_out} more)"));
        }
    }
    lines
}

fn list<'a>(said: &'a Value, name: &str) -> &'a [Value] {
    said[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name(value: &Value, member: &str) -> String {
    let name = plain(value[member].as_str().unwrap_or("-"));
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}~", &name[..end]),
        None => name,
    }
}

/// A number, or an amount, which is text.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn cold_share(function: &Value) -> f64 {
    let calls = number(&function["calls_today"]);
    if calls > 0.0 { number(&function["cold_today"]) / calls } else { 0.0 }
}

/// Text that takes a cell for each character, and does nothing to a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|it| if matches!(it, ' '..='~') { it } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn said() -> Value {
        let function = |name: &str, rate: f64, calls: u64, cost: &str| {
            json!({ "function_name": name, "environments": 2, "busy": 1, "max_memory_used_mb": 78,
                "calls_per_s": rate, "p50_ms": 1.25, "p99_ms": null, "calls_today": calls, "cold_today": 1,
                "errors_today": 0, "cost_today_usd": cost })
        };
        json!({
            "functions": [function("resize", 0.5, 10, "0.0000123"), function("mail", 3.0, 4, "0.5"),
                          function("\u{1b}[2Jevil\u{7}\u{202e}", 0.0, 0, "0.00")],
            "environments": [{ "environment_id": "0f3c8a21b4d64c0e", "function_name": "mail", "state": "Busy",
                "invocations": 4, "max_memory_used_mb": 39, "why_cold": "all-busy" }],
            "cost_today_usd": "0.5000123",
        })
    }

    fn drawn(view: &View, room: Option<Room>) -> String {
        view.draw("http://127.0.0.1:4566", Some(&said()), None, room).join("\n")
    }

    #[test]
    fn functions_and_environments_are_two_tables_and_no_name_reaches_the_terminal_as_more_than_text() {
        expect![[r#"
            hearth top: http://127.0.0.1:4566
            3 functions, 1 environment (3 not ready), 3.5 calls/s, calls today $0.500012 (estimate)

            Function    Busy/all  Calls/s     p50  p99  Calls    Cold  Errors  Memory      Today
            mail             1/2      3.0  1.2 ms    -      4  25.0 %       0   78 MB  $0.500000
            resize           1/2      0.5  1.2 ms    -     10  10.0 %       0   78 MB  $0.000012
            ?[2Jevil??       1/2      0.0  1.2 ms    -      0   0.0 %       0   78 MB  $0.000000

            Environment  Function  State  Calls  Memory  Why cold
            0f3c8a21     mail      Busy       4   39 MB  all environments busy"#]]
        .assert_eq(&drawn(&View::default(), None));
    }

    #[test]
    fn keys_sort_reverse_filter_and_quit() {
        let mut view = View::default();
        let first = |view: &View| {
            let lines = view.draw("x", Some(&said()), None, None);
            lines[4].split(' ').next().unwrap_or_default().to_owned()
        };
        assert_eq!(first(&view), "mail", "the most calls a second first");
        assert_eq!(view.press(b"s"), Pressed::GoOn);
        assert_eq!(first(&view), "resize", "by calls");
        view.press(b"r");
        assert_ne!(first(&view), "resize");
        view.press(b"\x1b[A"); // an arrow
        view.press(b"/resq");
        assert!(view.keys().contains("filter: resq_"), "{}", view.keys());
        view.press(b"\x7f\r");
        assert_eq!(first(&view), "resize");
        assert!(!drawn(&view, None).contains("mail"), "environments are filtered, too");
        view.press(b"\x1b");
        assert!(drawn(&view, None).contains("mail"));
        assert_eq!(view.press(b"sq"), Pressed::Quit);
        view.press(b"/");
        assert_eq!(view.press(b"q"), Pressed::GoOn, "a letter of the filter");
        assert_eq!(view.press(b"\x03"), Pressed::Quit);
    }

    #[test]
    fn no_line_is_wider_and_no_screen_higher_than_the_terminal() {
        let mut many = said();
        let functions = many["functions"].as_array_mut().unwrap();
        for at in 0..200 {
            functions.push(json!({ "function_name": format!("f{at}") }));
        }
        let trouble = Some("no server answers");
        for (width, height) in [(80, 24), (20, 5), (1, 1), (0, 0), (300, 100), (40, 3)] {
            let room = Some(Room { width, height });
            for said in [None, Some(&many)] {
                let lines = View::default().draw("http://x", said, trouble, room);
                assert!(lines.len() <= height.max(1), "{width}x{height}: {lines:?}");
                assert!(
                    lines.iter().all(|line| line.chars().count() <= width),
                    "{width}x{height}: {lines:?}"
                );
            }
        }
        let lines = View::default().draw("x", Some(&many), None, Some(Room { width: 80, height: 24 }));
        assert!(lines.iter().any(|line| line.ends_with(" more)")), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.starts_with("0f3c8a21")),
            "environments have room, too: {lines:?}"
        );
        assert!(lines[23].starts_with("q quit"), "{lines:?}");
    }
}
