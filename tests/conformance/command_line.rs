//! `hearth` as a client of a running server, and the demo.

use std::time::Duration;

use hearth_tests::{Server, hearth, python};
use serde_json::{Value, json};

fn server_with_a_called_function() -> Server {
    let server = Server::start();
    let source = "print('loading')\ndef handler(event, context):\n    print('called')\n    return event\n";
    let function = server.create(python("greeter", source));
    function.invoke("{}");
    function.logs_with_reports(1);
    server
}

#[test]
fn every_listing_has_a_text_and_a_json_form() {
    let server = server_with_a_called_function();
    let text = |arguments: &[&str]| hearth(Some(&server), arguments).success();
    let data =
        |arguments: &[&str]| hearth(Some(&server), &[arguments, &["--output", "json"]].concat()).json();

    let functions = text(&["functions"]);
    assert!(functions.contains("greeter") && functions.contains("python3.11"), "{functions}");
    let functions = data(&["functions"]);
    assert!(functions.to_string().contains("\"greeter\""), "{functions}");

    let environments = text(&["environments"]);
    assert!(environments.contains("greeter") && environments.contains("Ready"), "{environments}");
    let environments = data(&["environments"]);
    assert!(environments.to_string().contains("\"first-invocation\""), "{environments}");

    let timeline = text(&["timeline", "greeter"]);
    assert!(timeline.contains("first invocation"), "{timeline}");
    let timeline = data(&["timeline", "greeter"]);
    assert_eq!(timeline["function_name"], "greeter");
    let phases: Vec<&Value> =
        timeline["environments"][0]["spans"].as_array().unwrap().iter().map(|span| &span["phase"]).collect();
    assert_eq!(phases[..3], [&json!("runtime-init"), &json!("function-init"), &json!("invoke")]);

    let logs = text(&["logs", "greeter"]);
    let ours: Vec<&str> = ["INIT_START", "loading", "START", "called", "END", "REPORT"].into();
    let mut rest = logs.as_str();
    for line in ours {
        let Some((_, after)) = rest.split_once(line) else { panic!("no `{line}` in order in:\n{logs}") };
        rest = after;
    }
    let logs = hearth(Some(&server), &["logs", "greeter", "--output", "json"]).success();
    assert!(logs.contains("\"called\\n\""), "{logs}");

    let payload = json!({ "name": "hearth" });
    let answer = hearth(Some(&server), &["invoke", "greeter", "--payload", &payload.to_string()]);
    assert_eq!(serde_json::from_str::<Value>(&answer.success()).unwrap(), payload);
}

#[test]
fn the_demo_shows_the_articles_table_in_a_few_seconds() {
    let demo = hearth(None, &["demo"]);
    let elapsed = demo.elapsed;
    let text = demo.success();
    for heading in [
        "Init Duration",
        "Duration",
        "Billed Duration",
        "Max Memory",
        "first invocation",
        "all environments busy",
    ] {
        assert!(text.contains(heading), "no `{heading}` in:\n{text}");
    }
    assert!(text.contains("INIT_START ") && text.contains("REPORT RequestId: "), "{text}");
    assert!(elapsed < Duration::from_secs(10), "it took {elapsed:?}");
}

/// Runs `hearth` so that it fails, and checks its exit code and its one error line, which names `what`.
fn check_error(server: Option<&Server>, arguments: &[&str], code: i32, what: &str) {
    let finished = hearth(server, arguments);
    assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.is_empty(), "errors go to standard error: {}", finished.stdout);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    let errors: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{arguments:?}: {}", finished.stderr);
    assert!(errors[0].contains(what), "it names `{what}`: {}", errors[0]);
}

#[test]
fn mistakes_on_the_command_line_are_one_clear_error_with_an_exit_code_of_their_own() {
    check_error(None, &["serve", "--nonsense"], 2, "--nonsense");
    check_error(None, &["serve", "--listen", "nowhere"], 2, "nowhere");
    check_error(None, &["serve", "--isolation", "none"], 2, "none");
    check_error(None, &["serve", "--concurrency", "-1"], 2, "-1");
    check_error(None, &["frobnicate"], 2, "frobnicate");

    let server = Server::start();
    check_error(Some(&server), &["invoke", "nope"], 5, "nope");
    check_error(Some(&server), &["timeline", "nope"], 5, "nope");
    let address = server.address().to_string();
    server.stop();
    let nobody = format!("http://{address}");
    check_error(None, &["functions", "--endpoint-url", &nobody], 4, &address);
}

#[test]
fn a_function_error_is_an_answer_with_an_exit_code_of_its_own() {
    let server = Server::start();
    server.create(python("failing", "def handler(event, context): raise ValueError('boom')\n"));
    let finished = hearth(Some(&server), &["invoke", "failing"]);
    assert_eq!(finished.status.code(), Some(6), "{}", finished.stderr);
    assert_eq!(serde_json::from_str::<Value>(&finished.stdout).unwrap()["errorMessage"], "boom");
}
