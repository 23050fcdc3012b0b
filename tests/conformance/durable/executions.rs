//! Executions from outside: stopped, paused, resumed, listed, deleted, also with their function.

use serde_json::{Value, json};

use super::{begin, boto, ended, get, needs_sdks, python, result, start, told};

#[test]
fn an_execution_is_stopped_paused_resumed_listed_and_deleted() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let arn = begin(&function, &json!({ "run": "callback" }));
    let of = |arn: &str| json!({ "DurableExecutionArn": arn });
    told(&server, &arn, "CallbackStarted");
    let running = boto(&server, "delete_durable_execution", &of(&arn));
    assert_eq!((&running["error"], &running["status"]), (&json!("ResourceConflictException"), &json!(409)));
    let stop =
        json!({ "DurableExecutionArn": arn, "Error": { "ErrorType": "Enough", "ErrorMessage": "stop" } });
    let stopped = boto(&server, "stop_durable_execution", &stop);
    assert_eq!(stopped["status"], 200, "{stopped:#}");
    let execution = get(&server, &arn);
    assert_eq!(
        (&execution["Status"], &execution["Error"]["ErrorMessage"]),
        (&json!("STOPPED"), &json!("stop"))
    );
    let again = boto(&server, "stop_durable_execution", &of(&arn));
    assert_eq!(again["StopTimestamp"], stopped["StopTimestamp"], "stopping again changes nothing");
    let paused = boto(&server, "pause_durable_execution", &of(&arn));
    assert_eq!(paused["error"], "ResourceConflictException");

    // While it rests, its wait ends, and nobody is invoked.
    let resting = begin(&function, &json!({ "run": "waits", "number": 3, "seconds": 4 }));
    told(&server, &resting, "WaitStarted");
    let pause = json!({ "DurableExecutionArn": resting, "Reason": "lunch", "ExecutionTimeoutPaused": true });
    assert_eq!(boto(&server, "pause_durable_execution", &pause)["status"], 202);
    told(&server, &resting, "ExecutionPaused");
    told(&server, &resting, "WaitSucceeded");
    let execution = get(&server, &resting);
    assert_eq!(execution["Status"], "PAUSED", "{execution:#}");
    assert_eq!(execution["PauseDetails"]["Reason"], "lunch");
    assert_eq!(boto(&server, "resume_durable_execution", &of(&resting))["status"], 202);
    assert_eq!(result(&ended(&server, &resting))["number"], 4);
    told(&server, &resting, "ExecutionResumed");

    let list = |request: Value| {
        let listed = boto(&server, "list_durable_executions_by_function", &request);
        assert_eq!(listed["status"], 200, "{listed:#}");
        listed
    };
    let arns = |listed: &Value| -> Vec<String> {
        let all = listed["DurableExecutions"].as_array().unwrap();
        all.iter().map(|one| one["DurableExecutionArn"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(arns(&list(json!({ "FunctionName": "f" }))), [arn.clone(), resting.clone()]);
    let newest = list(json!({ "FunctionName": "f", "ReverseOrder": true, "MaxItems": 1 }));
    assert_eq!(arns(&newest), std::slice::from_ref(&resting));
    let next =
        json!({ "FunctionName": "f", "ReverseOrder": true, "MaxItems": 1, "Marker": newest["NextMarker"] });
    assert_eq!(arns(&list(next)), std::slice::from_ref(&arn));
    let stopped = list(json!({ "FunctionName": "f", "Qualifier": "$LATEST", "Statuses": ["STOPPED"] }));
    assert_eq!(arns(&stopped), std::slice::from_ref(&arn));
    let future = list(json!({ "FunctionName": "f", "StartedAfter": "2099-01-01T00:00:00Z" }));
    assert_eq!(arns(&future), Vec::<String>::new());

    let deleted = boto(&server, "delete_durable_execution", &of(&arn));
    assert_eq!(deleted["status"], 202, "{deleted:#}");
    let gone = boto(&server, "get_durable_execution", &of(&arn));
    assert_eq!((&gone["error"], &gone["status"]), (&json!("ResourceNotFoundException"), &json!(404)));
}

#[test]
fn executions_of_a_deleted_function_end_and_its_names_are_free() {
    if !needs_sdks() {
        return;
    }
    let server = start();
    let function = server.create(python("f"));
    let arn = begin(&function, &json!({ "run": "callback" }));
    told(&server, &arn, "CallbackStarted");
    function.delete();
    let execution = ended(&server, &arn);
    assert_eq!(execution["Status"], "FAILED");
    assert_eq!(execution["Error"]["ErrorType"], "ResourceNotFoundException");
    server.create(python("f"));
    let listed = boto(&server, "list_durable_executions_by_function", &json!({ "FunctionName": "f" }));
    assert_eq!(listed["DurableExecutions"], json!([]));
}
