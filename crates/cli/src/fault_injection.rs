//! `hearth fault`: makes things go wrong in functions on purpose, on a server that allows it.

use std::io::Write;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::arguments::{FaultArguments, FaultCommand, OutputFormat};
use crate::client::Client;
use crate::exit_code::ExitCode;
use crate::table::{Column, Table};
use crate::words::visible;

const PATH: &str = "/_hearth/faults";

/// Does what is asked.
pub(crate) async fn run(
    arguments: &FaultArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let output = arguments.list().output;
    match &arguments.command {
        FaultCommand::Add(add) => {
            let (deed, delay_ms) = match deed(&add.deed) {
                Ok(deed) => deed,
                Err(message) => {
                    eprintln!("error: {message}");
                    return Ok(ExitCode::Usage);
                }
            };
            let request = json!({
                "function_name": add.function_name,
                "qualifier": add.qualifier,
                "phase": add.phase,
                "do": deed,
                "delay_ms": delay_ms,
                "extension": add.extension,
                "times": add.times,
            });
            let answer = client.send(Method::POST, PATH, &[], Bytes::from(request.to_string())).await;
            let fault: Value = client.read(&answer.context("cannot add the fault")?.body)?;
            match output {
                OutputFormat::Json => writeln!(out, "{fault:#}")?,
                OutputFormat::Text => out.write_all(table(std::slice::from_ref(&fault)).as_bytes())?,
            }
        }
        FaultCommand::List(_) => {
            let document: Value = client.get(PATH).await.context("cannot list the faults")?;
            let faults = document["faults"].as_array().map(Vec::as_slice).unwrap_or_default();
            match output {
                OutputFormat::Json => writeln!(out, "{document:#}")?,
                OutputFormat::Text if document["allowed"] == false => {
                    eprintln!("this server injects no faults; `hearth serve --allow-fault-injection` does");
                }
                OutputFormat::Text if faults.is_empty() => eprintln!("there are no faults"),
                OutputFormat::Text => out.write_all(table(faults).as_bytes())?,
            }
        }
        FaultCommand::Remove(remove) => {
            let path = remove.id.map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"));
            let answer = client.send(Method::DELETE, &path, &[], Bytes::new()).await;
            let document: Value = client.read(&answer.context("cannot remove faults")?.body)?;
            match output {
                OutputFormat::Json => writeln!(out, "{document:#}")?,
                OutputFormat::Text => {
                    let removed = document["faults"].as_array().map_or(0, Vec::len);
                    writeln!(out, "{removed} removed")?;
                }
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// Reads `kill`, or `delay 500`.
fn deed(words: &[String]) -> Result<(&str, Option<u64>), String> {
    match words {
        [deed] if deed == "delay" => Err("a delay needs a number of milliseconds: --do delay 500".to_owned()),
        [deed] => Ok((deed, None)),
        [deed, ms] if deed == "delay" => match ms.parse() {
            Ok(ms) => Ok((deed, Some(ms))),
            Err(_) => Err(format!("`{ms}` is no number of milliseconds")),
        },
        [deed, more, ..] => Err(format!("only a delay has a number: `{deed}` goes without `{more}`")),
        [] => Err("nothing is to be done".to_owned()),
    }
}

fn table(faults: &[Value]) -> String {
    let mut table = Table::new([
        Column::Right("ID"),
        Column::Left("Function"),
        Column::Left("Version"),
        Column::Left("Phase"),
        Column::Left("Do"),
        Column::Left("Extension"),
        Column::Right("Happened"),
    ]);
    for fault in faults {
        let text = |member: &str, without: &str| visible(fault[member].as_str().unwrap_or(without));
        let number = |member: &str| fault[member].as_u64().unwrap_or_default();
        let deed = match fault["delay_ms"].as_u64() {
            Some(ms) => format!("{} {ms}", text("do", "")),
            None => text("do", ""),
        };
        table.row([
            number("id").to_string(),
            text("function_name", ""),
            text("version", "any"),
            text("phase", ""),
            deed,
            text("extension", "–"),
            format!("{} of {}", number("happened"), number("times")),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::client::tests::{run as block_on, scripted};

    fn said(answer: &'static [(&str, &str)], words: &[&str]) -> (String, Vec<String>) {
        let (client, server) = scripted(answer);
        let arguments = Arguments::try_parse_from([&["hearth", "fault"], words].concat()).unwrap();
        let Command::Fault(arguments) = arguments.command else { panic!("not `fault`") };
        let mut out = Vec::new();
        block_on(run(&arguments, &client, &mut out)).unwrap();
        (String::from_utf8(out).unwrap(), server.join().unwrap())
    }

    #[test]
    fn a_fault_is_added_as_it_is_said() {
        let answer = r#"{"id":3,"function_name":"f","version":null,"phase":"after-invoke","do":"delay","delay_ms":500,
                         "extension":"agent","times":2,"happened":0}"#;
        let answers: &'static [(&str, &str)] = Box::leak(Box::new([("201 Created", answer)]));
        let words = "add f --phase after-invoke --do delay 500 --times 2 --extension agent";
        let (text, asked) = said(answers, &words.split(' ').collect::<Vec<_>>());
        expect![[r#"
            ID  Function  Version  Phase         Do         Extension  Happened
             3  f         any      after-invoke  delay 500  agent        0 of 2
        "#]]
        .assert_eq(&text);
        let asked = asked.join("\n");
        assert!(asked.starts_with("POST /_hearth/faults HTTP/1.1"), "{asked}");
        assert!(asked.contains(r#""delay_ms":500"#) && asked.contains(r#""do":"delay""#), "{asked}");
    }

    #[test]
    fn faults_are_removed_by_number_or_all_of_them() {
        let answers: &'static [(&str, &str)] = &[("200 OK", r#"{"allowed":true,"faults":[{"id":3}]}"#)];
        let (text, asked) = said(answers, &["remove", "3"]);
        assert_eq!((text.as_str(), asked[0].as_str()), ("1 removed\n", "DELETE /_hearth/faults/3 HTTP/1.1"));
        let (_, asked) = said(answers, &["remove", "--all"]);
        assert_eq!(asked[0], "DELETE /_hearth/faults HTTP/1.1");
        assert!(Arguments::try_parse_from(["hearth", "fault", "remove"]).is_err());
    }

    #[test]
    fn only_a_delay_has_a_number() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(deed(&words("delay 500")), Ok(("delay", Some(500))));
        assert_eq!(deed(&words("kill")), Ok(("kill", None)));
        for wrong in ["delay", "delay soon", "kill 5"] {
            assert!(deed(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
