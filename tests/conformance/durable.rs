//! Durable functions: AWS's SDKs for Python and JavaScript, unmodified, inside the function; boto3 outside. One module a part.

mod executions;
mod failures;
mod invoke;
mod operations;
mod walls;

use std::path::PathBuf;

use hearth_tests::{
    Call, Function, NewFunction, Package, Server, Settings, encode, eventually, repository, run_python, skip,
};
use serde_json::{Value, json};

fn sdks() -> PathBuf {
    repository().join(".cache/durable")
}

/// Says whether the SDKs are here. If not, the test is noted as skipped.
fn needs_sdks() -> bool {
    let are_there =
        ["python", "node"].iter().all(|folder| sdks().join(folder).join("installed.txt").exists());
    if !are_there {
        skip("AWS's SDKs for durable functions are not in .cache/; `cargo xtask test` installs them");
    }
    are_there
}

fn start() -> Server {
    Settings::new().without_walls().start()
}

fn durable(new: NewFunction, variable: &str, folder: &str) -> NewFunction {
    let folder = sdks().join(folder).display().to_string();
    new.with("DurableConfig", json!({ "ExecutionTimeout": 600, "RetentionPeriodInDays": 2 }))
        .with("Environment", json!({ "Variables": { variable: folder } }))
        .timeout(30)
        .whole_cpu()
}

fn python(name: &str) -> NewFunction {
    let package = Package::new().file("app.py", include_str!("durable/app.py"));
    durable(NewFunction::new(name, "python3.11", "app.handler", package), "PYTHONPATH", "python")
}

fn node(name: &str) -> NewFunction {
    let package = Package::new().file("index.js", include_str!("durable/index.js"));
    durable(NewFunction::new(name, "nodejs20.x", "index.handler", package), "NODE_PATH", "node/node_modules")
}

/// Sends a request with boto3, and returns its answer.
fn boto(server: &Server, operation: &str, request: &Value) -> Value {
    run_python(server, "durable.py", &[operation, &request.to_string()]).json()
}

/// Runs an execution to its end, and returns what Invoke answered.
fn run(function: &Function<'_>, event: &Value) -> Value {
    let payload = event.to_string();
    let answer =
        function.call(&Call { query: "Qualifier=%24LATEST", payload: payload.as_bytes(), ..Call::default() });
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.success()
}

/// Starts an execution and returns its ARN.
fn begin(function: &Function<'_>, event: &Value) -> String {
    let payload = event.to_string();
    let headers = &[("X-Amz-Invocation-Type", "Event")];
    let query = "Qualifier=%24LATEST";
    let answer = function.call(&Call { query, headers, payload: payload.as_bytes(), ..Call::default() });
    assert_eq!(answer.status(), 202, "{}", answer.text());
    answer.0.header("X-Amz-Durable-Execution-Arn").unwrap().to_owned()
}

fn path(arn: &str, rest: &str) -> String {
    format!("/2025-12-01/durable-executions/{}{rest}", encode(arn))
}

fn get(server: &Server, arn: &str) -> Value {
    let answer = server.http("GET", &path(arn, ""), b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until an execution has ended, and returns it.
fn ended(server: &Server, arn: &str) -> Value {
    eventually("the execution ends", || {
        let execution = get(server, arn);
        let status = execution["Status"].as_str().unwrap();
        (!["RUNNING", "PAUSING", "PAUSED"].contains(&status)).then_some(execution)
    })
}

/// Returns the result of an execution that succeeded.
fn result(execution: &Value) -> Value {
    assert_eq!(execution["Status"], "SUCCEEDED", "{execution:#}");
    serde_json::from_str(execution["Result"].as_str().unwrap()).unwrap()
}

fn history(server: &Server, arn: &str) -> Vec<Value> {
    let answer = server.http("GET", &path(arn, "/history?IncludeExecutionData=true&MaxItems=1000"), b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["Events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let kind = event["EventType"].as_str().unwrap();
            match event["Name"].as_str() {
                Some(name) if !kind.starts_with("Execution") => format!("{kind} {name}"),
                _ => kind.to_owned(),
            }
        })
        .collect()
}

/// Waits until the history has an event, and returns it.
fn told(server: &Server, arn: &str, kind: &str) -> Value {
    eventually(&format!("{kind} of {arn}"), || {
        history(server, arn).into_iter().find(|event| event["EventType"] == kind)
    })
}
