//! `hearth logs`: what a function and the platform wrote, oldest first.

use std::io::Write;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::{LogsArguments, OutputFormat};
use crate::client::{Client, ClientError, escape};
use crate::exit_code::ExitCode;
use crate::functions::must_exist;
use crate::words::{short_stream, visible};

/// How many events are asked for at once.
const PAGE: usize = 1_000;
/// How long the server may wait for something new. Its own limit, too.
const WAIT_MS: u64 = 20_000;

/// A page of the log.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    cursor: Option<String>,
}

/// One line of the log, or several that belong together.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) timestamp_ms: i64,
    pub(crate) log_stream: String,
    pub(crate) message: String,
}

/// Reads the log of one function, page by page.
#[derive(Debug)]
pub(crate) struct Reader<'client> {
    client: &'client Client,
    function_name: String,
    cursor: Option<String>,
}

impl<'client> Reader<'client> {
    /// Begins with the oldest event that is kept.
    pub(crate) fn new(client: &'client Client, function_name: &str) -> Self {
        Self { client, function_name: function_name.to_owned(), cursor: None }
    }

    /// Returns the next events; none when there is nothing new within `wait_ms`.
    pub(crate) async fn next(&mut self, wait_ms: u64) -> Result<Vec<Event>, ClientError> {
        let after = self.cursor.as_deref().map(|cursor| format!("&after={}", escape(cursor)));
        let name = escape(&self.function_name);
        let path =
            format!("/_hearth/logs/{name}?limit={PAGE}&wait_ms={wait_ms}{}", after.unwrap_or_default());
        let page: Page = self.client.get(&path).await?;
        self.cursor = page.cursor.or(self.cursor.take());
        Ok(page.events)
    }
}

/// Writes what there is and, if it shall follow, what comes.
pub(crate) async fn run(
    arguments: &LogsArguments,
    client: &Client,
    terminal: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = &arguments.function_name;
    let cannot = || format!("cannot read the log of `{name}`");
    let mut reader = Reader::new(client, name);
    let mut events = reader.next(0).await.with_context(cannot)?;
    if events.is_empty() {
        // A function that was never called has no log, and one that was deleted still has: neither is an error.
        must_exist(client, name).await.with_context(cannot)?;
    }
    loop {
        for event in events {
            match arguments.list.output {
                OutputFormat::Json => writeln!(out, "{}", document(&event))?,
                OutputFormat::Text if terminal => out.write_all(visible(&text(&event)).as_bytes())?,
                OutputFormat::Text => out.write_all(text(&event).as_bytes())?,
            }
        }
        out.flush()?;
        events = reader.next(if arguments.follow { WAIT_MS } else { 0 }).await.with_context(cannot)?;
        if events.is_empty() && !arguments.follow {
            return Ok(ExitCode::Success);
        }
    }
}

/// One event as one line of JSON, so that a program can read while it follows.
fn document(event: &Event) -> Value {
    json!({ "timestamp_ms": event.timestamp_ms, "log_stream": event.log_stream, "message": event.message })
}

fn text(event: &Event) -> String {
    let time = jiff::Timestamp::from_millisecond(event.timestamp_ms).unwrap_or_default();
    let time = time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    format!("{time} {}  {}\n", short_stream(&event.log_stream), lines(&event.message, "    "))
}

/// Writes a message without its end of line, and each further line of it behind `indent`. Node's `\r` inside a
/// message is its soft end of line.
pub(crate) fn lines(message: &str, indent: &str) -> String {
    message
        .trim_end_matches(['\n', '\r', '\t'])
        .replace("\r\n", "\n")
        .replace(['\n', '\r'], &format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    const PAGES: &[(&str, &str)] = &[
        (
            "200 OK",
            r#"{"events":[
                {"timestamp_ms":1795587014123,"log_stream":"2026/11/25/[$LATEST]0f3c8a21b4d6","message":"out of handler\n"},
                {"timestamp_ms":1795587014125,"log_stream":"2026/11/25/[$LATEST]0f3c8a21b4d6",
                 "message":"Error: no\r    at index.mjs:3\n"}],"cursor":"c/1"}"#,
        ),
        (
            "200 OK",
            r#"{"events":[{"timestamp_ms":1795587015000,"log_stream":"2026/11/25/[$LATEST]7be0d14c99",
                "message":"REPORT RequestId: 1\tDuration: 1.84 ms\t\n"}],"cursor":"c/2"}"#,
        ),
        ("200 OK", r#"{"events":[],"cursor":"c/2"}"#),
    ];

    fn logs(answers: &'static [(&str, &str)], flags: &[&str]) -> (anyhow::Result<ExitCode>, String) {
        let (client, server) = scripted(answers);
        let arguments = Arguments::try_parse_from([&["hearth", "logs", "greeter"], flags].concat()).unwrap();
        let Command::Logs(arguments) = arguments.command else { panic!("not `logs`") };
        let mut out = Vec::new();
        let code = block_on(run(&arguments, &client, false, &mut out));
        (code, format!("{}\n{}", server.join().unwrap().join("\n"), String::from_utf8(out).unwrap()))
    }

    #[test]
    fn every_page_is_printed_oldest_first_with_the_environment_in_front() {
        let (code, text) = logs(PAGES, &[]);
        assert_eq!(code.unwrap(), ExitCode::Success);
        expect![[r#"
            GET /_hearth/logs/greeter?limit=1000&wait_ms=0 HTTP/1.1
            GET /_hearth/logs/greeter?limit=1000&wait_ms=0&after=c%2F1 HTTP/1.1
            GET /_hearth/logs/greeter?limit=1000&wait_ms=0&after=c%2F2 HTTP/1.1
            2026-11-25T06:10:14.123Z 0f3c8a21  out of handler
            2026-11-25T06:10:14.125Z 0f3c8a21  Error: no
                    at index.mjs:3
            2026-11-25T06:10:15.000Z 7be0d14c  REPORT RequestId: 1	Duration: 1.84 ms
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn json_is_one_event_a_line() {
        let (_, text) = logs(PAGES, &["--output", "json"]);
        let events: Vec<Value> =
            text.lines().skip(3).map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 3);
        assert_eq!(events[0]["message"], "out of handler\n");
    }

    #[test]
    fn following_asks_again_when_nothing_came_and_ends_with_the_server() {
        const ANSWERS: &[(&str, &str)] = &[
            ("200 OK", r#"{"events":[],"cursor":"0"}"#),
            ("200 OK", r#"{"FunctionName":"greeter"}"#),
            ("200 OK", r#"{"events":[],"cursor":"1"}"#),
            PAGES[0],
            ("404 Not Found", r#"{"message":"gone"}"#),
        ];
        let (code, text) = logs(ANSWERS, &["--follow"]);
        assert_eq!(format!("{:#}", code.unwrap_err()), "cannot read the log of `greeter`: gone");
        expect![[r#"
            GET /_hearth/logs/greeter?limit=1000&wait_ms=0 HTTP/1.1
            GET /2015-03-31/functions/greeter/configuration HTTP/1.1
            GET /_hearth/logs/greeter?limit=1000&wait_ms=20000&after=0 HTTP/1.1
            GET /_hearth/logs/greeter?limit=1000&wait_ms=20000&after=1 HTTP/1.1
            GET /_hearth/logs/greeter?limit=1000&wait_ms=20000&after=c%2F1 HTTP/1.1
            2026-11-25T06:10:14.123Z 0f3c8a21  out of handler
            2026-11-25T06:10:14.125Z 0f3c8a21  Error: no
                    at index.mjs:3
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn an_unknown_function_is_told_in_the_words_of_aws() {
        const ANSWERS: &[(&str, &str)] = &[
            ("200 OK", r#"{"events":[],"cursor":"0"}"#),
            (
                "404 Not Found\r\nX-Amzn-ErrorType: ResourceNotFoundException",
                r#"{"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:greeter"}"#,
            ),
        ];
        let error = logs(ANSWERS, &["--follow"]).0.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot read the log of `greeter`: Function not found: \
             arn:aws:lambda:us-east-1:000000000000:function:greeter (ResourceNotFoundException)"
        );
    }
}
