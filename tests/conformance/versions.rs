//! Versions and aliases: published, called side by side, shared out by weight, and there again after a restart.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use expect_test::expect;
use hearth_tests::{
    Call, Folder, Function, Package, Server, Settings, eventually, python, rounds, run_python, streams,
};
use serde_json::{Value, json};

/// Returns the word that it is made with, and how the runtime was told of the version.
fn source(word: &str) -> String {
    format!(
        "import os
def handler(event, context):
    return ['{word}', os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.invoked_function_arn]
"
    )
}

fn package(word: &str) -> Package {
    Package::new().file("app.py", source(word))
}

fn send(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let answer = server.http(method, &format!("/2015-03-31/functions/{path}"), body.as_bytes());
    assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn boto3_drives_the_life_of_versions_and_aliases() {
    let server = Server::start();
    let folder = Folder::new();
    let one = folder.write("one.zip", package("one").zip());
    let two = folder.write("two.zip", package("two").zip());
    let arguments = [&one, &two].map(|path| path.to_str().unwrap());
    let seen = run_python(&server, "versions.py", &arguments).json();
    expect![[r#"
        {
          "afterwards": true,
          "alias": [
            "arn:aws:lambda:us-east-1:000000000000:function:life:live",
            "1",
            {
              "AdditionalVersionWeights": {
                "2": 0.25
              }
            }
          ],
          "alias deleted": "404 ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:life:live",
          "aliases": [
            [
              "edge"
            ],
            [
              "live"
            ]
          ],
          "another code": "400 InvalidParameterValueException: CodeSHA256 ",
          "arn of a call": [
            "arn:aws:lambda:us-east-1:000000000000:function:life:live"
          ],
          "code is that of the version": true,
          "created": [
            "1",
            "Pending"
          ],
          "deleted": "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:life:1",
          "in use": "409 ResourceConflictException: Function version 2 is still referenced by alias live",
          "published again": "1",
          "second": [
            "arn:aws:lambda:us-east-1:000000000000:function:life:2",
            "2",
            "the second",
            "Active"
          ],
          "shared out": "about a quarter",
          "shown": [
            "arn:aws:lambda:us-east-1:000000000000:function:life:live",
            "2"
          ],
          "side by side": [
            [
              [
                "one",
                "1",
                "arn:aws:lambda:us-east-1:000000000000:function:life:1"
              ],
              "1"
            ],
            [
              [
                "two",
                "2",
                "arn:aws:lambda:us-east-1:000000000000:function:life:2"
              ],
              "2"
            ],
            [
              [
                "two",
                "$LATEST",
                "arn:aws:lambda:us-east-1:000000000000:function:life"
              ],
              "$LATEST"
            ]
          ],
          "stale": "412 PreconditionFailedException: The Rev",
          "updated": [
            "2",
            false
          ],
          "versions": [
            [
              "$LATEST",
              "1"
            ],
            [
              "2"
            ]
          ]
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
}

/// Calls a version or an alias.
fn call(function: &Function<'_>, qualifier: &str) -> Value {
    let query = format!("Qualifier={qualifier}");
    let answer = function.call(&Call { query: &query, payload: b"{}", ..Call::default() });
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.success()
}

#[test]
fn each_version_has_environments_of_its_own_and_is_there_after_a_restart() {
    let server = Server::start();
    let function = server.create(python("kept", &source("one")));
    send(&server, "POST", "kept/versions", &json!({}));
    function.update_code(&package("two"));
    send(&server, "POST", "kept/versions", &json!({}));
    send(&server, "POST", "kept/aliases", &json!({ "Name": "live", "FunctionVersion": "1" }));
    let arn = |end: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:kept{end}");
    // Twice, so that warm environments are looked for, too.
    for _ in 0..2 {
        assert_eq!(call(&function, "1"), json!(["one", "1", arn(":1")]));
        assert_eq!(call(&function, "2"), json!(["two", "2", arn(":2")]));
        assert_eq!(call(&function, "live"), json!(["one", "1", arn(":live")]));
        assert_eq!(function.invoke("{}").success(), json!(["two", "$LATEST", arn("")]));
    }
    // An update of `$LATEST` ends no environment of a version: three warm ones, and a new one.
    function.update_code(&package("three"));
    for qualifier in ["1", "2", "$LATEST"] {
        call(&function, qualifier);
    }
    let logs = function.logs_with_reports(11);
    let mut of: Vec<&str> = streams(&logs)
        .iter()
        .map(|stream| &stream[stream.find('[').unwrap()..=stream.find(']').unwrap()])
        .collect();
    of.sort_unstable();
    assert_eq!(of, ["[$LATEST]", "[$LATEST]", "[1]", "[2]"]);

    let folder = server.data_dir().clone();
    server.kill();
    let server = Settings::new().data_dir(&folder).start();
    let function = server.function("kept");
    assert_eq!(call(&function, "live"), json!(["one", "1", arn(":live")]));
    assert_eq!(call(&function, "2"), json!(["two", "2", arn(":2")]));
    assert_eq!(call(&function, "$LATEST"), json!(["three", "$LATEST", arn(":$LATEST")]));
    // Its environment ends; the others stay.
    let deleted = server.http("DELETE", "/2015-03-31/functions/kept?Qualifier=2", b"");
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    eventually("the environment of version 2 is ended", || {
        (function.environments().len() == 2).then_some(())
    });
    let gone = function.call(&Call { query: "Qualifier=2", payload: b"{}", ..Call::default() });
    assert_eq!(gone.exception().0, "ResourceNotFoundException");
}

#[test]
fn case_131_an_alias_flipped_under_load_answers_from_one_of_its_two_versions_and_never_an_error() {
    let flips = rounds(10, 1_000);
    let server = Server::start();
    let function = server.create(python("flipped", &source("one")).timeout(30));
    send(&server, "POST", "flipped/versions", &json!({}));
    function.update_code(&package("two"));
    send(&server, "POST", "flipped/versions", &json!({}));
    send(&server, "POST", "flipped/aliases", &json!({ "Name": "live", "FunctionVersion": "1" }));
    let (calls, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        let answer = call(&function, "live");
                        let is_of_one = (&answer[0], &answer[1]) == (&json!("one"), &json!("1"));
                        let is_of_two = (&answer[0], &answer[1]) == (&json!("two"), &json!("2"));
                        assert!(is_of_one || is_of_two, "{answer}");
                        calls.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        // Whatever happens here, the callers must end.
        let flipping = thread::Builder::new().spawn_scoped(scope, || {
            for flip in 0..flips {
                let version = if flip % 2 == 0 { "2" } else { "1" };
                send(&server, "PUT", "flipped/aliases/live", &json!({ "FunctionVersion": version }));
                // From the answer on, it is in force.
                assert_eq!(call(&function, "live")[1], version);
                let enough = calls.load(Ordering::SeqCst) + 4;
                eventually("the callers go on", || (calls.load(Ordering::SeqCst) >= enough).then_some(()));
            }
        });
        let flipped = flipping.unwrap().join();
        done.store(true, Ordering::SeqCst);
        flipped.unwrap();
        for caller in callers {
            caller.join().unwrap();
        }
    });
}
