//! Extensions of a test: the layers that bring them, and what they put into the log.

use std::fs;

use serde_json::{Value, json};

use crate::logs::LogEvent;
use crate::package::Package;
use crate::server::Server;
use crate::wait::repository;

/// Where `cargo xtask test` puts what it builds of `examples/extensions`, and AWS's Lambda Web Adapter.
const BUILT: &str = ".cache/provided-target/release";
const WEB_ADAPTER: &str = ".cache/web-adapter/bin/lambda-adapter";

/// Returns a program of `examples/extensions`: `events`, `telemetry` or `graceful`, on AWS's own clients for Rust.
///
/// # Panics
/// When it has not been built.
pub fn example_extension(program: &str) -> Vec<u8> {
    built(&format!("{BUILT}/{program}"))
}

/// Returns AWS's Lambda Web Adapter as its registry has it.
///
/// # Panics
/// When it has not been built.
pub fn web_adapter() -> Vec<u8> {
    built(WEB_ADAPTER)
}

fn built(path: &str) -> Vec<u8> {
    let path = repository().join(path);
    fs::read(&path).unwrap_or_else(|error| {
        panic!("`{}` is missing ({error}); `cargo xtask test` builds it", path.display());
    })
}

/// Returns the extension of `examples/extensions` that is a bash script.
///
/// # Panics
/// When it cannot be read.
pub fn bash_extension() -> Vec<u8> {
    fs::read(repository().join("examples/extensions/in-bash")).unwrap()
}

/// Returns an extension that takes these steps (see `scripted_extension.py`).
pub fn scripted(steps: &Value) -> Vec<u8> {
    // A JSON string is a Python string, too.
    let steps = json!(steps.to_string()).to_string();
    let source = include_str!("scripted_extension.py").replace("# @LINK@", include_str!("link.py"));
    source.replace("\"@STEPS@\"", &steps).into_bytes()
}

impl Server {
    /// Publishes a layer with these external extensions, and returns its ARN.
    pub fn publish_extensions(&self, extensions: &[(&str, Vec<u8>)]) -> String {
        let package = extensions.iter().fold(Package::new(), |package, (name, program)| {
            package.program(&format!("extensions/{name}"), program.clone())
        });
        self.publish_layer("extensions", &package)
    }
}

/// Returns what an extension wrote to the log, a line each, without the name in front.
pub fn said<'events>(events: &'events [LogEvent], extension: &str) -> Vec<&'events str> {
    let start = format!("{extension}: ");
    events.iter().filter_map(|event| event.message.strip_prefix(&start)).map(str::trim_end).collect()
}

/// Returns the number that follows `word` in `line`.
///
/// # Panics
/// When there is none.
pub fn number_after(line: &str, word: &str) -> f64 {
    let (_, rest) = line.split_once(word).unwrap_or_else(|| panic!("no `{word}` in `{line}`"));
    let number = rest.trim_start().split([' ', ',', '\t', '\n']).next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("no number after `{word}` in `{line}`"))
}

/// Returns where the first event that contains `text` stands in the log.
///
/// # Panics
/// When there is none.
pub fn position(events: &[LogEvent], text: &str) -> usize {
    events
        .iter()
        .position(|event| event.message.contains(text))
        .unwrap_or_else(|| panic!("no `{text}` in {events:#?}"))
}
