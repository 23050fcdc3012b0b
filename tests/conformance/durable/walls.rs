//! Durable functions behind walls: they reach the checkpoints of their own executions, and no others.

use hearth_tests::{NewFunction, Package, Server, needs_root};
use serde_json::json;

use super::{begin, needs_sdks, python, run, sdks, told};

#[test]
fn a_durable_function_behind_walls_reaches_its_checkpoints_and_nobody_elses() {
    if !needs_sdks() || !needs_root() {
        return;
    }
    let server = Server::start();
    let layer = server.publish_layer("durable-sdk", &sdk_layer());
    let new = python("f").with("Layers", json!([layer])).with("Environment", json!({ "Variables": {} }));
    let function = server.create(new.timeout(60));
    let answer = run(&function, &json!({ "run": "waits", "number": 1 }));
    assert_eq!(answer["number"], 2);

    // Another function's keys are good for its own executions alone.
    let arn = begin(&function, &json!({ "run": "callback" }));
    told(&server, &arn, "CallbackStarted");
    let source = "import boto3\n\
        def handler(event, context):\n    \
            try:\n        \
                boto3.client('lambda').checkpoint_durable_execution(\n            \
                    DurableExecutionArn=event['arn'], CheckpointToken='AAAA', Updates=[])\n    \
            except Exception as error:\n        \
                return error.response['Error']['Code']\n";
    let package = Package::new().file("app.py", source);
    let other = NewFunction::new("other", "python3.11", "app.handler", package);
    let other = server.create(other.with("Layers", json!([layer])).timeout(60).whole_cpu());
    assert_eq!(other.invoke(json!({ "arn": arn }).to_string()).success(), "AccessDeniedException");
}

/// A layer with AWS's SDK for Python, and of botocore's models only those that it uses.
fn sdk_layer() -> Package {
    let root = sdks().join("python");
    let mut package = Package::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let is_another_model = name
                .strip_prefix("botocore/data/")
                .is_some_and(|model| !model.contains('.') && !model.starts_with("lambda"));
            if name.contains("__pycache__") || name.starts_with("boto3/examples") || is_another_model {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                package = package.file(&format!("python/{name}"), std::fs::read(&path).unwrap());
            }
        }
    }
    package
}
