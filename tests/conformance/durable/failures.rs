//! What a failure of the function, its runtime or the server leaves of an execution: everything that was kept.

use std::sync::Arc;

use hearth_tests::{Call, Folder, Settings, encode, eventually, try_http};
use serde_json::{Value, json};

use super::{begin, ended, history, kinds, needs_sdks, python, result, start, told};

#[test]
fn what_fails_is_a_function_error_and_a_crash_is_tried_again() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let payload = json!({ "run": "fails" }).to_string();
    let answer =
        function.call(&Call { query: "Qualifier=%24LATEST", payload: payload.as_bytes(), ..Call::default() });
    assert_eq!(answer.0.header("X-Amz-Function-Error"), Some("Unhandled"));
    assert_eq!(answer.json()["errorMessage"], "never works", "{}", answer.text());
    let mark = format!("{}-crash", std::process::id());
    let arn = begin(&function, &json!({ "run": "crashes", "mark": mark }));
    let execution = ended(&server, &arn);
    let _ = std::fs::remove_file(format!("/tmp/crashed-{mark}"));
    assert_eq!(result(&execution), "recovered");
    let completed: Vec<Value> = history(&server, &arn)
        .into_iter()
        .filter(|event| event["EventType"] == "InvocationCompleted")
        .collect();
    assert_eq!(completed.len(), 2, "{completed:#?}");
    let error = &completed[0]["InvocationCompletedDetails"]["Error"]["Payload"]["ErrorType"];
    assert_eq!(error, "Runtime.ExitError");
}

#[test]
fn an_execution_goes_on_after_the_server_was_killed_in_the_middle_of_a_wait() {
    if !needs_sdks() {
        return;
    }
    let folder = Arc::new(Folder::new());
    let settings = || Settings::new().without_walls().data_dir(&folder);
    let server = settings().start();
    let function = server.create(python("f"));
    server.create(python("child"));
    let waiting = begin(&function, &json!({ "run": "waits", "number": 1, "seconds": 2 }));
    let busy = begin(&function, &json!({ "run": "long_step", "seconds": 3 }));
    let payload = json!({ "run": "waits", "number": 5, "seconds": 2 });
    let parent =
        begin(&function, &json!({ "run": "invokes", "function": "child:$LATEST", "payload": payload }));
    let called = begin(&function, &json!({ "run": "callback" }));
    let id = told(&server, &called, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"].clone();
    told(&server, &waiting, "WaitStarted");
    told(&server, &parent, "ChainedInvokeStarted");
    eventually("the invocation before the wait has ended", || {
        kinds(&history(&server, &waiting)).contains(&"InvocationCompleted".to_owned()).then_some(())
    });
    told(&server, &busy, "ExecutionStarted");
    server.kill();

    let server = settings().start();
    let answer = server.http(
        "POST",
        &format!("/2025-12-01/durable-execution-callbacks/{}/succeed", encode(id.as_str().unwrap())),
        b"1",
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(result(&ended(&server, &waiting))["number"], 2);
    assert_eq!(result(&ended(&server, &busy)), "done");
    assert_eq!(result(&ended(&server, &parent))["other"]["number"], 6);
    assert_eq!(result(&ended(&server, &called))["answer"], "1");
    // What was kept before the crash ran once.
    let before: Vec<String> =
        kinds(&history(&server, &waiting)).into_iter().filter(|kind| kind.contains("before")).collect();
    assert_eq!(before, ["StepStarted before", "StepSucceeded before"]);
}

#[test]
fn a_kill_at_any_change_loses_nothing_that_was_acknowledged() {
    if !needs_sdks() {
        return;
    }
    for point in ["durable::change", "durable::changed", "durable::started"] {
        let rounds = if point == "durable::started" { 1 } else { 6 };
        for passing in 1..=rounds {
            let folder = Arc::new(Folder::new());
            let settings = || Settings::new().without_walls().data_dir(&folder);
            let server = settings().faults(&format!("{point}=kill({passing})")).start();
            let function = server.create(python("f"));
            let payload = json!({ "run": "waits", "number": 1 }).to_string();
            let headers = &[("X-Amz-Invocation-Type", "Event"), ("X-Amz-Durable-Execution-Name", "killed")];
            let path = format!("/2015-03-31/functions/{}/invocations?Qualifier=%24LATEST", function.name());
            let _ = try_http(server.address(), "POST", &path, headers, payload.as_bytes());
            server.ended();

            let server = settings().start();
            let found = server.http("GET", "/2025-12-01/functions/f/durable-executions", b"").json();
            let found = found["DurableExecutions"].as_array().unwrap().clone();
            assert_eq!(found.len(), 1, "{point} {passing}");
            let arn = found[0]["DurableExecutionArn"].as_str().unwrap();
            assert_eq!(result(&ended(&server, arn))["number"], 2, "{point} {passing}");
            let steps: Vec<String> = kinds(&history(&server, arn))
                .into_iter()
                .filter(|kind| kind.starts_with("StepSucceeded"))
                .collect();
            assert_eq!(steps, ["StepSucceeded before", "StepSucceeded after"], "{point} {passing}");
        }
    }
}
