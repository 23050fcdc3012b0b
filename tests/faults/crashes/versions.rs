//! SIGKILL while versions and aliases are made and removed: they are wholly there or wholly absent, and a number is never
//! given twice.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use hearth_tests::{Folder, Server, Settings, python, try_http};
use serde_json::{Value, json};

fn ask(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = server.http(method, path, body.as_bytes());
    (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
}

fn versions(server: &Server) -> Vec<String> {
    let (_, list) = ask(server, "GET", "/2015-03-31/functions/f/versions", &Value::Null);
    let versions = list["Versions"].as_array().unwrap().iter();
    versions.map(|version| version["Version"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn case_110_a_server_killed_while_it_publishes_aliases_or_deletes_a_version_keeps_all_or_nothing() {
    // What is asked when the server dies, and what is there afterwards: the record was durable before each of the points.
    let publish = ("POST", "/2015-03-31/functions/f/versions", json!({ "Description": "second" }));
    let alias =
        ("POST", "/2015-03-31/functions/f/aliases", json!({ "Name": "live", "FunctionVersion": "1" }));
    let delete = ("DELETE", "/2015-03-31/functions/f?Qualifier=1", Value::Null);
    for (point, (method, path, body), before, after) in [
        ("functions::published", &publish, "absent", "there"),
        ("functions::aliased", &alias, "absent", "there"),
        ("functions::version_deleted", &delete, "there", "absent"),
    ] {
        for (faults, expected) in
            [(format!("{point}=kill(1)"), after), ("store::commit=kill(1)".to_owned(), before)]
        {
            let data = Arc::new(Folder::new());
            let server = Settings::new().data_dir(&data).start();
            server.create(python("f", "def handler(event, context): return 1\n"));
            assert_eq!(ask(&server, "POST", "/2015-03-31/functions/f/versions", &json!({})).0, 201);
            if point == "functions::published" {
                let path = "/2015-03-31/functions/f/configuration";
                assert_eq!(ask(&server, "PUT", path, &json!({ "Timeout": 9 })).0, 200);
                server.function("f").wait_until("LastUpdateStatus", "Successful");
            }
            server.stop();

            let server = Settings::new().data_dir(&data).faults(&faults);
            // A start may write, too; then the first commit is its own, and nothing was asked for.
            let status = match server.try_start() {
                Err(ended) => ended.status,
                Ok(server) => {
                    let body = if body.is_null() { String::new() } else { body.to_string() };
                    let answer = try_http(server.address(), method, path, &[], body.as_bytes());
                    assert!(answer.is_err(), "{faults}: {}", answer.unwrap().text());
                    server.ended().status
                }
            };
            assert_eq!(status.signal(), Some(9), "{faults} ended it with {status}");

            let server = Settings::new().data_dir(&data).start();
            let is_there = match point {
                "functions::published" => versions(&server) == ["$LATEST", "1", "2"],
                "functions::aliased" => {
                    ask(&server, "GET", "/2015-03-31/functions/f/aliases/live", &Value::Null).0 == 200
                }
                _ => versions(&server) == ["$LATEST", "1"],
            };
            let found = if is_there { "there" } else { "absent" };
            assert_eq!(found, expected, "{faults} at {point}: {:?}", versions(&server));
            // Whatever happened: the next version has a number of its own, and the function works.
            let path = "/2015-03-31/functions/f/configuration";
            assert_eq!(ask(&server, "PUT", path, &json!({ "Timeout": 10 })).0, 200);
            server.function("f").wait_until("LastUpdateStatus", "Successful");
            let (_, next) = ask(&server, "POST", "/2015-03-31/functions/f/versions", &json!({}));
            let number = if point == "functions::published" && is_there { "3" } else { "2" };
            assert_eq!(next["Version"], number, "{faults} at {point}");
            assert_eq!(server.function("f").invoke("{}").text(), "1");
        }
    }
}
