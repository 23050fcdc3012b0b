//! What a process did as lines that can be compared: without what differs from run to run, or between two clients that
//! do the same.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use regex_lite::Regex;
use serde_json::Value;

use crate::support::{Record, Request, records};

/// Headers that every HTTP client chooses for itself, and Hearth's own, which tells when loading the function began.
const HEADERS_OF_HTTP: &[&str] =
    &["accept", "accept-encoding", "connection", "content-length", "expect", "host", "user-agent"];
const HEADERS_OF_HEARTH: &str = "hearth-";
/// A line longer than this is cut and its length shown.
const LINE_CHARACTERS_MAX: usize = 4_000;

/// Tells what a process did; `client` are the folders of the client's own files.
pub(crate) fn lines_of(record: &Record, client: &[PathBuf]) -> Vec<String> {
    let normal = Normal::new(record, client);
    let mut lines = Vec::new();
    // A client may ask for the next event while a streamed answer is still on its way: their order says nothing.
    let (nexts, others): (Vec<_>, Vec<_>) =
        record.requests.iter().partition(|request| request.method == "GET");
    for request in nexts.into_iter().chain(others) {
        lines_of_request(request, &normal, &mut lines);
    }
    for text in records(&record.stdout) {
        lines_of_output("stdout", &normal.text(&text), &mut lines);
    }
    let stderr = normal.text(&String::from_utf8_lossy(&record.stderr));
    lines_of_output("stderr", &without_client(&stderr), &mut lines);
    lines.push(record.status.to_string());
    lines.iter().map(|line| shortened(line)).collect()
}

fn lines_of_request(request: &Request, normal: &Normal, lines: &mut Vec<String>) {
    lines.push(format!("{} {}", request.method, request.path));
    for (name, value) in &request.headers {
        if HEADERS_OF_HTTP.contains(&name.as_str()) || name.starts_with(HEADERS_OF_HEARTH) {
            continue;
        }
        lines.push(format!("  {name}: {}", header_value(name, &normal.text(value), normal)));
    }
    if request.method != "GET" {
        lines.push(format!("  body {:?}", normal.text(&request.body)));
    }
    for trailer in &request.trailers {
        lines.push(format!("  trailer {}", readable_trailer(trailer, normal)));
    }
}

/// Cuts output where it is cut in the log: at the ends of lines.
fn lines_of_output(stream: &str, text: &str, lines: &mut Vec<String>) {
    for line in text.split_inclusive('\n') {
        lines.push(format!("{stream} {line:?}"));
    }
}

/// Leaves out the frames of the client in what Python itself writes about an exception that nobody caught.
fn without_client(stderr: &str) -> String {
    let mut left_out = false;
    let mut text = String::new();
    for line in stderr.split_inclusive('\n') {
        let is_frame = line.starts_with("  File ");
        left_out = if is_frame {
            line.contains("\"/var/runtime/") || line.contains("\"<string>\"")
        } else {
            left_out && line.starts_with("    ")
        };
        if !left_out {
            text.push_str(line);
        }
    }
    text
}

/// AWS's client for Python lists the paths of a cause in the order of a `set`.
fn header_value(name: &str, value: &str, normal: &Normal) -> String {
    if name != "lambda-runtime-function-xray-error-cause" {
        return value.to_owned();
    }
    let Ok(mut cause) = serde_json::from_str::<Value>(value) else { return value.to_owned() };
    // Node.js: files named by their address, such as the client's, are all `file` in a cause.
    if let Some(stack) = cause["exceptions"][0]["stack"].as_array_mut() {
        stack.retain(|entry| entry["path"] != "file");
    }
    if let Some(paths) = cause["paths"].as_array_mut() {
        for path in paths.iter_mut().filter(|path| path.as_str().is_some_and(is_of_client)) {
            *path = "CLIENT".into();
        }
        paths.retain(|path| path != "file");
        paths.sort_by_key(Value::to_string);
        paths.dedup();
    }
    normal.text(&cause.to_string())
}

fn is_of_client(path: &str) -> bool {
    path.starts_with("/var/runtime/")
}

/// The body of an error in a trailer is base64; shown is what it says.
fn readable_trailer(trailer: &str, normal: &Normal) -> String {
    let Some((name, value)) = trailer.split_once(": ") else { return trailer.to_owned() };
    let name = name.to_lowercase();
    if name != "lambda-runtime-function-error-body" {
        return format!("{name}: {value}");
    }
    let body = BASE64.decode(value).unwrap();
    format!("{name}: {:?}", normal.text(&String::from_utf8_lossy(&body)))
}

/// Replaces what differs from run to run, and what the client's own frames say: only where they are counts.
struct Normal {
    texts: Vec<(String, &'static str)>,
    patterns: Vec<(Regex, &'static str)>,
}

impl Normal {
    fn new(record: &Record, client: &[PathBuf]) -> Self {
        let mut texts = vec![(record.root.to_string_lossy().into_owned(), "/var/task")];
        texts.extend(client.iter().map(|folder| (folder.to_string_lossy().into_owned(), "/var/runtime")));
        let pattern = |text: &str, with| (Regex::new(text).unwrap(), with);
        let patterns = vec![
            pattern(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "TIME"),
            pattern(r"\[ERROR\] \[\d{13}\]", "[ERROR] [MS]"),
            // Node.js: in a list of JSON, and in the text of a stack. Below the client's frames are only those of Node.js.
            pattern(
                r#""    at [^"]*/var/runtime/[\w.-]+:\d+:\d+\)?"(,"    at ([^"]*/var/runtime/[\w.-]+|[^"]*node:[^"]*):\d+:\d+\)?")*"#,
                r#""    at CLIENT""#,
            ),
            pattern(
                r#"    at [^"\r\n]*/var/runtime/[\w.-]+:\d+:\d+\)?([\r\n]+ +at ([^"\r\n]*/var/runtime/[\w.-]+|[^"\r\n]*node:[^"\r\n]*):\d+:\d+\)?)*"#,
                "    at CLIENT",
            ),
            pattern(r"\(node:\d+\)", "(node:PID)"),
            // How Node.js came to run a job, which differs with what else there was to do.
            pattern(r#","    at process.processTicksAndRejections \(node:[\w/:]+\)""#, ""),
            pattern(r"[\r\n] +at process.processTicksAndRejections \(node:[\w/:]+\)", ""),
            // The line of the client that Node.js shows when it ends.
            pattern(r"file:///var/runtime/[\w.-]+:\d+\n[^\n]*\n *\^+\n", "CLIENT\n"),
            // Python: in a list of JSON, in the text of a log, and in the cause for X-Ray.
            pattern(
                r#""  File \\"/var/runtime/[^"]*\\", line \d+, in \w+\\n(    ([^"\\]|\\[^n])*\\n)?""#,
                r#""CLIENT""#,
            ),
            pattern(
                "\u{a0}\u{a0}File \"/var/runtime/[^\"]*\", line \\d+, in \\w+([\r\n]\u{a0}{4}[^\r\n]*)?",
                "CLIENT",
            ),
            pattern(r#"\{"label":"\w+","line":\d+,"path":"/var/runtime/[^"]*"\}"#, r#"{"CLIENT"}"#),
        ];
        Self { texts, patterns }
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.texts {
            text = text.replace(from, to);
        }
        for (pattern, with) in &self.patterns {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        text
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARACTERS_MAX) {
        None => line.to_owned(),
        Some(_) => format!("{}… {} bytes", line.chars().take(60).collect::<String>(), line.len()),
    }
}

/// Returns the lines that only the one has and those that only the other has, along their longest common course.
pub(crate) fn only_in_one(ours: &[String], theirs: &[String]) -> (Vec<String>, Vec<String>) {
    let mut common = vec![vec![0_usize; theirs.len() + 1]; ours.len() + 1];
    for i in (0..ours.len()).rev() {
        for j in (0..theirs.len()).rev() {
            common[i][j] = if ours[i] == theirs[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let (mut only_ours, mut only_theirs) = (Vec::new(), Vec::new());
    while i < ours.len() || j < theirs.len() {
        if i < ours.len() && j < theirs.len() && ours[i] == theirs[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == theirs.len() || (i < ours.len() && common[i + 1][j] >= common[i][j + 1]) {
            only_ours.push(ours[i].clone());
            i += 1;
        } else {
            only_theirs.push(theirs[j].clone());
            j += 1;
        }
    }
    (only_ours, only_theirs)
}
