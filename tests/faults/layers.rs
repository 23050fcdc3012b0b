//! Layers that a function cannot have, too large ones, and a server that dies while it works on them.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{Folder, NewFunction, Package, Response, Server, Settings, eventually, python, try_http};
use serde_json::{Value, json};

const FUNCTIONS: &str = "/2015-03-31/functions";
const HANDLER: &str = "def handler(event, context): return 1\n";

fn update(server: &Server, layers: &[&str]) -> Response {
    let body = json!({ "Layers": layers }).to_string();
    server.http("PUT", &format!("{FUNCTIONS}/f/configuration"), body.as_bytes())
}

fn refusal(response: &Response) -> String {
    let (kind, body) = (response.header("x-amzn-ErrorType").unwrap_or_default(), response.json());
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
    format!("{} {kind}: {message}", response.status)
}

#[test]
fn case_031_layers_that_a_function_cannot_have_are_refused_and_nothing_changes() {
    let server = Server::start();
    let names = ["a", "b", "c", "d", "e", "g"];
    let six = names.map(|name| server.publish_layer(name, &Package::new().file(name, name)));
    let again = server.publish_layer("a", &Package::new().file("a", "again"));
    let function = server.create(python("f", HANDLER).with("Layers", json!([six[0]])));
    let before = function.configuration();
    let missing = "arn:aws:lambda:us-east-1:000000000000:layer:nobody:1";
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:a:1";
    let invalid = |message: &str| format!("400 InvalidParameterValueException: {message}");
    let all: Vec<&str> = six.iter().map(String::as_str).collect();
    for (layers, expected) in [
        (all.clone(), invalid("Cannot reference more than 5 layers.")),
        (
            vec![&*six[0], &*again],
            invalid(&format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {} and \
                 {again} are versions of the same layer.",
                six[0]
            )),
        ),
        (vec![missing], invalid(&format!("Layer version {missing} does not exist."))),
        (vec![&*six[1], missing], invalid(&format!("Layer version {missing} does not exist."))),
        (
            vec![elsewhere],
            invalid(
                "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
            ),
        ),
    ] {
        assert_eq!(refusal(&update(&server, &layers)), expected);
        let new = python("other", HANDLER).with("Layers", json!(layers));
        let created = server.http("POST", FUNCTIONS, new.body().to_string().as_bytes());
        assert_eq!(refusal(&created), expected);
    }
    assert_eq!(function.configuration(), before);
    assert_eq!(server.http("GET", &format!("{FUNCTIONS}/other"), b"").status, 404);
    assert_eq!(function.invoke("{}").success(), 1);
    // Five are allowed.
    assert_eq!(update(&server, &all[..5]).status, 200);
    function.wait_until("LastUpdateStatus", "Successful");
    assert_eq!(function.invoke("{}").success(), 1);
}

#[test]
fn case_021_code_and_layers_are_limited_together() {
    let server = Server::start();
    let zeros = |bytes: usize| Package::new().file("zeros", vec![0; bytes]);
    let first = server.publish_layer("first", &zeros(200_000_000));
    let byte = server.publish_layer("byte", &zeros(1));
    let code =
        |bytes: usize| Package::new().file("app.py", HANDLER).file("zeros", vec![0; bytes - HANDLER.len()]);
    // Together exactly the limit.
    let new = NewFunction::new("f", "python3.11", "app.handler", code(62_144_000));
    let function = server.create(new.with("Layers", json!([first])));
    let before = function.configuration();
    let too_large = "400 InvalidParameterValueException: Unzipped size must be smaller than 262144000 bytes";
    assert_eq!(refusal(&update(&server, &[&first, &byte])), too_large);
    let mut body = NewFunction::new("g", "python3.11", "app.handler", code(62_144_001))
        .with("Layers", json!([first]))
        .body();
    assert_eq!(refusal(&server.http("POST", FUNCTIONS, body.to_string().as_bytes())), too_large);
    let update_code = json!({ "ZipFile": body["Code"]["ZipFile"].take() }).to_string();
    let path = format!("{FUNCTIONS}/f/code");
    assert_eq!(refusal(&server.http("PUT", &path, update_code.as_bytes())), too_large);
    // The order in which they are named does not matter, and neither does where the layers already are.
    assert_eq!(refusal(&update(&server, &[&byte, &first])), too_large);
    assert_eq!(function.configuration(), before, "nothing changed");
    assert_eq!(function.invoke("{}").success(), 1);
    // Two layers, one package: what was refused is not kept.
    eventually("only what is used is kept", || {
        let kept = fs::read_dir(server.data_dir().path().join("objects")).unwrap().count();
        (kept == 3).then_some(())
    });
}

#[test]
fn case_110_a_server_killed_at_any_point_of_a_change_of_layers_keeps_what_it_has_answered() {
    // Several at once: the machine has two processors, and most of this is waiting.
    thread::scope(|scope| {
        for points in [
            ["layers::deployed", "layers::published"],
            ["layers::removed", "layers::policy_changed"],
            ["code::merge_entry", "functions::deployed"],
        ] {
            scope.spawn(move || points.map(kill_at));
        }
    });
}

/// What was answered before the server is killed at `point` is there, what was not is wholly there or wholly absent.
fn kill_at(point: &str) {
    let data_dir = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data_dir).start();
    let kept = server.publish_layer("l", &Package::new().file("python/kept.py", "K = 1\n"));
    let other = server.publish_layer("other", &Package::new().file("python/other.py", "K = 1\n"));
    let used = server.publish_layer("l", &Package::new().file("python/used.py", "K = 1\n"));
    let source = "import used, other\ndef handler(event, context): return used.K\n";
    server.create(python("user", source).with("Layers", json!([used, other])));
    server.stop();

    let settings = Settings::new().data_dir(&data_dir).faults(&format!("{point}=kill(1)"));
    let server = settings.start();
    let statement = json!({ "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*" });
    let zip = Package::new().file("python/new.py", "K = 1\n").zip();
    let publish = json!({ "Content": { "ZipFile": BASE64.encode(zip) } });
    let source = "import kept, other\ndef handler(event, context): return kept.K\n";
    let new = python("new", source).with("Layers", json!([other, kept]));
    let policy = "/2018-10-31/layers/other/versions/1/policy";
    // The first of these that passes the point is the last one.
    let mut answered = Vec::new();
    for (what, method, path, body) in [
        ("delete", "DELETE", "/2018-10-31/layers/l/versions/2", Value::Null),
        ("policy", "POST", policy, statement),
        ("publish", "POST", "/2018-10-31/layers/l/versions", publish),
        ("create", "POST", FUNCTIONS, new.body()),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        match try_http(server.address(), method, path, &[], body.as_bytes()) {
            Ok(response) => {
                assert!(response.status < 300, "{point}, {what}: {}", response.text());
                answered.push(what);
            }
            Err(_) => break,
        }
    }
    let ended = server.ended();
    assert_eq!(ended.status.signal(), Some(9), "{point} after {answered:?}: {}", ended.stderr);

    let server = Settings::new().data_dir(&data_dir).start();
    let versions = server.layer_versions("l");
    let is_there = |what: &str| answered.contains(&what);
    assert!(versions.contains(&1), "{point}: {versions:?}");
    assert!(!is_there("delete") || !versions.contains(&2), "{point}: {versions:?}");
    assert!(!is_there("publish") || versions.contains(&3), "{point}: {versions:?}");
    assert!(!is_there("policy") || server.http("GET", policy, b"").status == 200, "{point}");
    let user = server.function("user");
    assert_eq!(user.invoke("{}").success(), 1, "{point}: the function has its deleted layer");
    if server.http("GET", &format!("{FUNCTIONS}/new"), b"").status == 200 {
        server.function("new").wait_until("State", "Active");
        assert_eq!(server.function("new").invoke("{}").success(), 1, "{point}");
    } else {
        assert!(!is_there("create"), "{point}");
    }
    let next = server.publish_layer("l", &Package::new().file("x", "x"));
    let number: u64 = next.rsplit_once(':').unwrap().1.parse().unwrap();
    assert!(number > 2 && !versions.contains(&number), "{point}: {number} was given before");
    assert_eq!(update_named(&server, "user", &[&kept]), 200, "{point}");
    server.stop();
}

fn update_named(server: &Server, name: &str, layers: &[&str]) -> u16 {
    let body = json!({ "Layers": layers }).to_string();
    server.http("PUT", &format!("{FUNCTIONS}/{name}/configuration"), body.as_bytes()).status
}

#[test]
fn hostile_layers_are_refused_as_packages_are() {
    let server = Server::start();
    let cannot_unzip = "400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then \
                        try to upload again.";
    let outside = Package::new().file("../outside", "x").zip();
    for (what, zip) in [("no zip", b"no zip".to_vec()), ("outside", outside)] {
        assert_eq!(refusal(&server.try_publish_layer("l", &zip)), cannot_unzip, "{what}");
    }
    let huge = vec![b'x'; 52_428_801];
    assert_eq!(
        refusal(&server.try_publish_layer("l", &huge)),
        "413 RequestEntityTooLargeException: Zipped size must be smaller than 52428800 bytes"
    );
    assert_eq!(server.layer_versions("l"), [0; 0]);
    assert_eq!(fs::read_dir(server.data_dir().path().join("objects")).unwrap().count(), 0);
    assert!(server.publish_layer("l", &Package::new().file("x", "x")).ends_with(":l:1"));
}
