//! What a durable function does: steps, waits, callbacks, child contexts and chained invocations, in results and histories.

use serde_json::{Value, json};

use super::{
    begin, boto, ended, get, history, kinds, needs_sdks, node, path, python, result, run, start, told,
};

#[test]
fn steps_are_kept_and_tried_again_and_the_history_tells_of_each() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    server.create(python("f"));
    let invoked = boto(
        &server,
        "invoke",
        &json!({
            "FunctionName": "f",
            "Qualifier": "$LATEST",
            "DurableExecutionName": "order-1",
            "Payload": json!({ "run": "steps", "number": 21 }).to_string(),
        }),
    );
    assert_eq!(invoked["status"], 200, "{invoked:#}");
    assert_eq!(invoked["ExecutedVersion"], "$LATEST");
    let arn = invoked["DurableExecutionArn"].as_str().unwrap();
    let head = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/order-1/";
    assert!(arn.starts_with(head), "{arn}");
    let payload: Value = serde_json::from_str(invoked["Payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload, json!({ "doubled": 42, "retried": { "attempts": 3 } }));

    let request = json!({ "DurableExecutionArn": arn });
    let execution = boto(&server, "get_durable_execution", &request);
    assert_eq!(execution["Status"], "SUCCEEDED");
    assert_eq!(execution["DurableExecutionName"], "order-1");
    assert_eq!(execution["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST");
    assert_eq!(execution["DurableConfig"], json!({ "ExecutionTimeout": 600, "RetentionPeriodInDays": 2 }));
    assert_eq!(result(&execution), payload);
    assert!(
        execution["EndTimestamp"].as_f64().unwrap() >= execution["StartTimestamp"].as_f64().unwrap() + 2.0
    );
    let compact = json!({ "DurableExecutionArn": arn, "IncludeExecutionData": false });
    let compact = boto(&server, "get_durable_execution", &compact);
    assert_eq!((&compact["Result"], &compact["ExecutionDataIncluded"]), (&Value::Null, &json!(false)));

    let events = history(&server, arn);
    let ids: Vec<u64> = events.iter().map(|event| event["EventId"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let steps: Vec<String> = kinds(&events).into_iter().filter(|kind| kind.contains("Step")).collect();
    assert_eq!(
        steps,
        [
            "StepStarted double",
            "StepSucceeded double",
            "StepStarted retried",
            "StepFailed retried",
            "StepStarted retried",
            "StepFailed retried",
            "StepStarted retried",
            "StepSucceeded retried",
        ]
    );
    let failed = events.iter().find(|event| event["EventType"] == "StepFailed").unwrap();
    assert_eq!(failed["StepFailedDetails"]["Error"]["Payload"]["ErrorMessage"], "attempt 1", "{failed:#}");
    assert_eq!(
        failed["StepFailedDetails"]["RetryDetails"],
        json!({ "CurrentAttempt": 1, "NextAttemptDelaySeconds": 1 })
    );
    assert_eq!(kinds(&events).last().unwrap(), "ExecutionSucceeded");
    assert_eq!(events.iter().filter(|event| event["EventType"] == "InvocationCompleted").count(), 3);

    // Pages of the history, upwards and downwards, and without data.
    for reverse in [false, true] {
        let mut seen = Vec::new();
        let mut marker = Value::Null;
        loop {
            let mut request = json!({ "DurableExecutionArn": arn, "MaxItems": 5, "ReverseOrder": reverse });
            if !marker.is_null() {
                request["Marker"] = marker;
            }
            let page = boto(&server, "get_durable_execution_history", &request);
            let of_page = page["Events"].as_array().unwrap();
            assert!(of_page.len() <= 5 && !page.to_string().contains("attempt 1"), "{page:#}");
            seen.extend(of_page.iter().map(|event| event["EventId"].as_u64().unwrap()));
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                break;
            }
        }
        if reverse {
            seen.reverse();
        }
        assert_eq!(seen, ids);
    }
}

#[test]
fn a_wait_ends_the_invocation_and_the_next_one_goes_on_behind_it() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let answer = run(&function, &json!({ "run": "waits", "number": 1 }));
    assert_eq!(answer["number"], 2);
    assert_eq!(answer["began"], 2, "the handler runs once before the wait and once behind it");
    let node_function = server.create(node("g"));
    assert_eq!(run(&node_function, &json!({ "run": "waits", "number": 1 })), 2);
}

#[test]
fn callbacks_are_answered_from_outside_or_time_out() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let id_of = |arn: &str| {
        let started = told(&server, arn, "CallbackStarted");
        started["CallbackStartedDetails"]["CallbackId"].as_str().unwrap().to_owned()
    };

    let arn = begin(&function, &json!({ "run": "callback" }));
    let id = id_of(&arn);
    let heard = boto(&server, "send_durable_execution_callback_heartbeat", &json!({ "CallbackId": id }));
    assert_eq!(heard["status"], 200, "{heard:#}");
    let answer = json!({ "CallbackId": id, "Result": "\"approved\"" });
    assert_eq!(boto(&server, "send_durable_execution_callback_success", &answer)["status"], 200);
    assert_eq!(result(&ended(&server, &arn)), json!({ "answer": "\"approved\"" }));
    let again = boto(&server, "send_durable_execution_callback_success", &answer);
    assert_eq!((&again["error"], &again["status"]), (&json!("CallbackTimeoutException"), &json!(400)));

    let arn = begin(&function, &json!({ "run": "callback" }));
    let error = json!({ "ErrorType": "Rejected", "ErrorMessage": "no", "ErrorData": "d" });
    let refusal = json!({ "CallbackId": id_of(&arn), "Error": error });
    assert_eq!(boto(&server, "send_durable_execution_callback_failure", &refusal)["status"], 200);
    let execution = ended(&server, &arn);
    assert_eq!(execution["Status"], "FAILED", "{execution:#}");
    assert_eq!(execution["Error"]["ErrorMessage"], "no");

    for (event, message) in [
        (json!({ "run": "callback", "timeout": 1 }), "Callback timed out"),
        (json!({ "run": "callback", "heartbeat": 1 }), "Callback timed out on heartbeat"),
    ] {
        let arn = begin(&function, &event);
        let id = id_of(&arn);
        let execution = ended(&server, &arn);
        assert_eq!(execution["Status"], "FAILED", "{execution:#}");
        let timed_out = told(&server, &arn, "CallbackTimedOut");
        let error = &timed_out["CallbackTimedOutDetails"]["Error"]["Payload"];
        assert_eq!(error["ErrorMessage"], message);
        let late = boto(&server, "send_durable_execution_callback_heartbeat", &json!({ "CallbackId": id }));
        assert_eq!(late["error"], "CallbackTimeoutException");
    }
    let unknown =
        boto(&server, "send_durable_execution_callback_heartbeat", &json!({ "CallbackId": "AAAA" }));
    assert_eq!((&unknown["error"], &unknown["status"]), (&json!("ResourceNotFoundException"), &json!(404)));

    let node_function = server.create(node("g"));
    let arn = begin(&node_function, &json!({ "run": "callback" }));
    let answer = json!({ "CallbackId": id_of(&arn), "Result": "\"yes\"" });
    assert_eq!(boto(&server, "send_durable_execution_callback_success", &answer)["status"], 200);
    assert_eq!(result(&ended(&server, &arn))["answer"], "\"yes\"");
}

#[test]
fn branches_items_and_child_contexts_run_in_both_languages() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    assert_eq!(
        run(&function, &json!({ "run": "parallel" })),
        json!({ "both": [10, 20], "mapped": [5, 7, 9] })
    );
    assert_eq!(run(&function, &json!({ "run": "child" })), 2);
    let node_function = server.create(node("g"));
    assert_eq!(
        run(&node_function, &json!({ "run": "parallel" })),
        json!({ "both": [1, 2], "mapped": [5, 7] })
    );
    assert_eq!(run(&node_function, &json!({ "run": "child" })), 2);
    let mark = std::process::id().to_string();
    let steps = run(&node_function, &json!({ "run": "steps", "number": 4, "mark": mark }));
    std::fs::remove_file(format!("/tmp/durable-{mark}")).unwrap();
    assert_eq!(steps, json!({ "doubled": 8, "retried": 2 }));

    let arn = begin(&function, &json!({ "run": "child" }));
    ended(&server, &arn);
    let contexts: Vec<String> =
        kinds(&history(&server, &arn)).into_iter().filter(|kind| kind.contains("Context")).collect();
    assert_eq!(
        contexts,
        ["ContextStarted outer", "ContextStarted inner", "ContextSucceeded inner", "ContextSucceeded outer"]
    );
}

#[test]
fn a_chained_invocation_gives_the_result_or_the_error_of_the_other_function() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    server.create(node("child"));
    server.create(hearth_tests::python(
        "plain",
        "def handler(event, context):\n    if event.get('fail'): raise KeyError('x')\n    return event['n'] + 1\n",
    ));
    let chained = |target: &str, payload: Value| json!({ "run": "invokes_and_catches", "function": target, "payload": payload });
    let ok = json!({ "run": "invokes", "function": "plain", "payload": { "n": 4 } });
    assert_eq!(run(&function, &ok), json!({ "other": 5 }));
    let ok =
        json!({ "run": "invokes", "function": "child:$LATEST", "payload": { "run": "waits", "number": 6 } });
    let arn = begin(&function, &ok);
    assert_eq!(result(&ended(&server, &arn)), json!({ "other": 7 }));
    let started = told(&server, &arn, "ChainedInvokeStarted");
    let child = started["ChainedInvokeStartedDetails"]["DurableExecutionArn"].as_str().unwrap();
    assert_eq!(get(&server, child)["Status"], "SUCCEEDED");

    assert_eq!(run(&function, &chained("plain", json!({ "fail": true })))["error"], "'x'");
    let failed = run(&function, &chained("child:$LATEST", json!({ "run": "fails" })));
    assert_eq!(failed["error"], "on purpose", "{failed:#}");
    let missing = run(&function, &chained("nobody", json!({})));
    let wanted = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody";
    assert_eq!(missing["error"], wanted);
    let unqualified = run(&function, &chained("child", json!({ "run": "fails" })));
    assert_eq!(unqualified["error"], "You cannot invoke a durable function using an unqualified ARN.");

    // A child that is stopped.
    let arn = begin(&function, &chained("child:$LATEST", json!({ "run": "callback" })));
    let started = told(&server, &arn, "ChainedInvokeStarted");
    let child = started["ChainedInvokeStartedDetails"]["DurableExecutionArn"].as_str().unwrap();
    told(&server, child, "CallbackStarted");
    let stopped = server.http("POST", &path(child, "/stop"), b"{\"ErrorMessage\":\"enough\"}");
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    assert_eq!(result(&ended(&server, &arn))["error"], "enough");
    told(&server, &arn, "ChainedInvokeStopped");
}

#[test]
fn many_and_large_operations_come_in_pages() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    // Twelve megabytes: more than one event has.
    let answer = run(&function, &json!({ "run": "many", "steps": 48, "size": 250_000 }));
    assert_eq!(answer, json!({ "last": 250_000 }));
    let large = run(&function, &json!({ "run": "large" }));
    // With its quotes, more than a function may return: it was said at a checkpoint.
    assert_eq!(large.as_str().map(str::len), Some(6 * 1024 * 1024 - 40));
}
