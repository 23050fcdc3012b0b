//! Extensions that break the rules: never there in time, wrong in what they ask, gone when they are needed, or still there
//! when all should end. Only their own environment notices.

use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{
    NewFunction, Package, Server, eventually, is_alive, lines_of, number_after, python, reports, rounds,
    running, said, scripted,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const PLAIN: &str = "import os\ndef handler(event, context): return os.getpid()\n";

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

/// Has the extension take `steps` before it registers as it should, and returns what it said of them.
fn answers(steps: &Value) -> String {
    let server = Server::start();
    let mut all = steps.as_array().unwrap().clone();
    all.extend([json!({ "register": [] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "asking", &json!(all)));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let lines = said(&events, "bad");
    assert!(lines.last().unwrap().starts_with("registered as bad"), "{lines:?}");
    lines[..lines.len() - 1].iter().map(|line| format!("{line}\n")).collect()
}

fn register(headers: Value, body: &str) -> Value {
    json!({ "ask": "POST {extension}/register", "headers": headers, "body": body })
}

fn ask(what: &str, headers: Value) -> Value {
    json!({ "ask": what, "headers": headers })
}

#[test]
fn case_056_an_extension_that_never_registers_or_never_asks_for_events_is_cut_with_the_init_and_all_its_children()
 {
    let server = Server::start();
    let check = |name: &str, steps: Value, child: &str| {
        let function = server.create(with_extension(&server, name, &steps).timeout(1));
        let started = Instant::now();
        assert_eq!(
            function.invoke("{}").function_error(),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}"#
        );
        let elapsed = started.elapsed().as_secs_f64();
        assert!(
            (11.0..16.0).contains(&elapsed),
            "10 s of Init, 1 s of the call, and resets, not {elapsed} s"
        );
        eventually("nothing of it is left", || (running(child) == 0).then_some(()));
        let events = function.logs_with_reports(1);
        let cut = lines_of(&events, "INIT_REPORT");
        assert!(cut[0].ends_with("\tPhase: init\tStatus: timeout\n"), "{cut:?}");
        assert!((9_900.0..10_600.0).contains(&number_after(cut[0], "Init Duration: ")), "{cut:?}");
        assert!(reports(&events)[0].ends_with("\tStatus: timeout\n"), "{events:#?}");
        events
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let steps = json!([{ "ignore": "SIGTERM" }, { "child": "31536056.1" }, { "hang": true }]);
            let events = check("silent", steps, "31536056.1");
            // The runtime waits for the registration, and never starts.
            assert!(lines_of(&events, "EXTENSION\tName: bad\tState: Started\t").len() == 2, "{events:#?}");
        });
        let steps = json!([{ "register": ["INVOKE"] }, { "child": "31536056.2" }, { "hang": true }]);
        let events = check("unready", steps, "31536056.2");
        assert!(lines_of(&events, "EXTENSION\tName: bad\tState: Registered\t").len() == 2, "{events:#?}");
    });
    assert_others_work(&server);
}

#[test]
fn case_057_a_registration_that_is_wrong_is_refused_in_awss_words_and_the_next_one_is_not() {
    let named = json!({ "Lambda-Extension-Name": "bad" });
    let inner = json!({ "Lambda-Extension-Name": "inner" });
    let no_events = r#"{"events":[]}"#;
    let seen = answers(&json!([
        register(json!({}), no_events),
        register(json!({ "Lambda-Extension-Name": "" }), no_events),
        register(named.clone(), r#"{"events":["INVOKE","RESTORE"]}"#),
        register(named.clone(), r#"{"events":["invoke"]}"#),
        register(inner, r#"{"events":["SHUTDOWN"]}"#),
        register(named.clone(), r#"{"events":[],"configurationKeys":["a"]}"#),
        ask("GET {extension}/register", named.clone()),
        ask("POST {extension}/event/next", named),
        ask("GET {extension}/nothing", json!({})),
    ]));
    expect![[r#"
        403 application/json: {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}
        403 application/json: {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}
        403 application/json: {"errorMessage":"RESTORE: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"invoke: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"configurationKeys are deprecated; use environment variables instead","errorType":"InvalidRequestFormat"}
        405 no type:
        405 no type:
        404 text/plain; charset=utf-8: 404 page not found
    "#]]
    .assert_eq(&seen);

    let not_json = ["", "nonsense", "[]", r#"{"events":"INVOKE"}"#, r#"{"events":[1]}"#, "\u{0}\u{1}"];
    let named = json!({ "Lambda-Extension-Name": "bad" });
    let steps: Vec<Value> = not_json.iter().map(|body| register(named.clone(), body)).collect();
    let seen = answers(&json!(steps));
    for (line, body) in seen.lines().zip(not_json) {
        let (start, text) = line.split_once(": ").unwrap();
        let error: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (start, &error["errorType"]),
            ("403 application/json", &json!("InvalidRequestFormat")),
            "{body}"
        );
        assert!(error["errorMessage"].is_string(), "{line}");
    }
    assert_eq!(seen.lines().count(), not_json.len(), "{seen}");
}

#[test]
fn case_057_a_second_registration_and_one_after_init_are_refused() {
    let server = Server::start();
    // The runtime starts when the program has registered, and may end the registration at any time from then on.
    let again = register(json!({ "Lambda-Extension-Name": "bad" }), r#"{"events":[]}"#);
    let another = register(json!({ "Lambda-Extension-Name": "another" }), r#"{"events":[]}"#);
    // The first event comes when Init is over.
    let steps = json!([
        { "park": [], "as": "inner" }, { "register": [], "as": "inner" }, { "register": ["INVOKE"] }, again,
        { "next": 1 }, again, another, { "next": 1 }, { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "again", &steps));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let refused: Vec<&str> = said(&events, "bad").into_iter().filter(|line| line.contains("403")).collect();
    // The words of AWS's emulator: for an internal extension, and for an external one, whose name is known before.
    assert_eq!(
        refused,
        [
            r#"register 403 {"errorMessage":"Extension with this name already registered","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Registered to Registered failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Running to Registered failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}"#,
        ]
    );
    assert_eq!(lines_of(&events, "EXTENSION").len(), 2, "{events:#?}");
}

#[test]
fn case_058_an_identifier_that_is_missing_or_unknown_is_refused_everywhere() {
    let unknown = "8476a536-e9f4-41e8-9739-2dfe598c3fcd";
    let with = |identifier: &str| {
        json!({
            "Lambda-Extension-Identifier": identifier,
            "Lambda-Extension-Function-Error-Type": "Extension.Mine",
        })
    };
    let mut steps = Vec::new();
    for path in ["GET {extension}/event/next", "POST {extension}/init/error", "POST {extension}/exit/error"] {
        steps.extend([
            ask(path, json!({})),
            ask(path, with("")),
            ask(path, with("not-a-uuid")),
            ask(path, with(unknown)),
        ]);
    }
    expect![[r#"
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown extension 8476a536-e9f4-41e8-9739-2dfe598c3fcd","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
    "#]]
    .assert_eq(&answers(&json!(steps)));
}

#[test]
fn case_059_ten_extensions_are_allowed_and_the_eleventh_is_refused() {
    let server = Server::start();
    // Nine beside the program; registration stays open until that has registered as well.
    let mut steps: Vec<Value> =
        (1..=11).map(|number| json!({ "park": ["INVOKE"], "as": format!("inner-{number}") })).collect();
    steps.extend([json!({ "register": ["INVOKE"] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "many", &json!(steps)));
    function.invoke("{}").success();
    function.wait_until_all_are_ready();
    function.invoke("{}").success();
    let events = function.logs_with_reports(2);
    let refused: Vec<&str> =
        said(&events, "bad").into_iter().filter(|line| line.starts_with("register ")).collect();
    assert_eq!(
        refused,
        [r#"register 403 {"errorMessage":"Extension limit (10) reached","errorType":"Extension.TooManyExtensions"}"#;
            2]
    );
    assert_eq!(lines_of(&events, "EXTENSION").len(), 10, "{events:#?}");
}

#[test]
fn case_059_eleven_programs_fail_the_init() {
    let server = Server::start();
    let steps = json!([{ "register": [] }, { "events": true }]);
    let names: Vec<String> = (10..=20).map(|number| format!("extension-{number}")).collect();
    let programs: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), scripted(&steps))).collect();
    let all = server.publish_extensions(&programs);
    let function = server.create(python("crowded", PLAIN).with("Layers", json!([all])));
    let error: Value = serde_json::from_str(&function.invoke("{}").function_error()).unwrap();
    assert_eq!(error["errorType"], "Extension.LaunchError", "{error}");
    let events = function.logs_with_reports(1);
    let refused = lines_of(&events, "EXTENSION\tName: extension-20\tState: LaunchError\t");
    assert_eq!(
        refused,
        ["EXTENSION\tName: extension-20\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions\n"; 2]
    );
    // Ten of them are fine.
    let ten = server.publish_extensions(&programs[..10]);
    function.update_configuration(&json!({ "Layers": [ten] }));
    function.invoke("{}").success();
}

#[test]
fn case_060_an_extension_that_ignores_the_end_is_killed_after_two_seconds_with_its_children() {
    let server = Server::start();
    let steps = json!([
        { "ignore": "SIGTERM" }, { "child": "31536060" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true },
    ]);
    let source = "
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def handler(event, context): return os.getpid()
";
    let layer = server.publish_extensions(&[("bad", scripted(&steps))]);
    let function = server.create(python("ignoring", source).with("Layers", json!([layer])));
    let runtime = function.invoke("{}").success().as_u64().unwrap();
    let events = function.logs_with_reports(1);
    let extension = number_after(said(&events, "bad")[0], "pid ") as u64;
    function.wait_until_all_are_ready();

    let started = Instant::now();
    function.delete();
    let answered = started.elapsed();
    assert!(answered < Duration::from_secs(3), "deleting took {answered:?}");
    let gone = eventually("the extension is gone", || (!is_alive(extension)).then(|| started.elapsed()));
    assert!((Duration::from_millis(1_950)..Duration::from_millis(2_400)).contains(&gone), "{gone:?}");
    assert!(!is_alive(runtime));
    eventually("its child is gone", || (running("31536060") == 0).then_some(()));
    assert_others_work(&server);
}

/// What the caller gets when the extension takes these steps, how its Init or call is reported, and its EXTENSION lines.
fn ends_with(steps: &Value) -> String {
    let server = Server::start();
    let function = server.create(with_extension(&server, "ending", steps).timeout(5));
    let error = function.invoke("{}").function_error();
    let events = function.logs_with_reports(1);
    let report = reports(&events)[0].trim_end();
    let (_, status) = report.split_once("\tStatus: ").unwrap_or((report, "none"));
    let inits = lines_of(&events, "INIT_REPORT").len();
    let extension: String = lines_of(&events, "EXTENSION").concat().replace('\t', " ");
    assert!(running_nothing_of(&server), "processes are left");
    format!("{error}\n{}, {inits} failed Inits\n{extension}", status.replace('\t', ", "))
}

/// Waits until no process of the function is left.
fn running_nothing_of(server: &Server) -> bool {
    let trees = server.data_dir().path().join("trees");
    eventually("nothing runs", || hearth_tests::processes_of(&trees).is_empty().then_some(true))
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

#[test]
fn an_extension_that_ends_in_init_fails_it_whatever_its_exit_code() {
    let mut seen = String::new();
    for steps in [
        json!([{ "exit": 0 }]),
        json!([{ "register": ["INVOKE"] }, { "exit": 1 }]),
        json!([{ "register": ["INVOKE"] }, { "signal": "SIGKILL" }, { "hang": true }]),
        json!([{ "register": [] }, { "signal": "SIGSEGV" }, { "hang": true }]),
    ] {
        seen += &ends_with(&steps);
    }
    expect![[r#"
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit code 0"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit status 1"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: killed"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: segmentation fault"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_reports_that_its_init_failed_fails_it() {
    let report = |error_type| {
        json!([
            { "register": ["INVOKE"] }, reported("POST {extension}/init/error", error_type), { "hang": true },
        ])
    };
    let mut seen = String::new();
    for error_type in ["Extension.NoSuchKey", "not a type"] {
        seen += &ends_with(&report(error_type));
    }
    expect![[r#"
        {"errorType":"Extension.NoSuchKey","errorMessage":"RequestId: <id> Error: mine"}
        error, Error Type: Extension.NoSuchKey, 2 failed Inits
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.NoSuchKey
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.NoSuchKey
        {"errorType":"Extension.InitError","errorMessage":"RequestId: <id> Error: mine"}
        error, Error Type: Extension.InitError, 2 failed Inits
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.InitError
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.InitError
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_cannot_be_started_is_a_launch_error() {
    let server = Server::start();
    let mut seen = String::new();
    let programs = [
        ("not-executable", Package::new().file("extensions/bad", "#!/bin/sh\n")),
        ("no-interpreter", Package::new().program("extensions/bad", "#!/no/such/interpreter\n")),
        ("garbage", Package::new().program("extensions/bad", [0_u8, 1, 2, 3])),
        ("empty", Package::new().program("extensions/bad", "")),
    ];
    for (name, package) in programs {
        let layer = server.publish_layer(name, &package);
        let function = server.create(python(name, PLAIN).with("Layers", json!([layer])));
        let error: Value = serde_json::from_str(&function.invoke("{}").function_error()).unwrap();
        let events = function.logs_with_reports(1);
        let lines = lines_of(&events, "EXTENSION");
        assert_eq!(lines.len(), 2, "{lines:?}");
        seen += &format!("{name}: {}\n  {}", error["errorType"], lines[0].replace('\t', " "));
    }
    expect![[r#"
        not-executable: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: PermissionDenied
        no-interpreter: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
        garbage: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
        empty: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
    "#]]
    .assert_eq(&seen);
    assert_others_work(&server);
}

/// A function that waits as long as its event says, so that its extension ends while it runs.
const WAITING: &str = "
import os, time
def handler(event, context):
    if event.get('wait'): time.sleep(30)
    return os.getpid()
";

/// What the caller gets when the extension takes `step` while the call runs, and how that is reported.
fn ends_in_a_call(steps: &[Value]) -> String {
    let server = Server::start();
    let mut all = vec![json!({ "register": ["INVOKE"] }), json!({ "next": 2 })];
    all.extend_from_slice(steps);
    let layer = server.publish_extensions(&[("bad", scripted(&json!(all)))]);
    let new = python("calling", WAITING).timeout(20).with("Layers", json!([layer]));
    let function = server.create(new);
    let before = function.invoke("{}").success();
    function.wait_until_all_are_ready();
    let started = Instant::now();
    let error = function.invoke(r#"{"wait": true}"#).function_error();
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(3), "answered only after {elapsed:?}");
    // The environment starts anew, with all it needs.
    assert_ne!(function.invoke("{}").success(), before);
    let events = function.logs_with_reports(3);
    assert_eq!(hearth_tests::streams(&events).len(), 1);
    let report = reports(&events)[1].trim_end();
    let (_, status) = report.split_once("\tStatus: ").unwrap_or((report, "none"));
    format!("{error}\n  {}\n", status.replace('\t', ", "))
}

#[test]
fn an_extension_that_ends_during_a_call_fails_it_at_once_and_resets_the_environment() {
    let mut seen = String::new();
    for steps in [
        vec![json!({ "exit": 0 })],
        vec![json!({ "exit": 1 })],
        vec![json!({ "signal": "SIGKILL" }), json!({ "hang": true })],
        vec![reported("POST {extension}/exit/error", "Extension.LostConnection"), json!({ "hang": true })],
        vec![reported("POST {extension}/exit/error", "nonsense"), json!({ "exit": 1 })],
    ] {
        seen += &ends_in_a_call(&steps);
    }
    expect![[r#"
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit code 0"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit status 1"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: killed"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.LostConnection","errorMessage":"RequestId: <id> Error: mine"}
          error, Error Type: Extension.LostConnection
        {"errorType":"Extension.ExitError","errorMessage":"RequestId: <id> Error: mine"}
          error, Error Type: Extension.ExitError
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_dies_between_two_calls_hurts_nobody() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE"] }, { "events": true }]);
    let function = server.create(with_extension(&server, "idle", &steps));
    let before = function.invoke("{}").success();
    let extension = number_after(said(&function.logs_with_reports(1), "bad")[0], "pid ") as i32;
    function.wait_until_all_are_ready();
    kill(Pid::from_raw(extension), Signal::SIGKILL).unwrap();
    eventually("the environment knows", || {
        let environment = &function.environments()[0];
        (environment["pid"].is_null() && environment["state"] == "Ready").then_some(())
    });
    assert_ne!(function.invoke("{}").success(), before, "runtime and extension start anew");
    let events = function.logs_with_reports(2);
    assert!(reports(&events).iter().all(|report| !report.contains("Status:")), "{events:#?}");
    assert_eq!(said(&events, "bad").iter().filter(|line| line.starts_with("registered")).count(), 2);
}

#[test]
fn reports_in_the_wrong_order_are_refused_and_the_wrong_ones_change_nothing() {
    let server = Server::start();
    let header = json!({ "Lambda-Extension-Identifier": "{id}" });
    let steps = json!([
        { "register": ["INVOKE"] },
        ask("POST {extension}/init/error", header.clone()),
        ask("POST {extension}/exit/error", header),
        { "next": 1 },
        reported("POST {extension}/init/error", "Extension.TooLate"),
        { "next": 1 },
        { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "order", &steps));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let lines: Vec<&str> = said(&events, "bad").into_iter().filter(|line| line.starts_with("403")).collect();
    assert_eq!(
        lines,
        [
            r#"403 application/json: {"errorMessage":"Lambda-Extension-Function-Error-Type not found","errorType":"Extension.MissingHeader"}"#,
            r#"403 application/json: {"errorMessage":"Lambda-Extension-Function-Error-Type not found","errorType":"Extension.MissingHeader"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Running to InitError failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
        ]
    );
}

#[test]
fn case_062_garbage_and_floods_from_an_extension_concern_only_its_own_environment() {
    let server = Server::start();
    let before = server.resident_kib();
    let next = "GET {extension}/event/next HTTP/1.1\r\nHost: h\r\nX: ";
    let steps = json!([
        { "raw": "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}" },
        { "raw": next, "bytes": 1_100_000 },
        { "raw": "POST {extension}/register HTTP/1.1\r\nHost: h\r\nLambda-Extension-Name: bad\r\nContent-Length: 9\r\n\r\n{" },
        { "raw": "POST {extension}/register HTTP/1.1\r\nHost: h\r\nLambda-Extension-Name: b\u{7f}d\r\nContent-Length: 2\r\n\r\n{}" },
        register(json!({ "Lambda-Extension-Name": "x".repeat(300) }), r#"{"events":[]}"#),
        register(json!({ "Lambda-Extension-Name": "large" }), &format!("{{\"events\":[\"{}\"]}}", "x".repeat(2_000_000))),
        { "flood": 200 },
        { "ask": "GET /2018-06-01/ping" },
    ]);
    let mut all = steps.as_array().unwrap().clone();
    all.extend([json!({ "register": [] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "garbage", &json!(all)));
    let pid = function.invoke("{}").success();
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "the server has grown by {grown} KiB");
    let events = function.logs_with_reports(1);
    let lines = said(&events, "bad");
    let refused = |line: &str| ["HTTP/1.1 4", "closed", "4"].iter().any(|start| line.starts_with(start));
    for line in &lines[..6] {
        assert!(refused(line), "{line}");
    }
    assert_eq!(lines[6..8], ["200 connections", "200 text/plain; charset=utf-8: pong"]);
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), pid);
    assert_others_work(&server);
}

#[test]
fn a_server_ends_in_time_although_an_extension_does_not() {
    let server = Server::start();
    let steps =
        json!([{ "ignore": "SIGTERM" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true }]);
    let function = server.create(with_extension(&server, "last", &steps));
    function.invoke("{}").success();
    let started = Instant::now();
    server.stop();
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(4), "the server took {elapsed:?}");
}

#[test]
fn a_server_that_is_killed_takes_extensions_and_their_children_along() {
    let server = Server::start();
    let steps = json!([
        { "ignore": "SIGTERM" }, { "child": "31536109" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "orphans", &steps));
    let runtime = function.invoke("{}").success().as_u64().unwrap();
    let extension = number_after(said(&function.logs_with_reports(1), "bad")[0], "pid ") as u64;
    assert_eq!(running("31536109"), 1);
    server.kill();
    for (what, pid) in [("runtime", runtime), ("extension", extension)] {
        eventually(&format!("the {what} is gone"), || (!is_alive(pid)).then_some(()));
    }
    eventually("the child is gone", || (running("31536109") == 0).then_some(()));
}

#[test]
fn an_extension_that_floods_its_output_costs_the_server_no_memory_and_the_caller_nothing() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE"] }, { "next": 1 }, { "print": 64 << 20 }, { "events": true }]);
    let function = server.create(with_extension(&server, "flooding", &steps).timeout(60));
    let before = server.resident_kib();
    let started = Instant::now();
    let pid = function.invoke("{}").success();
    let answered = started.elapsed();
    assert!(answered < Duration::from_secs(3), "answered only after {answered:?}");
    function.wait_until_all_are_ready();
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "the server has grown by {grown} KiB");
    let events = function.logs_with_reports(1);
    let longest = events.iter().map(|event| event.message.len()).max().unwrap();
    assert!(longest <= 262_144, "an event of {longest} bytes");
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), pid);
}

/// How many descriptors the server has.
fn descriptors_of(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[test]
fn environments_that_come_and_go_with_extensions_leave_nothing_behind() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "next": 2 }, { "exit": 1 }]);
    let layer = server.publish_extensions(&[("bad", scripted(&steps))]);
    let new = python("leaking", WAITING).timeout(20).with("Layers", json!([layer]));
    let function = server.create(new);
    let mut fewest = usize::MAX;
    for round in 0..rounds(6, 500) {
        function.invoke("{}").success();
        function.wait_until_all_are_ready();
        let error = function.invoke(r#"{"wait": true}"#).function_error();
        assert!(error.contains("Extension.Crash"), "{error}");
        function.wait_until_all_are_ready();
        // After the first rounds everything is there that stays.
        if round < 2 {
            fewest = fewest.min(descriptors_of(&server));
        }
    }
    assert_eq!(function.environments().len(), 1);
    eventually("descriptors are given back", || (descriptors_of(&server) <= fewest).then_some(()));
    assert!(running_nothing_of(&server));
}
