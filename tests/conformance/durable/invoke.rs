//! How an execution begins: by which calls, under which name, with which configuration and version.

use hearth_tests::{Call, Package, eventually};
use serde_json::{Value, json};

use super::{boto, ended, needs_sdks, python, result, start, told};

#[test]
fn the_same_name_and_event_is_the_same_execution_and_another_event_is_refused() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    server.create(python("f"));
    let invoke = |kind: &str, number: u32| {
        let payload = json!({ "run": "waits", "number": number }).to_string();
        boto(
            &server,
            "invoke",
            &json!({
                "FunctionName": "f:$LATEST",
                "InvocationType": kind,
                "DurableExecutionName": "once",
                "Payload": payload,
            }),
        )
    };
    let first = invoke("Event", 1);
    assert_eq!(first["status"], 202, "{first:#}");
    let same = invoke("RequestResponse", 1);
    assert_eq!((&same["status"], &same["DurableExecutionArn"]), (&json!(200), &first["DurableExecutionArn"]));
    assert!(same["Payload"].as_str().unwrap().contains("\"number\": 2"), "{same:#}");
    let ended = invoke("RequestResponse", 1);
    assert_eq!(ended["Payload"], same["Payload"], "one that has ended is the same, too");
    let other = invoke("Event", 2);
    assert_eq!(
        (&other["error"], &other["status"]),
        (&json!("DurableExecutionAlreadyStartedException"), &json!(409))
    );
}

#[test]
fn an_asynchronous_event_starts_one_execution_that_has_its_request_as_its_name() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    server.create(python("f"));
    let event = json!({ "run": "waits", "number": 1 }).to_string();
    let sent = server.http("POST", "/2014-11-13/functions/f/invoke-async", event.as_bytes());
    assert_eq!(sent.status, 202, "{}", sent.text());
    let id = sent.header("x-amzn-RequestId").unwrap();
    let listed = eventually("the execution has begun", || {
        let path = format!("/2025-12-01/functions/f/durable-executions?DurableExecutionName={id}");
        let listed = server.http("GET", &path, b"").json()["DurableExecutions"].as_array().unwrap().clone();
        (!listed.is_empty()).then_some(listed)
    });
    assert_eq!(listed.len(), 1);
    let arn = listed[0]["DurableExecutionArn"].as_str().unwrap();
    assert_eq!(result(&ended(&server, arn))["number"], 2);
    eventually("the queue is empty", || (server.hearth("events")["queued"] == 0).then_some(()));
}

#[test]
fn an_execution_runs_the_version_that_it_began_with() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let published = server.http("POST", "/2015-03-31/functions/f/versions", b"{}");
    assert_eq!(published.status, 201, "{}", published.text());
    let payload = json!({ "run": "waits", "number": 1 }).to_string();
    let headers = &[("X-Amz-Invocation-Type", "Event")];
    let answer = function.call(&Call {
        query: "Qualifier=1",
        headers,
        payload: payload.as_bytes(),
        ..Call::default()
    });
    let arn = answer.0.header("X-Amz-Durable-Execution-Arn").unwrap().to_owned();
    assert!(arn.contains(":function:f:1/durable-execution/"), "{arn}");
    told(&server, &arn, "WaitStarted");
    function.update_code(&Package::new().file("app.py", "def handler(event, context): return 'new'\n"));
    let execution = ended(&server, &arn);
    assert_eq!((&execution["Version"], result(&execution)["number"].clone()), (&json!("1"), json!(2)));
}

#[test]
fn the_configuration_is_checked_kept_and_shown() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let shown = json!({ "ExecutionTimeout": 600, "RetentionPeriodInDays": 2 });
    assert_eq!(function.configuration()["DurableConfig"], shown);
    function.update_configuration(&json!({ "DurableConfig": { "ExecutionTimeout": 901 } }));
    let shown = json!({ "ExecutionTimeout": 901, "RetentionPeriodInDays": 2 });
    assert_eq!(function.configuration()["DurableConfig"], shown);

    let refused = |request: Value| {
        let answer = boto(&server, "invoke", &request);
        (answer["error"].clone(), answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let invalid = json!("InvalidParameterValueException");
    assert_eq!(
        refused(json!({ "FunctionName": "f", "Payload": "{}" })),
        (invalid.clone(), "You cannot invoke a durable function using an unqualified ARN.".to_owned())
    );
    let too_long = "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.";
    assert_eq!(
        refused(json!({ "FunctionName": "f:$LATEST", "Payload": "{}" })),
        (invalid.clone(), too_long.to_owned())
    );
    server.create(hearth_tests::python("plain", "def handler(event, context): return 1\n"));
    let named = json!({ "FunctionName": "plain", "DurableExecutionName": "n", "Payload": "{}" });
    assert_eq!(refused(named).0, invalid);
    let change = json!({ "FunctionName": "plain", "DurableConfig": { "ExecutionTimeout": 60 } });
    let answer = boto(&server, "update_function_configuration", &change);
    assert_eq!(answer["error"], invalid);
    let path = "/2015-03-31/functions/plain/configuration";
    let answer = server.http("PUT", path, b"{\"DurableConfig\":{\"ExecutionTimeout\":0}}");
    assert!(answer.text().contains("durableConfig.executionTimeout"), "{}", answer.text());
    assert!(!function.configuration()["DurableConfig"].is_null());
}
