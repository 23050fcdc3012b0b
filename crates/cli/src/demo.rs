//! `hearth demo`: the article's experiment in a private server that ends with the command.
//!
//! The function logs once outside and once inside its handler. Three calls in a row share one environment; two at
//! once need a second one. What is printed is what the server recorded, read over HTTP as any client would.

mod interpreter;

use std::io::{Cursor, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_server::Isolation;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use zip::write::SimpleFileOptions;

pub(crate) use self::interpreter::DemoError;
use self::interpreter::Language;
use crate::arguments::{DemoArguments, ServeArguments};
use crate::client::{Client, Endpoint};
use crate::exit_code::ExitCode;
use crate::invoke::{Call, invoke};
use crate::logs::{Event, Reader, lines};
use crate::serve::StopSignals;
use crate::settings::{Surroundings, settings};
use crate::stdout::Appearance;
use crate::timeline::{self, Timeline};

/// The name of the example function.
const FUNCTION_NAME: &str = "greeter";
/// How many calls it gets: three in a row and two at once.
const CALLS: usize = 5;
/// How long each of the two calls at once takes, so that they overlap for certain.
const PAUSE_MS: u64 = 150;
/// How long the demo waits for anything before it gives up.
const LIMIT: Duration = Duration::from_secs(20);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Runs the demo and cleans up after it, also when it fails.
pub(crate) async fn run(
    arguments: &DemoArguments,
    appearance: Appearance,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let surroundings = Surroundings::of_this_process();
    let interpreter = interpreter::find(&surroundings.path)?;
    let data_dir =
        tempfile::Builder::new().prefix("hearth-demo-").tempdir().context("cannot make a folder")?;

    let arguments = ServeArguments {
        listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        data_dir: Some(data_dir.path().to_owned()),
        isolation: arguments.isolation,
        interpreter: vec![(interpreter.runtime.to_string(), interpreter.path.clone())],
        ..ServeArguments::default()
    };
    let settings = settings(&arguments, &surroundings)?;
    let mut stop = StopSignals::new()?;
    let server = hearth_server::start(settings).await.context("cannot start the private server")?;
    if server.walls().isolation == Isolation::Process {
        eprint!("{}", server.walls());
    }
    let demo = Demo { client: Client::of(Endpoint::parse(&server.url())?) };

    let told = tokio::select! {
        told = demo.tell(&interpreter, appearance) => told,
        () = stop.next() => Err(anyhow::anyhow!("interrupted")),
    };
    server.drain().await.context("the private server did not drain")?;
    out.write_all(told?.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::Success)
}

/// The experiment, against a running server.
struct Demo {
    client: Client,
}

impl Demo {
    /// Does the experiment and returns what is to be told about it.
    async fn tell(
        &self,
        interpreter: &interpreter::Interpreter,
        appearance: Appearance,
    ) -> anyhow::Result<String> {
        let runtime = interpreter.runtime.as_str();
        self.create(runtime, interpreter.language).await.context("cannot create the example function")?;
        for _ in 0..3 {
            self.call(json!({})).await?;
        }
        let slow = || self.call(json!({ "pause_ms": PAUSE_MS }));
        tokio::try_join!(slow(), slow())?;
        let timeline: Timeline = timeline::fetch(&self.client, FUNCTION_NAME).await?;
        let events = self.log().await?;
        Ok(story(runtime, &events, &timeline, appearance))
    }

    async fn create(&self, runtime: &str, language: Language) -> anyhow::Result<()> {
        let zip = package(language.file_name(), language.source())?;
        let body = json!({
            "FunctionName": FUNCTION_NAME,
            "Runtime": runtime,
            "Handler": language.handler(),
            "Role": "arn:aws:iam::000000000000:role/demo",
            "Code": { "ZipFile": STANDARD.encode(zip) },
        });
        let body = Bytes::from(body.to_string());
        self.client.send(Method::POST, "/2015-03-31/functions", &[], body).await?;
        let path = format!("/2015-03-31/functions/{FUNCTION_NAME}/configuration");
        self.eventually("the function is not Active", async || {
            let configuration: Value = self.client.get(&path).await?;
            match configuration["State"].as_str() {
                Some("Active") => Ok(Some(())),
                Some("Failed") => {
                    anyhow::bail!("{}", configuration["StateReason"].as_str().unwrap_or("it failed"))
                }
                _ => Ok(None),
            }
        })
        .await
    }

    /// Calls the function and waits until its environments are free again: the answer comes a moment before that.
    async fn call(&self, payload: Value) -> anyhow::Result<()> {
        let answer = invoke(&self.client, FUNCTION_NAME, payload.to_string().into(), &Call::PLAIN).await?;
        if answer.header("x-amz-function-error").is_some() {
            anyhow::bail!("the example function failed: {}", String::from_utf8_lossy(&answer.body));
        }
        let path = format!("/_hearth/environments?function={FUNCTION_NAME}");
        self.eventually("the environments are not Ready", async || {
            let document: Value = self.client.get(&path).await?;
            let mut environments = document["environments"].as_array().into_iter().flatten();
            Ok(environments.all(|environment| environment["state"] == "Ready").then_some(()))
        })
        .await
    }

    /// Reads the log until each call has its REPORT.
    async fn log(&self) -> anyhow::Result<Vec<Event>> {
        let mut reader = Reader::new(&self.client, FUNCTION_NAME);
        let mut events = Vec::new();
        let deadline = Instant::now() + LIMIT;
        while events.iter().filter(|event: &&Event| event.message.starts_with("REPORT ")).count() < CALLS {
            anyhow::ensure!(Instant::now() < deadline, "the log has no REPORT of each call");
            events.extend(reader.next(1_000).await?);
        }
        Ok(events)
    }

    async fn eventually<T>(
        &self,
        otherwise: &'static str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            anyhow::ensure!(Instant::now() < deadline, otherwise);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Packs one file.
fn package(name: &str, source: &str) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o644))?;
    zip.write_all(source.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}

/// Writes what happened: the log streams, the article's table and the timeline.
fn story(runtime: &str, events: &[Event], timeline: &Timeline, appearance: Appearance) -> String {
    let count = timeline.environments.len();
    let mut text = format!(
        "`{FUNCTION_NAME}` on {runtime}, called three times in a row, then twice at once.\n\n\
         LOGS  one stream an environment, {count} in all; what is outside of the handler runs once in each\n"
    );
    for environment in &timeline.environments {
        text.push_str(&format!("\n  {}\n", environment.log_stream));
        for event in events.iter().filter(|event| event.log_stream == environment.log_stream) {
            text.push_str(&format!("    {}\n", lines(&event.message, "      ")));
        }
    }
    text.push_str("\nCALLS  who finds a warm environment has no Init Duration\n\n");
    text.push_str(&timeline::table(timeline));
    text.push_str("\nTIMELINE  one lane an environment, numbered as above\n\n");
    text.push_str(&timeline::lanes(timeline, appearance));
    text.push_str(
        "\nNext: start a server with `hearth serve`, point any AWS client at it with\n\
         AWS_ENDPOINT_URL=http://127.0.0.1:4566, and look at your own function with `hearth timeline FUNCTION`.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::Path;

    use expect_test::expect;

    use super::*;
    use crate::client::tests::{answering, run as block_on};
    use crate::timeline::tests::{PLAIN, experiment_document};

    const LOG: &str = r#"{"cursor": "1", "events": [
        {"timestamp_ms": 1, "log_stream": "2026/11/25/[$LATEST]0f3c8a21b4d64c0e", "message": "outside\n"},
        {"timestamp_ms": 2, "log_stream": "2026/11/25/[$LATEST]0f3c8a21b4d64c0e", "message": "REPORT 1\t\n"},
        {"timestamp_ms": 3, "log_stream": "2026/11/25/[$LATEST]0f3c8a21b4d64c0e", "message": "REPORT 2\t\n"},
        {"timestamp_ms": 4, "log_stream": "2026/11/25/[$LATEST]0f3c8a21b4d64c0e", "message": "REPORT 3\t\n"},
        {"timestamp_ms": 5, "log_stream": "2026/11/25/[$LATEST]7be0d14c99a04a11", "message": "outside\n"},
        {"timestamp_ms": 6, "log_stream": "2026/11/25/[$LATEST]0f3c8a21b4d64c0e", "message": "REPORT 4\t\n"},
        {"timestamp_ms": 7, "log_stream": "2026/11/25/[$LATEST]7be0d14c99a04a11", "message": "REPORT 5\t\n"}]}"#;

    #[test]
    fn five_calls_are_made_and_told() {
        let timeline: &'static str = experiment_document().to_string().leak();
        // Create, look for Active, five calls with a look for Ready after each, the timeline, the log.
        let (client, server) = answering(2 + 5 * 2 + 2, move |request| match request {
            _ if request.ends_with("/invocations HTTP/1.1") => ("200 OK", "{}"),
            _ if request.contains("/configuration") => ("200 OK", r#"{"State": "Active"}"#),
            _ if request.contains("/environments") => ("200 OK", r#"{"environments": [{"state": "Ready"}]}"#),
            _ if request.contains("/timeline") => ("200 OK", timeline),
            _ if request.contains("/logs/") => ("200 OK", LOG),
            _ => ("201 Created", "{}"),
        });
        let runtime = hearth_types::Runtime::parse("nodejs22.x").unwrap();
        let interpreter =
            interpreter::Interpreter { language: Language::NodeJs, runtime, path: "node".into() };
        let told = block_on(Demo { client }.tell(&interpreter, PLAIN)).unwrap();

        let asked = server.join().unwrap();
        assert!(asked[0].starts_with("POST /2015-03-31/functions HTTP/1.1 {"), "{}", asked[0]);
        let calls = asked.iter().filter_map(|request| request.split_once("/invocations HTTP/1.1 "));
        let payloads: Vec<&str> = calls.map(|(_, payload)| payload).collect();
        assert_eq!(payloads, ["{}", "{}", "{}", r#"{"pause_ms":150}"#, r#"{"pause_ms":150}"#]);
        expect![[r#"
            `greeter` on nodejs22.x, called three times in a row, then twice at once.

            LOGS  one stream an environment, 2 in all; what is outside of the handler runs once in each

              2026/11/25/[$LATEST]0f3c8a21b4d64c0e
                outside
                REPORT 1
                REPORT 2
                REPORT 3
                REPORT 4

              2026/11/25/[$LATEST]7be0d14c99a04a11
                outside
                REPORT 5

            CALLS  who finds a warm environment has no Init Duration

            #  Request id  Init Duration   Duration  Billed Duration  Max Memory Used  Why cold
            1  aaaaaaaa        151.47 ms    4.37 ms           156 ms     39 of 128 MB  first invocation
            2  bbbbbbbb                –    1.84 ms             2 ms     39 of 128 MB  – (warm)
            3  cccccccc                –    2.63 ms             3 ms     39 of 128 MB  – (warm)
            4  dddddddd                –  152.00 ms           152 ms     39 of 128 MB  – (warm)
            5  eeeeeeee         96.60 ms  102.00 ms           199 ms     39 of 128 MB  all environments busy

            TIMELINE  one lane an environment, numbered as above

            environment  0 ms                  100 ms                     200 ms                300 ms
                         ┬─────────────────────┬──────────────────────────┬─────────────────────┬───────────────
            0f3c8a21     R░░░░░░░░░░░░░░░░░░░░F▓▓▓▓▓▓▓▓▓▓▓1█·2█·3█·4███████████████████████████████············▸
            7be0d14c                                               R░░░░░░░░░░░░░F▓▓▓▓▓▓5████████████████████··▸

                         R░░ runtime init   F▓▓ function init   1██ invoke, by its number   ··· idle   ▸ goes on
                         (short spans are widened)

            Next: start a server with `hearth serve`, point any AWS client at it with
            AWS_ENDPOINT_URL=http://127.0.0.1:4566, and look at your own function with `hearth timeline FUNCTION`.
        "#]].assert_eq(&told);
    }

    #[test]
    fn the_package_holds_the_file_under_its_name() {
        for language in [Language::NodeJs, Language::Python] {
            let bytes = package(language.file_name(), language.source()).unwrap();
            let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
            let mut source = String::new();
            archive.by_name(language.file_name()).unwrap().read_to_string(&mut source).unwrap();
            assert_eq!(source, language.source());
            // The demo relies on both: a line in each place, and calls that overlap.
            assert!(source.contains("outside") && source.contains("inside") && source.contains("pause_ms"));
            let module = language.handler().split('.').next().unwrap();
            assert_eq!(Path::new(language.file_name()).file_stem().unwrap(), module);
        }
    }
}
