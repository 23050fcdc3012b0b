//! What an extension is told when it registers, what it sees of the function, and what its events look like.

use expect_test::expect;
use hearth_tests::{Server, lines_of, python, said, scripted};
use serde_json::{Value, json};

#[test]
fn a_registration_is_answered_with_the_function_and_with_its_account_if_it_asks() {
    let server = Server::start();
    let register = |name: &str, accept: Value| {
        let mut headers = json!({ "Lambda-Extension-Name": name });
        headers.as_object_mut().unwrap().extend(accept.as_object().unwrap().clone());
        json!({ "ask": "POST {extension}/register", "body": r#"{"events":[]}"#, "headers": headers })
    };
    // Names that are no file of the layer are internal extensions; this one exits before anybody waits for them.
    let steps = json!([
        register("without", json!({})),
        register("with", json!({ "Lambda-Extension-Accept-Feature": "accountId" })),
        register("with-more", json!({ "Lambda-Extension-Accept-Feature": "somethingNew, accountId" })),
        { "exit": 0 },
    ]);
    let layer = server.publish_extensions(&[("asking", scripted(&steps))]);
    let source = "def handler(event, context): return 1\n";
    let function = server.create(python("registers", source).with("Layers", json!([layer])));
    function.invoke("{}").function_error();
    let events = function.logs_with_reports(1);
    let answers = said(&events, "asking");
    expect![[r#"
        200 application/json: {"functionName":"registers","functionVersion":"$LATEST","handler":"app.handler"}
        200 application/json: {"accountId":"000000000000","functionName":"registers","functionVersion":"$LATEST","handler":"app.handler"}
        200 application/json: {"accountId":"000000000000","functionName":"registers","functionVersion":"$LATEST","handler":"app.handler"}"#]]
    .assert_eq(&answers[..3].join("\n"));
}

#[test]
fn an_event_has_what_aws_documents_and_neither_payload_nor_more() {
    let server = Server::start();
    let ask = json!({
        "ask": "GET {extension}/event/next",
        "headers": { "Lambda-Extension-Identifier": "{id}" },
    });
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, ask, ask, { "exit": 0 }]);
    let layer = server.publish_extensions(&[("reading", scripted(&steps))]);
    let source = "def handler(event, context): return context.invoked_function_arn\n";
    let function = server.create(python("read", source).timeout(7).with("Layers", json!([layer])));
    let before = epoch_ms();
    let answer = function.invoke(r#"{"secret": "in the payload"}"#);
    let arn = answer.success();
    function.logs_with_reports(1);
    function.delete();
    let events = function.logs_until("SHUTDOWN", |events| said(events, "reading").len() == 3);
    let events: Vec<Value> = said(&events, "reading")[1..]
        .iter()
        .map(|line| serde_json::from_str(line.strip_prefix("200 application/json: ").unwrap()).unwrap())
        .collect();
    let mut invoke = events[0].clone();
    let deadline = invoke["deadlineMs"].take().as_u64().unwrap();
    assert!((before + 6_900..before + 12_000).contains(&deadline), "{deadline}, called at {before}");
    let trace = invoke["tracing"]["value"].take();
    assert!(trace.as_str().unwrap().starts_with("Root=1-"), "{trace}");
    assert_eq!(
        invoke,
        json!({
            "eventType": "INVOKE",
            "deadlineMs": null,
            "requestId": answer.request_id(),
            "invokedFunctionArn": arn,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": null },
        })
    );
    let mut shutdown = events[1].clone();
    assert!(shutdown["deadlineMs"].take().is_u64(), "{shutdown}");
    assert_eq!(
        shutdown,
        json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": null })
    );
}

fn epoch_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

/// What the function has and an extension has not. Source: AWS's open runtime interface emulator, read 2026-11.
const NOT_FOR_EXTENSIONS: &[&str] = &[
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

#[test]
fn an_extension_has_the_functions_variables_without_those_of_the_runtime_and_no_arguments() {
    let server = Server::start();
    let steps = json!([{ "about": ["environ", "argv"] }, { "register": [] }, { "events": true }]);
    let layer = server.publish_extensions(&[("curious", scripted(&steps))]);
    let source = "
import os
SEEN = open('/proc/self/environ').read()
def handler(event, context): return dict(line.split('=', 1) for line in SEEN.split('\\0') if line)
";
    let variables = json!({ "Variables": { "OF_THE_CUSTOMER": "a value\nof two lines", "TABLE": "t" } });
    let new = python("seen", source).with("Layers", json!([layer])).with("Environment", variables);
    let function = server.create(new);
    let of_function = function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let about: Value = serde_json::from_str(said(&events, "curious")[0]).unwrap();
    let of_extension = &about[0];
    for (name, value) in of_function.as_object().unwrap() {
        let withheld = NOT_FOR_EXTENSIONS.contains(&name.as_str()) || name.starts_with('_');
        // What Python's own runtime client, and the script's interpreter, add for themselves.
        if ["PYTHONPATH", "PWD", "SHLVL", "LC_CTYPE"].contains(&name.as_str()) {
            continue;
        }
        let expected = if withheld { &Value::Null } else { value };
        assert_eq!(of_extension.get(name).unwrap_or(&Value::Null), expected, "{name}");
    }
    assert_eq!(of_extension["OF_THE_CUSTOMER"], "a value\nof two lines");
    let more: Vec<&String> = of_extension
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| of_function.get(name).is_none())
        .filter(|name| !["PWD", "SHLVL", "LC_CTYPE", "_"].contains(&name.as_str()))
        .collect();
    assert!(more.is_empty(), "{more:?}");
    let arguments = about[1].as_array().unwrap();
    assert_eq!(arguments.len(), 1, "{arguments:?}");
    assert!(arguments[0].as_str().unwrap().ends_with("/extensions/curious"), "{arguments:?}");
}

#[test]
fn extension_lines_are_sorted_by_name_and_name_the_events() {
    let server = Server::start();
    let with = |events: Value| scripted(&json!([{ "register": events }, { "events": true }]));
    let layer = server.publish_extensions(&[
        ("c-both", with(json!(["SHUTDOWN", "INVOKE"]))),
        ("a-none", with(json!([]))),
        ("b-invoke", with(json!(["INVOKE"]))),
        ("d-shutdown", with(json!(["SHUTDOWN"]))),
    ]);
    let source = "def handler(event, context): return 1\n";
    let function = server.create(python("lines", source).with("Layers", json!([layer])));
    assert_eq!(function.invoke("{}").success(), 1);
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), 1);
    expect![[r#"
        EXTENSION	Name: a-none	State: Ready	Events: []
        EXTENSION	Name: b-invoke	State: Ready	Events: [INVOKE]
        EXTENSION	Name: c-both	State: Ready	Events: [INVOKE, SHUTDOWN]
        EXTENSION	Name: d-shutdown	State: Ready	Events: [SHUTDOWN]
    "#]]
    .assert_eq(&lines_of(&function.logs_with_reports(2), "EXTENSION").concat());
}
