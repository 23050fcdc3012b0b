//! Extensions that break the rules: never there in time, wrong in what they ask, gone when they are needed, or still there
//! when all should end. Only their own environment notices.

mod init;
mod invoke;
mod requests;
mod shutdown;

use std::path::PathBuf;

use hearth_tests::{
    NewFunction, Server, eventually, is_init_of_an_environment, processes_of, python, scripted,
};
use serde_json::{Value, json};

/// Says in which environment it is called, and in which process there.
const PLAIN: &str = "
import os
def handler(event, context): return [os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], os.getpid()]
";

/// A function with one extension, `bad`, that takes these steps.
fn with_extension(server: &Server, name: &str, steps: &Value) -> NewFunction {
    let layer = server.publish_extensions(&[("bad", scripted(steps))]);
    python(name, PLAIN).with("Layers", json!([layer]))
}

/// A plain function next to the one with the extension.
fn assert_others_work(server: &Server) {
    let neighbour = server.create(python("neighbour", "def handler(event, context): return event\n"));
    assert_eq!(neighbour.invoke("1").success(), 1);
}

fn register(headers: Value, body: &str) -> Value {
    json!({ "ask": "POST {extension}/register", "headers": headers, "body": body })
}

fn ask(what: &str, headers: Value) -> Value {
    json!({ "ask": what, "headers": headers })
}

fn reported(path: &str, error_type: &str) -> Value {
    json!({
        "ask": path,
        "headers": {
            "Lambda-Extension-Identifier": "{id}",
            "Lambda-Extension-Function-Error-Type": error_type,
        },
        "body": r#"{"errorMessage":"mine","errorType":"Mine","stackTrace":[]}"#,
    })
}

/// Waits until no process of the function is left.
fn wait_until_nothing_runs(server: &Server) {
    eventually("nothing runs", || {
        processes_of(&trees(server)).into_iter().all(is_init_of_an_environment).then_some(())
    });
}

/// Where the server has the unpacked packages: every process of a function knows a path there.
fn trees(server: &Server) -> PathBuf {
    server.data_dir().path().join("trees")
}

/// A function that waits as long as its event says, so that its extension ends while it runs.
const WAITING: &str = "
import os, time
def handler(event, context):
    if event.get('wait'): time.sleep(30)
    return [os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], os.getpid()]
";
