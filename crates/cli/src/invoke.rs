//! `hearth invoke`: one call of a function.

use std::io::{Read as _, Write};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::arguments::{InvocationType, InvokeArguments, OutputFormat};
use crate::client::{Answer, Client, ClientError, escape};
use crate::exit_code::ExitCode;

/// Calls the function and writes its answer to `out`; the log and a function error go to `notes`.
pub(crate) async fn run(
    arguments: &InvokeArguments,
    client: &Client,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = arguments.function.name();
    let payload = payload(&arguments.payload)?;
    let call = Call {
        invocation_type: arguments.invocation_type,
        qualifier: arguments.qualifier.as_deref(),
        log: arguments.log(),
    };
    let answer =
        invoke(client, name, payload, &call).await.with_context(|| format!("cannot invoke `{name}`"))?;
    let log = answer.header("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok());
    let log = log.map(|log| String::from_utf8_lossy(&log).into_owned());
    let function_error = answer.header("x-amz-function-error");
    match arguments.list.output {
        OutputFormat::Text if arguments.invocation_type != InvocationType::RequestResponse => {
            let what = match arguments.invocation_type {
                InvocationType::Event => "the event is accepted",
                _ => "it could be called",
            };
            writeln!(notes, "{what}")?;
        }
        OutputFormat::Text => {
            out.write_all(&answer.body)?;
            if !answer.body.ends_with(b"\n") {
                out.write_all(b"\n")?;
            }
            if let Some(log) = log {
                notes.write_all(log.as_bytes())?;
            }
        }
        OutputFormat::Json => {
            let payload: Value = serde_json::from_slice(&answer.body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&answer.body).into_owned()));
            let document = json!({
                "StatusCode": answer.status.as_u16(),
                "ExecutedVersion": answer.header("x-amz-executed-version"),
                "FunctionError": function_error,
                "RequestId": answer.header("x-amzn-requestid"),
                "LogResult": log,
                "Payload": payload,
            });
            writeln!(out, "{document:#}")?;
        }
    }
    out.flush()?;
    if arguments.explain && arguments.invocation_type == InvocationType::RequestResponse {
        match answer.header("x-hearth-cold-start") {
            Some(why_cold) => writeln!(notes, "cold: {}", explanation(why_cold))?,
            None => writeln!(notes, "warm")?,
        }
    }
    let Some(function_error) = function_error else { return Ok(ExitCode::Success) };
    writeln!(notes, "error: `{name}` answered with a function error ({function_error})")?;
    Ok(ExitCode::FunctionError)
}

/// Returns the sentence of the header, which is `REASON: SENTENCE`.
fn explanation(why_cold: &str) -> &str {
    why_cold.split_once(": ").map_or(why_cold, |(_, sentence)| sentence)
}

/// How a function is called.
pub(crate) struct Call<'call> {
    pub(crate) invocation_type: InvocationType,
    pub(crate) qualifier: Option<&'call str>,
    /// Whether the end of the log is wanted.
    pub(crate) log: bool,
}

impl Call<'_> {
    /// Waits for the answer, and wants nothing else.
    pub(crate) const PLAIN: Self =
        Self { invocation_type: InvocationType::RequestResponse, qualifier: None, log: false };
}

/// Calls `function` (a name or an ARN) and waits for its answer.
pub(crate) async fn invoke(
    client: &Client,
    function: &str,
    payload: Bytes,
    call: &Call<'_>,
) -> Result<Answer, ClientError> {
    let mut path = format!("/2015-03-31/functions/{}/invocations", escape(function));
    if let Some(qualifier) = call.qualifier {
        path.push_str(&format!("?Qualifier={}", escape(qualifier)));
    }
    let mut headers = Vec::new();
    if call.invocation_type != InvocationType::RequestResponse {
        headers.push(("X-Amz-Invocation-Type", call.invocation_type.as_str()));
    }
    if call.log {
        headers.push(("X-Amz-Log-Type", "Tail"));
    }
    client.send(Method::POST, &path, &headers, payload).await
}

/// Reads the payload from where the argument says it is.
pub(crate) fn payload(argument: &str) -> anyhow::Result<Bytes> {
    if argument == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read the payload from standard input")?;
        return Ok(bytes.into());
    }
    let file = ["@", "fileb://", "file://"].iter().find_map(|prefix| argument.strip_prefix(prefix));
    let Some(file) = file else { return Ok(argument.as_bytes().to_vec().into()) };
    let bytes = std::fs::read(file).with_context(|| format!("cannot read the payload from `{file}`"))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    fn call(answers: &'static [(&str, &str)], flags: &[&str]) -> (anyhow::Result<ExitCode>, String) {
        let (client, server) = scripted(answers);
        let arguments =
            Arguments::try_parse_from([&["hearth", "invoke", "resize:7"], flags].concat()).unwrap();
        let Command::Invoke(arguments) = arguments.command else { panic!("not `invoke`") };
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let code = block_on(run(&arguments, &client, &mut out, &mut notes));
        let asked = server.join().unwrap().join("\n");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (code, format!("{asked}\n--- stdout\n{}--- stderr\n{}", text(out), text(notes)))
    }

    #[test]
    fn the_answer_goes_to_stdout_and_the_log_to_stderr() {
        let answers = &[(
            "200 OK\r\nX-Amz-Log-Result: U1RBUlQKRU5ECg==\r\nX-Amz-Executed-Version: 7",
            r#"{"ok":true}"#,
        )];
        let (code, text) = call(answers, &["--payload", r#"{"width":3}"#, "--log"]);
        assert_eq!(code.unwrap(), ExitCode::Success);
        expect![[r#"
            POST /2015-03-31/functions/resize%3A7/invocations HTTP/1.1 [x-amz-log-type: Tail] {"width":3}
            --- stdout
            {"ok":true}
            --- stderr
            START
            END
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn it_is_called_in_the_words_of_the_aws_cli() {
        let flags = ["--invocation-type", "Event", "--qualifier", "live", "--log-type", "Tail"];
        let (code, text) = call(&[("202 Accepted", "")], &flags);
        assert_eq!(code.unwrap(), ExitCode::Success);
        expect![[r#"
            POST /2015-03-31/functions/resize%3A7/invocations?Qualifier=live HTTP/1.1 [x-amz-invocation-type: Event] [x-amz-log-type: Tail] {}
            --- stdout
            --- stderr
            the event is accepted
        "#]].assert_eq(&text);
        let named = Arguments::try_parse_from(["hearth", "invoke", "--function-name", "resize"]).unwrap();
        let Command::Invoke(named) = named.command else { panic!("not `invoke`") };
        assert_eq!(named.function.name(), "resize");
        assert!(Arguments::try_parse_from(["hearth", "invoke"]).is_err());
    }

    #[test]
    fn a_function_error_is_printed_as_data_and_has_its_own_exit_code() {
        let answers = &[("200 OK\r\nX-Amz-Function-Error: Unhandled", r#"{"errorType":"E"}"#)];
        let (code, text) = call(answers, &["--output", "json"]);
        assert_eq!(code.unwrap(), ExitCode::FunctionError);
        expect![[r#"
            POST /2015-03-31/functions/resize%3A7/invocations HTTP/1.1 {}
            --- stdout
            {
              "ExecutedVersion": null,
              "FunctionError": "Unhandled",
              "LogResult": null,
              "Payload": {
                "errorType": "E"
              },
              "RequestId": null,
              "StatusCode": 200
            }
            --- stderr
            error: `resize:7` answered with a function error (Unhandled)
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn whether_a_call_was_cold_and_why_is_said_if_it_is_asked_for() {
        let cold = &[("200 OK\r\nX-Hearth-Cold-Start: all-busy: all 3 environments were busy", "{}")];
        let (_, text) = call(cold, &["--explain"]);
        assert!(text.ends_with("--- stderr\ncold: all 3 environments were busy\n"), "{text}");
        let (_, text) = call(&[("200 OK", "{}")], &["--explain"]);
        assert!(text.ends_with("--- stderr\nwarm\n"), "{text}");
        let (_, text) = call(cold, &[]);
        assert!(text.ends_with("--- stderr\n"), "{text}");
    }

    #[test]
    fn an_unknown_function_is_told_in_the_words_of_aws() {
        let answers = &[(
            "404 Not Found\r\nx-amzn-ErrorType: ResourceNotFoundException",
            r#"{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:resize:7"}"#,
        )];
        let error = call(answers, &[]).0.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot invoke `resize:7`: Function not found: \
             arn:aws:lambda:us-east-1:000000000000:function:resize:7 (ResourceNotFoundException)"
        );
    }
}
